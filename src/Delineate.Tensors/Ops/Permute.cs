using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

public static class Permutation
{
    private const int Tile = 16; // a 16 × 16 tile of floats reads and writes whole cache lines

    /// <summary>The axes in another order: axis i of the result is axis <paramref name="axes"/>[i] of <paramref name="x"/>. <c>[N, H, W, C]</c> with (0, 3, 1, 2) → <c>[N, C, H, W]</c>.</summary>
    /// <exception cref="ShapeException">The axes are not each named once.</exception>
    public static Tensor Permute(this Tensor x, params ReadOnlySpan<int> axes)
    {
        int rank = x.Shape.Rank;
        var order = new int[axes.Length];
        var back = new int[rank];
        Array.Fill(back, -1);
        for (int i = 0; i < axes.Length && axes.Length == rank; i++) back[order[i] = x.Shape.Axis(axes[i])] = i;
        if (axes.Length != rank || back.Contains(-1)) throw new ShapeException($"Permute of {x.Shape} names each of its {rank} axes once, got [{string.Join(", ", axes.ToArray())}]");
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedPermute(order), Result(x.Shape, order), x);
        Tensor y = Reordered(x, order);
        return Autograd.Record(y, x, dy => Reordered(dy, back), read: []);
    }

    private static Shape Result(Shape x, int[] order) => Shape.Of(Array.ConvertAll(order, axis => x[axis]));

    private static Tensor Reordered(Tensor x, int[] order)
    {
        Tensor y = Tensor.Empty(Result(x.Shape, order));
        Reorder(x, order, y).Run();
        return y;
    }

    internal static Work Reorder(Tensor x, int[] order, Tensor y)
    {
        if (y.Length == 0) return Work.Nothing;

        // Axes of y, innermost last, each with its step in x; those that lie side by side in both are one axis.
        var axes = new List<(int Size, int Step)>();
        foreach (int axis in order)
        {
            (int size, int step) = (x.Shape[axis], x.Shape.Product(axis + 1, x.Shape.Rank));
            if (size == 1) continue;
            if (axes.Count > 0 && axes[^1].Step == size * step) axes[^1] = (axes[^1].Size * size, step);
            else axes.Add((size, step));
        }
        if (axes.Count <= 1) return Work.Once(() => x.Span.CopyTo(y.Span));
        return axes[^1].Step == 1 ? CopyRuns(x, y, axes) : Transpose(x, y, axes);
    }

    /// <summary>The last axis stays last: its runs are copied whole.</summary>
    private static Work CopyRuns(Tensor x, Tensor y, List<(int Size, int Step)> axes)
    {
        int run = axes[^1].Size;
        return Work.Ranges(y.Length / run, Math.Max(1, Elementwise.Grain / run), (from, to) =>
        {
            for (int i = from; i < to; i++) x.Span.Slice(Place(i, axes, axes.Count - 1, -1), run).CopyTo(y.Span[(i * run)..]);
        });
    }

    /// <summary>Another axis of x runs fastest: tiles of that axis and y's last one are turned over, for every place along the others.</summary>
    private static Work Transpose(Tensor x, Tensor y, List<(int Size, int Step)> axes)
    {
        int across = axes.FindIndex(axis => axis.Step == 1);
        (int rows, int columns, int columnStep) = (axes[across].Size, axes[^1].Size, axes[^1].Step);
        int rowStep = 1;
        for (int i = across + 1; i < axes.Count; i++) rowStep *= axes[i].Size;
        int bands = (rows + Tile - 1) / Tile;
        int planes = y.Length / (rows * columns);
        return Work.Ranges(planes * bands, Math.Max(1, Elementwise.Grain / (Tile * columns)), (from, to) =>
        {
            ReadOnlySpan<float> source = x.Span;
            Span<float> target = y.Span;
            for (int job = from; job < to; job++)
            {
                (int plane, int band) = Math.DivRem(job, bands);
                int startX = Place(plane, axes, axes.Count - 1, across);
                int startY = PlaceInResult(plane, axes, across);
                int lastRow = Math.Min(rows, (band + 1) * Tile);
                for (int column = 0; column < columns; column += Tile)
                {
                    int lastColumn = Math.Min(columns, column + Tile);
                    for (int r = band * Tile; r < lastRow; r++)
                    {
                        for (int c = column; c < lastColumn; c++) target[startY + (r * rowStep) + c] = source[startX + r + (c * columnStep)];
                    }
                }
            }
        });
    }

    /// <summary>The place in x of the index-th combination of the axes before <paramref name="end"/>, one of them left out.</summary>
    private static int Place(int index, List<(int Size, int Step)> axes, int end, int without)
    {
        int place = 0;
        for (int axis = end - 1; axis >= 0; axis--)
        {
            if (axis == without) continue;
            (index, int at) = Math.DivRem(index, axes[axis].Size);
            place += at * axes[axis].Step;
        }
        return place;
    }

    private static int PlaceInResult(int index, List<(int Size, int Step)> axes, int without)
    {
        (int place, int step) = (0, axes[^1].Size);
        for (int axis = axes.Count - 2; axis >= 0; axis--)
        {
            if (axis != without)
            {
                (index, int at) = Math.DivRem(index, axes[axis].Size);
                place += at * step;
            }
            step *= axes[axis].Size;
        }
        return place;
    }
}

/// <summary>Reads x.</summary>
internal sealed record TracedPermute(int[] Order) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => Permutation.Reorder(inputs[0].Tensor, Order, output.Tensor);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        GraphValue x = node.Inputs[0]!;
        if (TracedReshape.FlattensChannelsFirst(onnx, node.Output))
        {
            onnx.Set(node, onnx.Of(x));
            return;
        }
        var order = new long[Order.Length]; // place i of the result is x's axis Order[i], both as ONNX counts them
        for (int i = 0; i < order.Length; i++) order[OnnxGraph.Axis(node.Output, i)] = OnnxGraph.Axis(x, Order[i]);
        onnx.Result(node, "Transpose", [onnx.Of(x)], new OnnxAttribute("perm", order));
    }
}
