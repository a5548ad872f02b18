using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
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
    private const int Block = ClassRows.Block;

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
        }, read: [logits]);
    }

    private static unsafe (double Sum, double Weight) Forward<TLabel>(Tensor logits, ReadOnlyMemory<TLabel> labels, Terms terms, Tensor? logSums, Tensor? each)
        where TLabel : unmanaged, IBinaryInteger<TLabel>
    {
        int classes = terms.Classes;
        int size = PieceSize(classes);
        int pieces = (labels.Length + size - 1) / size;
        var sums = new (double Sum, double Weight)[pieces];
        float* kept = Pinned.OfOptional(logSums), losses = Pinned.OfOptional(each);
        ThreadTeam.Run(pieces, piece =>
        {
            float* max = stackalloc float[Block];
            float* sum = stackalloc float[Block];
            using Scratch scratch = Scratch.Floats(Block * Math.Min(classes, ClassRows.MostClasses));
            ReadOnlySpan<TLabel> truth = labels.Span;
            (double total, double weight) = (0, 0);
            fixed (float* x = logits.Span)
            {
                var rows = new Rows(classes, x + logits.Length);
                int end = Math.Min(labels.Length, (piece + 1) * size);
                for (int from = piece * size; from < end; from += Block)
                {
                    int count = Math.Min(Block, end - from);
                    if (classes <= ClassRows.MostClasses)
                    {
                        ClassRows.SumExp(x + (from * classes), count, classes, Pinned.Of(scratch), max, sum);
                    }
                    else
                    {
                        for (int i = 0; i < count; i++)
                        {
                            float* row = x + ((from + i) * classes);
                            sum[i] = rows.SumExp(row, max[i] = rows.Max(row));
                        }
                    }
                    Elementwise.Map(new ReadOnlySpan<float>(sum, count), new Span<float>(sum, count), default(LogOp));
                    for (int i = 0; i < count; i++)
                    {
                        if (kept is not null) kept[from + i] = max[i] + sum[i];
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
                        if (losses is not null) losses[from + i] = (float)loss;
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
        bool past = LaneLoop.IsPastCaches(dx.Length, Block * classes);
        int[] places = classes <= ClassRows.MostClasses ? ClassRows.Places(classes) : [];
        ThreadTeam.Ranges(labels.Length, PieceSize(classes), (from, to) =>
        {
            ReadOnlySpan<TLabel> truth = labels.Span;
            ReadOnlySpan<float> gradient = dy.Span;
            float* slopes = stackalloc float[Block];
            float* factors = stackalloc float[Block];
            // A block is finished in the first-level cache before it is stored for good.
            using Scratch scratch = Scratch.Floats(Block * classes);
            float* block = Pinned.Of(scratch);
            fixed (float* x = logits.Span, target = dx.Span, logSum = logSums.Span)
            {
                for (int first = from; first < to; first += Block)
                {
                    int count = Math.Min(Block, to - first);
                    for (int i = 0; i < count; i++)
                    {
                        int label = int.CreateTruncating(truth[first + i]);
                        slopes[i] = gradient[isEach ? first + i : 0] * scale;
                        factors[i] = label == terms.IgnoreIndex ? 0 : slopes[i] * (terms.Hit[label] + terms.SpreadSum);
                    }
                    float* scores = x + (first * classes);
                    if (classes > ClassRows.MostClasses) ScaledExp(scores, logSum + first, factors, count, classes, block);
                    else if (count == Block) ClassRows.ScaledExp(scores, logSum + first, factors, count, places, block);
                    else ScaledExpOfLast(scores, logSum + first, factors, count, places, block);
                    for (int i = 0; i < count; i++)
                    {
                        var row = new Span<float>(block + (i * classes), classes);
                        int label = int.CreateTruncating(truth[first + i]);
                        if (label == terms.IgnoreIndex)
                        {
                            row.Clear();
                            continue;
                        }
                        if (terms.Smoothing > 0) TensorPrimitives.MultiplyAdd(terms.Spread, -slopes[i], row, row);
                        row[label] -= slopes[i] * terms.Hit[label];
                    }
                    Streaming.Copy(block, target + (first * classes), count * classes, past);
                }
            }
        });
    }

    /// <summary>Whole blocks of about a grain's work.</summary>
    private static int PieceSize(int classes) => Block * Math.Max(1, Elementwise.Grain / (classes * Block));

    /// <summary>The last pixels' sums, brought to where a whole block of them may be read.</summary>
    private static unsafe void ScaledExpOfLast(float* x, float* logSums, float* factors, int pixels, int[] places, float* result)
    {
        float* room = stackalloc float[Block];
        new ReadOnlySpan<float>(logSums, pixels).CopyTo(new Span<float>(room, Block));
        ClassRows.ScaledExp(x, room, factors, pixels, places, result);
    }

    /// <summary>Of many classes: row by row.</summary>
    private static unsafe void ScaledExp(float* x, float* logSums, float* factors, int pixels, int classes, float* result)
    {
        for (int i = 0; i < pixels; i++)
        {
            var row = new Span<float>(result + (i * classes), classes);
            Elementwise.Map(new ReadOnlySpan<float>(x + (i * classes), classes), row, new ScaledExpOp(logSums[i], factors[i]));
        }
    }

    /// <summary>e^(x − shift) · factor.</summary>
    private readonly struct ScaledExpOp(float shift, float factor) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Apply(Vector<float> x) => VectorMath.Exp(x - new Vector<float>(shift)) * factor;
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
            Spread = new float[classes];
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
