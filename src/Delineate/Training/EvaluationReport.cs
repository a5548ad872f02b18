using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Drawing;
using Delineate.Inference;
using Delineate.Metrics;
using Delineate.Models;

namespace Delineate.Training;

/// <summary>An evaluation gathered for people and programs: the confusion matrix, and the images with the best and the worst figures.</summary>
public sealed class EvaluationReport
{
    private const int Shown = 4;
    private readonly List<ReportExample> best = [], worst = [];
    private readonly ClassTable classes;

    private EvaluationReport(Predictor predictor, Dataset dataset, EvaluationSize size, Action<int, int>? progress, CancellationToken cancel)
    {
        (classes, Images) = (predictor.Model.Classes, dataset.Count);
        Confusion = Evaluator.Run(predictor, dataset, size, (i, image) =>
        {
            Consider(image);
            progress?.Invoke(i + 1, dataset.Count);
        }, cancel);
        // In a small set the ends overlap: the better half of what is shown stays with the best.
        if (worst.Any(best.Contains))
        {
            int half = (best.Union(worst).Count() + 1) / 2;
            best.RemoveRange(half, best.Count - half);
        }
        worst.RemoveAll(best.Contains);
    }

    /// <summary>The counts over the whole set.</summary>
    public ConfusionMatrix Confusion { get; }

    /// <summary>The number of images.</summary>
    public int Images { get; }

    /// <summary>The figures over the whole set.</summary>
    public SegmentationScores Scores => Confusion.Scores(classes.Names);

    /// <summary>Evaluates a model; <paramref name="progress"/> gets (images done, images in all).</summary>
    public static EvaluationReport Of(
        Model model, Dataset dataset, EvaluationSize size = EvaluationSize.Original, Action<int, int>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Of(new Predictor(model), dataset, size, progress, cancel);
    }

    /// <summary>The same with the windows and views of a predictor.</summary>
    public static EvaluationReport Of(
        Predictor predictor, Dataset dataset, EvaluationSize size = EvaluationSize.Original, Action<int, int>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(predictor);
        ArgumentNullException.ThrowIfNull(dataset);
        return new EvaluationReport(predictor, dataset, size, progress, cancel);
    }

    /// <summary>Everything that was counted, for programs. Shares are in 0…1.</summary>
    public JsonObject ToJson()
    {
        SegmentationScores scores = Scores;
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

    /// <summary>The images with the highest mean IoU over their own classes, best first.</summary>
    public IReadOnlyList<ReportExample> Best => best;

    /// <summary>Those with the lowest, worst first; none that is among the best.</summary>
    public IReadOnlyList<ReportExample> Worst => worst;

    /// <summary>The page that shows it, with a run's curves and recipe where there was one.</summary>
    public string ToHtml(string title, IReadOnlyList<(string Name, string Value)> facts, IReadOnlyList<EpochRecord>? history = null, Recipe? recipe = null) =>
        TrainingReport.Html(new ReportContent
        {
            Title = title,
            Classes = classes,
            Facts = facts,
            History = history ?? [],
            Confusion = Confusion,
            Best = best,
            Worst = worst,
            Recipe = recipe?.ToJson(),
        });

    /// <summary>Keeps an image where it is among the best or the worst so far; images without a counted pixel tell nothing.</summary>
    private void Consider(EvaluatedImage image)
    {
        if (image.Scores.CountedPixels == 0) return;
        var example = new ReportExample(image.Sample.Name, image.Scores.MeanIou, image.Sample.Image, image.Sample.Annotation.Semantic!, image.Prediction);
        Insert(best, example, (a, b) => a.MeanIou > b.MeanIou);
        Insert(worst, example, (a, b) => a.MeanIou < b.MeanIou);

        static void Insert(List<ReportExample> list, ReportExample item, Func<ReportExample, ReportExample, bool> before)
        {
            int place = list.FindIndex(other => before(item, other));
            list.Insert(place < 0 ? list.Count : place, item);
            if (list.Count > Shown) list.RemoveAt(Shown);
        }
    }
}
