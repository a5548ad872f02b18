using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Sums, means, largest values and variances over axes: the named ones, or all of them where none is named.</summary>
public static class Reductions
{
    /// <summary>The sum over axes. The axes drop out of the shape, or stay with size 1.</summary>
    /// <exception cref="ShapeException">There is no such axis, or one is named twice.</exception>
    public static Tensor Sum(this Tensor x, ReadOnlySpan<int> axes = default, bool keepDims = false)
    {
        var over = Axes.Of(x.Shape, axes, nameof(Sum));
        return Scaled(x, over, keepDims, 1);
    }

    /// <summary>The mean over axes. The axes drop out of the shape, or stay with size 1. The mean of nothing is NaN.</summary>
    /// <exception cref="ShapeException">There is no such axis, or one is named twice.</exception>
    public static Tensor Mean(this Tensor x, ReadOnlySpan<int> axes = default, bool keepDims = false)
    {
        var over = Axes.Of(x.Shape, axes, nameof(Mean));
        return Scaled(x, over, keepDims, 1f / over.Count);
    }

    /// <summary>
    /// The largest value over axes, NaN where one of them is NaN. The axes drop out of the shape, or stay with size 1.
    /// Values that share the maximum share its gradient evenly.
    /// </summary>
    /// <exception cref="ShapeException">There is no such axis, one is named twice, or there are no values to choose from.</exception>
    public static Tensor Max(this Tensor x, ReadOnlySpan<int> axes = default, bool keepDims = false)
    {
        var over = Axes.Of(x.Shape, axes, nameof(Max));
        if (over.Count == 0) throw new ShapeException($"Max over axes [{string.Join(", ", over.List)}] of {x.Shape} has no values to choose from");
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedMax(over.List), over.Result(keepDims), x);
        Tensor y = Reduction.Max(x, over.List, over.Result(keepDims));
        return Autograd.Record(y, x, dy =>
        {
            Tensor wins = Tensor.Empty(x.Shape);
            Tensor kept = y.View(over.Kept);
            Broadcast.Run(x, kept, wins, default(EqualOp));
            Tensor share = Reduction.Sum(wins, over.List, over.Kept);
            Elementwise.Zip(dy, share, share, default(DivideOp));
            Broadcast.Run(wins, share, wins, default(MultiplyOp));
            kept.Block.Release();
            share.Block.Release();
            return wins;
        });
    }

    /// <summary>
    /// The mean squared distance from the mean over axes; <paramref name="unbiased"/> divides by one less than the count (Bessel's correction).
    /// The axes drop out of the shape, or stay with size 1.
    /// </summary>
    /// <exception cref="ShapeException">There is no such axis, or one is named twice.</exception>
    public static Tensor Variance(this Tensor x, ReadOnlySpan<int> axes = default, bool unbiased = true, bool keepDims = false)
    {
        var over = Axes.Of(x.Shape, axes, nameof(Variance));
        float scale = 1f / Math.Max(0, over.Count - (unbiased ? 1 : 0));
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedVariance(axes.ToArray(), unbiased, keepDims), over.Result(keepDims), x);
        Tensor centred = Tensor.Empty(x.Shape);
        Tensor mean = Reduction.Sum(x, over.List, over.Kept, 1f / over.Count);
        Broadcast.Run(x, mean, centred, default(SubtractOp));
        mean.Block.Release();
        Tensor squares = Tensor.Empty(x.Shape);
        Elementwise.Zip(centred, centred, squares, default(MultiplyOp));
        Tensor y = Reduction.Sum(squares, over.List, over.Result(keepDims), scale);
        squares.Block.Release();
        if (!x.WantsGrad) centred.Block.Release();
        return Autograd.Record(y, x, dy =>
        {
            // The mean's own share of the gradient is the sum of the distances: nothing.
            Tensor slope = Broadcast.Expand(dy, dy.Shape, 2 * scale);
            Tensor kept = slope.View(over.Kept);
            Broadcast.Run(centred, kept, centred, default(MultiplyOp));
            kept.Block.Release();
            slope.Block.Release();
            return centred;
        });
    }

    /// <summary>Which value along an axis is the largest, the first of several; NaN counts as largest. Flat, in the order of the remaining axes. No gradient.</summary>
    /// <exception cref="ShapeException">There is no such axis, or it is empty.</exception>
    public static int[] ArgMax(this Tensor x, int axis = -1)
    {
        Tracer.Refuse("it makes numbers, not a tensor; take it of the graph's result");
        axis = x.Shape.Axis(axis);
        int length = x.Shape[axis];
        if (length == 0) throw new ShapeException($"ArgMax over axis {axis} of {x.Shape} has no values to choose from");
        int inner = x.Shape.Product(axis + 1, x.Shape.Rank);
        var winners = new int[x.Length / length];
        ThreadTeam.Ranges(winners.Length, Math.Max(1, Elementwise.Grain / length), (from, to) =>
        {
            ReadOnlySpan<float> values = x.Span;
            for (int i = from; i < to; i++)
            {
                (int outer, int column) = Math.DivRem(i, inner);
                int start = (outer * length * inner) + column;
                int best = 0;
                for (int k = 1; k < length; k++)
                {
                    float most = values[start + (best * inner)];
                    float value = values[start + (k * inner)];
                    if (value > most || (float.IsNaN(value) && !float.IsNaN(most))) best = k;
                }
                winners[i] = best;
            }
        });
        return winners;
    }

    private static Tensor Scaled(Tensor x, Axes over, bool keepDims, float scale)
    {
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedSum(over.List, scale), over.Result(keepDims), x);
        Tensor y = Reduction.Sum(x, over.List, over.Result(keepDims), scale);
        Shape shape = x.Shape;
        return Autograd.Record(y, x, dy =>
        {
            Tensor kept = dy.View(over.Kept);
            Tensor dx = Broadcast.Expand(kept, shape, scale);
            kept.Block.Release();
            return dx;
        });
    }

    /// <summary>The axes an op reduces, ascending and counted from the front, and the shapes that result.</summary>
    private sealed record Axes(int[] List, Shape Kept, Shape Dropped, int Count)
    {
        public static Axes Of(Shape shape, ReadOnlySpan<int> axes, string op)
        {
            int[] list = axes.IsEmpty ? [.. Enumerable.Range(0, shape.Rank)] : new int[axes.Length];
            for (int i = 0; i < axes.Length; i++) list[i] = shape.Axis(axes[i]);
            Array.Sort(list);
            int[] kept = shape.ToArray();
            int count = 1;
            for (int i = 0; i < list.Length; i++)
            {
                if (i > 0 && list[i] == list[i - 1]) throw new ShapeException($"{op} over axes [{string.Join(", ", axes.ToArray())}] of {shape} names an axis twice");
                count *= shape[list[i]];
                kept[list[i]] = 1;
            }
            return new Axes(list, Shape.Of(kept), Shape.Of([.. shape.Where((_, axis) => !list.Contains(axis))]), count);
        }

        public Shape Result(bool keepDims) => keepDims ? Kept : Dropped;
    }
}

/// <summary>The sum times a factor: a mean where that is one over the count. Reads x.</summary>
internal sealed record TracedSum(int[] Axes, float Scale) : GraphOp
{
    public override string Name => Scale == 1 ? nameof(Reductions.Sum) : nameof(Reductions.Mean);

    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => Results.Into(inputs[0].Tensor, output.Tensor, x => Reduction.Sum(x, Axes, output.Shape, Scale));

    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        GraphValue x = node.Inputs[0]!;
        long count = Axes.Aggregate(1L, (product, axis) => product * x.Shape[axis]);
        if (Scale != 1 && Scale != 1f / count) throw OnnxGraph.Refusal(node, $"a sum times {Scale} is neither a sum nor a mean");
        (string name, long[] axes, OnnxAttribute keep) = onnx.Reduced(node, Axes);
        if (Scale == 1) onnx.Result(node, "ReduceSum", [name, onnx.Whole(axes)], keep);
        else onnx.Result(node, "ReduceMean", [name], new OnnxAttribute("axes", axes), keep);
    }
}

/// <summary>Reads x.</summary>
internal sealed record TracedMax(int[] Axes) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => Results.Into(inputs[0].Tensor, output.Tensor, x => Reduction.Max(x, Axes, output.Shape));

    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        (string name, long[] axes, OnnxAttribute keep) = onnx.Reduced(node, Axes);
        onnx.Result(node, "ReduceMax", [name], new OnnxAttribute("axes", axes), keep);
    }
}

/// <summary>Reads x.</summary>
internal sealed record TracedVariance(int[] Axes, bool Unbiased, bool KeepDims) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => Results.Into(inputs[0].Tensor, output.Tensor, x => x.Variance(Axes, Unbiased, KeepDims));
}

/// <summary>Ops that reduce make tensors on their way; what comes out is far smaller than what goes in, so that its copy costs nothing.</summary>
file static class Results
{
    public static Work Into(Tensor x, Tensor y, Func<Tensor, Tensor> op) => Work.Once(() =>
    {
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        using MemoryScope scope = TensorMemory.Scope();
        op(x).Span.CopyTo(y.Span);
    });
}
