using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Delineate.Imaging;

/// <summary>
/// The 8×8 inverse cosine transform in 32-bit fixed point, after Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with
/// 11 multiplications" (1989). Constants have 13 fraction bits and the values between the passes 2, the precision that JPEG readers agree
/// on, so samples come out equal to theirs.
/// </summary>
internal static class InverseDct
{
    private const int ConstantBits = 13;
    private const int PassBits = 2;

    // sqrt(2)·cos(kπ/16) and their sums, times 2^13.
    private const int C0298 = 2446, C0390 = 3196, C0541 = 4433, C0765 = 6270, C0899 = 7373, C1175 = 9633;
    private const int C1501 = 12299, C1847 = 15137, C1961 = 16069, C2053 = 16819, C2562 = 20995, C3072 = 25172;

    /// <summary>
    /// Multiplies 64 coefficients by the quantizer's steps and writes 8 rows of 8 samples, <paramref name="stride"/> bytes apart.
    /// </summary>
    public static void Transform(ref short coefficients, ref int quantization, ref byte samples, int stride)
    {
        var r0 = Row(ref coefficients, ref quantization, 0);
        var r1 = Row(ref coefficients, ref quantization, 1);
        var r2 = Row(ref coefficients, ref quantization, 2);
        var r3 = Row(ref coefficients, ref quantization, 3);
        var r4 = Row(ref coefficients, ref quantization, 4);
        var r5 = Row(ref coefficients, ref quantization, 5);
        var r6 = Row(ref coefficients, ref quantization, 6);
        var r7 = Row(ref coefficients, ref quantization, 7);
        // Lanes are columns: this pass runs down each column.
        Pass(ref r0, ref r1, ref r2, ref r3, ref r4, ref r5, ref r6, ref r7, ConstantBits - PassBits);

        var s0 = Narrow(r0);
        var s1 = Narrow(r1);
        var s2 = Narrow(r2);
        var s3 = Narrow(r3);
        var s4 = Narrow(r4);
        var s5 = Narrow(r5);
        var s6 = Narrow(r6);
        var s7 = Narrow(r7);
        Transpose(ref s0, ref s1, ref s2, ref s3, ref s4, ref s5, ref s6, ref s7);
        r0 = Widen(s0);
        r1 = Widen(s1);
        r2 = Widen(s2);
        r3 = Widen(s3);
        r4 = Widen(s4);
        r5 = Widen(s5);
        r6 = Widen(s6);
        r7 = Widen(s7);
        // Lanes are rows now: this pass runs along each row. The two passes multiply by 8, which the shift takes out again.
        Pass(ref r0, ref r1, ref r2, ref r3, ref r4, ref r5, ref r6, ref r7, ConstantBits + PassBits + 3);

        s0 = Narrow(r0);
        s1 = Narrow(r1);
        s2 = Narrow(r2);
        s3 = Narrow(r3);
        s4 = Narrow(r4);
        s5 = Narrow(r5);
        s6 = Narrow(r6);
        s7 = Narrow(r7);
        Transpose(ref s0, ref s1, ref s2, ref s3, ref s4, ref s5, ref s6, ref s7);
        StoreRows(s0, s1, ref samples, stride);
        StoreRows(s2, s3, ref Unsafe.Add(ref samples, 2 * stride), stride);
        StoreRows(s4, s5, ref Unsafe.Add(ref samples, 4 * stride), stride);
        StoreRows(s6, s7, ref Unsafe.Add(ref samples, 6 * stride), stride);
    }

    /// <summary>The same for a block whose only coefficient is the mean: what <see cref="Transform"/> gives, rounding included.</summary>
    public static void TransformMean(int mean, ref byte samples, int stride)
    {
        ulong row = 0x0101010101010101UL * (byte)Math.Clamp(((mean + 4) >> 3) + 128, 0, 255);
        for (int y = 0; y < 8; y++) Unsafe.WriteUnaligned(ref Unsafe.Add(ref samples, y * stride), row);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Row(ref short coefficients, ref int quantization, int row) =>
        Widen(Vector128.LoadUnsafe(ref coefficients, (nuint)(row * 8))) * Vector256.LoadUnsafe(ref quantization, (nuint)(row * 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pass(
        ref Vector256<int> r0,
        ref Vector256<int> r1,
        ref Vector256<int> r2,
        ref Vector256<int> r3,
        ref Vector256<int> r4,
        ref Vector256<int> r5,
        ref Vector256<int> r6,
        ref Vector256<int> r7,
        int shift)
    {
        // Even half: a rotation of 2 and 6, and the sum and difference of 0 and 4, which also carry the rounding of the final shift.
        var rotation = (r2 + r6) * C0541;
        var e3 = rotation + (r2 * C0765);
        var e2 = rotation - (r6 * C1847);
        var rounding = Vector256.Create(1 << (shift - 1));
        var e0 = ((r0 + r4) << ConstantBits) + rounding;
        var e1 = ((r0 - r4) << ConstantBits) + rounding;
        var a0 = e0 + e3;
        var a3 = e0 - e3;
        var a1 = e1 + e2;
        var a2 = e1 - e2;

        // Odd half.
        var z1 = (r7 + r1) * -C0899;
        var z2 = (r5 + r3) * -C2562;
        var z3 = r7 + r3;
        var z4 = r5 + r1;
        var z5 = (z3 + z4) * C1175;
        z3 = z5 - (z3 * C1961);
        z4 = z5 - (z4 * C0390);
        var b3 = (r7 * C0298) + z1 + z3;
        var b2 = (r5 * C2053) + z2 + z4;
        var b1 = (r3 * C3072) + z2 + z3;
        var b0 = (r1 * C1501) + z1 + z4;

        r0 = (a0 + b0) >> shift;
        r7 = (a0 - b0) >> shift;
        r1 = (a1 + b1) >> shift;
        r6 = (a1 - b1) >> shift;
        r2 = (a2 + b2) >> shift;
        r5 = (a2 - b2) >> shift;
        r3 = (a3 + b3) >> shift;
        r4 = (a3 - b3) >> shift;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(Vector128<short> v) => Vector256.Create(Vector128.WidenLower(v), Vector128.WidenUpper(v));

    // Saturating: only the coefficients of a damaged file leave 16 bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<short> Narrow(Vector256<int> v) => Vector128.NarrowWithSaturation(v.GetLower(), v.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRows(Vector128<short> first, Vector128<short> second, ref byte samples, int stride)
    {
        var centre = Vector128.Create((short)128);
        var bytes = Vector128.NarrowWithSaturation(
            Vector128.Max(Vector128.AddSaturate(first, centre), Vector128<short>.Zero).AsUInt16(),
            Vector128.Max(Vector128.AddSaturate(second, centre), Vector128<short>.Zero).AsUInt16());
        Unsafe.WriteUnaligned(ref samples, bytes.AsUInt64().ToScalar());
        Unsafe.WriteUnaligned(ref Unsafe.Add(ref samples, stride), bytes.AsUInt64().GetElement(1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(
        ref Vector128<short> r0,
        ref Vector128<short> r1,
        ref Vector128<short> r2,
        ref Vector128<short> r3,
        ref Vector128<short> r4,
        ref Vector128<short> r5,
        ref Vector128<short> r6,
        ref Vector128<short> r7)
    {
        // Three rounds of perfect shuffles of rows four apart: after each, an element's row and column bits have moved round by one.
        Shuffle(ref r0, ref r4, out var a0, out var a1);
        Shuffle(ref r1, ref r5, out var a2, out var a3);
        Shuffle(ref r2, ref r6, out var a4, out var a5);
        Shuffle(ref r3, ref r7, out var a6, out var a7);
        Shuffle(ref a0, ref a4, out var b0, out var b1);
        Shuffle(ref a1, ref a5, out var b2, out var b3);
        Shuffle(ref a2, ref a6, out var b4, out var b5);
        Shuffle(ref a3, ref a7, out var b6, out var b7);
        Shuffle(ref b0, ref b4, out r0, out r1);
        Shuffle(ref b1, ref b5, out r2, out r3);
        Shuffle(ref b2, ref b6, out r4, out r5);
        Shuffle(ref b3, ref b7, out r6, out r7);
    }

    /// <summary>Interleaves a and b: low = a0 b0 a1 b1 a2 b2 a3 b3, high = a4 b4 … a7 b7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Shuffle(ref Vector128<short> a, ref Vector128<short> b, out Vector128<short> low, out Vector128<short> high)
    {
        if (Sse2.IsSupported)
        {
            low = Sse2.UnpackLow(a, b);
            high = Sse2.UnpackHigh(a, b);
        }
        else if (AdvSimd.Arm64.IsSupported)
        {
            low = AdvSimd.Arm64.ZipLow(a, b);
            high = AdvSimd.Arm64.ZipHigh(a, b);
        }
        else
        {
            low = (Vector128.WidenLower(a.AsUInt16()) | (Vector128.WidenLower(b.AsUInt16()) << 16)).AsInt16();
            high = (Vector128.WidenUpper(a.AsUInt16()) | (Vector128.WidenUpper(b.AsUInt16()) << 16)).AsInt16();
        }
    }
}
