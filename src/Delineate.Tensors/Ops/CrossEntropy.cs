using System.Numerics;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>What <see cref="CrossEntropyLoss.CrossEntropy(Tensor, ReadOnlyMemory{byte}, CrossEntropyOptions?)"/> counts and how.</summary>
public sealed record CrossEntropyOptions
{
    /// <summary>Pixels of this label count neither in the loss nor in the mean. 255 is the border and "void" of PASCAL VOC and Cityscapes.</summary>
    public int IgnoreIndex { get; init; } = 255;

    /// <summary>A factor for each class, <c>[C]</c>; null: 1 for all. No gradient flows into it.</summary>
    public Tensor? ClassWeights { get; init; }

    /// <summary>The share of the target spread evenly over all classes (Szegedy et al. 2016), 0 … 1.</summary>
    public float LabelSmoothing { get; init; }

    /// <summary><see cref="LossReduction.Mean"/> divides by the sum of the counted pixels' class weights.</summary>
    public LossReduction Reduction { get; init; }
}

public static class CrossEntropyLoss
{
    private const int Block = 64; // pixels whose sums wait for one vector logarithm

    /// <summary>
    /// −ln softmax(logits)[label], straight from integer labels. [..., C] with labels of [...] → a scalar, or [...] without reduction.
    /// Where every pixel is ignored the loss is 0 and so is the gradient (PyTorch's mean is NaN there). The labels are read again by Backward.
    /// </summary>
    /// <exception cref="ShapeException">The number of labels is not that of the pixels, or the weights are not [C].</exception>
    /// <exception cref="ArgumentOutOfRangeException">A label is neither a class nor the ignored one.</exception>
    public static Tensor CrossEntropy(this Tensor logits, ReadOnlyMemory<byte> labels, CrossEntropyOptions? options = null) => Loss(logits, labels, options ?? new());

    /// <inheritdoc cref="CrossEntropy(Tensor, ReadOnlyMemory{byte}, CrossEntropyOptions?)"/>
    public static Tensor CrossEntropy(this Tensor logits, ReadOnlyMemory<int> labels, CrossEntropyOptions? options = null) => Loss(logits, labels, options ?? new());

    private static Tensor Loss<TLabel>(Tensor logits, ReadOnlyMemory<TLabel> labels, CrossEntropyOptions options)
        where TLabel : unmanaged, IBinaryInteger<TLabel>
    {
        ArgumentOutOfRangeException.ThrowIfNegative(options.LabelSmoothing);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.LabelSmoothing, 1);
        PixelLabels.Check(logits, labels, options.IgnoreIndex, nameof(CrossEntropy));
        Check.Channels(options.ClassWeights, logits, "class weight vector", nameof(CrossEntropy));
        int pixels = labels.Length;
        var terms = new Terms(logits.Shape[-1], options);
        bool wantsGrad = logits.WantsGrad;
        Tensor? logSums = wantsGrad ? Tensor.Empty([pixels]) : null;
        Tensor? each = options.Reduction == LossReduction.None ? Tensor.Empty(Shape.Of(logits.Shape.AsSpan()[..^1])) : null;
        (double sum, double weight) = Forward(logits, labels, terms, logSums, each);
        float scale = options.Reduction == LossReduction.Mean ? (float)(weight > 0 ? 1 / weight : 0) : 1;
        Tensor loss = each ?? Tensor.Scalar(options.Reduction == LossReduction.Mean ? (float)(weight > 0 ? sum / weight : 0) : (float)sum);
        return Autograd.Record(loss, logits, dy =>
        {
            Tensor dx = Tensor.Empty(logits.Shape);
            Backward(logits, labels, terms, logSums!, dy, scale, dx);
            logSums!.Block.Release();
            return dx;
        });
    }

    private static unsafe (double Sum, double Weight) Forward<TLabel>(Tensor logits, ReadOnlyMemory<TLabel> labels, Terms terms, Tensor? logSums, Tensor? each)
        where TLabel : unmanaged, IBinaryInteger<TLabel>
    {
        int classes = terms.Classes;
        int size = Block * Math.Max(1, Elementwise.Grain / (classes * Block));
        int pieces = (labels.Length + size - 1) / size;
        var sums = new (double Sum, double Weight)[pieces];
        ThreadTeam.Run(pieces, piece =>
        {
            float* max = stackalloc float[Block];
            float* sum = stackalloc float[Block];
            ReadOnlySpan<TLabel> truth = labels.Span;
            (double total, double weight) = (0, 0);
            fixed (float* x = logits.Span)
            {
                var rows = new Rows(classes, x + logits.Length);
                int end = Math.Min(labels.Length, (piece + 1) * size);
                for (int from = piece * size; from < end; from += Block)
                {
                    int count = Math.Min(Block, end - from);
                    for (int i = 0; i < count; i++)
                    {
                        float* row = x + ((from + i) * classes);
                        sum[i] = rows.SumExp(row, max[i] = rows.Max(row));
                    }
                    Elementwise.Map(new ReadOnlySpan<float>(sum, count), new Span<float>(sum, count), default(LogOp));
                    for (int i = 0; i < count; i++)
                    {
                        if (logSums is not null) logSums.Span[from + i] = max[i] + sum[i];
                        int label = int.CreateTruncating(truth[from + i]);
                        double loss = 0;
                        if (label != terms.IgnoreIndex)
                        {
                            // −ln p of a class = ln Σ − (x − max): the largest score itself loses no digits.
                            float* row = x + ((from + i) * classes);
                            loss = terms.Hit[label] * ((double)sum[i] - (row[label] - max[i]));
                            if (terms.Smoothing > 0) loss += terms.SpreadLoss(row, max[i], sum[i]);
                            total += loss;
                            weight += terms.Weights[label];
                        }
                        if (each is not null) each.Span[from + i] = (float)loss;
                    }
                }
            }
            sums[piece] = (total, weight);
        });
        (double Sum, double Weight) result = (0, 0);
        foreach ((double sum, double weight) in sums) result = (result.Sum + sum, result.Weight + weight);
        return result;
    }

    /// <summary>dx = softmax · (hit + Σ spread) − spread, and − hit at the label.</summary>
    private static unsafe void Backward<TLabel>(Tensor logits, ReadOnlyMemory<TLabel> labels, Terms terms, Tensor logSums, Tensor dy, float scale, Tensor dx)
        where TLabel : unmanaged, IBinaryInteger<TLabel>
    {
        int classes = terms.Classes;
        bool isEach = dy.Length == labels.Length && dy.Shape.Rank > 0;
        ThreadTeam.Ranges(labels.Length, Math.Max(1, Elementwise.Grain / classes), (from, to) =>
        {
            ReadOnlySpan<TLabel> truth = labels.Span;
            ReadOnlySpan<float> gradient = dy.Span;
            fixed (float* x = logits.Span, target = dx.Span, logSum = logSums.Span, spread = terms.Spread)
            {
                var rows = new Rows(classes, x + logits.Length);
                float* last = target + (to * classes);
                for (int i = from; i < to; i++)
                {
                    float* result = target + (i * classes);
                    int label = int.CreateTruncating(truth[i]);
                    if (label == terms.IgnoreIndex)
                    {
                        new Span<float>(result, classes).Clear();
                        continue;
                    }
                    float g = gradient[isEach ? i : 0] * scale;
                    float* row = x + (i * classes);
                    Vector<float> shift = new(logSum[i]);
                    Vector<float> factor = new(g * (terms.Hit[label] + terms.SpreadSum));
                    Vector<float> less = new(g);
                    for (int c = 0; c < rows.Whole; c += Vector<float>.Count)
                    {
                        Vector.Store((VectorMath.Exp(Vector.Load(row + c) - shift) * factor) - (Vector.Load(spread + c) * less), result + c);
                    }
                    if (rows.Whole < classes)
                    {
                        rows.StoreTail((VectorMath.Exp(rows.Tail(row, 0) - shift) * factor) - (Vector.Load(spread + rows.Whole) * less), result, last);
                    }
                    result[label] -= g * terms.Hit[label];
                }
            }
        });
    }

    /// <summary>The factors of one loss: of a pixel's own class (<see cref="Hit"/>) and of every class by label smoothing (<see cref="Spread"/>).</summary>
    private sealed class Terms
    {
        public Terms(int classes, CrossEntropyOptions options)
        {
            (Classes, IgnoreIndex, Smoothing) = (classes, options.IgnoreIndex, options.LabelSmoothing);
            Weights = new float[classes];
            Weights.AsSpan().Fill(1);
            options.ClassWeights?.Span.CopyTo(Weights);
            Hit = Array.ConvertAll(Weights, w => w * (1 - Smoothing));
            Spread = new float[classes + Vector<float>.Count]; // room for the surplus lanes of the last vector
            for (int c = 0; c < classes; c++) Spread[c] = Weights[c] * Smoothing / classes;
            SpreadSum = Spread.Sum();
        }

        public int Classes { get; }

        public int IgnoreIndex { get; }

        public float Smoothing { get; }

        public float[] Weights { get; }

        public float[] Hit { get; }

        public float[] Spread { get; }

        public float SpreadSum { get; }

        /// <summary>Σ over classes of spread · (−ln p).</summary>
        public unsafe double SpreadLoss(float* row, float max, float logSum)
        {
            double loss = 0;
            for (int c = 0; c < Classes; c++) loss += Spread[c] * ((double)logSum - (row[c] - max));
            return loss;
        }
    }
}
