using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>What a detector's heads learn from (Girshick 2015; He et al. 2017): class and box of the sampled boxes, masks and joints of those that are objects.</summary>
internal static class RoiLoss
{
    /// <summary>
    /// The cross-entropy of the classes, and the smooth L1 distance of the objects' deltas, those of their own class, over the number of all boxes: two
    /// scalars. [K, classes], [K, 4·classes] for the samples of all images, one image after the other.
    /// </summary>
    public static (Tensor Classes, Tensor Boxes) OfBoxes(Tensor logits, Tensor deltas, IReadOnlyList<RoiSamples> samples)
    {
        int[] labels = [.. samples.SelectMany(s => s.Labels)];
        float[] targets = [.. samples.SelectMany(s => s.Deltas)];
        (int count, int classes) = (labels.Length, logits.Shape[1]);
        int[] positives = [.. Enumerable.Range(0, count).Where(i => labels[i] > 0)];
        Tensor own = deltas.Reshape([count * classes, 4]).IndexSelect(0, Array.ConvertAll(positives, i => (i * classes) + labels[i]));
        Tensor wanted = Tensor.From(RegionProposals.Rows(targets, positives), [positives.Length, 4]);
        Tensor loss = logits.CrossEntropy(labels.AsMemory(), new CrossEntropyOptions { IgnoreIndex = -1 });
        return (loss, own.SmoothL1Loss(wanted, RpnLoss.Beta, LossReduction.Sum) / Math.Max(1, count));
    }

    /// <summary>The binary cross-entropy of the masks of the objects' own classes; 0 where there are no objects. [P, 28, 28, classes] → a scalar.</summary>
    /// <exception cref="Data.DatasetException">An object has no mask.</exception>
    public static Tensor OfMasks(Tensor logits, IReadOnlyList<RoiSamples> samples)
    {
        int size = logits.Shape[1];
        Tensor[] targets = [.. samples.Where(s => s.Positives.Length > 0).Select(s => s.MaskTargets(size))];
        if (targets.Length == 0) return logits.Sum() * 0;
        int[] labels = [.. samples.SelectMany(s => s.Positives.Select(i => s.Labels[i]))];
        return RoiHeads.OfClasses(logits, labels).BinaryCrossEntropyWithLogits(Tensor.Concat(targets, 0));
    }

    /// <summary>
    /// The cross-entropy of each labelled joint's place among all places of its heatmap; 0 where no joint is labelled. [P, 56, 56, joints] → a scalar.
    /// </summary>
    public static Tensor OfKeypoints(Tensor heatmaps, IReadOnlyList<RoiSamples> samples)
    {
        (int count, int size, int joints) = (heatmaps.Shape[0], heatmaps.Shape[1], heatmaps.Shape[3]);
        int[] places = [.. samples.SelectMany(s => s.KeypointTargets(joints, size))];
        int[] labelled = [.. Enumerable.Range(0, places.Length).Where(i => places[i] >= 0)];
        if (labelled.Length == 0) return heatmaps.Sum() * 0;
        Tensor rows = heatmaps.Permute(0, 3, 1, 2).Reshape([count * joints, size * size]).IndexSelect(0, labelled);
        return rows.CrossEntropy(Array.ConvertAll(labelled, i => places[i]).AsMemory(), new CrossEntropyOptions { IgnoreIndex = -1 });
    }
}
