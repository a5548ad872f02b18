using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Delineate.Imaging;

/// <summary>
/// Brings the rows of a subsampled component to the picture's size. Factors of two use a triangle filter: each new sample is ¾ of the
/// nearer and ¼ of the farther old one, rounded up and down in turn so that no drift builds up; others repeat samples. Rows are given by
/// the place of their first sample and are read from one sample before it to 17 after their last; <c>target</c> takes up to 31 samples more
/// than asked for.
/// </summary>
internal static class ChromaUpsampling
{
    private const int Lanes = 16;

    /// <summary>Doubles a row's width. [width] → [2·width].</summary>
    public static void DoubleWidth(ReadOnlySpan<byte> samples, int start, int width, Span<byte> target)
    {
        ref byte source = ref Checked(samples, start, width);
        ref ushort pairs = ref CheckedPairs(target, width);
        for (int x = 0; x < width; x += Lanes)
        {
            var centre = Widen(ref source, x) * 3;
            var even = (centre + Widen(ref source, x - 1) + Vector256<ushort>.One) >> 2;
            var odd = (centre + Widen(ref source, x + 1) + Vector256.Create((ushort)2)) >> 2;
            (even | (odd << 8)).StoreUnsafe(ref pairs, (nuint)x);
        }
    }

    /// <summary>
    /// One row of twice the height and width, between the row that is <paramref name="near"/> it and the one <paramref name="far"/> from
    /// it. 2 × [width] → [2·width].
    /// </summary>
    public static void DoubleBoth(ReadOnlySpan<byte> samples, int near, int far, int width, Span<byte> target)
    {
        ref byte nearRow = ref Checked(samples, near, width);
        ref byte farRow = ref Checked(samples, far, width);
        ref ushort pairs = ref CheckedPairs(target, width);
        for (int x = 0; x < width; x += Lanes)
        {
            var before = Blend(ref nearRow, ref farRow, x - 1);
            var centre = Blend(ref nearRow, ref farRow, x) * 3;
            var after = Blend(ref nearRow, ref farRow, x + 1);
            var even = (centre + before + Vector256.Create((ushort)8)) >> 4;
            var odd = (centre + after + Vector256.Create((ushort)7)) >> 4;
            (even | (odd << 8)).StoreUnsafe(ref pairs, (nuint)x);
        }
    }

    /// <summary>
    /// One row of twice the height. <paramref name="rounding"/> is 1 for the upper of the two rows and 2 for the lower. 2 × [width] →
    /// [width].
    /// </summary>
    public static void DoubleHeight(ReadOnlySpan<byte> samples, int near, int far, int width, int rounding, Span<byte> target)
    {
        ReadOnlySpan<byte> nearRow = samples.Slice(near, width);
        ReadOnlySpan<byte> farRow = samples.Slice(far, width);
        for (int x = 0; x < width; x++) target[x] = (byte)(((nearRow[x] * 3) + farRow[x] + rounding) >> 2);
    }

    /// <summary>Repeats samples: new sample x is old sample x·h / maxH. [width·h/maxH] → [width].</summary>
    public static void Repeat(ReadOnlySpan<byte> samples, int start, int width, int h, int maxH, Span<byte> target)
    {
        int x = 0;
        for (int phase = 0; x < width; x++, phase += h) target[x] = samples[start + (phase / maxH)];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ushort> Blend(ref byte near, ref byte far, int x) => (Widen(ref near, x) * 3) + Widen(ref far, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ushort> Widen(ref byte row, int x)
    {
        var bytes = Vector128.LoadUnsafe(ref Unsafe.Add(ref row, x));
        return Vector256.Create(Vector128.WidenLower(bytes), Vector128.WidenUpper(bytes));
    }

    private static ref byte Checked(ReadOnlySpan<byte> samples, int start, int width)
    {
        _ = samples.Slice(start - 1, width + Lanes + 2);
        return ref Unsafe.Add(ref MemoryMarshal.GetReference(samples), start);
    }

    private static ref ushort CheckedPairs(Span<byte> target, int width)
    {
        _ = target[..(2 * (width + Lanes - 1))];
        return ref Unsafe.As<byte, ushort>(ref MemoryMarshal.GetReference(target));
    }
}
