using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>The form of a dice loss: dice = (2·overlap + <see cref="Smooth"/>) / (predicted + true + <see cref="Smooth"/> + <see cref="Epsilon"/>).</summary>
public sealed record DiceOptions
{
    /// <summary>Pixels of this label are left out (losses from labels only).</summary>
    public int IgnoreIndex { get; init; } = 255;

    /// <summary>Added above and below: an empty prediction of an absent object is right. 1 in DETR and in most code.</summary>
    public float Smooth { get; init; } = 1;

    /// <summary>Added below only. SOLO has 0.002 here and no <see cref="Smooth"/>.</summary>
    public float Epsilon { get; init; }

    /// <summary>Squares in the sums below (V-Net; Milletari et al. 2016).</summary>
    public bool Squared { get; init; }

    /// <summary>Of the rows' losses; not asked for losses from labels, which average over the classes.</summary>
    public LossReduction Reduction { get; init; }
}

public static class DiceLosses
{
    /// <summary>
    /// 1 − dice of sigmoid(logits) against masks, one for each row. [N, ...] with targets of the same shape → a scalar, or [N] without reduction.
    /// No gradient flows into the targets.
    /// </summary>
    /// <exception cref="ShapeException">The targets have another shape, or there are no rows.</exception>
    public static Tensor DiceLoss(this Tensor logits, Tensor targets, DiceOptions? options = null)
    {
        options ??= new();
        Check.SameShape(logits, targets);
        if (logits.Shape.Rank == 0) throw new ShapeException("DiceLoss takes logits of [N, ...], got a scalar");
        Tensor truth = targets.Detach().Reshape(logits.Shape[0], -1);
        Tensor p = logits.Sigmoid().Reshape(logits.Shape[0], -1);
        Tensor overlap = (p * truth).Sum([1]);
        Tensor size = options.Squared ? (p * p).Sum([1]) + (truth * truth).Sum([1]) : p.Sum([1]) + truth.Sum([1]);
        Tensor each = 1 - (((overlap * 2) + options.Smooth) / (size + (options.Smooth + options.Epsilon)));
        return options.Reduction switch { LossReduction.Mean => each.Mean(), LossReduction.Sum => each.Sum(), _ => each };
    }

    /// <summary>
    /// 1 − the mean over the classes of the dice of softmax(logits) against integer labels, over all pixels of the batch that are not ignored.
    /// [..., C] with labels of [...] → a scalar (Milletari et al. 2016; Sudre et al. 2017).
    /// </summary>
    /// <exception cref="ShapeException">The number of labels is not that of the pixels.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A label is neither a class nor the ignored one.</exception>
    public static Tensor DiceLoss(this Tensor logits, ReadOnlyMemory<byte> labels, DiceOptions? options = null)
    {
        DiceOptions o = options ?? new();
        PixelLabels.Check(logits, labels, o.IgnoreIndex, nameof(DiceLoss));
        int classes = logits.Shape[-1];
        Tensor p;
        using (Autograd.NoGrad()) p = logits.Softmax();
        double[] sums = Sums(p, labels, o);
        var (byLabel, byAll) = (new float[classes], new float[classes]); // d loss / d p at a pixel of the class, and at every pixel
        double dice = 0;
        for (int c = 0; c < classes; c++)
        {
            double above = (2 * sums[c]) + o.Smooth;
            double below = sums[classes + c] + o.Smooth + o.Epsilon;
            if (below <= 0) (above, below) = (1, 1); // neither predicted nor there, and no smoothing: right, and flat
            dice += above / below;
            (byLabel[c], byAll[c]) = ((float)(-2 / (below * classes)), (float)(above / (below * below * classes)));
        }
        Tensor loss = Tensor.Scalar((float)(1 - (dice / classes)));
        if (!logits.WantsGrad) p.Block.Release();
        return Autograd.Record(loss, logits, dy =>
        {
            Backward(p, labels, o, byLabel, byAll, dy.Item());
            return p;
        });
    }

    /// <summary>For each class the overlap, then for each class what stands below the line.</summary>
    private static double[] Sums(Tensor p, ReadOnlyMemory<byte> labels, DiceOptions o)
    {
        int classes = p.Shape[-1];
        int size = Math.Max(1, Elementwise.Grain / classes);
        int pieces = (labels.Length + size - 1) / size;
        var partial = new double[pieces][];
        ThreadTeam.Run(pieces, piece =>
        {
            var sums = new double[2 * classes];
            ReadOnlySpan<byte> truth = labels.Span;
            int end = Math.Min(labels.Length, (piece + 1) * size);
            for (int i = piece * size; i < end; i++)
            {
                int label = truth[i];
                if (label == o.IgnoreIndex) continue;
                ReadOnlySpan<float> row = p.Span.Slice(i * classes, classes);
                for (int c = 0; c < row.Length; c++) sums[classes + c] += o.Squared ? row[c] * row[c] : row[c];
                sums[label] += row[label];
                sums[classes + label]++;
            }
            partial[piece] = sums;
        });
        var total = new double[2 * classes];
        foreach (double[] sums in partial)
        {
            for (int i = 0; i < total.Length; i++) total[i] += sums[i];
        }
        return total;
    }

    /// <summary>Turns the probabilities into the gradient of the scores: p · (d − Σ p · d), d the gradient of the probabilities.</summary>
    private static void Backward(Tensor p, ReadOnlyMemory<byte> labels, DiceOptions o, float[] byLabel, float[] byAll, float dy)
    {
        int classes = p.Shape[-1];
        ThreadTeam.Ranges(labels.Length, Math.Max(1, Elementwise.Grain / classes), (from, to) =>
        {
            Span<float> slope = stackalloc float[Math.Min(classes, 1024)];
            if (classes > slope.Length) slope = new float[classes];
            for (int i = from; i < to; i++)
            {
                int label = labels.Span[i];
                Span<float> row = p.Span.Slice(i * classes, classes);
                if (label == o.IgnoreIndex)
                {
                    row.Clear();
                    continue;
                }
                float mean = 0;
                for (int c = 0; c < row.Length; c++)
                {
                    slope[c] = byAll[c] * (o.Squared ? 2 * row[c] : 1);
                    if (c == label) slope[c] += byLabel[c];
                    mean += row[c] * slope[c];
                }
                for (int c = 0; c < row.Length; c++) row[c] *= (slope[c] - mean) * dy;
            }
        });
    }
}
