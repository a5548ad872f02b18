using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// Transcendental functions on vectors of floats, to about one unit in the last place. The coefficients are least-maximum-error fits
/// made for these ranges; <c>VectorMathTests</c> holds each function against its double counterpart.
/// </summary>
internal static class VectorMath
{
    /// <summary>eˣ: 0 below the range of floats, ∞ above it, NaN for NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<V>(V x)
        where V : struct, ILanes<V>
    {
        // x = n·ln 2 + r with |r| ≤ ln 2 / 2; ln 2 in two parts, the first with zeros at its end, so that n times it is exact.
        V held = V.Clamp(x, -110, 100);
        V n = V.Round(held * V.All(1.44269504f));
        V r = V.MultiplyAdd(n, V.All(-0.693359375f), held);
        r = V.MultiplyAdd(n, V.All(2.12194440e-4f), r);
        V p = V.MultiplyAdd(r, V.All(0.00138145379f), V.All(0.00836874532f));
        p = V.MultiplyAdd(p, r, V.All(0.04166839083f));
        p = V.MultiplyAdd(p, r, V.All(0.166665204f));
        p = V.MultiplyAdd(p, r, V.All(0.4999999343f));
        p = V.MultiplyAdd(p, r * r, r) + V.All(1);
        return V.TimesPowerOfTwo(p, n);
    }

    /// <summary>The same in the width of <see cref="Vector{T}"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Exp(Vector<float> x) => Vector<float>.Count switch
    {
        16 => Exp(new Lanes16(x.AsVector512())).Value.AsVector(),
        8 => Exp(new Lanes8(x.AsVector256())).Value.AsVector(),
        _ => Exp(new Lanes4(x.AsVector128())).Value.AsVector(),
    };

    /// <summary>ln(1 + x) for x ≥ 0, exact to the last bits for small x too.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> LogOnePlus(Vector<float> x)
    {
        // What 1 + x lost to rounding is given back by the ratio (Kahan).
        Vector<float> y = Vector<float>.One + x;
        Vector<float> kept = y - Vector<float>.One;
        return Vector.ConditionalSelect(Vector.Equals(kept, Vector<float>.Zero), x, Vector.Log(y) * (x / kept));
    }

    /// <summary>1 / (1 + e⁻ˣ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Sigmoid(Vector<float> x) => Vector<float>.One / (Vector<float>.One + Exp(-x));

    /// <summary>ln(1 + eˣ) without overflow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Softplus(Vector<float> x) => Vector.Max(x, Vector<float>.Zero) + LogOnePlus(Exp(-Vector.Abs(x)));

    /// <summary>The hyperbolic tangent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Tanh(Vector<float> x)
    {
        // Near zero 1 − 2 / (e²ˣ + 1) loses its digits: there an odd polynomial.
        Vector<float> z = x * x;
        Vector<float> p = Fma(z, new Vector<float>(0.002071017954f), new Vector<float>(-0.008099173967f));
        p = Fma(p, z, new Vector<float>(0.02166935994f));
        p = Fma(p, z, new Vector<float>(-0.0539411288f));
        p = Fma(p, z, new Vector<float>(0.1333316247f));
        p = Fma(p, z, new Vector<float>(-0.3333332973f));
        Vector<float> near = Fma(p * z, x, x);
        Vector<float> far = Vector<float>.One - (new Vector<float>(2) / (Exp(x + x) + Vector<float>.One));
        return Vector.ConditionalSelect(Vector.LessThan(Vector.Abs(x), new Vector<float>(0.63f)), near, far);
    }

    /// <summary>
    /// The normal distribution at x: <paramref name="cumulative"/> Φ(x) = (1 + erf(x/√2)) / 2 with small relative error in both tails, and the density φ(x).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Normal(Vector<float> x, out Vector<float> cumulative, out Vector<float> density)
    {
        // Φ(−a) = exp(−a²/2)·P(u), u = 1 / (1 + 0.3·a): the rational substitution of Abramowitz and Stegun 7.1.26, to a higher degree.
        Vector<float> bell = Exp(x * x * -0.5f);
        Vector<float> u = Vector<float>.One / Fma(Vector.Abs(x), new Vector<float>(0.3f), Vector<float>.One);
        Vector<float> p = Fma(u, new Vector<float>(0.03837840332f), new Vector<float>(-0.169166635f));
        p = Fma(p, u, new Vector<float>(0.2286610959f));
        p = Fma(p, u, new Vector<float>(-0.07650755637f));
        p = Fma(p, u, new Vector<float>(0.1425362091f));
        p = Fma(p, u, new Vector<float>(0.09468325858f));
        p = Fma(p, u, new Vector<float>(0.1219204026f));
        p = Fma(p, u, new Vector<float>(0.1194876815f));
        p = Fma(p, u, new Vector<float>(7.16925366e-6f));
        Vector<float> tail = p * bell;
        cumulative = Vector.ConditionalSelect(Vector.LessThan(x, Vector<float>.Zero), tail, Vector<float>.One - tail);
        density = bell * 0.398942280f;
    }

    /// <summary>a·b + c, in one rounding where the processor has it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Fma(Vector<float> a, Vector<float> b, Vector<float> c) => Vector.MultiplyAddEstimate(a, b, c);
}
