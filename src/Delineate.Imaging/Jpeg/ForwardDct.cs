using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Delineate.Imaging;

/// <summary>
/// The 8×8 cosine transform and quantizer of the encoder (T.81, A.3.3 and A.3.4) as two products with the cosine matrix, C·X·Cᵀ. The
/// additions' order is fixed and nothing is fused, so a picture encodes to the same bytes on every machine.
/// </summary>
internal static class ForwardDct
{
    // _cosines[u·8 + x] = C(u, x) = cos((2x + 1)·u·π/16) / 2, and 1/√8 for u = 0; _transposed[x·8 + u] the same.
    private static readonly float[] _cosines = Cosines(transposed: false);
    private static readonly float[] _transposed = Cosines(transposed: true);

    /// <summary>
    /// Transforms 8 rows of 8 samples, <paramref name="stride"/> bytes apart, and rounds each coefficient times its reciprocal step. →
    /// [64], row-major.
    /// </summary>
    public static void Transform(ReadOnlySpan<byte> samples, int stride, ReadOnlySpan<float> reciprocals, Span<short> coefficients)
    {
        _ = samples[..((7 * stride) + 8)];
        _ = reciprocals[..64];
        _ = coefficients[..64];
        Span<float> columns = stackalloc float[64];
        ref float work = ref MemoryMarshal.GetReference(columns);
        ref byte source = ref MemoryMarshal.GetReference(samples);
        ref float step = ref MemoryMarshal.GetReference(reciprocals);
        ref short target = ref MemoryMarshal.GetReference(coefficients);

        // Down the columns. C(u, 7 - x) = ±C(u, x), plus for even u, so sums of mirrored rows serve the even u and differences the odd
        // ones.
        Fold(ref source, stride, 0, out var s0, out var d0);
        Fold(ref source, stride, 1, out var s1, out var d1);
        Fold(ref source, stride, 2, out var s2, out var d2);
        Fold(ref source, stride, 3, out var s3, out var d3);
        ref float cosines = ref MemoryMarshal.GetArrayDataReference(_cosines);
        for (int u = 0; u < 64; u += 16)
        {
            Product(ref cosines, u, s0, s1, s2, s3).StoreUnsafe(ref work, (nuint)u);
            Product(ref cosines, u + 8, d0, d1, d2, d3).StoreUnsafe(ref work, (nuint)u + 8);
        }

        // Along the rows: each row times Cᵀ, whose rows are the weights of one sample in all eight coefficients.
        ref float transposed = ref MemoryMarshal.GetArrayDataReference(_transposed);
        for (int u = 0; u < 64; u += 8)
        {
            var even = Weighted(ref work, ref transposed, u, 0) + Weighted(ref work, ref transposed, u, 2);
            var odd = Weighted(ref work, ref transposed, u, 1) + Weighted(ref work, ref transposed, u, 3);
            even += Weighted(ref work, ref transposed, u, 4) + Weighted(ref work, ref transposed, u, 6);
            odd += Weighted(ref work, ref transposed, u, 5) + Weighted(ref work, ref transposed, u, 7);
            var scaled = Vector256.ConvertToInt32(Vector256.Round((even + odd) * Vector256.LoadUnsafe(ref step, (nuint)u)));
            Vector128.Narrow(scaled.GetLower(), scaled.GetUpper()).StoreUnsafe(ref target, (nuint)u);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fold(ref byte samples, int stride, int x, out Vector256<float> sum, out Vector256<float> difference)
    {
        var upper = Row(ref Unsafe.Add(ref samples, x * stride));
        var lower = Row(ref Unsafe.Add(ref samples, (7 - x) * stride));
        sum = Vector256.ConvertToSingle(upper + lower);
        difference = Vector256.ConvertToSingle(upper - lower);
    }

    /// <summary>Eight samples, centred on zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Row(ref byte samples)
    {
        var bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(ref samples)).AsByte();
        var shorts = Vector128.WidenLower(bytes).AsInt16() - Vector128.Create((short)128);
        return Vector256.Create(Vector128.WidenLower(shorts), Vector128.WidenUpper(shorts));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Product(
        ref float cosines, int u, Vector256<float> x0, Vector256<float> x1, Vector256<float> x2, Vector256<float> x3) =>
        ((x0 * Unsafe.Add(ref cosines, u)) + (x1 * Unsafe.Add(ref cosines, u + 1)))
        + ((x2 * Unsafe.Add(ref cosines, u + 2)) + (x3 * Unsafe.Add(ref cosines, u + 3)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Weighted(ref float work, ref float transposed, int u, int x) =>
        Vector256.LoadUnsafe(ref transposed, (nuint)(x * 8)) * Unsafe.Add(ref work, u + x);

    private static float[] Cosines(bool transposed)
    {
        float[] matrix = new float[64];
        for (int u = 0; u < 8; u++)
        {
            for (int x = 0; x < 8; x++)
            {
                double cosine = u == 0 ? Math.Sqrt(0.125) : 0.5 * Math.Cos(((2 * x) + 1) * u * Math.PI / 16);
                matrix[transposed ? (x * 8) + u : (u * 8) + x] = (float)cosine;
            }
        }
        return matrix;
    }
}
