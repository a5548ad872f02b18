using Delineate.Data;

namespace Delineate.Metrics;

/// <summary>
/// COCO's object keypoint similarity: the mean over the labelled joints of exp(−distance² / (2 · area · (2σ)²)). A truth without a labelled joint is
/// compared by how far the detected joints lie outside its box, doubled in size.
/// </summary>
internal static class KeypointSimilarity
{
    private const double LeastArea = 2.220446049250313e-16; // the distance from 1 to the next double: COCO's guard against an area of 0

    /// <summary>[detections, truths].</summary>
    /// <exception cref="DatasetException">An object has no joints, or another number than the spreads.</exception>
    public static double[,] Of(IReadOnlyList<Instance> truths, IReadOnlyList<Instance> detections, IReadOnlyList<double> sigmas)
    {
        var similarity = new double[detections.Count, truths.Count];
        for (int t = 0; t < truths.Count; t++)
        {
            Instance truth = truths[t];
            IReadOnlyList<Keypoint> wanted = JointsOf(truth, sigmas.Count);
            int labelled = wanted.Count(k => k.Score > 0);
            Box box = truth.Box;
            (double left, double right) = (box.X1 - box.Width, box.X1 + (2 * box.Width));
            (double top, double bottom) = (box.Y1 - box.Height, box.Y1 + (2 * box.Height));
            for (int d = 0; d < detections.Count; d++)
            {
                IReadOnlyList<Keypoint> found = JointsOf(detections[d], sigmas.Count);
                double sum = 0;
                for (int k = 0; k < sigmas.Count; k++)
                {
                    if (labelled > 0 && wanted[k].Score <= 0) continue;
                    double dx = labelled > 0 ? (double)found[k].X - wanted[k].X : Math.Max(0, left - found[k].X) + Math.Max(0, found[k].X - right);
                    double dy = labelled > 0 ? (double)found[k].Y - wanted[k].Y : Math.Max(0, top - found[k].Y) + Math.Max(0, found[k].Y - bottom);
                    double spread = 4 * sigmas[k] * sigmas[k];
                    sum += Math.Exp(-((dx * dx) + (dy * dy)) / spread / (truth.Area + LeastArea) / 2);
                }
                similarity[d, t] = sum / (labelled > 0 ? labelled : sigmas.Count);
            }
        }
        return similarity;
    }

    private static IReadOnlyList<Keypoint> JointsOf(Instance instance, int count) =>
        instance.Keypoints is { } joints && joints.Count == count ? joints
            : throw new DatasetException($"an object{(instance.Id is { } id ? $" ({id})" : "")} has {instance.Keypoints?.Count.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "no"} joints, where {count} are compared");
}
