using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Delineate.Imaging;

/// <summary>What the components of a JPEG stand for.</summary>
internal enum JpegColorModel
{
    Grey,
    YCbCr,
    Rgb,
    Cmyk,
    Ycck,
}

/// <summary>
/// Rows of components to RGB pixels. The YCbCr equations are those of JFIF 1.02 (ITU-R BT.601, full range) in 16-bit fixed point.
/// Four-component files hold ink inverted (255 is none), as Adobe's programs write them and everybody reads them.
/// </summary>
internal static class JpegColor
{
    // 1.402 = 1 + 26345/65536, 1.772 = 2 - 14942/65536, 0.34414 = 22554/65536, 0.71414 = 1 - 18734/65536.
    private const int RedOfCr = 26345, BlueOfCb = -14942, GreenOfCb = -22554, GreenOfCr = 18734;
    private const int HalfLevel = 1 << 15, CentreLevel = (128 << 16) + HalfLevel - 1;
    private const int Lanes = 16;

    /// <summary>[W] grey → [W, 3].</summary>
    public static void GreyToRgb(ReadOnlySpan<byte> grey, Span<byte> rgb)
    {
        int x = 0;
        for (; x <= grey.Length - Lanes; x += Lanes)
        {
            var v = Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(grey), (nuint)x);
            StoreRgb(v, v, v, ref Checked(rgb, x));
        }
        for (; x < grey.Length; x++) rgb.Slice(x * 3, 3).Fill(grey[x]);
    }

    /// <summary>Three planes, [W] each, → [W, 3].</summary>
    public static void PlanesToRgb(ReadOnlySpan<byte> red, ReadOnlySpan<byte> green, ReadOnlySpan<byte> blue, Span<byte> rgb)
    {
        int x = 0;
        for (; x <= red.Length - Lanes; x += Lanes) StoreRgb(Load(red, x), Load(green, x), Load(blue, x), ref Checked(rgb, x));
        for (; x < red.Length; x++) (rgb[x * 3], rgb[(x * 3) + 1], rgb[(x * 3) + 2]) = (red[x], green[x], blue[x]);
    }

    /// <summary>Y, Cb and Cr, [W] each, → [W, 3].</summary>
    public static void YCbCrToRgb(ReadOnlySpan<byte> luma, ReadOnlySpan<byte> cb, ReadOnlySpan<byte> cr, Span<byte> rgb)
    {
        int x = 0;
        for (; x <= luma.Length - Lanes; x += Lanes)
        {
            var y = Widen(Load(luma, x)).AsInt16();
            var b = Widen(Load(cb, x)).AsInt16() - Vector256.Create((short)128);
            var r = Widen(Load(cr, x)).AsInt16() - Vector256.Create((short)128);
            var red = y + r + ScaledProduct(r, RedOfCr);
            var blue = y + b + b + ScaledProduct(b, BlueOfCb);
            var green = y - r + ScaledSum(b, GreenOfCb, r, GreenOfCr);
            StoreRgb(Narrow(red), Narrow(green), Narrow(blue), ref Checked(rgb, x));
        }
        for (; x < luma.Length; x++)
        {
            int b = cb[x] - 128;
            int r = cr[x] - 128;
            rgb[x * 3] = Clamp(luma[x] + r + Round(RedOfCr * r));
            rgb[(x * 3) + 1] = Clamp(luma[x] - r + Round((GreenOfCb * b) + (GreenOfCr * r)));
            rgb[(x * 3) + 2] = Clamp(luma[x] + b + b + Round(BlueOfCb * b));
        }
    }

    /// <summary>
    /// Darkens colours by black ink, in place: <paramref name="rgb"/> holds what the coloured inks leave, <paramref name="black"/> what the
    /// black ink leaves. [W, 3], [W].
    /// </summary>
    public static void ApplyBlack(Span<byte> rgb, ReadOnlySpan<byte> black)
    {
        for (int x = 0; x < black.Length; x++)
        {
            int k = black[x];
            rgb[x * 3] = Darken(rgb[x * 3], k);
            rgb[(x * 3) + 1] = Darken(rgb[(x * 3) + 1], k);
            rgb[(x * 3) + 2] = Darken(rgb[(x * 3) + 2], k);
        }
    }

    /// <summary>
    /// [W, 3] → Y, Cb and Cr, [W] each: the inverse equations, in 16 fraction bits, with halves of Cb and Cr rounded down.
    /// </summary>
    public static void RgbToYCbCr(ReadOnlySpan<byte> rgb, Span<byte> luma, Span<byte> cb, Span<byte> cr)
    {
        int x = 0;
        for (; x <= luma.Length - Lanes; x += Lanes)
        {
            LoadRgb(ref MemoryMarshal.GetReference(rgb.Slice(x * 3, Lanes * 3)), out var r, out var g, out var b);
            Weigh(r, g, b, 19595, 38470, 7471, HalfLevel).CopyTo(luma[x..]);
            Weigh(r, g, b, -11059, -21709, 32768, CentreLevel).CopyTo(cb[x..]);
            Weigh(r, g, b, 32768, -27439, -5329, CentreLevel).CopyTo(cr[x..]);
        }
        for (; x < luma.Length; x++)
        {
            (int r, int g, int b) = (rgb[x * 3], rgb[(x * 3) + 1], rgb[(x * 3) + 2]);
            luma[x] = (byte)(((19595 * r) + (38470 * g) + (7471 * b) + HalfLevel) >> 16);
            cb[x] = (byte)(((-11059 * r) - (21709 * g) + (32768 * b) + CentreLevel) >> 16);
            cr[x] = (byte)(((32768 * r) - (27439 * g) - (5329 * b) + CentreLevel) >> 16);
        }
    }

    /// <summary>255 - v for every byte: from light to ink and back.</summary>
    public static void InvertInPlace(Span<byte> values)
    {
        for (int i = 0; i < values.Length; i++) values[i] = (byte)~values[i];
    }

    // k less the rounded product of k and the ink, the product divided by 255 without a division.
    private static byte Darken(int colour, int k)
    {
        int product = ((255 - colour) * k) + 128;
        return (byte)Math.Max(0, k - ((product + (product >> 8)) >> 8));
    }

    private static int Round(int scaled) => (scaled + 32768) >> 16;

    private static byte Clamp(int value) => (byte)Math.Clamp(value, 0, 255);

    /// <summary>(factor·v + 2^15) >> 16 for |v| ≤ 128, exactly, in 16-bit lanes: the factor's two bytes are multiplied apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> ScaledProduct(Vector256<short> v, int factor) => ScaledSum(v, factor, Vector256<short>.Zero, 0);

    /// <summary>
    /// (factorA·a + factorB·b + 2^15) >> 16. Low bytes are taken signed (-128 to 127), which keeps both sums of products within 16 bits.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> ScaledSum(Vector256<short> a, int factorA, Vector256<short> b, int factorB)
    {
        var low = (a * (sbyte)factorA) + (b * (sbyte)factorB);
        var high = (a * (short)((factorA - (sbyte)factorA) >> 8)) + (b * (short)((factorB - (sbyte)factorB) >> 8));
        return (high + (low >> 8) + Vector256.Create((short)128)) >> 8;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Load(ReadOnlySpan<byte> row, int x) => Vector128.Create(row.Slice(x, Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ushort> Widen(Vector128<byte> bytes) => Vector256.Create(Vector128.WidenLower(bytes), Vector128.WidenUpper(bytes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Narrow(Vector256<short> v)
    {
        var positive = Vector256.Max(v, Vector256<short>.Zero).AsUInt16();
        return Vector128.NarrowWithSaturation(positive.GetLower(), positive.GetUpper());
    }

    private static ref byte Checked(Span<byte> rgb, int x) => ref MemoryMarshal.GetReference(rgb.Slice(x * 3, Lanes * 3));

    /// <summary>Interleaves 16 pixels: 48 bytes. Places that a shuffle does not fill are zero (index 255 lies outside).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRgb(Vector128<byte> r, Vector128<byte> g, Vector128<byte> b, ref byte rgb)
    {
        const byte n = 255;
        (Vector128.Shuffle(r, Vector128.Create((byte)0, n, n, 1, n, n, 2, n, n, 3, n, n, 4, n, n, 5))
            | Vector128.Shuffle(g, Vector128.Create(n, (byte)0, n, n, 1, n, n, 2, n, n, 3, n, n, 4, n, n))
            | Vector128.Shuffle(b, Vector128.Create(n, n, (byte)0, n, n, 1, n, n, 2, n, n, 3, n, n, 4, n))).StoreUnsafe(ref rgb);
        (Vector128.Shuffle(r, Vector128.Create(n, n, (byte)6, n, n, 7, n, n, 8, n, n, 9, n, n, 10, n))
            | Vector128.Shuffle(g, Vector128.Create((byte)5, n, n, 6, n, n, 7, n, n, 8, n, n, 9, n, n, 10))
            | Vector128.Shuffle(b, Vector128.Create(n, (byte)5, n, n, 6, n, n, 7, n, n, 8, n, n, 9, n, n))).StoreUnsafe(ref rgb, 16);
        (Vector128.Shuffle(r, Vector128.Create(n, (byte)11, n, n, 12, n, n, 13, n, n, 14, n, n, 15, n, n))
            | Vector128.Shuffle(g, Vector128.Create(n, n, (byte)11, n, n, 12, n, n, 13, n, n, 14, n, n, 15, n))
            | Vector128.Shuffle(b, Vector128.Create((byte)10, n, n, 11, n, n, 12, n, n, 13, n, n, 14, n, n, 15))).StoreUnsafe(ref rgb, 32);
    }

    /// <summary>Takes 16 pixels, 48 bytes, apart into planes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadRgb(ref byte rgb, out Vector128<byte> r, out Vector128<byte> g, out Vector128<byte> b)
    {
        const byte n = 255;
        var first = Vector128.LoadUnsafe(ref rgb);
        var second = Vector128.LoadUnsafe(ref rgb, 16);
        var third = Vector128.LoadUnsafe(ref rgb, 32);
        r = Vector128.Shuffle(first, Vector128.Create((byte)0, 3, 6, 9, 12, 15, n, n, n, n, n, n, n, n, n, n))
            | Vector128.Shuffle(second, Vector128.Create(n, n, n, n, n, n, (byte)2, 5, 8, 11, 14, n, n, n, n, n))
            | Vector128.Shuffle(third, Vector128.Create(n, n, n, n, n, n, n, n, n, n, n, (byte)1, 4, 7, 10, 13));
        g = Vector128.Shuffle(first, Vector128.Create((byte)1, 4, 7, 10, 13, n, n, n, n, n, n, n, n, n, n, n))
            | Vector128.Shuffle(second, Vector128.Create(n, n, n, n, n, (byte)0, 3, 6, 9, 12, 15, n, n, n, n, n))
            | Vector128.Shuffle(third, Vector128.Create(n, n, n, n, n, n, n, n, n, n, n, (byte)2, 5, 8, 11, 14));
        b = Vector128.Shuffle(first, Vector128.Create((byte)2, 5, 8, 11, 14, n, n, n, n, n, n, n, n, n, n, n))
            | Vector128.Shuffle(second, Vector128.Create(n, n, n, n, n, (byte)1, 4, 7, 10, 13, n, n, n, n, n, n))
            | Vector128.Shuffle(third, Vector128.Create(n, n, n, n, n, n, n, n, n, n, (byte)0, 3, 6, 9, 12, 15));
    }

    /// <summary>(red·r + green·g + blue·b + offset) >> 16 in 32-bit lanes, for results of 0 to 255.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Weigh(Vector128<byte> r, Vector128<byte> g, Vector128<byte> b, int red, int green, int blue, int offset)
    {
        var (rShorts, gShorts, bShorts) = (Widen(r), Widen(g), Widen(b));
        var low = (Vector256.WidenLower(rShorts).AsInt32() * red) + (Vector256.WidenLower(gShorts).AsInt32() * green)
            + (Vector256.WidenLower(bShorts).AsInt32() * blue) + Vector256.Create(offset);
        var high = (Vector256.WidenUpper(rShorts).AsInt32() * red) + (Vector256.WidenUpper(gShorts).AsInt32() * green)
            + (Vector256.WidenUpper(bShorts).AsInt32() * blue) + Vector256.Create(offset);
        var shorts = Vector256.Narrow(low >> 16, high >> 16).AsUInt16();
        return Vector128.Narrow(shorts.GetLower(), shorts.GetUpper());
    }
}
