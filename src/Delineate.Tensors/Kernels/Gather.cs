using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// How the rows of a convolution's left matrix are read from a map <c>[N, Height, Width, Channels]</c>. Row (n, oy, ox) of a lattice of
/// pixels is the concatenation over a grid of taps (dy, dx) of the channels at (oy·StepY + dy, ox·StepX + dx), zeros outside the map.
/// A convolution, its gradient to the data (a stride's every phase) and a transposed convolution are all such lattices.
/// </summary>
internal sealed unsafe class Gather
{
    private readonly int height;
    private readonly int width;
    private readonly int channels;
    private readonly int groupChannels;
    private readonly Size2d lattice;
    private readonly Size2d step;
    private readonly int[] tapRows;
    private readonly int[] tapColumns;

    /// <summary>Taps of one row that lie side by side in memory are copied as one run.</summary>
    private readonly bool merged;
    private readonly int runLength;

    public Gather(int images, Size2d map, int channels, int groups, Size2d lattice, Size2d step, int[] tapRows, int[] tapColumns)
    {
        (height, width) = map;
        (this.channels, groupChannels) = (channels, channels / groups);
        (this.lattice, this.step, this.tapRows, this.tapColumns) = (lattice, step, tapRows, tapColumns);
        Rows = images * lattice.Height * lattice.Width;
        Depth = tapRows.Length * tapColumns.Length * groupChannels;
        merged = groups == 1;
        for (int i = 1; i < tapColumns.Length; i++) merged &= tapColumns[i] == tapColumns[i - 1] + 1;
        runLength = merged ? tapColumns.Length * groupChannels : groupChannels;
        IsPlain = tapRows is [0] && tapColumns is [0] && step == 1 && lattice == map;
    }

    /// <summary>Rows of the matrix: images × lattice.</summary>
    public int Rows { get; }

    /// <summary>Columns of the matrix: taps × channels of one group.</summary>
    public int Depth { get; }

    /// <summary>True where row i is pixel i of the map: the map itself is the matrix, with rows <see cref="RowStride"/> apart.</summary>
    public bool IsPlain { get; }

    public int RowStride => channels;

    /// <summary>Copies columns <paramref name="from"/> … <paramref name="to"/> − 1 of <paramref name="count"/> rows of one group's matrix into a panel.</summary>
    public void Pack(float* map, int group, int firstRow, int count, int from, int to, float* panel, nint panelRow)
    {
        if (from >= to || count <= 0) return;
        map += group * groupChannels;
        int firstRun = from / runLength;
        int runsInRow = merged ? 1 : tapColumns.Length;
        (int pixel, int ox) = Math.DivRem(firstRow, lattice.Width);
        (int image, int oy) = Math.DivRem(pixel, lattice.Height);
        for (int i = 0; i < count; i++)
        {
            float* source = map + ((nint)image * height * width * channels);
            (int y0, int x0) = (oy * step.Height, ox * step.Width);
            (int tapRow, int tapColumn) = Math.DivRem(firstRun, runsInRow);
            int within = from - (firstRun * runLength);
            float* target = panel;
            for (int left = to - from; left > 0;)
            {
                int length = Math.Min(runLength - within, left);
                int y = y0 + tapRows[tapRow];
                int x = x0 + tapColumns[tapColumn];
                if ((uint)y >= (uint)height) Clear(target, length);
                else if (merged) CopyClipped(source + ((nint)y * width * channels), width * channels, (x * channels) + within, target, length);
                else if ((uint)x >= (uint)width) Clear(target, length);
                else Copy(source + ((((nint)y * width) + x) * channels) + within, target, length);
                target += length;
                left -= length;
                within = 0;
                if (++tapColumn >= runsInRow) (tapRow, tapColumn) = (tapRow + 1, 0);
            }
            panel += panelRow;
            if (++ox == lattice.Width)
            {
                ox = 0;
                if (++oy == lattice.Height) (oy, image) = (0, image + 1);
            }
        }
    }

    /// <summary>Copies part of a line of the map, with zeros where the part lies left or right of it.</summary>
    private static void CopyClipped(float* line, int lineLength, int start, float* target, int length)
    {
        int before = Math.Clamp(-start, 0, length);
        int inside = Math.Clamp(lineLength - start - before, 0, length - before);
        if (before > 0) Clear(target, before);
        Copy(line + start + before, target + before, inside);
        if (before + inside < length) Clear(target + before + inside, length - before - inside);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Copy(float* source, float* target, int length)
    {
        int i = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            for (; i <= length - 16; i += 16) Vector512.Load(source + i).Store(target + i);
        }
        if (Vector256.IsHardwareAccelerated)
        {
            for (; i <= length - 8; i += 8) Vector256.Load(source + i).Store(target + i);
        }
        for (; i <= length - 4; i += 4) Vector128.Load(source + i).Store(target + i);
        for (; i < length; i++) target[i] = source[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Clear(float* target, int length) => new Span<float>(target, length).Clear();
}
