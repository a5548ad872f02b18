using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Metrics;
using Delineate.Models;

namespace Delineate.Training;

/// <summary>The classes of pixels, counted in a confusion matrix.</summary>
public sealed class SemanticEvaluation(ClassTable classes) : Evaluation
{
    public override ClassTable Classes => classes;

    /// <summary>The counts so far.</summary>
    public ConfusionMatrix Confusion { get; } = new(classes.Count, classes.IgnoreIndex);

    /// <summary>Mean IoU, pixel accuracy and mean accuracy; of each class its IoU.</summary>
    public override Scores Scores
    {
        get
        {
            SegmentationScores all = Confusion.Scores(classes.Names);
            return new Scores(
                [new("mean_iou", "mean IoU", all.MeanIou), new("pixel_accuracy", "pixel accuracy", all.PixelAccuracy), new("mean_accuracy", "mean accuracy", all.MeanAccuracy)],
                [.. all.Classes.Select(c => new Figure($"iou {c.Name}", $"IoU of {c.Name}", c.Iou))]);
        }
    }

    public override JsonObject ToJson()
    {
        SegmentationScores scores = Confusion.Scores(classes.Names);
        IEnumerable<int> labels = Enumerable.Range(0, Confusion.Classes);
        return new JsonObject
        {
            ["images"] = Images,
            ["mean_iou"] = scores.MeanIou,
            ["pixel_accuracy"] = scores.PixelAccuracy,
            ["mean_accuracy"] = scores.MeanAccuracy,
            ["frequency_weighted_iou"] = scores.FrequencyWeightedIou,
            ["mean_dice"] = scores.MeanDice,
            ["counted_pixels"] = scores.CountedPixels,
            ["ignored_pixels"] = scores.IgnoredPixels,
            ["classes"] = new JsonArray([.. scores.Classes.Select(c => new JsonObject
            {
                ["name"] = c.Name,
                ["iou"] = c.Iou,
                ["accuracy"] = c.Accuracy,
                ["dice"] = c.Dice,
                ["truth_pixels"] = c.TruthPixels,
                ["predicted_pixels"] = c.PredictedPixels,
            })]),
            ["confusion_matrix"] = new JsonArray([.. labels.Select(t => new JsonArray([.. labels.Select(p => JsonValue.Create(Confusion[t, p]))]))]),
        };
    }

    private protected override ImageScore? Count(Annotation truth, Prediction prediction)
    {
        LabelMap labels = truth.Semantic ?? throw new DatasetException("it has no label map to compare with");
        LabelMap found = prediction.Semantic ?? throw new TrainingException("the model draws no label maps: there is nothing to compare with those of the data set");
        var own = new ConfusionMatrix(classes.Count, classes.IgnoreIndex);
        own.Add(labels, found);
        Confusion.Add(own);
        if (own.Total == 0) return null;
        double iou = own.Scores(classes.Names).MeanIou;
        return new ImageScore(iou, 0, string.Create(CultureInfo.InvariantCulture, $"mean IoU {100 * iou:F1}"));
    }
}
