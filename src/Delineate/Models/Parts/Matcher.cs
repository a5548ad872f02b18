using Delineate.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Delineate.Models.Parts;

/// <summary>
/// Gives each candidate box the true box that it overlaps most: a match where the IoU is <paramref name="high"/> or more, background where it is below
/// <paramref name="low"/>, neither between. As torchvision's <c>Matcher</c>.
/// </summary>
/// <param name="high">The least IoU of a match.</param>
/// <param name="low">Below it a candidate is background.</param>
/// <param name="allowLowQuality">
/// Of every true box the candidates with the highest IoU (all that share it) are matched whatever it is, each with the true box that it overlaps most,
/// which may be another (Ren et al. 2015).
/// </param>
public sealed class Matcher(float high, float low, bool allowLowQuality = false)
{
    /// <summary>The match of a candidate that is background.</summary>
    public const int Background = -1;

    /// <summary>The match of a candidate that is neither: nothing is learnt from it.</summary>
    public const int Ignored = -2;

    private readonly float high = low <= high ? high : throw new ArgumentOutOfRangeException(nameof(low), low, $"the threshold of background is at most that of a match, {high}");

    /// <summary>
    /// For each candidate the number of its true box, of equal IoUs the first, or <see cref="Background"/> or <see cref="Ignored"/>. iou [truths, candidates]
    /// → [candidates]; where there are no truths all is background.
    /// </summary>
    /// <exception cref="ShapeException">The matrix has not two axes.</exception>
    public int[] Match(Tensor iou)
    {
        ArgumentNullException.ThrowIfNull(iou);
        if (iou.Shape.Rank != 2) throw new ShapeException($"Match takes IoUs of [truths, candidates], got {iou.Shape}");
        (int truths, int candidates) = (iou.Shape[0], iou.Shape[1]);
        var nearest = new int[candidates];
        var best = new float[candidates];
        Array.Fill(best, float.NegativeInfinity);
        ReadOnlySpan<float> values = iou.Span;
        for (int t = 0; t < truths; t++)
        {
            ReadOnlySpan<float> row = values.Slice(t * candidates, candidates);
            for (int k = 0; k < row.Length; k++)
            {
                if (row[k] > best[k]) (best[k], nearest[k]) = (row[k], t);
            }
        }
        var matches = new int[candidates];
        for (int k = 0; k < matches.Length; k++) matches[k] = best[k] >= high ? nearest[k] : best[k] >= low ? Ignored : Background;
        if (!allowLowQuality || candidates == 0) return matches;
        for (int t = 0; t < truths; t++)
        {
            ReadOnlySpan<float> row = values.Slice(t * candidates, candidates);
            float highest = TensorPrimitives.Max(row);
            for (int k = 0; k < row.Length; k++)
            {
                if (row[k] == highest) matches[k] = nearest[k];
            }
        }
        return matches;
    }
}
