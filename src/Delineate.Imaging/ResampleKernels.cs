using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Delineate.Imaging;

/// <summary>The two passes of a separable resize: weighted sums of bytes in 32-bit integers, rounded and clamped to bytes.</summary>
internal static class ResampleKernels
{
    private const int Half = 1 << (ResampleWindows.FractionBits - 1);

    /// <summary>One row of RGB. <paramref name="source"/>: 3·W bytes and one more, which is loaded with the last pixel and not used; <paramref name="target"/>: 3·newW bytes.</summary>
    public static void AlongRow(ReadOnlySpan<byte> source, Span<byte> target, ResampleWindows windows)
    {
        ref byte from = ref MemoryMarshal.GetReference(source);
        ref byte to = ref MemoryMarshal.GetReference(target);
        for (int x = 0; x < windows.Count; x++)
        {
            ReadOnlySpan<int> weights = windows.At(x, out int start);
            // Lanes: red, green, blue, and the next pixel's red, which is dropped. Two sums hide the latency of the product.
            Vector128<int> even = Vector128.Create(Half), odd = Vector128<int>.Zero;
            nint at = start * 3;
            int k = 0;
            for (; k + 1 < weights.Length; k += 2, at += 6)
            {
                even += Pixel(ref Unsafe.Add(ref from, at)) * weights[k];
                odd += Pixel(ref Unsafe.Add(ref from, at + 3)) * weights[k + 1];
            }
            if (k < weights.Length) even += Pixel(ref Unsafe.Add(ref from, at)) * weights[k];
            Vector128<byte> rounded = Vector128.Shuffle(Round(even + odd).AsByte(), Vector128.Create((byte)0, 4, 8, 12, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16));
            uint rgb = rounded.AsUInt32().ToScalar();
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref to, x * 3), (ushort)rgb);
            Unsafe.Add(ref to, (x * 3) + 2) = (byte)(rgb >> 16);
        }
    }

    /// <summary>All rows: row y of <paramref name="target"/> is the weighted sum of a window of rows of <paramref name="source"/>, byte by byte.</summary>
    public static void DownColumns(ReadOnlySpan<byte> source, Span<byte> target, int stride, ResampleWindows windows)
    {
        for (int y = 0; y < windows.Count; y++)
        {
            ReadOnlySpan<int> weights = windows.At(y, out int start);
            SumRows(source.Slice(start * stride, weights.Length * stride), target.Slice(y * stride, stride), weights);
        }
    }

    private static void SumRows(ReadOnlySpan<byte> rows, Span<byte> target, ReadOnlySpan<int> weights)
    {
        ref byte from = ref MemoryMarshal.GetReference(rows);
        ref byte to = ref MemoryMarshal.GetReference(target);
        int stride = target.Length, i = 0;
        // 32 bytes are four vectors of eight sums; the tail of a row of at least 32 overlaps the block before it.
        if (Vector256.IsHardwareAccelerated)
        {
            for (int last = stride - 32; i < stride && last >= 0; i += 32)
            {
                int at = Math.Min(i, last);
                Vector256<int> a = Vector256.Create(Half), b = a, c = a, d = a;
                ref byte pixel = ref Unsafe.Add(ref from, at);
                foreach (int weight in weights)
                {
                    var w = Vector256.Create(weight);
                    a += Widen(Vector128.LoadUnsafe(ref pixel)) * w;
                    b += Widen(Vector128.LoadUnsafe(ref pixel, 8)) * w;
                    c += Widen(Vector128.LoadUnsafe(ref pixel, 16)) * w;
                    d += Widen(Vector64.LoadUnsafe(ref pixel, 24).ToVector128Unsafe()) * w;
                    pixel = ref Unsafe.Add(ref pixel, stride);
                }
                Vector256.Narrow(Vector256.Narrow(Round(a), Round(b)), Vector256.Narrow(Round(c), Round(d))).AsByte().StoreUnsafe(ref to, (nuint)at);
            }
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            for (int last = stride - 16; i < stride && last >= 0; i += 16)
            {
                int at = Math.Min(i, last);
                Vector128<int> a = Vector128.Create(Half), b = a, c = a, d = a;
                ref byte pixel = ref Unsafe.Add(ref from, at);
                foreach (int weight in weights)
                {
                    (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(Vector128.LoadUnsafe(ref pixel));
                    a += Vector128.WidenLower(low).AsInt32() * weight;
                    b += Vector128.WidenUpper(low).AsInt32() * weight;
                    c += Vector128.WidenLower(high).AsInt32() * weight;
                    d += Vector128.WidenUpper(high).AsInt32() * weight;
                    pixel = ref Unsafe.Add(ref pixel, stride);
                }
                Vector128.Narrow(Vector128.Narrow(Round(a), Round(b)), Vector128.Narrow(Round(c), Round(d))).AsByte().StoreUnsafe(ref to, (nuint)at);
            }
        }
        for (; i < stride; i++)
        {
            int sum = Half;
            for (int k = 0; k < weights.Length; k++) sum += rows[(k * stride) + i] * weights[k];
            target[i] = (byte)Math.Clamp(sum >> ResampleWindows.FractionBits, 0, 255);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Pixel(ref byte rgb)
    {
        Vector128<byte> bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<uint>(ref rgb)).AsByte();
        return Vector128.WidenLower(Vector128.WidenLower(bytes)).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(Vector128<byte> lowEight) =>
        Vector256.WidenLower(Vector128.WidenLower(lowEight).ToVector256Unsafe()).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Round(Vector128<int> sums) =>
        Vector128.Min(Vector128.Max(sums >> ResampleWindows.FractionBits, Vector128<int>.Zero), Vector128.Create(255));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Round(Vector256<int> sums) =>
        Vector256.Min(Vector256.Max(sums >> ResampleWindows.FractionBits, Vector256<int>.Zero), Vector256.Create(255));
}
