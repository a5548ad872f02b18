using System.Numerics;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

public static class LabelOps
{
    /// <summary>The class with the largest score at each pixel, the first of several; NaN counts as largest. [..., C] → as many bytes as pixels. No gradient.</summary>
    /// <exception cref="ShapeException">There is no class, or more than the 256 that a byte can name.</exception>
    public static unsafe byte[] ArgMaxLabels(this Tensor logits)
    {
        if (logits.Shape.Rank == 0 || logits.Shape[-1] is 0 or > 256) throw new ShapeException($"ArgMaxLabels takes scores of [..., C] with 1 to 256 classes, got {logits.Shape}");
        Tracer.Refuse("it makes labels, not a tensor; take it of the graph's result");
        int classes = logits.Shape[-1];
        var labels = new byte[logits.Length / classes];
        float* x = Pinned.Of(logits);
        ThreadTeam.Ranges(labels.Length, ClassRows.Block * Math.Max(1, Elementwise.Grain / (classes * ClassRows.Block)), (from, to) =>
        {
            fixed (byte* first = labels) Winners(x + ((long)from * classes), to - from, classes, first + from);
        });
        GC.KeepAlive(logits);
        return labels;
    }

    /// <summary>
    /// The labels of scores [N, h, w, C] at another size: those of ResizeBilinear and <see cref="ArgMaxLabels(Tensor)"/>, made row by row, so that scores of that
    /// size are never in memory. → N · height · width bytes. No gradient.
    /// </summary>
    /// <exception cref="ShapeException">The scores are no map of 1 to 256 classes, or a size is not positive.</exception>
    public static byte[] ArgMaxLabels(this Tensor logits, int height, int width)
    {
        Check.Rank(logits, 4);
        Tracer.Refuse("it makes labels, not a tensor; take it of the graph's result");
        return ArgMaxLabels(logits, null, (logits.Shape[1], logits.Shape[2]), (height, width));
    }

    /// <summary>
    /// The labels of scores [N, h, w, C] that are enlarged (where <paramref name="enlargement"/> says so), cut to their first rows and columns and brought to
    /// <paramref name="size"/>, row by row: the very arithmetic of ResizeBilinear, Slice, ResizeBilinear and <see cref="ArgMaxLabels(Tensor)"/>.
    /// </summary>
    /// <exception cref="ShapeException">The scores are no map of 1 to 256 classes, or smaller than the crop.</exception>
    internal static unsafe byte[] ArgMaxLabels(Tensor scores, TracedResizeBilinear? enlargement, Size2d crop, Size2d size)
    {
        const int PieceRows = 16;
        Check.Rank(scores, 4);
        int classes = scores.Shape[3];
        if (classes is 0 or > 256) throw new ShapeException($"ArgMaxLabels takes scores of [N, H, W, C] with 1 to 256 classes, got {scores.Shape}");
        var whole = enlargement is null ? new Size2d(scores.Shape[1], scores.Shape[2]) : new Size2d(enlargement.Rows.Outputs, enlargement.Columns.Outputs);
        if (crop.Height < 1 || crop.Width < 1 || crop.Height > whole.Height || crop.Width > whole.Width || size.Height < 1 || size.Width < 1)
            throw new ShapeException($"labels of {size} from the first {crop} of scores of {whole}: each must be at least one pixel, and the part no larger than the whole");
        bool resizes = size != crop;
        AxisResize? rows = resizes ? new AxisResize(crop.Height, size.Height, false, null) : null, columns = resizes ? new AxisResize(crop.Width, size.Width, false, null) : null;
        var labels = new byte[checked(scores.Shape[0] * size.Height * size.Width)];
        int parts = (size.Height + PieceRows - 1) / PieceRows;
        int enlargedRow = enlargement is null ? 0 : whole.Width * classes, resizedRow = resizes ? size.Width * classes : 0;
        long image = (long)scores.Shape[1] * scores.Shape[2] * classes;
        float* map = Pinned.Of(scores);
        ThreadTeam.Run(scores.Shape[0] * parts, piece =>
        {
            (int n, int first) = (piece / parts, piece % parts * PieceRows);
            using Scratch scratch = Scratch.Floats(3 * (enlargedRow + resizedRow));
            float* memory = Pinned.Of(scratch);
            var enlarged = new ResizedRows(enlargement?.Rows, enlargement?.Columns, classes, memory);
            var resized = new ResizedRows(rows, columns, classes, memory + (3L * enlargedRow));
            fixed (byte* to = labels)
            {
                for (int row = first; row < Math.Min(first + PieceRows, size.Height); row++)
                {
                    float* line = resizes ? resized.Row(row, map + (n * image), scores.Shape[2] * classes, ref enlarged) : enlarged.Row(row, map + (n * image), scores.Shape[2] * classes);
                    Winners(line, size.Width, classes, to + ((((long)n * size.Height) + row) * size.Width));
                }
            }
        });
        return labels;
    }

    /// <summary>The winners of <paramref name="pixels"/> rows of scores.</summary>
    private static unsafe void Winners(float* x, int pixels, int classes, byte* labels)
    {
        const int Block = ClassRows.Block;
        if (classes > ClassRows.MostClasses)
        {
            var rows = new Rows(classes, x + ((long)pixels * classes));
            for (int i = 0; i < pixels; i++) labels[i] = (byte)Winner(rows, x + ((long)i * classes));
            return;
        }
        float* max = stackalloc float[Block];
        byte* winners = stackalloc byte[Block];
        using Scratch scratch = Scratch.Floats(Block * classes);
        for (int first = 0; first < pixels; first += Block)
        {
            int count = Math.Min(Block, pixels - first);
            float* scores = x + ((long)first * classes);
            ClassRows.Winners(scores, count, classes, Pinned.Of(scratch), max, winners);
            for (int i = 0; i < count; i++) labels[first + i] = float.IsNaN(max[i]) ? (byte)FirstNaN(scores + (i * classes), classes) : winners[i];
        }
    }

    private static unsafe int Winner(in Rows rows, float* row)
    {
        float most = rows.Max(row);
        for (int c = 0; c < rows.Whole; c += Vector<float>.Count)
        {
            Vector<float> v = Vector.Load(row + c);
            if (!Vector.EqualsAll(v, v)) return FirstNaN(row, rows.Length);
        }
        if (rows.Whole < rows.Length)
        {
            Vector<float> v = rows.Tail(row, 0);
            if (!Vector.EqualsAll(v, v)) return FirstNaN(row, rows.Length);
        }
        int winner = 0;
        while (winner < rows.Length - 1 && row[winner] != most) winner++;
        return winner;
    }

    private static unsafe int FirstNaN(float* row, int length)
    {
        int i = 0;
        while (i < length - 1 && !float.IsNaN(row[i])) i++;
        return i;
    }
}

/// <summary>The rows of a resized map, one at a time from the first to the last, or the map's own where there is nothing to resize.</summary>
/// <param name="rows">Which rows lie between which; null for the map's own rows.</param>
/// <param name="columns">The same for columns.</param>
/// <param name="classes">Floats of a pixel.</param>
/// <param name="memory">Three rows of the result.</param>
internal unsafe struct ResizedRows(AxisResize? rows, AxisResize? columns, int classes, float* memory)
{
    private readonly int length = (columns?.Outputs ?? 0) * classes;
    private readonly float* result = memory;
    private float* upper = memory + ((long)(columns?.Outputs ?? 0) * classes); // two rows of the map at the result's width
    private float* lower = memory + (2L * (columns?.Outputs ?? 0) * classes);
    private int inUpper = -1, inLower = -1, last = -1;

    /// <summary>A row made from a map whose rows are <paramref name="stride"/> floats apart.</summary>
    public float* Row(int row, float* map, long stride)
    {
        var source = default(ResizedRows);
        return Row(row, map, stride, ref source);
    }

    /// <summary>A row made from the rows of <paramref name="source"/>, which makes them from the map.</summary>
    public float* Row(int row, float* map, long stride, ref ResizedRows source)
    {
        if (rows is null) return map + (row * stride);
        if (row == last) return result;
        (int low, int high) = (rows.Low[row], rows.High[row]);
        if (inUpper != low && inLower == low)
        {
            float* kept = lower;
            lower = upper;
            upper = kept;
            (inUpper, inLower) = (inLower, inUpper);
        }
        if (inUpper != low) Stretch(low, upper, map, stride, ref source);
        inUpper = low;
        if (inLower != high) Stretch(high, lower, map, stride, ref source);
        inLower = high;
        LaneLoop.Over(new ResizeBilinearOp.BlendKernel(upper, lower, rows.Weight[row], result, past: false), length);
        last = row;
        return result;
    }

    private readonly void Stretch(int row, float* target, float* map, long stride, ref ResizedRows source)
    {
        float* line = source.Row(row, map, stride);
        LaneLoop.Overlapped(new ResizeBilinearOp.StretchKernel(columns!, classes, line, target), classes);
    }
}
