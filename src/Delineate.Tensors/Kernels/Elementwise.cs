using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Delineate.Tensors.Kernels;

/// <summary>A function of one value, on a vector of values.</summary>
internal interface IMap
{
    Vector<float> Apply(Vector<float> x);
}

/// <summary>A function of two values, on vectors of values.</summary>
internal interface IZip
{
    Vector<float> Apply(Vector<float> a, Vector<float> b);
}

/// <summary>
/// The loops that every elementwise op shares. The op is a small struct, so that each op's loop is compiled for itself; a tail shorter
/// than a vector goes through the same vector code, so that a value does not depend on where it lies.
/// </summary>
internal static class Elementwise
{
    /// <summary>Elements of a piece. Below two of them a thread's wake-up costs more than it brings.</summary>
    public const int Grain = 1 << 15;

    /// <summary>y = op(x), element by element; y may be x.</summary>
    public static void Map<TOp>(Tensor x, Tensor y, TOp op)
        where TOp : struct, IMap
    {
        if (x.Length < 2 * Grain) Map(x.Span, y.Span, op);
        else MapWork(x, y, op).Run();
    }

    public static Work MapWork<TOp>(Tensor x, Tensor y, TOp op)
        where TOp : struct, IMap => Work.Ranges(x.Length, x.Length < 2 * Grain ? x.Length : Grain, (from, to) => Map(x.Span[from..to], y.Span[from..to], op));

    /// <summary>y = op(a, b) on tensors of one length; y may be a or b.</summary>
    public static void Zip<TOp>(Tensor a, Tensor b, Tensor y, TOp op)
        where TOp : struct, IZip
    {
        if (a.Length < 2 * Grain) Zip(a.Span, b.Span, y.Span, op);
        else ZipWork(a, b, y, op).Run();
    }

    public static Work ZipWork<TOp>(Tensor a, Tensor b, Tensor y, TOp op)
        where TOp : struct, IZip => Work.Ranges(a.Length, a.Length < 2 * Grain ? a.Length : Grain, (from, to) => Zip(a.Span[from..to], b.Span[from..to], y.Span[from..to], op));

    public static void Map<TOp>(ReadOnlySpan<float> x, Span<float> y, TOp op)
        where TOp : struct, IMap
    {
        ref float from = ref MemoryMarshal.GetReference(x);
        ref float to = ref MemoryMarshal.GetReference(y);
        int i = 0;
        for (; i <= x.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            op.Apply(Vector.LoadUnsafe(ref from, (nuint)i)).StoreUnsafe(ref to, (nuint)i);
        }
        if (i < x.Length) Store(op.Apply(LoadTail(x[i..])), y[i..]);
    }

    public static void Zip<TOp>(ReadOnlySpan<float> a, ReadOnlySpan<float> b, Span<float> y, TOp op)
        where TOp : struct, IZip
    {
        ref float left = ref MemoryMarshal.GetReference(a);
        ref float right = ref MemoryMarshal.GetReference(b);
        ref float to = ref MemoryMarshal.GetReference(y);
        int i = 0;
        for (; i <= a.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            op.Apply(Vector.LoadUnsafe(ref left, (nuint)i), Vector.LoadUnsafe(ref right, (nuint)i)).StoreUnsafe(ref to, (nuint)i);
        }
        if (i < a.Length) Store(op.Apply(LoadTail(a[i..]), LoadTail(b[i..])), y[i..]);
    }

    /// <summary>The values and zeros behind them. Takes fewer values than a vector holds.</summary>
    public static Vector<float> LoadTail(ReadOnlySpan<float> values)
    {
        Vector<float> vector = default;
        values.CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.As<Vector<float>, float>(ref vector), Vector<float>.Count));
        return vector;
    }

    /// <summary>The first lanes, as many as there is room for.</summary>
    private static void Store(Vector<float> vector, Span<float> to) =>
        MemoryMarshal.CreateSpan(ref Unsafe.As<Vector<float>, float>(ref vector), to.Length).CopyTo(to);
}
