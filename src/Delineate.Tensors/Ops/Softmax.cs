using System.Numerics;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

public static class SoftmaxOps
{
    /// <summary>eˣ / Σ eˣ along an axis, without overflow. [...] → [...].</summary>
    /// <exception cref="ShapeException">There is no such axis.</exception>
    public static Tensor Softmax(this Tensor x, int axis = -1) => AlongLast(x, axis, static rows =>
    {
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedSoftmax(IsLog: false), rows.Shape, rows);
        Tensor y = Tensor.Empty(rows.Shape);
        Forward(rows, y, isLog: false).Run();
        return Autograd.Record(y, rows, dy => Backward(dy, y, isLog: false), read: [y]);
    });

    /// <summary>x − ln Σ eˣ along an axis, without overflow. [...] → [...].</summary>
    /// <exception cref="ShapeException">There is no such axis.</exception>
    public static Tensor LogSoftmax(this Tensor x, int axis = -1) => AlongLast(x, axis, static rows =>
    {
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedSoftmax(IsLog: true), rows.Shape, rows);
        Tensor y = Tensor.Empty(rows.Shape);
        Forward(rows, y, isLog: true).Run();
        return Autograd.Record(y, rows, dy => Backward(dy, y, isLog: true), read: [y]);
    });

    /// <summary>Classes lie last in every network: another axis is brought there and back.</summary>
    private static Tensor AlongLast(Tensor x, int axis, Func<Tensor, Tensor> op)
    {
        int place = x.Shape.Axis(axis);
        int last = x.Shape.Rank - 1;
        if (place == last) return op(x);
        int[] order = [.. Enumerable.Range(0, last + 1)];
        (order[place], order[last]) = (last, place);
        return op(x.Permute(order)).Permute(order);
    }

    internal static unsafe Work Forward(Tensor x, Tensor y, bool isLog)
    {
        if (x.Length == 0) return Work.Nothing;
        int length = x.Shape[-1];
        if (length <= ClassRows.MostClasses && !isLog) return ForwardOfFew(x, y, length);
        return Work.Ranges(x.Length / length, Math.Max(1, Elementwise.Grain / length), (from, to) =>
        {
            fixed (float* source = x.Span, target = y.Span)
            {
                var rows = new Rows(length, source + x.Length);
                float* last = target + (to * length);
                for (int i = from; i < to; i++)
                {
                    float* row = source + (i * length);
                    float* result = target + (i * length);
                    float max = rows.Max(row);
                    if (isLog)
                    {
                        Vector<float> shift = new(max);
                        Vector<float> log = new(MathF.Log(rows.SumExp(row, max)));
                        for (int c = 0; c < rows.Whole; c += Vector<float>.Count) Vector.Store(Vector.Load(row + c) - shift - log, result + c);
                        if (rows.Whole < length) rows.StoreTail(rows.Tail(row, 0) - shift - log, result, last);
                    }
                    else
                    {
                        Normalise(rows, row, result, last, max);
                    }
                }
            }
        });
    }

    /// <summary>Softmax of short rows, a block of them at a time.</summary>
    private static unsafe Work ForwardOfFew(Tensor x, Tensor y, int classes)
    {
        const int Block = ClassRows.Block;
        int[] places = ClassRows.Places(classes);
        float* source = Pinned.Of(x), target = Pinned.Of(y);
        return Work.Ranges(x.Length / classes, Block * Math.Max(1, Elementwise.Grain / (classes * Block)), (from, to) =>
        {
            float* max = stackalloc float[Block];
            float* factor = stackalloc float[Block];
            using Scratch scratch = Scratch.Floats(Block * classes);
            for (int first = from; first < to; first += Block)
            {
                int count = Math.Min(Block, to - first);
                ClassRows.SumExp(source + (first * classes), count, classes, Pinned.Of(scratch), max, factor);
                for (int i = 0; i < Block; i++) factor[i] = 1 / factor[i];
                ClassRows.ScaledExp(source + (first * classes), max, factor, count, places, target + (first * classes));
            }
        });
    }

    private static unsafe void Normalise(in Rows rows, float* row, float* result, float* last, float max)
    {
        Vector<float> shift = new(max);
        Vector<float> sum = Vector<float>.Zero;
        Vector<float> tail = default;
        for (int c = 0; c < rows.Whole; c += Vector<float>.Count)
        {
            Vector<float> e = VectorMath.Exp(Vector.Load(row + c) - shift);
            sum += e;
            Vector.Store(e, result + c);
        }
        if (rows.Whole < rows.Length) sum += tail = VectorMath.Exp(rows.Tail(row, float.NegativeInfinity) - shift);
        Vector<float> scale = new(1 / Vector.Sum(sum));
        for (int c = 0; c < rows.Whole; c += Vector<float>.Count) Vector.Store(Vector.Load(result + c) * scale, result + c);
        if (rows.Whole < rows.Length) rows.StoreTail(tail * scale, result, last);
    }

    /// <summary>Softmax: dx = y · (dy − Σ dy · y). Log-softmax: dx = dy − eʸ · Σ dy.</summary>
    private static unsafe Tensor Backward(Tensor dy, Tensor y, bool isLog)
    {
        Tensor dx = Tensor.Empty(y.Shape);
        if (y.Length == 0) return dx;
        int length = y.Shape[-1];
        ThreadTeam.Ranges(y.Length / length, Math.Max(1, Elementwise.Grain / length), (from, to) =>
        {
            fixed (float* gradient = dy.Span, output = y.Span, target = dx.Span)
            {
                var rowsG = new Rows(length, gradient + y.Length);
                var rows = new Rows(length, output + y.Length);
                float* last = target + (to * length);
                for (int i = from; i < to; i++)
                {
                    float* g = gradient + (i * length);
                    float* row = output + (i * length);
                    float* result = target + (i * length);
                    Vector<float> sum = new(isLog ? System.Numerics.Tensors.TensorPrimitives.Sum(new ReadOnlySpan<float>(g, length)) : rowsG.Dot(g, rows, row));
                    for (int c = 0; c < rows.Whole; c += Vector<float>.Count) Vector.Store(Slope(Vector.Load(g + c), Vector.Load(row + c), sum, isLog), result + c);
                    if (rows.Whole < length) rows.StoreTail(Slope(rowsG.Tail(g, 0), rows.Tail(row, 0), sum, isLog), result, last);
                }
            }
        });
        return dx;
    }

    private static Vector<float> Slope(Vector<float> dy, Vector<float> y, Vector<float> sum, bool isLog) => isLog ? dy - (VectorMath.Exp(y) * sum) : y * (dy - sum);
}

/// <summary>Along the last axis. Reads x.</summary>
internal sealed record TracedSoftmax(bool IsLog) : GraphOp
{
    public override string Name => IsLog ? nameof(SoftmaxOps.LogSoftmax) : nameof(SoftmaxOps.Softmax);

    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => SoftmaxOps.Forward(inputs[0].Tensor, output.Tensor, IsLog);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node) =>
        onnx.Result(node, IsLog ? "LogSoftmax" : "Softmax", [onnx.Of(node.Inputs[0]!)], new OnnxAttribute("axis", OnnxGraph.Axis(node.Output, node.Output.Shape.Rank - 1)));
}
