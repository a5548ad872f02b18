namespace Delineate.Metrics;

/// <summary>
/// Precision at fixed recalls, [thresholds, recalls, classes, areas, detections], and the recall that is reached, [thresholds, classes, areas, detections]:
/// COCO's arrays, −1 where a class has no truth of the area.
/// </summary>
public sealed class PrecisionCurves
{
    private readonly CocoEvaluationOptions options;
    private readonly int classes;

    internal PrecisionCurves(CocoEvaluationOptions options, int classes)
    {
        (this.options, this.classes) = (options, classes);
        int cells = options.Thresholds.Count * classes * options.Areas.Count * options.MostDetections.Count;
        Recall = new double[cells];
        Precision = new double[cells * options.Recalls.Count];
        Scores = new double[Precision.Length];
        Array.Fill(Recall, -1);
        Array.Fill(Precision, -1);
        Array.Fill(Scores, -1);
    }

    /// <summary>The recall of all detections that count, [thresholds, classes, areas, detections].</summary>
    public double[] Recall { get; }

    /// <summary>The best precision at each recall or beyond, [thresholds, recalls, classes, areas, detections]; 0 where the recall is not reached.</summary>
    public double[] Precision { get; }

    /// <summary>The score of the detection at which each recall is reached, as <see cref="Precision"/>.</summary>
    public double[] Scores { get; }

    /// <summary>The place of a cell of <see cref="Precision"/>.</summary>
    public int Place(int threshold, int recall, int @class, int area, int detections) =>
        (((((((threshold * options.Recalls.Count) + recall) * classes) + @class) * options.Areas.Count) + area) * options.MostDetections.Count) + detections;

    /// <summary>The place of a cell of <see cref="Recall"/>.</summary>
    public int Place(int threshold, int @class, int area, int detections) =>
        (((((threshold * classes) + @class) * options.Areas.Count) + area) * options.MostDetections.Count) + detections;

    /// <summary>Reads a curve at the recalls. The precisions are overwritten: each becomes the best from there on.</summary>
    internal void Set(int threshold, int @class, int area, int detections, ReadOnlySpan<double> recalls, Span<double> precisions, ReadOnlySpan<float> scores)
    {
        Recall[Place(threshold, @class, area, detections)] = recalls.IsEmpty ? 0 : recalls[^1];
        for (int i = precisions.Length - 1; i > 0; i--) precisions[i - 1] = Math.Max(precisions[i - 1], precisions[i]);
        for (int r = 0, i = 0; r < options.Recalls.Count; r++)
        {
            while (i < recalls.Length && recalls[i] < options.Recalls[r]) i++;
            int place = Place(threshold, r, @class, area, detections);
            (Precision[place], Scores[place]) = i < recalls.Length ? (precisions[i], scores[i]) : (0, 0);
        }
    }
}
