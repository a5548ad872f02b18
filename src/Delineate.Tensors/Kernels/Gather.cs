using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// How the rows of a convolution's left matrix are read from a map <c>[N, Height, Width, Channels]</c> (see <see cref="Map"/>). Row (n, oy, ox) of a lattice of
/// pixels is the concatenation over a grid of taps (dy, dx) of the channels at (oy·StepY + dy, ox·StepX + dx), zeros outside the map.
/// A convolution, its gradient to the data (a stride's every phase) and a transposed convolution are all such lattices.
/// </summary>
internal sealed unsafe class Gather
{
    private readonly int height;
    private readonly int width;
    private readonly int pixelStride;
    private readonly int groupChannels;
    private readonly Size2d lattice;
    private readonly Size2d step;
    private readonly int[] tapRows;
    private readonly int[] tapColumns;

    /// <summary>Taps of one row that lie side by side in memory are copied as one run.</summary>
    private readonly bool merged;
    private readonly int runLength;

    public Gather(int images, Size2d map, int pixelStride, int channels, int groups, Size2d lattice, Size2d step, int[] tapRows, int[] tapColumns)
    {
        (height, width) = map;
        (this.pixelStride, groupChannels) = (pixelStride, channels / groups);
        (this.lattice, this.step, this.tapRows, this.tapColumns) = (lattice, step, tapRows, tapColumns);
        Rows = images * lattice.Height * lattice.Width;
        Depth = tapRows.Length * tapColumns.Length * groupChannels;
        merged = groups == 1 && pixelStride == channels;
        for (int i = 1; i < tapColumns.Length; i++) merged &= tapColumns[i] == tapColumns[i - 1] + 1;
        runLength = merged ? tapColumns.Length * groupChannels : groupChannels;
        IsPlain = tapRows is [0] && tapColumns is [0] && step == 1 && lattice == map;
    }

    /// <summary>The windows of a convolution: a row for each output pixel, a column for each tap and input channel of a group.</summary>
    public static Gather Windows(ConvGeometry g, int pixelStride)
    {
        return new Gather(g.Batch, g.Input, pixelStride, g.InChannels, g.Groups, g.Output, g.Stride, Taps(g.Kernel.Height, g.Dilation.Height, g.Padding.Height), Taps(g.Kernel.Width, g.Dilation.Width, g.Padding.Width));

        static int[] Taps(int kernel, int dilation, int padding) => [.. Enumerable.Range(0, kernel).Select(k => (k * dilation) - padding)];
    }

    /// <summary>Rows of the matrix: images × lattice.</summary>
    public int Rows { get; }

    /// <summary>Columns of the matrix: taps × channels of one group.</summary>
    public int Depth { get; }

    /// <summary>True where row i is pixel i of the map: the map itself is the matrix, with rows <see cref="RowStride"/> apart.</summary>
    public bool IsPlain { get; }

    public int RowStride => pixelStride;

    /// <summary>Copies columns <paramref name="from"/> … <paramref name="to"/> − 1 of <paramref name="count"/> rows of one group's matrix into a panel.</summary>
    public void Pack(float* map, int group, int firstRow, int count, int from, int to, float* panel, nint panelRow)
    {
        map += group * groupChannels;
        (int pixel, int firstColumn) = Math.DivRem(firstRow, lattice.Width);
        (int firstImage, int firstLine) = Math.DivRem(pixel, lattice.Height);
        int runsInRow = merged ? 1 : tapColumns.Length;
        while (from < to)
        {
            (int run, int within) = Math.DivRem(from, runLength);
            int length = Math.Min(runLength - within, to - from);
            (int tapRow, int tapColumn) = Math.DivRem(run, runsInRow);
            (int image, int line, int column) = (firstImage, firstLine, firstColumn);
            float* target = panel;
            for (int left = count; left > 0;)
            {
                int pixels = Math.Min(left, lattice.Width - column);
                int y = (line * step.Height) + tapRows[tapRow];
                int position = (((column * step.Width) + tapColumns[tapColumn]) * pixelStride) + within;
                float* source = map + ((((nint)image * height) + y) * width * pixelStride);
                if ((uint)y < (uint)height) PackLine(source, position, step.Width * pixelStride, pixels, length, target, panelRow);
                else ClearRows(target, panelRow, pixels, length);
                target += pixels * panelRow;
                left -= pixels;
                column = 0;
                if (++line == lattice.Height) (line, image) = (0, image + 1);
            }
            panel += length;
            from += length;
        }
    }

    /// <summary>Which stretch of the map the given rows are the first to need: the lines under their lowest taps.</summary>
    public (nint Start, nint Length) NewLines(int firstRow, int count)
    {
        if (count <= 0 || tapRows.Length == 0) return default;
        (nint first, nint last) = (Line(firstRow), Line(firstRow + count - 1));
        return (first, Math.Max(0, last + ((nint)width * pixelStride) - first));

        nint Line(int row)
        {
            (int image, int line) = Math.DivRem(row / lattice.Width, lattice.Height);
            nint y = Math.Clamp((line * step.Height) + tapRows[^1], 0, height - 1);
            return (((nint)image * height) + y) * width * pixelStride;
        }
    }

    /// <summary>Packs one run of pixels on one line of the map: the first begins at <paramref name="position"/> of the line, each further one <paramref name="stride"/> floats on.</summary>
    private void PackLine(float* line, int position, int stride, int pixels, int length, float* target, nint targetRow)
    {
        int lineLength = ((width - 1) * pixelStride) + groupChannels;
        int inside = lineLength - length;
        while (pixels > 0 && position < 0)
        {
            CopyClipped(line, lineLength, position, target, length);
            position += stride;
            target += targetRow;
            pixels--;
        }
        int whole = position > inside ? 0 : Math.Min(pixels, ((inside - position) / stride) + 1);
        CopyRows(line + position, stride, target, targetRow, whole, length);
        for (; whole < pixels; whole++) CopyClipped(line, lineLength, position + (whole * stride), target + (whole * targetRow), length);
    }

    /// <summary>Copies part of a line of the map, with zeros where the part lies left or right of it.</summary>
    private static void CopyClipped(float* line, int lineLength, int start, float* target, int length)
    {
        int before = Math.Clamp(-start, 0, length);
        int inside = Math.Clamp(lineLength - start - before, 0, length - before);
        new Span<float>(target, before).Clear();
        Copy(line + start + before, target + before, inside);
        new Span<float>(target + before + inside, length - before - inside).Clear();
    }

    /// <summary>Copies rows of <paramref name="length"/> floats from one pitch to another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void CopyRows(float* source, nint sourceRow, float* target, nint targetRow, int rows, int length)
    {
        if (Vector512.IsHardwareAccelerated && length == 32)
        {
            for (; rows > 0; rows--)
            {
                Vector512<float> first = Vector512.Load(source), second = Vector512.Load(source + 16);
                first.Store(target);
                second.Store(target + 16);
                source += sourceRow;
                target += targetRow;
            }
        }
        else if (Vector256.IsHardwareAccelerated && length == 12)
        {
            for (; rows > 0; rows--)
            {
                Vector256<float> first = Vector256.Load(source);
                Vector128<float> second = Vector128.Load(source + 8);
                first.Store(target);
                second.Store(target + 8);
                source += sourceRow;
                target += targetRow;
            }
        }
        else if (Vector512.IsHardwareAccelerated && length >= 16)
        {
            // The last vector overlaps the one before: no scalar tail.
            for (; rows > 0; rows--)
            {
                for (int i = 0; i < length - 16; i += 16) Vector512.Load(source + i).Store(target + i);
                Vector512.Load(source + length - 16).Store(target + length - 16);
                source += sourceRow;
                target += targetRow;
            }
        }
        else if (Vector256.IsHardwareAccelerated && length >= 8)
        {
            for (; rows > 0; rows--)
            {
                for (int i = 0; i < length - 8; i += 8) Vector256.Load(source + i).Store(target + i);
                Vector256.Load(source + length - 8).Store(target + length - 8);
                source += sourceRow;
                target += targetRow;
            }
        }
        else
        {
            for (; rows > 0; rows--)
            {
                Copy(source, target, length);
                source += sourceRow;
                target += targetRow;
            }
        }
    }

    /// <summary>Copies a few floats.</summary>
    internal static void Copy(float* source, float* target, int length)
    {
        int i = 0;
        for (; i <= length - 4; i += 4) Vector128.Load(source + i).Store(target + i);
        for (; i < length; i++) target[i] = source[i];
    }

    internal static void ClearRows(float* target, nint targetRow, int rows, int length)
    {
        if (targetRow == length)
        {
            new Span<float>(target, rows * length).Clear();
            return;
        }
        for (int i = 0; i < rows; i++) new Span<float>(target + (i * targetRow), length).Clear();
    }
}
