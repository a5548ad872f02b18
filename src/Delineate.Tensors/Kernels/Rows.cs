using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// Short rows that lie one behind the other (the class scores of each pixel), walked a vector at a time. The last vector of a row reaches
/// into the next row: its surplus lanes are masked when read, and written before the next row is.
/// </summary>
internal readonly unsafe struct Rows
{
    private static readonly int W = Vector<float>.Count;

    private readonly float* end;
    private readonly Vector<int> tailLanes;

    /// <param name="length">Floats in a row.</param>
    /// <param name="end">The end of the memory that may be read.</param>
    public Rows(int length, float* end)
    {
        Length = length;
        this.end = end;
        Whole = length - (length % W);
        tailLanes = Vector.LessThan(Vector<int>.Indices, new Vector<int>(length - Whole));
    }

    public int Length { get; }

    /// <summary>The part of the row that fills whole vectors.</summary>
    public int Whole { get; }

    /// <summary>The largest value of a row that holds no NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Max(float* row)
    {
        Vector<float> most = new(float.NegativeInfinity);
        for (int c = 0; c < Whole; c += W) most = Vector.MaxNative(most, Vector.Load(row + c));
        if (Whole < Length) most = Vector.MaxNative(most, Tail(row, float.NegativeInfinity));
        return Largest(most);
    }

    /// <summary>Σ exp(x − max); NaN where the row holds a NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float SumExp(float* row, float max)
    {
        Vector<float> shift = new(max);
        Vector<float> sum = Vector<float>.Zero;
        for (int c = 0; c < Whole; c += W) sum += VectorMath.Exp(Vector.Load(row + c) - shift);
        if (Whole < Length) sum += VectorMath.Exp(Tail(row, float.NegativeInfinity) - shift);
        return Vector.Sum(sum);
    }

    /// <summary>Σ a · b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Dot(float* a, in Rows rowsB, float* b)
    {
        Vector<float> sum = Vector<float>.Zero;
        for (int c = 0; c < Whole; c += W) sum += Vector.Load(a + c) * Vector.Load(b + c);
        if (Whole < Length) sum += Tail(a, 0) * rowsB.Tail(b, 0);
        return Vector.Sum(sum);
    }

    /// <summary>The last lanes of a row, with <paramref name="fill"/> in those beyond it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Tail(float* row, float fill)
    {
        float* tail = row + Whole;
        Vector<float> lanes = tail + W <= end ? Vector.Load(tail) : Elementwise.LoadTail(new ReadOnlySpan<float>(tail, Length - Whole));
        return Vector.ConditionalSelect(tailLanes, lanes, new Vector<float>(fill));
    }

    /// <summary>Writes the last lanes of a row. Those beyond it fall on the next row, which is written next, or are cut where <paramref name="last"/> ends the piece.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreTail(Vector<float> lanes, float* row, float* last)
    {
        float* tail = row + Whole;
        if (tail + W <= last)
        {
            Vector.Store(lanes, tail);
        }
        else
        {
            for (int i = 0; i < Length - Whole; i++) tail[i] = lanes[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest(Vector<float> v)
    {
        if (W > 8)
        {
            float most = v[0];
            for (int i = 1; i < W; i++) most = MathF.Max(most, v[i]);
            return most;
        }
        Vector128<float> m = W == 8 ? Vector128.MaxNative(v.AsVector256().GetLower(), v.AsVector256().GetUpper()) : v.AsVector128();
        m = Vector128.MaxNative(m, Vector128.Shuffle(m, Vector128.Create(2, 3, 0, 1)));
        m = Vector128.MaxNative(m, Vector128.Shuffle(m, Vector128.Create(1, 0, 3, 2)));
        return m.ToScalar();
    }
}
