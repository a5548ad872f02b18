using Delineate.Data;
using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>The boxes of an image that a detector's heads learn from, K of them.</summary>
/// <param name="Truth">The image's objects.</param>
/// <param name="Boxes">Where they lie. [4·K].</param>
/// <param name="Labels">Their classes; 0 for background. [K].</param>
/// <param name="Objects">The object that each overlaps most, of those that are not background. [K].</param>
/// <param name="Deltas">How each must move to cover that object. [4·K].</param>
internal sealed record RoiSamples(DetectorTruth Truth, float[] Boxes, int[] Labels, int[] Objects, float[] Deltas)
{
    /// <summary>The places of those that are objects.</summary>
    public int[] Positives { get; } = [.. Enumerable.Range(0, Labels.Length).Where(i => Labels[i] > 0)];

    /// <summary>
    /// Draws them from an image's proposals and its true boxes. What overlaps an object by half is one, the rest is background (Girshick 2015). The order is
    /// the proposals'.
    /// </summary>
    public static RoiSamples Draw(float[] proposals, DetectorTruth truth, int samples, double positiveShare)
    {
        float[] candidates = [.. proposals, .. truth.Boxes];
        int[] matches = new Matcher(0.5f, 0.5f).Match(BoxOps.Iou(truth.Boxes, candidates));
        (int[] positives, int[] negatives) = new BalancedSampler(samples, positiveShare).Sample(matches);
        int[] chosen = [.. positives, .. negatives];
        Array.Sort(chosen);
        float[] boxes = RegionProposals.Rows(candidates, chosen);
        int[] objects = Array.ConvertAll(chosen, i => Math.Max(0, matches[i]));
        var deltas = new float[boxes.Length]; // background's stay 0: nothing is learnt from them
        for (int k = 0; k < chosen.Length; k++)
        {
            if (matches[chosen[k]] >= 0) RoiHeads.Coder.Encode(truth.Boxes.AsSpan(4 * objects[k], 4), boxes.AsSpan(4 * k, 4), deltas.AsSpan(4 * k, 4));
        }
        return new RoiSamples(truth, boxes, Array.ConvertAll(chosen, i => matches[i] >= 0 ? truth.Objects[matches[i]].Label : 0), objects, deltas);
    }

    /// <summary>The boxes that are objects. [4·P].</summary>
    public float[] PositiveBoxes() => RegionProposals.Rows(Boxes, Positives);

    /// <summary>Their objects' masks as the mask branch is to draw them: what lies in the box, pooled to <paramref name="size"/> × size. [P, size, size].</summary>
    /// <exception cref="DatasetException">An object has no mask, or one of another size than the image.</exception>
    public Tensor MaskTargets(int size)
    {
        Tensor targets = Tensor.Empty([Positives.Length, size, size]);
        int pixels = size * size;
        foreach (IGrouping<int, int> ofOne in Enumerable.Range(0, Positives.Length).GroupBy(i => Objects[Positives[i]]))
        {
            using Autograd.NoGradScope quiet = Autograd.NoGrad();
            using MemoryScope scope = TensorMemory.Scope(); // one mask at a time: all of an image's would take more than its features
            int[] rows = [.. ofOne];
            float[] regions = [.. rows.SelectMany(i => (float[])[0, .. Boxes[(4 * Positives[i])..((4 * Positives[i]) + 4)]])];
            Tensor pooled = Truth.Mask(ofOne.Key).RoiAlign(Tensor.From(regions, [rows.Length, 5]), size, 1);
            for (int k = 0; k < rows.Length; k++) pooled.Span.Slice(k * pixels, pixels).CopyTo(targets.Span.Slice(rows[k] * pixels, pixels));
        }
        return targets;
    }

    /// <summary>The place of each joint of their objects in the heatmap of the box, −1 where it is not labelled or lies outside. [P · joints].</summary>
    public int[] KeypointTargets(int joints, int size) =>
    [
        .. Positives.SelectMany(i => Enumerable.Range(0, joints).Select(joint =>
        {
            Keypoint at = Truth.Joint(Objects[i], joint);
            return at.Score > 0 ? KeypointDecoding.Place(at.X, at.Y, Boxes.AsSpan(4 * i, 4), size) : -1;
        })),
    ];
}
