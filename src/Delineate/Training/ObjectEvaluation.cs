using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Metrics;
using Delineate.Models;

namespace Delineate.Training;

/// <summary>
/// Objects, counted as COCO counts them: by their joints, their masks and their boxes, as far as they have them. The truth is that of the files, at
/// their size.
/// </summary>
public sealed class ObjectEvaluation : Evaluation
{
    /// <summary>Detections that are less sure are left out of pictures and of an image's own score; COCO's figures take them all.</summary>
    public const float ShownScore = 0.5f;

    private const double OwnThreshold = 0.5; // similarity from which an object counts as found in an image's own score
    private const int CocoDetections = 100;
    private static readonly string[] ClassFigures = ["AP", "AP50", "recall"];

    private readonly ClassTable classes;
    private readonly CocoEvaluation[] counts; // what ranks comes first
    private readonly CocoEvaluationOptions own;
    private readonly Keypoint[]? unlabelled; // the joints of an object whose annotation has none
    private IReadOnlyList<ObjectScores>? parts;

    /// <summary>An evaluation of objects that are compared in some ways, the one that ranks first.</summary>
    /// <param name="classes">The classes; the background is none of them.</param>
    /// <param name="similarities">What is compared.</param>
    /// <param name="mostDetections">The surest objects of an image that count where it is more than COCO's 100; of joints 20 always do.</param>
    /// <param name="joints">The number of joints: COCO's 17 are measured by COCO's spreads, others by the mean of these.</param>
    /// <exception cref="ArgumentException">Nothing is compared.</exception>
    public ObjectEvaluation(ClassTable classes, IReadOnlyList<InstanceSimilarity> similarities, int mostDetections = CocoDetections, int joints = 17)
    {
        ArgumentNullException.ThrowIfNull(classes);
        ArgumentNullException.ThrowIfNull(similarities);
        if (similarities.Count == 0) throw new ArgumentException("an evaluation compares boxes, masks or joints", nameof(similarities));
        this.classes = classes;
        counts = [.. similarities.Select(s => new CocoEvaluation(classes, Options(s)))];
        unlabelled = similarities.Contains(InstanceSimilarity.Keypoints) ? new Keypoint[joints] : null;
        own = Options(similarities[0]) with { Thresholds = [OwnThreshold], Areas = [new AreaRange("all", 0, double.MaxValue)], MostDetections = [int.MaxValue] };

        CocoEvaluationOptions Options(InstanceSimilarity similarity)
        {
            var options = CocoEvaluationOptions.For(similarity);
            if (similarity != InstanceSimilarity.Keypoints) return mostDetections > CocoDetections ? options with { MostDetections = [1, 10, mostDetections] } : options;
            return joints == options.Sigmas.Count ? options : options with { Sigmas = [.. Enumerable.Repeat(options.Sigmas.Average(), joints)] };
        }
    }

    /// <summary>What a detector's objects are compared by: joints, or masks, where it finds them, and boxes.</summary>
    public static ObjectEvaluation For(DetectionModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        InstanceSimilarity[] similarities = model.Network switch
        {
            KeypointRcnn => [InstanceSimilarity.Keypoints, InstanceSimilarity.Boxes],
            MaskRcnn => [InstanceSimilarity.Masks, InstanceSimilarity.Boxes],
            _ => [InstanceSimilarity.Boxes],
        };
        return new ObjectEvaluation(model.Classes, similarities, model.Detection.Detections, model.Options.Keypoints);
    }

    public override ClassTable Classes => classes;

    /// <summary>COCO's figures of each kind of comparison, the one that ranks first.</summary>
    public IReadOnlyList<ObjectScores> Parts => parts ??= [.. counts.Select(c => new ObjectScores(NameOf(c.Options.Similarity), c.Scores()))];

    /// <summary>AP, AP50 and AP75 of each kind of comparison; of each class its AP in the one that ranks.</summary>
    public override Scores Scores => new(
        [.. Parts.SelectMany(p => p.Scores.Figures.Take(3).Select(f => new Figure(Key(p, f.Name), $"{p.Name} {f.Name}", f.Value)))],
        [.. Parts[0].Scores.Classes.Select(c => new Figure($"{Key(Parts[0], "AP")} {c.Name}", $"{Parts[0].Name} AP of {c.Name}", c.Ap))]);

    public override JsonObject ToJson()
    {
        var json = new JsonObject { ["images"] = Images };
        foreach (ObjectScores part in Parts)
            foreach (CocoFigure figure in part.Scores.Figures) json[Key(part, figure.Name)] = figure.Value;
        json["classes"] = new JsonArray([.. Parts[0].Scores.Classes.Select((c, k) =>
        {
            var row = new JsonObject { ["name"] = c.Name };
            foreach (ObjectScores part in Parts)
            {
                CocoClassScores scores = part.Scores.Classes[k];
                foreach ((string name, double? value) in ClassFigures.Zip([scores.Ap, scores.Ap50, scores.Recall])) row[Key(part, name)] = value;
            }
            return row;
        })]);
        return json;
    }

    private protected override ImageScore? Count(Annotation truth, Prediction prediction)
    {
        IReadOnlyList<Instance> wanted = truth.Instances ?? throw new DatasetException("it has no list of objects to compare with");
        IReadOnlyList<Instance> found = prediction.Instances ?? throw new TrainingException("the model finds no objects: there is nothing to compare with those of the data set");
        if (unlabelled is not null) wanted = [.. wanted.Select(w => w.Keypoints is null ? w with { Keypoints = unlabelled } : w)];
        foreach (CocoEvaluation count in counts) count.Add(wanted, found);
        parts = null;
        return OwnScore(wanted, [.. found.Where(f => f.Score >= ShownScore)]);
    }

    /// <summary>The share of right objects among all that are wanted or found.</summary>
    private ImageScore? OwnScore(IReadOnlyList<Instance> truths, IReadOnlyList<Instance> detections)
    {
        (int right, int missed, int wrong) = (0, 0, 0);
        foreach (int label in truths.Concat(detections).Select(o => o.Label).Distinct())
        {
            var matching = InstanceMatching.Of([.. truths.Where(t => t.Label == label)], [.. detections.Where(d => d.Label == label)], own);
            int hits = 0;
            for (int d = 0; d < matching.Scores.Length; d++)
            {
                if (matching.Ignored[0, d] != 0) continue;
                if (matching.Matched[0, d] != 0) hits++;
                else wrong++;
            }
            (right, missed) = (right + hits, missed + matching.Wanted[0] - hits);
        }
        int all = right + missed + wrong;
        return all == 0 ? null : new ImageScore((double)right / all, missed + wrong, string.Create(CultureInfo.InvariantCulture, $"{right} found, {missed} missed, {wrong} false"));
    }

    private static string Key(ObjectScores part, string figure) => $"{part.Name}_{figure.ToLowerInvariant()}";

    private static string NameOf(InstanceSimilarity similarity) => similarity switch
    {
        InstanceSimilarity.Keypoints => "keypoint",
        InstanceSimilarity.Masks => "mask",
        _ => "box",
    };
}

/// <summary>COCO's figures of one kind of comparison.</summary>
/// <param name="Name"><c>mask</c>, <c>box</c> or <c>keypoint</c>.</param>
/// <param name="Scores">The figures.</param>
public sealed record ObjectScores(string Name, CocoScores Scores);
