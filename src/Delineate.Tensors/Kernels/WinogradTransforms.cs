using System.Runtime.CompilerServices;

namespace Delineate.Tensors.Kernels;

/// <summary>A small constant matrix applied along an axis to registers of channels: to[i] = Σⱼ matrix[i, j] · from[j].</summary>
internal unsafe interface IAxisTransform
{
    static abstract int Inputs { get; }

    static abstract int Outputs { get; }

    static abstract void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
        where V : struct, ILanes<V>;
}

/// <summary>An axis transform applied along both axes of a small square of registers.</summary>
internal static unsafe class SquareTransform
{
    /// <summary>Floats that <see cref="Apply"/> wants for its intermediate square, for any transform and any register.</summary>
    public const int WorkLength = 8 * 8 * 16;

    /// <summary>to = T · from · Tᵀ.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Apply<T, V>(float* from, nint fromRow, nint fromColumn, float* work, float* to, nint toRow, nint toColumn)
        where T : IAxisTransform
        where V : struct, ILanes<V>
    {
        for (int column = 0; column < T.Inputs; column++)
        {
            T.Apply<V>(from, fromRow, work + (column * V.Count), T.Inputs * V.Count);
            from += fromColumn;
        }
        for (int row = 0; row < T.Outputs; row++)
        {
            T.Apply<V>(work, V.Count, to, toColumn);
            work += T.Inputs * V.Count;
            to += toRow;
        }
    }
}

/// <summary>
/// The matrices of F(4, 3): four outputs of a filter of three taps with six multiplications (Winograd 1980; Lavin and Gray 2016,
/// arXiv:1509.09308). Both polynomials are evaluated at 0, ±<see cref="P"/>, ±<see cref="Q"/> and infinity, multiplied there, and the
/// product is interpolated.
/// </summary>
internal static unsafe class Winograd4
{
    // At ±1/√2 and ±√2 (and 0 and infinity) numbers grow least: 2.2 times less rounding than at ±1 and ±2, 5 times less at the worst.
    private const float P = 0.70710678f;
    private const float Q = 1.41421356f;
    private const float P2 = 0.5f;
    private const float Q2 = 2;
    private const float AtZero = 1 / (P2 * Q2);
    private const float AtP = 1 / (2 * P2 * (P2 - Q2));
    private const float AtQ = 1 / (2 * Q2 * (Q2 - P2));

    /// <summary>Bᵀ: six values of the map to the six points.</summary>
    public readonly struct Input : IAxisTransform
    {
        public static int Inputs => 6;

        public static int Outputs => 6;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V d0 = V.Load(from), d1 = V.Load(from + fromStep), d2 = V.Load(from + (2 * fromStep));
            V d3 = V.Load(from + (3 * fromStep)), d4 = V.Load(from + (4 * fromStep)), d5 = V.Load(from + (5 * fromStep));
            V sum = V.All(-(P2 + Q2)), product = V.All(P2 * Q2);
            V evenP = V.MultiplyAdd(V.All(-Q2), d2, d4), oddP = V.MultiplyAdd(V.All(-Q2), d1, d3) * V.All(P);
            V evenQ = V.MultiplyAdd(V.All(-P2), d2, d4), oddQ = V.MultiplyAdd(V.All(-P2), d1, d3) * V.All(Q);
            V.MultiplyAdd(product, d0, V.MultiplyAdd(sum, d2, d4)).Store(to);
            (evenP + oddP).Store(to + toStep);
            (evenP - oddP).Store(to + (2 * toStep));
            (evenQ + oddQ).Store(to + (3 * toStep));
            (evenQ - oddQ).Store(to + (4 * toStep));
            V.MultiplyAdd(product, d1, V.MultiplyAdd(sum, d3, d5)).Store(to + (5 * toStep));
        }
    }

    /// <summary>Aᵀ: the products at the points to four outputs.</summary>
    public readonly struct Output : IAxisTransform
    {
        public static int Inputs => 6;

        public static int Outputs => 4;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V m1 = V.Load(from + fromStep), m2 = V.Load(from + (2 * fromStep)), m3 = V.Load(from + (3 * fromStep)), m4 = V.Load(from + (4 * fromStep));
            V evenP = m1 + m2, oddP = (m1 - m2) * V.All(P), evenQ = m3 + m4, oddQ = (m3 - m4) * V.All(Q);
            (V.Load(from) + evenP + evenQ).Store(to);
            (oddP + oddQ).Store(to + toStep);
            V.MultiplyAdd(V.All(P2), evenP, V.All(Q2) * evenQ).Store(to + (2 * toStep));
            V.MultiplyAdd(V.All(P2), oddP, V.MultiplyAdd(V.All(Q2), oddQ, V.Load(from + (5 * fromStep)))).Store(to + (3 * toStep));
        }
    }

    /// <summary>A, the adjoint of <see cref="Output"/>: the gradients of four outputs to the points.</summary>
    public readonly struct Spread : IAxisTransform
    {
        public static int Inputs => 4;

        public static int Outputs => 6;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V y0 = V.Load(from), y1 = V.Load(from + fromStep), y2 = V.Load(from + (2 * fromStep)), y3 = V.Load(from + (3 * fromStep));
            V evenP = V.MultiplyAdd(V.All(P2), y2, y0), oddP = V.MultiplyAdd(V.All(P2), y3, y1) * V.All(P);
            V evenQ = V.MultiplyAdd(V.All(Q2), y2, y0), oddQ = V.MultiplyAdd(V.All(Q2), y3, y1) * V.All(Q);
            y0.Store(to);
            (evenP + oddP).Store(to + toStep);
            (evenP - oddP).Store(to + (2 * toStep));
            (evenQ + oddQ).Store(to + (3 * toStep));
            (evenQ - oddQ).Store(to + (4 * toStep));
            y3.Store(to + (5 * toStep));
        }
    }

    /// <summary>G: three taps to the points.</summary>
    public readonly struct Filter : IAxisTransform
    {
        public static int Inputs => 3;

        public static int Outputs => 6;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V g0 = V.Load(from), g1 = V.Load(from + fromStep), g2 = V.Load(from + (2 * fromStep));
            V evenP = V.MultiplyAdd(V.All(P2), g2, g0) * V.All(AtP), oddP = V.All(P * AtP) * g1;
            V evenQ = V.MultiplyAdd(V.All(Q2), g2, g0) * V.All(AtQ), oddQ = V.All(Q * AtQ) * g1;
            (g0 * V.All(AtZero)).Store(to);
            (evenP + oddP).Store(to + toStep);
            (evenP - oddP).Store(to + (2 * toStep));
            (evenQ + oddQ).Store(to + (3 * toStep));
            (evenQ - oddQ).Store(to + (4 * toStep));
            g2.Store(to + (5 * toStep));
        }
    }

    /// <summary>Gᵀ, the adjoint of <see cref="Filter"/>: gradients at the points to the three taps.</summary>
    public readonly struct Taps : IAxisTransform
    {
        public static int Inputs => 6;

        public static int Outputs => 3;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V u1 = V.Load(from + fromStep), u2 = V.Load(from + (2 * fromStep)), u3 = V.Load(from + (3 * fromStep)), u4 = V.Load(from + (4 * fromStep));
            V evenP = (u1 + u2) * V.All(AtP), oddP = (u1 - u2) * V.All(P * AtP), evenQ = (u3 + u4) * V.All(AtQ), oddQ = (u3 - u4) * V.All(Q * AtQ);
            (V.MultiplyAdd(V.All(AtZero), V.Load(from), evenP) + evenQ).Store(to);
            (oddP + oddQ).Store(to + toStep);
            V.MultiplyAdd(V.All(P2), evenP, V.MultiplyAdd(V.All(Q2), evenQ, V.Load(from + (5 * fromStep)))).Store(to + (2 * toStep));
        }
    }
}

/// <summary>
/// The matrices of F(6, 3): six outputs with eight multiplications, at 0, ±1/2, ±1, ±7/4 and infinity. Among pairs of points these round
/// least: nearly four times as much as <see cref="Winograd4"/>.
/// </summary>
internal static unsafe class Winograd6
{
    private const float P = 0.5f;
    private const float Q = 1;
    private const float R = 1.75f;
    private const float P2 = P * P;
    private const float Q2 = Q * Q;
    private const float R2 = R * R;
    private const float AtZero = 1 / (P2 * Q2 * R2);
    private const float AtP = 1 / (2 * P2 * (P2 - Q2) * (P2 - R2));
    private const float AtQ = 1 / (2 * Q2 * (Q2 - P2) * (Q2 - R2));
    private const float AtR = 1 / (2 * R2 * (R2 - P2) * (R2 - Q2));

    /// <summary>Bᵀ: eight values of the map to the eight points.</summary>
    public readonly struct Input : IAxisTransform
    {
        private const float Sum = P2 + Q2 + R2;
        private const float Pairs = (P2 * Q2) + (P2 * R2) + (Q2 * R2);
        private const float Product = P2 * Q2 * R2;

        public static int Inputs => 8;

        public static int Outputs => 8;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V d1 = V.Load(from + fromStep), d2 = V.Load(from + (2 * fromStep)), d3 = V.Load(from + (3 * fromStep));
            V d4 = V.Load(from + (4 * fromStep)), d5 = V.Load(from + (5 * fromStep)), d6 = V.Load(from + (6 * fromStep));
            V first = V.MultiplyAdd(V.All(Product), V.Load(from), V.MultiplyAdd(V.All(-Pairs), d2, V.MultiplyAdd(V.All(Sum), d4, V.All(0) - d6)));
            V last = V.MultiplyAdd(V.All(-Product), d1, V.MultiplyAdd(V.All(Pairs), d3, V.MultiplyAdd(V.All(-Sum), d5, V.Load(from + (7 * fromStep)))));
            first.Store(to);
            Pair(P, Q2 + R2, Q2 * R2, to + toStep);
            Pair(Q, P2 + R2, P2 * R2, to + (3 * toStep));
            Pair(R, P2 + Q2, P2 * Q2, to + (5 * toStep));
            last.Store(to + (7 * toStep));

            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            void Pair(float point, float othersSum, float othersProduct, float* target)
            {
                V even = V.MultiplyAdd(V.All(othersProduct), d2, V.MultiplyAdd(V.All(-othersSum), d4, d6));
                V odd = V.MultiplyAdd(V.All(othersProduct), d1, V.MultiplyAdd(V.All(-othersSum), d3, d5)) * V.All(point);
                (even + odd).Store(target);
                (even - odd).Store(target + toStep);
            }
        }
    }

    /// <summary>Aᵀ: the products at the points to six outputs.</summary>
    public readonly struct Output : IAxisTransform
    {
        public static int Inputs => 8;

        public static int Outputs => 6;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V plus = V.Load(from + fromStep), minus = V.Load(from + (2 * fromStep));
            V evenP = plus + minus, oddP = (plus - minus) * V.All(P);
            plus = V.Load(from + (3 * fromStep));
            minus = V.Load(from + (4 * fromStep));
            V evenQ = plus + minus, oddQ = (plus - minus) * V.All(Q);
            plus = V.Load(from + (5 * fromStep));
            minus = V.Load(from + (6 * fromStep));
            V evenR = plus + minus, oddR = (plus - minus) * V.All(R);
            (V.Load(from) + evenP + evenQ + evenR).Store(to);
            (oddP + oddQ + oddR).Store(to + toStep);
            V.MultiplyAdd(V.All(P2), evenP, V.MultiplyAdd(V.All(Q2), evenQ, V.All(R2) * evenR)).Store(to + (2 * toStep));
            V.MultiplyAdd(V.All(P2), oddP, V.MultiplyAdd(V.All(Q2), oddQ, V.All(R2) * oddR)).Store(to + (3 * toStep));
            V.MultiplyAdd(V.All(P2 * P2), evenP, V.MultiplyAdd(V.All(Q2 * Q2), evenQ, V.All(R2 * R2) * evenR)).Store(to + (4 * toStep));
            V.MultiplyAdd(V.All(P2 * P2), oddP, V.MultiplyAdd(V.All(Q2 * Q2), oddQ, V.MultiplyAdd(V.All(R2 * R2), oddR, V.Load(from + (7 * fromStep))))).Store(to + (5 * toStep));
        }
    }

    /// <summary>G: three taps to the points.</summary>
    public readonly struct Filter : IAxisTransform
    {
        public static int Inputs => 3;

        public static int Outputs => 8;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V g0 = V.Load(from), g1 = V.Load(from + fromStep), g2 = V.Load(from + (2 * fromStep));
            (g0 * V.All(AtZero)).Store(to);
            Pair(P, P2, AtP, to + toStep);
            Pair(Q, Q2, AtQ, to + (3 * toStep));
            Pair(R, R2, AtR, to + (5 * toStep));
            g2.Store(to + (7 * toStep));

            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            void Pair(float point, float square, float share, float* target)
            {
                V even = V.MultiplyAdd(V.All(square), g2, g0) * V.All(share), odd = V.All(point * share) * g1;
                (even + odd).Store(target);
                (even - odd).Store(target + toStep);
            }
        }
    }
}

/// <summary>The matrices of F(2, 3), with four multiplications at 0, ±1 and infinity: a smaller saving, and about a direct sum's rounding.</summary>
internal static unsafe class Winograd2
{
    /// <summary>Bᵀ: four values of the map to the four points.</summary>
    public readonly struct Input : IAxisTransform
    {
        public static int Inputs => 4;

        public static int Outputs => 4;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V d0 = V.Load(from), d1 = V.Load(from + fromStep), d2 = V.Load(from + (2 * fromStep)), d3 = V.Load(from + (3 * fromStep));
            (d0 - d2).Store(to);
            (d2 + d1).Store(to + toStep);
            (d2 - d1).Store(to + (2 * toStep));
            (d3 - d1).Store(to + (3 * toStep));
        }
    }

    /// <summary>Aᵀ: the products at the points to two outputs.</summary>
    public readonly struct Output : IAxisTransform
    {
        public static int Inputs => 4;

        public static int Outputs => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V m1 = V.Load(from + fromStep), m2 = V.Load(from + (2 * fromStep));
            (V.Load(from) + m1 + m2).Store(to);
            (m1 - m2 + V.Load(from + (3 * fromStep))).Store(to + toStep);
        }
    }

    /// <summary>A, the adjoint of <see cref="Output"/>.</summary>
    public readonly struct Spread : IAxisTransform
    {
        public static int Inputs => 2;

        public static int Outputs => 4;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V y0 = V.Load(from), y1 = V.Load(from + fromStep);
            y0.Store(to);
            (y0 + y1).Store(to + toStep);
            (y0 - y1).Store(to + (2 * toStep));
            y1.Store(to + (3 * toStep));
        }
    }

    /// <summary>G: three taps to the points.</summary>
    public readonly struct Filter : IAxisTransform
    {
        public static int Inputs => 3;

        public static int Outputs => 4;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V g0 = V.Load(from), g2 = V.Load(from + (2 * fromStep));
            V even = (g0 + g2) * V.All(0.5f), odd = V.Load(from + fromStep) * V.All(0.5f);
            g0.Store(to);
            (even + odd).Store(to + toStep);
            (even - odd).Store(to + (2 * toStep));
            g2.Store(to + (3 * toStep));
        }
    }

    /// <summary>Gᵀ, the adjoint of <see cref="Filter"/>.</summary>
    public readonly struct Taps : IAxisTransform
    {
        public static int Inputs => 4;

        public static int Outputs => 3;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Apply<V>(float* from, nint fromStep, float* to, nint toStep)
            where V : struct, ILanes<V>
        {
            V u1 = V.Load(from + fromStep), u2 = V.Load(from + (2 * fromStep));
            V even = (u1 + u2) * V.All(0.5f);
            (V.Load(from) + even).Store(to);
            ((u1 - u2) * V.All(0.5f)).Store(to + toStep);
            (even + V.Load(from + (3 * fromStep))).Store(to + (2 * toStep));
        }
    }
}
