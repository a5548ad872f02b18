using System.Globalization;
using System.Text;

namespace Delineate.Metrics;

/// <summary>One of COCO's figures, in 0…1.</summary>
/// <param name="Name">COCO's short name: <c>AP</c>, <c>AP50</c>, <c>APsmall</c>, <c>AR100</c>.</param>
/// <param name="Meaning">Average precision or recall, over which similarities, areas and detections.</param>
/// <param name="Value">Null where no truth counts.</param>
public sealed record CocoFigure(string Name, string Meaning, double? Value);

/// <summary>How well the objects of one class are found.</summary>
/// <param name="Name">The class.</param>
/// <param name="Ap">The mean over all thresholds; null where the class has no truth.</param>
/// <param name="Ap50">At a similarity of 0.5.</param>
/// <param name="Recall">The mean recall over all thresholds.</param>
public sealed record CocoClassScores(string Name, double? Ap, double? Ap50, double? Recall);

/// <summary>COCO's figures over a data set, twelve for boxes and masks and ten for joints, and what they are read from.</summary>
public sealed class CocoScores
{
    private readonly CocoEvaluationOptions options;

    internal CocoScores(CocoEvaluationOptions options, IReadOnlyList<string> classes, PrecisionCurves curves, int images)
    {
        (this.options, ClassNames, Curves, Images) = (options, classes, curves, images);
        Figures = [.. List()];
        Classes = [.. classes.Select((name, k) => new CocoClassScores(name, MeanPrecision(null, 0, k), MeanPrecision(0.5, 0, k), MeanRecall(null, 0, Last, k)))];
    }

    /// <summary>What was counted.</summary>
    public CocoEvaluationOptions Options => options;

    /// <summary>The evaluated classes.</summary>
    public IReadOnlyList<string> ClassNames { get; }

    /// <summary>The number of images.</summary>
    public int Images { get; }

    /// <summary>COCO's figures in COCO's order.</summary>
    public IReadOnlyList<CocoFigure> Figures { get; }

    /// <summary>The figures of each class over objects of all areas.</summary>
    public IReadOnlyList<CocoClassScores> Classes { get; }

    /// <summary>The curves behind the figures.</summary>
    public PrecisionCurves Curves { get; }

    /// <summary>Average precision over all thresholds: what COCO ranks by. Null where no truth counts.</summary>
    public double? Ap => Figures[0].Value;

    /// <summary>Average precision at a similarity of 0.5.</summary>
    public double? Ap50 => Figures[1].Value;

    /// <summary>Average precision at a similarity of 0.75.</summary>
    public double? Ap75 => Figures[2].Value;

    private int Last => options.MostDetections.Count - 1;

    /// <summary>Precision against recall, the mean over classes with truths, at one threshold and objects of all areas. One value a recall.</summary>
    public IReadOnlyList<double> Curve(int threshold) =>
        [.. Enumerable.Range(0, options.Recalls.Count).Select(r => Mean(Enumerable.Range(0, ClassNames.Count).Select(k => Curves.Precision[Curves.Place(threshold, r, k, 0, Last)])) ?? 0)];

    /// <summary>COCO's table.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (CocoFigure figure in Figures)
            text.Append(CultureInfo.InvariantCulture, $"{figure.Name,-8} {(figure.Value is { } v ? v.ToString("F3", CultureInfo.InvariantCulture) : "  -  ")}  {figure.Meaning}\n");
        return text.ToString().TrimEnd('\n');
    }

    private IEnumerable<CocoFigure> List()
    {
        string what = options.Similarity == InstanceSimilarity.Keypoints ? "OKS" : "IoU";
        string range = string.Create(CultureInfo.InvariantCulture, $"{what} {options.Thresholds[0]:F2} to {options.Thresholds[^1]:F2}");
        int most = options.MostDetections[^1];
        yield return new("AP", $"average precision, {range}", MeanPrecision(null, 0));
        yield return new("AP50", $"average precision, {what} 0.50", MeanPrecision(0.5, 0));
        yield return new("AP75", $"average precision, {what} 0.75", MeanPrecision(0.75, 0));
        for (int a = 1; a < options.Areas.Count; a++) yield return new($"AP{options.Areas[a].Name}", $"average precision, {options.Areas[a].Name} objects", MeanPrecision(null, a));
        if (options.MostDetections.Count > 1)
        {
            for (int m = 0; m < options.MostDetections.Count; m++)
                yield return new($"AR{options.MostDetections[m]}", $"average recall of at most {options.MostDetections[m]} object{(options.MostDetections[m] == 1 ? "" : "s")} of a class in an image", MeanRecall(null, 0, m));
        }
        else
        {
            yield return new("AR", $"average recall, {range}", MeanRecall(null, 0, Last));
            yield return new("AR50", $"average recall, {what} 0.50", MeanRecall(0.5, 0, Last));
            yield return new("AR75", $"average recall, {what} 0.75", MeanRecall(0.75, 0, Last));
        }
        for (int a = 1; a < options.Areas.Count; a++) yield return new($"AR{options.Areas[a].Name}", $"average recall, {options.Areas[a].Name} objects, at most {most}", MeanRecall(null, a, Last));
    }

    /// <summary>The mean over thresholds (or at one), recalls and classes (or of one) at the most detections.</summary>
    private double? MeanPrecision(double? threshold, int area, int? @class = null) => Mean(
        from t in Thresholds(threshold)
        from r in Enumerable.Range(0, options.Recalls.Count)
        from k in ClassRange(@class)
        select Curves.Precision[Curves.Place(t, r, k, area, Last)]);

    private double? MeanRecall(double? threshold, int area, int detections, int? @class = null) => Mean(
        from t in Thresholds(threshold)
        from k in ClassRange(@class)
        select Curves.Recall[Curves.Place(t, k, area, detections)]);

    private IEnumerable<int> ClassRange(int? @class) => @class is { } k ? [k] : Enumerable.Range(0, ClassNames.Count);

    private IEnumerable<int> Thresholds(double? threshold) =>
        Enumerable.Range(0, options.Thresholds.Count).Where(t => threshold is null || Math.Abs(options.Thresholds[t] - threshold.Value) < 1e-9);

    /// <summary>The mean of what exists.</summary>
    private static double? Mean(IEnumerable<double> values)
    {
        (double sum, long count) = (0, 0);
        foreach (double value in values)
        {
            if (value < 0) continue;
            (sum, count) = (sum + value, count + 1);
        }
        return count > 0 ? sum / count : null;
    }
}
