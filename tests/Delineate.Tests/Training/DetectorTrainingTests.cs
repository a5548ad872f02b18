using System.Text.Json;
using Delineate.Data;
using Delineate.Metrics;
using Delineate.Models;
using Delineate.Testing;
using Delineate.Tests.Models;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Training;

/// <summary>Detectors through the same trainer as networks that label pixels, on small ones with random weights.</summary>
[Collection(nameof(TrainerTests))]
public sealed class DetectorTrainingTests : IDisposable
{
    private const string MaskRcnn = "maskrcnn_resnet18_fpn";
    private readonly TinyRun run = new();

    public void Dispose() => run.Dispose();

    private static Recipe Tiny(string model = MaskRcnn) => Recipe.For(model) with
    {
        Epochs = 2,
        BatchSize = 2,
        LearningRate = 0.01,
        WarmupEpochs = 0.5,
        VerticalFlipProbability = 0.5,
        ColorJitter = 0.2,
        Options = new ModelOptions
        {
            WidthDivisor = 16,
            FrozenNorm = false,
            Keypoints = 2,
            Detection = new DetectionOptions
            {
                MinSize = 96,
                MaxSize = 160,
                TrainingMinSize = 64,
                ProposalsBeforeNms = 60,
                ProposalsAfterNms = 30,
                TrainingProposalsBeforeNms = 60,
                TrainingProposalsAfterNms = 40,
                AnchorSamples = 64,
                BoxSamples = 32,
                Detections = 12,
            },
        },
    };

    [Fact]
    public void The_loss_falls_and_the_best_weights_are_those_of_the_best_mask_AP()
    {
        Recipe recipe = Tiny() with { Epochs = 10, Optimizer = OptimizerKind.AdamW, LearningRate = 2e-3, EvalEvery = 5, Options = Tiny().Options with { WidthDivisor = 8 } };
        var validation = new Things(2);
        TrainingState state = TinyRun.Train(recipe.NewModel(Objects.Classes), recipe, run.Folder, new Things(8), validation);
        Assert.True(state.History[^1].TrainLoss < 0.7 * state.History[0].TrainLoss, $"{state.History[0].TrainLoss} → {state.History[^1].TrainLoss}");
        Assert.Equal(["loss_box_reg", "loss_classifier", "loss_mask", "loss_objectness", "loss_rpn_box_reg"], state.History[^1].Terms.Keys.Order());
        Assert.Equal(state.History[^1].TrainLoss, state.History[^1].Terms.Values.Sum(), 1e-4);
        Assert.Equal(["mask_ap", "mask_ap50", "mask_ap75", "box_ap", "box_ap50", "box_ap75"], state.History[^1].Scores!.Figures.Select(f => f.Key));
        Assert.Equal(state.History.Max(r => r.Score), state.BestScore);
        Model best = ModelFile.Load(run.Folder.Best, out ModelCard card);
        Assert.Equal(state.BestScore, Evaluator.Run(best, validation).Scores.Figures[0].Value);
        Assert.Equal(state.BestScore, card.Metrics!["mask_ap"]);
        string log = File.ReadLines(Path.Combine(run.Path, "log.jsonl")).First();
        foreach (string term in state.History[0].Terms.Keys) Assert.True(JsonDocument.Parse(log).RootElement.GetProperty(term).GetDouble() >= 0);
        Assert.Contains("loss_mask", File.ReadLines(Path.Combine(run.Path, "metrics.csv")).First(), StringComparison.Ordinal);
        Assert.EndsWith("mask_ap,mask_ap50,mask_ap75,box_ap,box_ap50,box_ap75,mask_ap tall,mask_ap wide", File.ReadLines(Path.Combine(run.Path, "metrics.csv")).First(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(MaskRcnn, 1)]
    [InlineData(MaskRcnn, 2)]
    [InlineData("keypointrcnn_resnet50_fpn", 2)]
    public void A_run_cancelled_after_every_step_ends_in_the_same_bits(string name, int accumulate)
    {
        Recipe recipe = Tiny(name) with { AccumulateBatches = accumulate, CopyPasteProbability = 0.3 };
        TrainingState whole = TinyRun.Train(recipe.NewModel(Objects.Classes), recipe, run.Folder, new Things(6), new Things(2));
        using var resumed = new TinyRun();
        TrainingState state = new();
        for (int session = 0; state.Epoch < recipe.Epochs; session++)
        {
            Assert.InRange(session, 0, 6);
            state = TinyRun.Train(recipe.NewModel(Objects.Classes), recipe, resumed.Folder, new Things(6), new Things(2), steps: 1);
        }
        SortedDictionary<string, float[]> expected = TinyRun.Tensors(run.Folder.Last), actual = TinyRun.Tensors(resumed.Folder.Last);
        Assert.Equal(expected.Keys, actual.Keys);
        foreach ((string tensor, float[] values) in expected) TensorAssert.SameBits(values, actual[tensor], tensor);
        Assert.Equal(accumulate == 1 ? 6 : 4, whole.Step);
        Assert.Equal(whole.History.Select(r => (r.Step, r.TrainLoss, r.Score, r.DroppedObjects)), state.History.Select(r => (r.Step, r.TrainLoss, r.Score, r.DroppedObjects)));
        Assert.Equal(whole.History[^1].Scores!.Figures, state.History[^1].Scores!.Figures);
    }

    [Fact]
    public void Images_without_objects_train_and_are_evaluated()
    {
        Recipe recipe = Tiny() with { Epochs = 1 };
        TrainingState state = TinyRun.Train(recipe.NewModel(Objects.Classes), recipe, run.Folder, new Things(4, _ => true), new Things(2, _ => true));
        Assert.Equal(0, state.History[0].Terms["loss_mask"]);
        Assert.NotNull(state.History[0].Scores);
        Assert.Null(state.History[0].Score); // nothing to find
        Assert.Equal(-state.History[0].TrainLoss, state.BestScore); // so the loss ranks
        Assert.True(File.Exists(run.Folder.Best));
    }

    [Fact]
    public void Objects_of_which_nothing_is_left_are_dropped_and_counted()
    {
        Recipe recipe = Tiny("fasterrcnn_resnet50_fpn") with { Epochs = 1 };
        var data = new Things(4) { Change = sample => sample with { Annotation = sample.Annotation with { Instances = [.. sample.Annotation.Instances!, Thin] } } };
        Assert.Equal(4, TinyRun.Train(recipe.NewModel(Objects.Classes), recipe, run.Folder, data).History[0].DroppedObjects);
        Assert.Equal(0, TinyRun.Train(recipe.NewModel(Objects.Classes), recipe, new RunFolder(Path.Combine(run.Path, "second")), new Things(4)).History[0].DroppedObjects);
    }

    private static Instance Thin => new() { Label = 1, Box = new Box(3, 3, 3.4, 20) };

    [Fact]
    public void What_does_not_tell_objects_is_refused_before_anything_is_written()
    {
        Refuses(new Squares(3), Recipe.For(MaskRcnn), "'background' there: name it with \"background\"");
        Refuses(new Things(3) { Change = s => s with { Annotation = new Annotation() } }, Tiny(), "image 0: it has no list of objects, which maskrcnn_resnet18_fpn learns from");
        Refuses(new Things(3) { Change = Boxes }, Tiny(), "a box and no mask, which maskrcnn_resnet18_fpn learns from: fasterrcnn_resnet50_fpn learns from boxes alone");
        Refuses(new Things(3), Tiny("keypointrcnn_resnet50_fpn") with { Options = Tiny().Options with { Keypoints = 17 } }, "an object has 2 joints, the network finds 17");
        Recipe boxes = Tiny("fasterrcnn_resnet50_fpn") with { Epochs = 1 };
        _ = new TrainingRun(boxes, new Things(3) { Change = Boxes }, null, run.Folder);

        static Sample Boxes(Sample s) => s with { Annotation = s.Annotation with { Instances = [.. s.Annotation.Instances!.Select(o => o with { Mask = null })] } };

        void Refuses(Dataset data, Recipe recipe, string message)
        {
            Assert.Contains(message, Assert.Throws<TrainingException>(() => new TrainingRun(recipe with { Options = recipe.Options with { WidthDivisor = 16 } }, data, null, run.Folder)).Message, StringComparison.Ordinal);
            Assert.Empty(Directory.EnumerateFileSystemEntries(run.Path));
        }
    }

    [Fact]
    public void An_object_without_a_mask_deep_in_the_data_stops_the_run_names_its_image_and_costs_no_step()
    {
        var data = new Things(6) { Change = s => s.Name == "image 4" ? s with { Annotation = s.Annotation with { Instances = [Thin with { Box = new Box(1, 1, 9, 9), Id = "annotation 7" }] } } : s };
        Recipe recipe = Tiny();
        int place = Array.IndexOf(new DataLoader(data, options: new DataLoaderOptions { BatchSize = 2, Seed = recipe.Seed }).Order(0), 4) / 2;
        string message = Assert.Throws<DatasetException>(() => TinyRun.Train(recipe.NewModel(Objects.Classes), recipe, run.Folder, data)).Message;
        Assert.StartsWith("sample 'image 4'", message, StringComparison.Ordinal);
        Assert.Contains("an object (annotation 7) has a box and no mask", message, StringComparison.Ordinal);
        using var trainer = new Trainer(recipe.NewModel(Objects.Classes), recipe, data, null, run.Folder);
        Assert.Equal(place, trainer.State.Step);
    }

    [Fact]
    public void A_last_batch_of_one_image_is_learned_from_where_the_norms_are_frozen()
    {
        Recipe frozen = Tiny() with { Epochs = 1, Options = Tiny().Options with { FrozenNorm = true } };
        Assert.Equal(2, TinyRun.Train(frozen.NewModel(Objects.Classes), frozen, run.Folder, new Things(3)).Step);
        using var trainer = new Trainer(Tiny().NewModel(Objects.Classes), Tiny(), new Things(3), null, new RunFolder(Path.Combine(run.Path, "trained")));
        Assert.Contains("leaves out 1 image", Assert.Single(trainer.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_of_a_classifier_become_the_backbone()
    {
        string file = Path.Combine(run.Path, "resnet18.pth");
        var classifier = new ResNetClassifier(new Tensors.Philox(2), 10, new Delineate.Models.Parts.ResNetOptions { Depth = 18 });
        Tensors.Weights.PyTorchFile.Save(file, classifier.StateDict());
        Model model = (Recipe.For(MaskRcnn) with { Options = new ModelOptions() }).NewModel(Objects.Classes);
        LoadedWeights loaded = ModelFile.LoadInto(model, file);
        Assert.All(loaded.Taken, name => Assert.StartsWith("backbone.body.", name, StringComparison.Ordinal));
        Assert.Equal(
            classifier.StateDict().Single(t => t.Name == "layer4.1.conv2.weight").Tensor.ToArray(),
            model.Network.StateDict().Single(t => t.Name == "backbone.body.layer4.1.conv2.weight").Tensor.ToArray());
        Assert.Contains("backbone.fpn", loaded.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Made-up images with a tall and a wide thing; every fourth has none.</summary>
    private sealed class Things(int count, Func<int, bool>? isEmpty = null) : Dataset
    {
        public override ClassTable Classes => Objects.Classes;

        public override IReadOnlyList<string> Names { get; } = [.. Enumerable.Range(0, count).Select(i => $"image {i}")];

        public override IReadOnlyList<string> KeypointNames => ["left_end", "right_end"];

        public Func<Sample, Sample> Change { get; init; } = s => s;

        public override Sample Load(int index) => Change(Objects.Sample(index, isEmpty: isEmpty?.Invoke(index) ?? index % 4 == 3));
    }
}
