using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// Re-lays weights as the right matrix of a product: per group, for each block of the depth, for each tile of columns, a panel
/// [depth, Tile.Columns] with zeros past the last column.
/// </summary>
internal static unsafe class WeightPacking
{
    /// <summary>The matrix [Depth, OutGroup] of a convolution: the transpose of the weight as it lies, column c times scale[c] where there is a scale.</summary>
    public static void Forward(ConvGeometry g, float* weight, float* scale, float* packed)
    {
        int depth = g.Depth;
        int padded = GatherProduct.Padded(g.OutGroup);
        int block = GatherProduct.BlockDepth(depth);
        int panels = padded / Tile.Columns;
        ThreadTeam.Run(g.Groups * panels, piece =>
        {
            (int group, int panel) = Math.DivRem(piece, panels);
            int column = panel * Tile.Columns;
            float* source = weight + (((nint)(group * g.OutGroup) + column) * depth);
            float* target = packed + ((nint)group * depth * padded);
            int width = Math.Min(Tile.Columns, g.OutGroup - column);
            for (int from = 0; from < depth; from += block)
            {
                int length = Math.Min(block, depth - from);
                float* to = target + ((nint)from * padded) + ((nint)column * length);
                Transpose(source + from, depth, width, length, to);
                if (scale is null) continue;
                for (int k = 0; k < length; k++) Multiply(to + ((nint)k * Tile.Columns), scale + (group * g.OutGroup) + column, width);
            }
        });
    }

    /// <summary>
    /// The matrix [taps · OutGroup, phases · InGroup] of the adjoint: for each phase the rows of the weight under its taps, one tap after the other,
    /// in channel c of the convolution times scale[c] where there is a scale.
    /// </summary>
    public static void Transposed(ConvGeometry g, int[][] phaseTaps, float* weight, float* scale, float* packed)
    {
        int depth = phaseTaps[0].Length * g.OutGroup;
        int columns = phaseTaps.Length * g.InGroup;
        int padded = GatherProduct.Padded(columns);
        int block = GatherProduct.BlockDepth(depth);
        int panels = padded / Tile.Columns;
        ThreadTeam.Run(g.Groups * panels, piece =>
        {
            (int group, int panel) = Math.DivRem(piece, panels);
            int first = panel * Tile.Columns;
            int end = Math.Min(columns, first + Tile.Columns);
            float* target = packed + ((nint)group * depth * padded);
            for (int from = 0; from < depth; from += block)
            {
                int length = Math.Min(block, depth - from);
                float* row = target + ((nint)from * padded) + ((nint)first * length);
                for (int k = from; k < from + length; k++)
                {
                    (int tap, int channel) = Math.DivRem(k, g.OutGroup);
                    for (int column = first; column < end;)
                    {
                        (int phase, int inside) = Math.DivRem(column, g.InGroup);
                        int width = Math.Min(end - column, g.InGroup - inside);
                        float* source = weight + ((((((nint)group * g.OutGroup) + channel) * g.Taps) + phaseTaps[phase][tap]) * g.InGroup) + inside;
                        Gather.Copy(source, row + column - first, width);
                        if (scale is not null) Multiply(row + column - first, scale + (group * g.InGroup) + inside, width);
                        column += width;
                    }
                    if (end < first + Tile.Columns) new Span<float>(row + end - first, first + Tile.Columns - end).Clear();
                    row += Tile.Columns;
                }
            }
        });
    }

    /// <summary>panel[k, j] = source[j · stride + k] for j below <paramref name="width"/>, zero for the columns after.</summary>
    public static void Transpose(float* source, nint stride, int width, int length, float* panel)
    {
        int columns = Tile.Columns, k = 0;
        if (Avx512F.IsSupported && width == 2 * Vector512<float>.Count)
        {
            for (; k + 16 <= length; k += 16)
            {
                Square16(source + k, stride, panel + ((nint)k * columns), columns);
                Square16(source + k + (16 * stride), stride, panel + ((nint)k * columns) + 16, columns);
            }
        }
        else if (Sse.IsSupported && width % 4 == 0)
        {
            for (; k + 4 <= length; k += 4)
            {
                for (int j = 0; j < width; j += 4) Square4(source + k + (j * stride), stride, panel + ((nint)k * columns) + j, columns);
                for (int row = k; width < columns && row < k + 4; row++) new Span<float>(panel + ((nint)row * columns) + width, columns - width).Clear();
            }
        }
        for (; k < length; k++)
        {
            float* row = panel + ((nint)k * columns);
            for (int j = 0; j < width; j++) row[j] = source[(j * stride) + k];
            for (int j = width; j < columns; j++) row[j] = 0;
        }
    }

    private static void Multiply(float* row, float* factors, int count)
    {
        for (int j = 0; j < count; j++) row[j] *= factors[j];
    }

    private static void Square4(float* from, nint stride, float* to, nint toStride)
    {
        Vector128<float> a = Vector128.Load(from), b = Vector128.Load(from + stride), c = Vector128.Load(from + (2 * stride)), d = Vector128.Load(from + (3 * stride));
        Vector128<float> ab = Sse.UnpackLow(a, b), cd = Sse.UnpackLow(c, d);
        Sse.MoveLowToHigh(ab, cd).Store(to);
        Sse.MoveHighToLow(cd, ab).Store(to + toStride);
        (ab, cd) = (Sse.UnpackHigh(a, b), Sse.UnpackHigh(c, d));
        Sse.MoveLowToHigh(ab, cd).Store(to + (2 * toStride));
        Sse.MoveHighToLow(cd, ab).Store(to + (3 * toStride));
    }

    /// <summary>A square of sixteen by sixteen: pairs of rows are interleaved within each 128-bit lane, then lanes are exchanged.</summary>
    private static void Square16(float* from, nint stride, float* to, nint toStride)
    {
        Vector512<float>* quads = stackalloc Vector512<float>[16];
        for (int i = 0; i < 16; i += 4)
        {
            float* row = from + (i * stride);
            Vector512<float> a = Vector512.Load(row), b = Vector512.Load(row + stride), c = Vector512.Load(row + (2 * stride)), d = Vector512.Load(row + (3 * stride));
            Vector512<double> low = Avx512F.UnpackLow(a, b).AsDouble(), high = Avx512F.UnpackLow(c, d).AsDouble();
            quads[i] = Avx512F.UnpackLow(low, high).AsSingle(); // of each group of four columns the first, from four rows
            quads[i + 1] = Avx512F.UnpackHigh(low, high).AsSingle();
            (low, high) = (Avx512F.UnpackHigh(a, b).AsDouble(), Avx512F.UnpackHigh(c, d).AsDouble());
            quads[i + 2] = Avx512F.UnpackLow(low, high).AsSingle();
            quads[i + 3] = Avx512F.UnpackHigh(low, high).AsSingle();
        }
        for (int j = 0; j < 4; j++)
        {
            // Lane g of quads[4 · i + j] is column 4 · g + j of rows 4 · i … 4 · i + 3.
            Vector512<float> a = quads[j], b = quads[j + 4], c = quads[j + 8], d = quads[j + 12];
            Vector512<float> ab = Avx512F.Shuffle4x128(a, b, 0b10_00_10_00), cd = Avx512F.Shuffle4x128(c, d, 0b10_00_10_00); // lanes 0 and 2 of both
            Avx512F.Shuffle4x128(ab, cd, 0b10_00_10_00).Store(to + (j * toStride));
            Avx512F.Shuffle4x128(ab, cd, 0b11_01_11_01).Store(to + ((8 + j) * toStride));
            (ab, cd) = (Avx512F.Shuffle4x128(a, b, 0b11_01_11_01), Avx512F.Shuffle4x128(c, d, 0b11_01_11_01));
            Avx512F.Shuffle4x128(ab, cd, 0b10_00_10_00).Store(to + ((4 + j) * toStride));
            Avx512F.Shuffle4x128(ab, cd, 0b11_01_11_01).Store(to + ((12 + j) * toStride));
        }
    }
}
