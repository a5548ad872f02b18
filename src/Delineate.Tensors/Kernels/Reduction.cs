using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// Sums and largest values over axes. Everything is brought to <c>[outer, length, inner]</c> → <c>[outer, inner]</c>. Eight rows are added
/// in float, their sum to a double: a long sum keeps its digits. Pieces depend on the shape alone and are added in order.
/// </summary>
internal static class Reduction
{
    private const int Columns = 1024; // sums held at once: 8 KB of doubles, a part of the first-level cache
    private const int MostPieces = 64;
    private const int Width = 64; // rows shorter than this are added side by side
    private const int ShortSum = 512;

    /// <summary>The sum over <paramref name="axes"/> (ascending, counted from the front) times <paramref name="scale"/>; <paramref name="result"/> has the other axes' sizes.</summary>
    public static Tensor Sum(Tensor x, ReadOnlySpan<int> axes, Shape result, float scale = 1) => Each(x, axes, result, scale, Sum);

    /// <summary>The largest value over <paramref name="axes"/>; NaN where one of the values is NaN.</summary>
    public static Tensor Max(Tensor x, ReadOnlySpan<int> axes, Shape result) => Each(x, axes, result, 1, Max);

    /// <summary>Reduces one run of neighbouring axes after the other, from the last to the first.</summary>
    private static Tensor Each(Tensor x, ReadOnlySpan<int> axes, Shape result, float scale, Action<Tensor, Tensor, int, int, float> reduce)
    {
        Tensor rest = x;
        int inner = 1;
        for (int i = axes.Length - 1, end = x.Shape.Rank; i >= 0;)
        {
            int last = axes[i];
            int first = last;
            while (--i >= 0 && axes[i] == first - 1) first--;
            inner *= x.Shape.Product(last + 1, end);
            end = first;
            int length = x.Shape.Product(first, last + 1);
            if (length == 1 && i >= 0) continue;
            int outer = x.Shape.Product(0, first);
            Tensor y = Tensor.Empty(i < 0 ? result : [outer, inner]);
            reduce(rest, y, length, inner, i < 0 ? scale : 1);
            if (rest != x) rest.Block.Release();
            rest = y;
        }
        if (rest != x) return rest;
        Tensor copy = Tensor.Empty(result);
        TensorPrimitives.Multiply(x.Span, scale, copy.Span);
        return copy;
    }

    private static void Sum(Tensor x, Tensor y, int length, int inner, float scale)
    {
        if (y.Length == 0) return;
        if (length == 0)
        {
            y.Span.Fill(0 * scale);
            return;
        }
        int outer = y.Length / inner;
        if (inner == 1 && length <= ShortSum)
        {
            ThreadTeam.Ranges(outer, Math.Max(1, Elementwise.Grain / length), (from, to) => ShortSums(x.Span[(from * length)..(to * length)], y.Span[from..to], length, scale));
            return;
        }
        int blocks = (inner + Columns - 1) / Columns;
        int width = Math.Min(inner, Columns);
        int pieces = (int)Math.Clamp((long)length * width / Elementwise.Grain, 1, MostPieces);
        int rows = (length + pieces - 1) / pieces;
        pieces = (length + rows - 1) / rows;
        using Scratch partial = Scratch.Floats(checked(outer * pieces * inner * 2));
        ThreadTeam.Ranges(outer * pieces * blocks, Math.Max(1, Elementwise.Grain / (rows * width)), (from, to) =>
        {
            Span<double> sums = MemoryMarshal.Cast<float, double>(partial.Span);
            for (int job = from; job < to; job++)
            {
                (int stretch, int block) = Math.DivRem(job, blocks);
                (int o, int piece) = Math.DivRem(stretch, pieces);
                int first = piece * rows;
                int column = block * Columns;
                AddRows(x.Span[((((o * length) + first) * inner) + column)..], inner, Math.Min(rows, length - first), sums.Slice((stretch * inner) + column, Math.Min(Columns, inner - column)));
            }
        });
        ReadOnlySpan<double> parts = MemoryMarshal.Cast<float, double>(partial.Span);
        Span<float> target = y.Span;
        for (int o = 0; o < outer; o++)
        {
            for (int c = 0; c < inner; c++)
            {
                double sum = 0;
                for (int piece = 0; piece < pieces; piece++) sum += parts[(((o * pieces) + piece) * inner) + c];
                target[(o * inner) + c] = (float)(sum * scale);
            }
        }
    }

    private static void ShortSums(ReadOnlySpan<float> x, Span<float> y, int length, float scale)
    {
        for (int i = 0; i < y.Length; i++) y[i] = TensorPrimitives.Sum(x.Slice(i * length, length)) * scale;
    }

    /// <summary>sums[c] = Σ over rows of x[row · stride + c].</summary>
    private static void AddRows(ReadOnlySpan<float> x, int stride, int rows, Span<double> sums)
    {
        int side = stride == sums.Length ? Math.Clamp(Width / stride, 1, rows) : 1;
        if (side == 1)
        {
            AddWide(x, stride, rows, sums);
            return;
        }
        Span<double> wide = stackalloc double[Width];
        wide = wide[..(side * stride)];
        int whole = rows / side;
        AddWide(x, wide.Length, whole, wide);
        for (int row = whole * side; row < rows; row++)
        {
            for (int c = 0; c < stride; c++) wide[c] += x[(row * stride) + c];
        }
        for (int c = 0; c < stride; c++)
        {
            double sum = 0;
            for (int i = c; i < wide.Length; i += stride) sum += wide[i];
            sums[c] = sum;
        }
    }

    private static void AddWide(ReadOnlySpan<float> x, int stride, int rows, Span<double> sums)
    {
        sums.Clear();
        ref double to = ref MemoryMarshal.GetReference(sums);
        int row = 0;
        for (; row <= rows - 8; row += 8)
        {
            ref float from = ref Unsafe.Add(ref MemoryMarshal.GetReference(x), row * stride);
            int c = 0;
            for (; c <= sums.Length - Vector<float>.Count; c += Vector<float>.Count)
            {
                ref float at = ref Unsafe.Add(ref from, c);
                Vector<float> low = Load(ref at, 0) + Load(ref at, stride) + (Load(ref at, 2 * stride) + Load(ref at, 3 * stride));
                Vector<float> high = Load(ref at, 4 * stride) + Load(ref at, 5 * stride) + (Load(ref at, 6 * stride) + Load(ref at, 7 * stride));
                AddTo(low + high, ref Unsafe.Add(ref to, c));
            }
            for (; c < sums.Length; c++)
            {
                ref float at = ref Unsafe.Add(ref from, c);
                float low = at + Unsafe.Add(ref at, stride) + (Unsafe.Add(ref at, 2 * stride) + Unsafe.Add(ref at, 3 * stride));
                float high = Unsafe.Add(ref at, 4 * stride) + Unsafe.Add(ref at, 5 * stride) + (Unsafe.Add(ref at, 6 * stride) + Unsafe.Add(ref at, 7 * stride));
                sums[c] += low + high;
            }
        }
        for (; row < rows; row++)
        {
            ref float from = ref Unsafe.Add(ref MemoryMarshal.GetReference(x), row * stride);
            int c = 0;
            for (; c <= sums.Length - Vector<float>.Count; c += Vector<float>.Count) AddTo(Load(ref from, c), ref Unsafe.Add(ref to, c));
            for (; c < sums.Length; c++) sums[c] += Unsafe.Add(ref from, c);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Load(ref float at, int offset) => Vector.LoadUnsafe(ref at, (nuint)offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTo(Vector<float> values, ref double sums)
    {
        Vector.Widen(values, out Vector<double> low, out Vector<double> high);
        (Vector.LoadUnsafe(ref sums) + low).StoreUnsafe(ref sums);
        (Vector.LoadUnsafe(ref sums, (nuint)Vector<double>.Count) + high).StoreUnsafe(ref sums, (nuint)Vector<double>.Count);
    }

    private static void Max(Tensor x, Tensor y, int length, int inner, float scale)
    {
        if (y.Length == 0) return;
        int outer = y.Length / inner;
        int blocks = (inner + Columns - 1) / Columns;
        ThreadTeam.Ranges(outer * blocks, Math.Max(1, Elementwise.Grain / (length * Math.Min(inner, Columns))), (from, to) =>
        {
            for (int job = from; job < to; job++)
            {
                (int o, int block) = Math.DivRem(job, blocks);
                int column = block * Columns;
                int width = Math.Min(Columns, inner - column);
                ReadOnlySpan<float> source = x.Span.Slice(o * length * inner, length * inner);
                if (inner == 1)
                {
                    y.Span[o] = TensorPrimitives.Max(source);
                    continue;
                }
                Span<float> target = y.Span.Slice((o * inner) + column, width);
                source.Slice(column, width).CopyTo(target);
                for (int row = 1; row < length; row++) TensorPrimitives.Max(target, source.Slice((row * inner) + column, width), target);
            }
        });
    }
}
