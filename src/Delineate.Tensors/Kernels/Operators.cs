using System.Numerics;
using System.Runtime.CompilerServices;

namespace Delineate.Tensors.Kernels;

/// <summary>a + b.</summary>
internal readonly struct AddOp : IZip
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> a, Vector<float> b) => a + b;
}

/// <summary>a − b.</summary>
internal readonly struct SubtractOp : IZip
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> a, Vector<float> b) => a - b;
}

/// <summary>a · b.</summary>
internal readonly struct MultiplyOp : IZip
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> a, Vector<float> b) => a * b;
}

/// <summary>−a · b.</summary>
internal readonly struct NegativeProductOp : IZip
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> a, Vector<float> b) => -(a * b);
}

/// <summary>a / b.</summary>
internal readonly struct DivideOp : IZip
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> a, Vector<float> b) => a / b;
}

/// <summary>1 where a equals b, else 0.</summary>
internal readonly struct EqualOp : IZip
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> a, Vector<float> b) => Vector.ConditionalSelect(Vector.Equals(a, b), Vector<float>.One, Vector<float>.Zero);
}

/// <summary>An operator whose left side is one value.</summary>
internal readonly struct WithLeft<TOp>(float left, TOp op) : IMap
    where TOp : struct, IZip
{
    public float Left => left;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => op.Apply(new Vector<float>(left), x);
}

/// <summary>An operator whose right side is one value.</summary>
internal readonly struct WithRight<TOp>(float right, TOp op) : IMap
    where TOp : struct, IZip
{
    public float Right => right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => op.Apply(x, new Vector<float>(right));
}
