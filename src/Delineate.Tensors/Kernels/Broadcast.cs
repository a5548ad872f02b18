namespace Delineate.Tensors.Kernels;

/// <summary>
/// y = op(a, b) where the axes of a and b that have size 1, or are missing in front, repeat along those of y (NumPy's rule).
/// Axes that both operands walk alike are merged first, so that the inner loop runs as far as it can.
/// </summary>
internal sealed class Broadcast
{
    private const int ShortRow = 128; // below this a row costs more to begin than to run
    private const int TileLength = 1024;

    private readonly int[] sizes;
    private readonly int[] stepsA; // in elements; 0 along an axis where the operand repeats
    private readonly int[] stepsB;

    private Broadcast(Shape a, Shape b, Shape y)
    {
        var merged = new Stack<(int Size, int A, int B)>();
        (int stepA, int stepB) = (1, 1);
        for (int axis = 1; axis <= y.Rank; axis++)
        {
            (int size, int sizeA, int sizeB) = (y[^axis], axis <= a.Rank ? a[^axis] : 1, axis <= b.Rank ? b[^axis] : 1);
            (int thisA, int thisB) = (sizeA == 1 ? 0 : stepA, sizeB == 1 ? 0 : stepB);
            (stepA, stepB) = (stepA * sizeA, stepB * sizeB);
            if (size == 1) continue;
            if (merged.TryPeek(out var inner) && thisA == inner.A * inner.Size && thisB == inner.B * inner.Size)
            {
                merged.Pop();
                merged.Push((inner.Size * size, inner.A, inner.B));
            }
            else
            {
                merged.Push((size, thisA, thisB));
            }
        }
        if (merged.Count == 0) merged.Push((1, 0, 0));
        (int Size, int A, int B)[] axes = [.. merged]; // a stack lists its last first: the outermost axis
        (sizes, stepsA, stepsB) = (Array.ConvertAll(axes, x => x.Size), Array.ConvertAll(axes, x => x.A), Array.ConvertAll(axes, x => x.B));
    }

    /// <summary>The shape of a ∘ b.</summary>
    /// <exception cref="ShapeException">An axis differs and is 1 in neither.</exception>
    public static Shape ShapeOf(Shape a, Shape b, string op)
    {
        if (a == b) return a;
        var y = new int[Math.Max(a.Rank, b.Rank)];
        for (int axis = 1; axis <= y.Length; axis++)
        {
            (int sizeA, int sizeB) = (axis <= a.Rank ? a[^axis] : 1, axis <= b.Rank ? b[^axis] : 1);
            if (sizeA != sizeB && sizeA != 1 && sizeB != 1)
                throw new ShapeException($"{op} cannot bring {a} and {b} together: counted from the end, axes must be equal, 1 or missing, and axis -{axis} is {sizeA} and {sizeB}");
            y[^axis] = sizeA == 1 ? sizeB : sizeA;
        }
        return Shape.Of(y);
    }

    /// <summary>y = op(a, b); the shape of y is that of a ∘ b or one that it repeats to.</summary>
    public static void Run<TOp>(Tensor a, Tensor b, Tensor y, TOp op)
        where TOp : struct, IZip
    {
        if (y.Length == 0) return;
        if (a.Shape == y.Shape && b.Shape == y.Shape) Elementwise.Zip(a, b, y, op);
        else if (b.Length == 1 && a.Length == y.Length) Elementwise.Map(a, y, new WithRight<TOp>(b.Span[0], op));
        else if (a.Length == 1 && b.Length == y.Length) Elementwise.Map(b, y, new WithLeft<TOp>(a.Span[0], op));
        else new Broadcast(a.Shape, b.Shape, y.Shape).Rows(a, b, y, op).Run();
    }

    /// <summary>The same as work to be run later.</summary>
    public static Work RunWork<TOp>(Tensor a, Tensor b, Tensor y, TOp op)
        where TOp : struct, IZip =>
        y.Length == 0 ? Work.Nothing
        : a.Shape == y.Shape && b.Shape == y.Shape ? Elementwise.ZipWork(a, b, y, op)
        : new Broadcast(a.Shape, b.Shape, y.Shape).Rows(a, b, y, op);

    /// <summary>x repeated to a larger shape, times <paramref name="scale"/>.</summary>
    public static Tensor Expand(Tensor x, Shape shape, float scale = 1)
    {
        Tensor y = Tensor.Empty(shape);
        Tensor factor = Tensor.Scalar(scale);
        Run(x, factor, y, default(MultiplyOp));
        factor.Block.Release();
        return y;
    }

    /// <summary>The sum of a gradient over the axes along which an operand of the given shape was repeated.</summary>
    public static Tensor SumTo(Tensor gradient, Shape shape)
    {
        if (gradient.Shape == shape) return gradient;
        int extra = gradient.Shape.Rank - shape.Rank;
        var axes = new List<int>();
        for (int axis = 0; axis < gradient.Shape.Rank; axis++)
        {
            if (axis < extra || (shape[axis - extra] == 1 && gradient.Shape[axis] != 1)) axes.Add(axis);
        }
        return Reduction.Sum(gradient, [.. axes], shape);
    }

    private Work Rows<TOp>(Tensor a, Tensor b, Tensor y, TOp op)
        where TOp : struct, IZip
    {
        // The last two axes are one block of rows; pieces are ranges of blocks, or of rows where there are few blocks.
        int last = sizes.Length - 1;
        int n = sizes[last];
        int rows = y.Length / n;
        return Work.Ranges(rows, y.Length < 2 * Elementwise.Grain ? rows : Math.Max(1, Elementwise.Grain / n), (from, to) =>
        {
            int tileRows = TileRows(last, n);
            using Scratch tile = Scratch.Floats(tileRows * n);
            int tiled = -1; // where in the repeated operand the tile was copied from
            for (int row = from; row < to;)
            {
                (int placeA, int placeB, int left) = Place(row, last);
                int take = Math.Min(Math.Min(left, to - row), tileRows);
                Span<float> target = y.Span.Slice(row * n, take * n);
                if (tileRows == 1)
                {
                    Row(a.Span[placeA..], stepsA[last], b.Span[placeB..], stepsB[last], target, op);
                }
                else
                {
                    bool repeatsA = stepsA[last - 1] == 0;
                    int place = repeatsA ? placeA : placeB;
                    if (tiled != place)
                    {
                        ReadOnlySpan<float> repeated = (repeatsA ? a : b).Span.Slice(place, n);
                        for (int i = 0; i < tileRows; i++) repeated.CopyTo(tile.Span[(i * n)..]);
                        tiled = place;
                    }
                    ReadOnlySpan<float> copies = tile.Span[..target.Length];
                    if (repeatsA) Elementwise.Zip(copies, b.Span.Slice(placeB, target.Length), target, op);
                    else Elementwise.Zip(a.Span.Slice(placeA, target.Length), copies, target, op);
                }
                row += take;
            }
        });
    }

    /// <summary>How many rows go through the loop at once: a short row that repeats ([N, H, W, 3] ∘ [3]) is laid out several times first.</summary>
    private int TileRows(int last, int n)
    {
        if (last == 0 || n >= ShortRow || stepsA[last] != 1 || stepsB[last] != 1) return 1;
        bool oneRepeats = (stepsA[last - 1] == 0 && stepsB[last - 1] == n) || (stepsB[last - 1] == 0 && stepsA[last - 1] == n);
        return oneRepeats ? Math.Min(TileLength / n, sizes[last - 1]) : 1;
    }

    /// <summary>Where a row of y begins in a and in b, and how many rows are left in its block.</summary>
    private (int A, int B, int Left) Place(int row, int last)
    {
        (int a, int b, int left) = (0, 0, 1);
        for (int axis = last - 1; axis >= 0; axis--)
        {
            (row, int index) = Math.DivRem(row, sizes[axis]);
            (a, b) = (a + (index * stepsA[axis]), b + (index * stepsB[axis]));
            if (axis == last - 1) left = sizes[axis] - index;
        }
        return (a, b, left);
    }

    private static void Row<TOp>(ReadOnlySpan<float> a, int stepA, ReadOnlySpan<float> b, int stepB, Span<float> y, TOp op)
        where TOp : struct, IZip
    {
        if (stepA == 1 && stepB == 1) Elementwise.Zip(a[..y.Length], b[..y.Length], y, op);
        else if (stepA == 1) Elementwise.Map(a[..y.Length], y, new WithRight<TOp>(b[0], op));
        else if (stepB == 1) Elementwise.Map(b[..y.Length], y, new WithLeft<TOp>(a[0], op));
        else y.Fill(op.Apply(new System.Numerics.Vector<float>(a[0]), new System.Numerics.Vector<float>(b[0]))[0]);
    }
}
