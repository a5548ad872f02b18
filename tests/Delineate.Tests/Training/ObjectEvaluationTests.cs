using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Metrics;
using Delineate.Models;
using Delineate.Tests.Models;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Training;

public sealed class ObjectEvaluationTests
{
    private static readonly InstanceSimilarity[] MasksAndBoxes = [InstanceSimilarity.Masks, InstanceSimilarity.Boxes];

    /// <summary>A few images with what might have been found in them: objects a little off, doubled, of the wrong class, missing.</summary>
    private static IReadOnlyList<(Annotation Truth, Prediction Prediction)> Guesses()
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, 12).Select(i =>
        {
            Annotation truth = Objects.Sample(i, isEmpty: i % 5 == 4).Annotation;
            IEnumerable<Instance> found = truth.Instances!.Concat(Objects.Sample(i + 50).Annotation.Instances!.Take(1)).Select(o =>
            {
                int shift = random.Next(3);
                Instance moved = o.Crop(0, 0, 64, 96 - shift)!.Pad(0, shift, 0, 0);
                return moved with { Score = random.Next(1, 10) / 10f, Label = random.Next(8) == 0 ? 3 - o.Label : o.Label };
            });
            return (truth, new Prediction { Instances = [.. found] });
        })];
    }

    [Fact]
    public void Figures_are_those_of_the_evaluations_fed_by_hand()
    {
        var evaluation = new ObjectEvaluation(Objects.Classes, MasksAndBoxes);
        CocoEvaluation[] byHand = [.. MasksAndBoxes.Select(s => new CocoEvaluation(Objects.Classes, CocoEvaluationOptions.For(s)))];
        foreach ((Annotation truth, Prediction prediction) in Guesses())
        {
            evaluation.Add(truth, prediction);
            foreach (CocoEvaluation one in byHand) one.Add(truth.Instances!, prediction.Instances!);
        }
        Assert.Equal(["mask", "box"], evaluation.Parts.Select(p => p.Name));
        foreach ((ObjectScores part, CocoEvaluation one) in evaluation.Parts.Zip(byHand)) Assert.Equal(one.Scores().Figures, part.Scores.Figures);
        CocoScores masks = byHand[0].Scores();
        Assert.InRange(masks.Ap!.Value, 0.1, 0.9);
        Assert.Equal([("mask_ap", masks.Ap), ("mask_ap50", masks.Ap50), ("mask_ap75", masks.Ap75)], evaluation.Scores.Figures.Take(3).Select(f => (f.Key, f.Value)));
        Assert.Equal([("mask_ap tall", masks.Classes[0].Ap), ("mask_ap wide", masks.Classes[1].Ap)], evaluation.Scores.Classes.Select(f => (f.Key, f.Value)));
        JsonObject json = evaluation.ToJson();
        Assert.Equal((12, masks.Ap, byHand[1].Scores().Ap), ((int)json["images"]!, (double)json["mask_ap"]!, (double)json["box_ap"]!));
        Assert.Equal(12 + 12, json.Count(p => p.Key.StartsWith("mask_", StringComparison.Ordinal) || p.Key.StartsWith("box_", StringComparison.Ordinal)));
        Assert.Equal(masks.Classes[1].Ap50, (double)json["classes"]![1]!["mask_ap50"]!);
    }

    [Fact]
    public void An_image_is_ranked_by_its_missed_and_false_objects()
    {
        Annotation truth = Objects.Sample(1).Annotation;
        Instance[] right = [.. truth.Instances!];
        Assert.Equal((1.0, 0, "2 found, 0 missed, 0 false"), Score(right));
        Assert.Equal((0.5, 1, "1 found, 1 missed, 0 false"), Score(right[0]));
        Assert.Equal((0.25, 3, "1 found, 1 missed, 2 false"), Score(right[0], right[0] with { Score = 0.9f }, right[0] with { Score = 0.8f }));
        Assert.Equal((0.0, 4, "0 found, 2 missed, 2 false"), Score([.. right.Select(o => o with { Label = 3 - o.Label })]));
        Assert.Equal((0.5, 1, "1 found, 1 missed, 0 false"), Score(right[0], right[1] with { Score = 0.49f })); // unsure
        Assert.Equal((1.0, 0, "1 found, 0 missed, 0 false"), Of(new Annotation { Instances = [right[0], right[1] with { IsCrowd = true }] }, right)); // what lies in a crowd is no mistake
        Assert.Null(new ObjectEvaluation(Objects.Classes, MasksAndBoxes).Add(new Annotation { Instances = [] }, new Prediction { Instances = [] }));

        (double, int, string) Score(params Instance[] found) => Of(truth, found);

        static (double, int, string) Of(Annotation truth, Instance[] found)
        {
            ImageScore score = new ObjectEvaluation(Objects.Classes, MasksAndBoxes).Add(truth, new Prediction { Instances = found })!;
            return (score.Value, score.Faults, score.Text);
        }
    }

    [Fact]
    public void More_detections_than_COCOs_hundred_count_where_a_model_gives_more()
    {
        ObjectEvaluation many = new(Objects.Classes, MasksAndBoxes, 300), few = new(Objects.Classes, MasksAndBoxes, 20);
        Assert.Equal("AR300", many.Parts[0].Scores.Figures[8].Name);
        Assert.Equal("AR100", few.Parts[0].Scores.Figures[8].Name);
    }

    [Fact]
    public void Joints_of_any_number_are_compared_and_objects_without_any_do_not_count()
    {
        var evaluation = new ObjectEvaluation(Objects.Classes, [InstanceSimilarity.Keypoints, InstanceSimilarity.Boxes], joints: 2);
        Instance[] things = [.. Objects.Sample(2).Annotation.Instances!];
        evaluation.Add(new Annotation { Instances = [things[0], things[1] with { Keypoints = null }] }, new Prediction { Instances = [things[0]] });
        Assert.Equal("keypoint_ap", evaluation.Scores.Figures[0].Key);
        Assert.Equal(1, evaluation.Scores.Figures[0].Value!.Value, 1e-9);
        Assert.Equal(["AP", "AP50", "AP75", "APmedium", "APlarge", "AR", "AR50", "AR75", "ARmedium", "ARlarge"], evaluation.Parts[0].Scores.Figures.Select(f => f.Name));
        Assert.Null(evaluation.Scores.Classes[1].Value);
    }

    [Fact]
    public void A_detector_is_compared_at_the_files_size_alone()
    {
        Model model = ModelCatalog.Create("maskrcnn_resnet18_fpn", new ModelOptions { WidthDivisor = 32 }, Objects.Classes);
        Assert.Contains("at the files' original size only", Assert.Throws<TrainingException>(() => Evaluator.Run(model, new Squares(1), EvaluationSize.Network)).Message, StringComparison.Ordinal);
        Assert.Equal("square0: it has no list of objects to compare with", Assert.Throws<DatasetException>(() => Evaluator.Run(model, new Squares(1))).Message);
        Assert.Equal(["keypoint", "box"], ObjectEvaluation.For((DetectionModel)ModelCatalog.Create("keypointrcnn_resnet50_fpn", new ModelOptions { WidthDivisor = 32 }, Objects.Classes)).Parts.Select(p => p.Name));
    }

    [Fact]
    public void What_is_not_told_is_named()
    {
        var evaluation = new ObjectEvaluation(Objects.Classes, MasksAndBoxes);
        Assert.Equal("it has no list of objects to compare with", Assert.Throws<DatasetException>(() => evaluation.Add(new Annotation(), new Prediction { Instances = [] })).Message);
        Assert.Contains("finds no objects", Assert.Throws<TrainingException>(() => evaluation.Add(new Annotation { Instances = [] }, new Prediction())).Message, StringComparison.Ordinal);
        Assert.Contains("draws no label maps", Assert.Throws<TrainingException>(() => new SemanticEvaluation(Objects.Classes).Add(new Annotation { Semantic = new Imaging.LabelMap(1, 1) }, new Prediction())).Message, StringComparison.Ordinal);
        Assert.Equal(0, evaluation.Images);
    }
}
