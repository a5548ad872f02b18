using Delineate.Data;

namespace Delineate.Metrics;

/// <summary>
/// Which detections of one class in one image found a truth: detections surest first, and for each range of areas a bit for each threshold.
/// </summary>
/// <param name="Scores">How sure each detection is.</param>
/// <param name="Matched">[area, detection]: the thresholds at which it found a truth.</param>
/// <param name="Ignored">[area, detection]: the thresholds at which it counts neither as right nor as wrong.</param>
/// <param name="Wanted">[area]: the truths that a model is asked to find.</param>
internal sealed record InstanceMatching(float[] Scores, uint[,] Matched, uint[,] Ignored, int[] Wanted)
{
    private const double AlmostOne = 1 - 1e-10; // a threshold of 1 must be reachable in spite of rounding

    /// <summary>
    /// Matches greedily, as COCO does: the surest detection takes the truth that it resembles most. Truths that do not count (crowds, areas out of range)
    /// are taken only where no other fits; a crowd may be taken again and again.
    /// </summary>
    public static InstanceMatching Of(IReadOnlyList<Instance> truths, IReadOnlyList<Instance> detections, CocoEvaluationOptions options)
    {
        Instance[] found = [.. detections.OrderByDescending(d => d.Score).Take(options.MostDetections[^1])]; // stable
        double[,] similarity = Similarity(truths, found, options);
        int areas = options.Areas.Count;
        (uint[,] matched, uint[,] ignored, int[] wanted) = (new uint[areas, found.Length], new uint[areas, found.Length], new int[areas]);
        double[] foundAreas = [.. found.Select(d => AreaOf(d, options.Similarity))];
        bool[] skip = new bool[truths.Count];
        for (int a = 0; a < areas; a++)
        {
            AreaRange range = options.Areas[a];
            for (int t = 0; t < skip.Length; t++) skip[t] = DoesNotCount(truths[t], options.Similarity) || truths[t].Area < range.Least || truths[t].Area > range.Most;
            wanted[a] = skip.Count(s => !s);
            int[] order = [.. Enumerable.Range(0, truths.Count).OrderBy(t => skip[t])]; // those that count first
            for (int k = 0; k < options.Thresholds.Count; k++) Match(Math.Min(options.Thresholds[k], AlmostOne), 1u << k, a, order);
            for (int d = 0; d < found.Length; d++)
            {
                // What found nothing and is itself out of range is no mistake.
                if (foundAreas[d] < range.Least || foundAreas[d] > range.Most) ignored[a, d] |= ~matched[a, d];
            }
        }
        return new InstanceMatching([.. found.Select(d => d.Score)], matched, ignored, wanted);

        void Match(double threshold, uint bit, int area, int[] order)
        {
            Span<bool> taken = truths.Count <= 512 ? stackalloc bool[truths.Count] : new bool[truths.Count];
            for (int d = 0; d < found.Length; d++)
            {
                (double best, int chosen) = (threshold, -1);
                foreach (int t in order)
                {
                    if (taken[t] && !truths[t].IsCrowd) continue;
                    if (chosen >= 0 && !skip[chosen] && skip[t]) break;
                    if (similarity[d, t] < best) continue;
                    (best, chosen) = (similarity[d, t], t);
                }
                if (chosen < 0) continue;
                taken[chosen] = true;
                matched[area, d] |= bit;
                if (skip[chosen]) ignored[area, d] |= bit;
            }
        }
    }

    private static bool DoesNotCount(Instance truth, InstanceSimilarity similarity) =>
        truth.IsCrowd || (similarity == InstanceSimilarity.Keypoints && truth.Keypoints?.Any(k => k.Score > 0) != true);

    private static double AreaOf(Instance detection, InstanceSimilarity similarity)
    {
        if (detection.AnnotatedArea is { } area) return area;
        return similarity switch
        {
            InstanceSimilarity.Masks => detection.Area,
            InstanceSimilarity.Keypoints when detection.Keypoints is { Count: > 0 } joints => (joints.Max(k => (double)k.X) - joints.Min(k => (double)k.X)) * (joints.Max(k => (double)k.Y) - joints.Min(k => (double)k.Y)),
            _ => detection.Box.Area,
        };
    }

    /// <summary>[detections, truths].</summary>
    private static double[,] Similarity(IReadOnlyList<Instance> truths, Instance[] found, CocoEvaluationOptions options) => options.Similarity switch
    {
        InstanceSimilarity.Masks => Rle.Iou([.. found.Select(MaskOf)], [.. truths.Select(MaskOf)], [.. truths.Select(t => t.IsCrowd)]),
        InstanceSimilarity.Keypoints => KeypointSimilarity.Of(truths, found, options.Sigmas),
        _ => BoxIou(truths, found),
    };

    private static Rle MaskOf(Instance instance) =>
        instance.Mask ?? throw new DatasetException($"an object{(instance.Id is { } id ? $" ({id})" : "")} has no mask: compare boxes instead");

    private static double[,] BoxIou(IReadOnlyList<Instance> truths, Instance[] found)
    {
        var iou = new double[found.Length, truths.Count];
        for (int d = 0; d < found.Length; d++)
        {
            Box a = found[d].Box;
            for (int t = 0; t < truths.Count; t++)
            {
                Box b = truths[t].Box;
                double width = Math.Min(a.X2, b.X2) - Math.Max(a.X1, b.X1), height = Math.Min(a.Y2, b.Y2) - Math.Max(a.Y1, b.Y1);
                if (width <= 0 || height <= 0) continue;
                double shared = width * height;
                iou[d, t] = shared / (truths[t].IsCrowd ? a.Area : a.Area + b.Area - shared);
            }
        }
        return iou;
    }
}
