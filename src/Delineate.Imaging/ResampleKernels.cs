using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Delineate.Imaging;

/// <summary>The two passes of a separable resize: weighted sums of bytes in 32-bit integers, rounded and clamped to bytes.</summary>
internal static class ResampleKernels
{
    private const int Half = 1 << (ResampleWindows.FractionBits - 1);

    /// <summary>How many bytes after a row <see cref="AlongRows"/> loads, without using them: eight bytes from the last pixel on.</summary>
    public const int RowSlack = 8 - 3;

    /// <summary>Two rows of RGB, which share the weights. Sources: 3·W bytes and <see cref="RowSlack"/> more; targets: 3·newW bytes.</summary>
    public static void AlongRows(
        ReadOnlySpan<byte> source0, ReadOnlySpan<byte> source1, Span<byte> target0, Span<byte> target1, ResampleWindows windows)
    {
        ref byte from0 = ref MemoryMarshal.GetReference(source0), from1 = ref MemoryMarshal.GetReference(source1);
        ref byte to0 = ref MemoryMarshal.GetReference(target0), to1 = ref MemoryMarshal.GetReference(target1);
        for (int x = 0; x < windows.Count; x++)
        {
            ReadOnlySpan<int> weights = windows.At(x, out int start);
            ref byte pixel0 = ref Unsafe.Add(ref from0, start * 3), pixel1 = ref Unsafe.Add(ref from1, start * 3);
            Vector128<int> sum0 = Vector128.Create(Half), sum1 = sum0;
            if (Vector256.IsHardwareAccelerated)
            {
                Vector256<int> pairs0 = Vector256<int>.Zero, pairs1 = pairs0;
                for (int k = 0; k < weights.Length; k += 2)
                {
                    Vector256<int> weight = WeightPair(ref Unsafe.Add(ref MemoryMarshal.GetReference(weights), k));
                    pairs0 += PixelPair(ref Unsafe.Add(ref pixel0, k * 3)) * weight;
                    pairs1 += PixelPair(ref Unsafe.Add(ref pixel1, k * 3)) * weight;
                }
                sum0 += pairs0.GetLower() + pairs0.GetUpper();
                sum1 += pairs1.GetLower() + pairs1.GetUpper();
            }
            else
            {
                for (int k = 0; k < weights.Length; k++)
                {
                    sum0 += Pixel(ref Unsafe.Add(ref pixel0, k * 3)) * weights[k];
                    sum1 += Pixel(ref Unsafe.Add(ref pixel1, k * 3)) * weights[k];
                }
            }
            Store(sum0, ref Unsafe.Add(ref to0, x * 3));
            Store(sum1, ref Unsafe.Add(ref to1, x * 3));
        }
    }

    /// <summary>All rows: each of <paramref name="target"/> is the weighted sum of a window of rows of <paramref name="source"/>, byte by byte.</summary>
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

    /// <summary>Lanes: red, green, blue, and the next pixel's red, which is dropped in the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Pixel(ref byte rgb)
    {
        Vector128<byte> bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<uint>(ref rgb)).AsByte();
        return Vector128.WidenLower(Vector128.WidenLower(bytes)).AsInt32();
    }

    /// <summary>Lanes: red, green, blue, nothing, of a pixel and of the one after it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> PixelPair(ref byte rgb)
    {
        const byte None = 255;
        Vector256<byte> bytes = Vector256.Create(Unsafe.ReadUnaligned<ulong>(ref rgb)).AsByte();
        return Vector256.Shuffle(bytes, Vector256.Create(
            0, None, None, None, 1, None, None, None, 2, None, None, None, None, None, None, None,
            19, None, None, None, 20, None, None, None, 21, None, None, None, None, None, None, None)).AsInt32();
    }

    /// <summary>Lanes: a weight four times, the one after it four times.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> WeightPair(ref int weight)
    {
        Vector128<int> two = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(ref Unsafe.As<int, byte>(ref weight))).AsInt32();
        return Vector256.Shuffle(two.ToVector256Unsafe(), Vector256.Create(0, 0, 0, 0, 1, 1, 1, 1));
    }

    /// <summary>Three bytes: a fourth would be the next pixel's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector128<int> sums, ref byte rgb)
    {
        Vector128<byte> rounded = Vector128.Shuffle(
            Round(sums).AsByte(), Vector128.Create((byte)0, 4, 8, 12, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16));
        uint packed = rounded.AsUInt32().ToScalar();
        Unsafe.WriteUnaligned(ref rgb, (ushort)packed);
        Unsafe.Add(ref rgb, 2) = (byte)(packed >> 16);
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
