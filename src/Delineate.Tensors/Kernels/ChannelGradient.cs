using System.Runtime.CompilerServices;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// The gradient that comes back through the activation of a normalised map. Relu's sign is read from <paramref name="y"/> where one is
/// given (a residual was added), else it is found again from x by the very arithmetic of the forward pass.
/// </summary>
internal readonly unsafe struct ChannelGradient(float* dy, float* x, float* y, ChannelAffine affine, Activation activation)
{
    private readonly float* dy = dy;
    private readonly float* x = x;
    private readonly float* y = y;
    private readonly ChannelAffine affine = affine;
    private readonly Activation activation = activation;

    /// <summary>True where the gradient lies at <paramref name="place"/>.</summary>
    public bool IsOf(float* place) => dy == place;

    /// <summary>The same from row <paramref name="row"/> and channel <paramref name="channel"/> on.</summary>
    public ChannelGradient Skip(int row, int channel, int channels)
    {
        long at = ((long)row * channels) + channel;
        var part = new ChannelAffine(affine.Mean + channel, affine.Scale + channel, affine.Shift + channel);
        return new ChannelGradient(dy + at, x + at, y is null ? null : y + at, part, activation);
    }

    /// <summary>The gradient at element <paramref name="i"/> of channel <paramref name="c"/>, and how far x is from its mean there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Load<V>(long i, int c, out V distance)
        where V : struct, ILanes<V>
    {
        V g = V.Load(dy + i);
        distance = V.Load(x + i) - V.Load(affine.Mean + c);
        if (activation == Activation.None) return g;
        return V.WherePositive(g, y is null ? V.MultiplyAdd(distance, V.Load(affine.Scale + c), V.Load(affine.Shift + c)) : V.Load(y + i));
    }

    /// <summary>The gradient alone: x is not read where the sign comes from elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Load<V>(long i, int c)
        where V : struct, ILanes<V>
    {
        if (activation == Activation.None) return V.Load(dy + i);
        if (y is not null) return V.WherePositive(V.Load(dy + i), V.Load(y + i));
        return Load<V>(i, c, out _);
    }
}
