using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>
/// What a region proposal network learns from (Ren et al. 2015, section 3.1.2): whether anchors are objects, and how those that are must move. An anchor is
/// an object where it overlaps one by 0.7 or more or better than all other anchors, background below 0.3, and neither between.
/// </summary>
internal sealed class RpnLoss(int samples, double positiveShare)
{
    /// <summary>Where the box losses of R-CNNs turn from squared to absolute.</summary>
    public const float Beta = 1f / 9;

    private readonly Matcher matcher = new(0.7f, 0.3f, allowLowQuality: true);
    private readonly BalancedSampler sampler = new(samples, positiveShare);

    /// <summary>
    /// The binary cross-entropy of the sampled anchors' objectness, and the smooth L1 distance of the matched ones' deltas over the number of all that were
    /// sampled: two scalars.
    /// </summary>
    public (Tensor Objectness, Tensor Boxes) Of(RcnnMaps maps, Anchors anchors, IReadOnlyList<DetectorTruth> truths)
    {
        int images = truths.Count;
        var (positives, negatives, targets) = (new List<int>(), new List<int>(), new List<float>());
        for (int n = 0; n < images; n++)
        {
            int[] matches = matcher.Match(BoxOps.Iou(truths[n].Boxes, anchors.Boxes));
            (int[] chosen, int[] background) = sampler.Sample(matches);
            foreach (int i in chosen) positives.Add((n * anchors.Count) + i);
            foreach (int i in background) negatives.Add((n * anchors.Count) + i);
            float[] wanted = RegionProposals.Rows(truths[n].Boxes, Array.ConvertAll(chosen, i => matches[i]));
            targets.AddRange(RegionProposals.Coder.Encode(wanted, RegionProposals.Rows(anchors.Boxes, chosen)));
        }
        Tensor objectness = Flattened(maps.Objectness, images, 1).Reshape([images * anchors.Count]), deltas = Flattened(maps.Deltas, images, 4).Reshape([images * anchors.Count, 4]);
        int[] sampled = [.. positives, .. negatives];
        Tensor truth = Tensor.Zeros([sampled.Length]);
        truth.Span[..positives.Count].Fill(1);
        Tensor boxes = deltas.IndexSelect(0, positives.ToArray()).SmoothL1Loss(Tensor.From(targets.ToArray(), [positives.Count, 4]), Beta, LossReduction.Sum) / Math.Max(1, sampled.Length);
        return (objectness.IndexSelect(0, sampled).BinaryCrossEntropyWithLogits(truth), boxes);
    }

    /// <summary>Every map's values one map after the other, image by image. [N, h, w, A·k] each → [N, anchors·k].</summary>
    private static Tensor Flattened(IReadOnlyList<Tensor> maps, int images, int each)
    {
        Tensor[] rows = [.. maps.Select(m => m.Reshape([images, m.Length / images]))];
        return Tensor.Concat(rows, 1).Reshape([images, rows.Sum(r => r.Shape[1]) / each, each]);
    }
}
