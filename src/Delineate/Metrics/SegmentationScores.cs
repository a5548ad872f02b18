using System.Globalization;
using System.Text;

namespace Delineate.Metrics;

/// <summary>How well one class is segmented. Figures are null where they do not exist: no pixel of the class in the truth, or none in either.</summary>
/// <param name="Name">The class's name.</param>
/// <param name="Accuracy">Of the pixels of this class, the share that was found; null without truth pixels.</param>
/// <param name="Iou">Intersection over union; null where neither truth nor prediction has the class.</param>
/// <param name="Dice">2·intersection over the sum of both areas; null where neither has the class.</param>
/// <param name="TruthPixels">Counted pixels of the class in the truth.</param>
/// <param name="PredictedPixels">Counted pixels that were taken for the class.</param>
public sealed record ClassScores(string Name, double? Accuracy, double? Iou, double? Dice, long TruthPixels, long PredictedPixels);

/// <summary>The figures of semantic segmentation (Long et al. 2015, section 5), each in 0…1. Classes that occur nowhere do not count in the means.</summary>
/// <param name="PixelAccuracy">The share of pixels whose class is right.</param>
/// <param name="MeanAccuracy">The mean of the classes' accuracies.</param>
/// <param name="MeanIou">The mean of the classes' intersections over union.</param>
/// <param name="FrequencyWeightedIou">The classes' IoU weighted by their share of the truth.</param>
/// <param name="MeanDice">The mean of the classes' Dice figures.</param>
/// <param name="Classes">The figures of each class.</param>
/// <param name="CountedPixels">Pixels that counted.</param>
/// <param name="IgnoredPixels">Pixels that did not, because their truth is the ignore index.</param>
public sealed record SegmentationScores(
    double PixelAccuracy, double MeanAccuracy, double MeanIou, double FrequencyWeightedIou, double MeanDice, IReadOnlyList<ClassScores> Classes, long CountedPixels, long IgnoredPixels)
{
    /// <summary>The table in the form that users of FCN know: global correct, average row correct, IoU, mean IoU, in per cent.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"global correct: {100 * PixelAccuracy:F1}\n");
        text.Append(CultureInfo.InvariantCulture, $"average row correct: [{string.Join(", ", Classes.Select(c => Percent(c.Accuracy)))}]\n");
        text.Append(CultureInfo.InvariantCulture, $"IoU: [{string.Join(", ", Classes.Select(c => Percent(c.Iou)))}]\n");
        text.Append(CultureInfo.InvariantCulture, $"mean IoU: {100 * MeanIou:F1}");
        return text.ToString();

        static string Percent(double? share) => share is { } s ? (100 * s).ToString("F1", CultureInfo.InvariantCulture) : "absent";
    }

    internal static SegmentationScores Of(ConfusionMatrix matrix, IReadOnlyList<string>? names)
    {
        int n = matrix.Classes;
        long total = matrix.Total, right = 0;
        double weighted = 0;
        var classes = new ClassScores[n];
        for (int c = 0; c < n; c++)
        {
            long hit = matrix[c, c], truth = 0, predicted = 0;
            for (int k = 0; k < n; k++) (truth, predicted) = (truth + matrix[c, k], predicted + matrix[k, c]);
            long union = truth + predicted - hit;
            double? iou = union > 0 ? (double)hit / union : null;
            classes[c] = new ClassScores(
                names?[c] ?? c.ToString(CultureInfo.InvariantCulture),
                truth > 0 ? (double)hit / truth : null,
                iou,
                union > 0 ? 2.0 * hit / (truth + predicted) : null,
                truth,
                predicted);
            right += hit;
            weighted += truth * (iou ?? 0);
        }
        double counted = Math.Max(1, total);
        return new SegmentationScores(right / counted, Mean(c => c.Accuracy), Mean(c => c.Iou), weighted / counted, Mean(c => c.Dice), classes, total, matrix.Ignored);

        double Mean(Func<ClassScores, double?> figure) => classes.Select(figure).Where(f => f is not null).DefaultIfEmpty(0).Average()!.Value;
    }
}
