namespace Delineate.Tensors.Kernels;

/// <summary>Floats between neighbouring pixels of the maps that a convolution reads, writes and adds.</summary>
internal readonly record struct PixelStrides(int Input, int Output, int Residual)
{
    public static PixelStrides Dense(ConvGeometry g, bool adjoint) =>
        adjoint ? new(g.OutChannels, g.InChannels, g.InChannels) : new(g.InChannels, g.OutChannels, g.OutChannels);
}

/// <summary>
/// One way to compute a convolution, or its adjoint (the gradient to the data; a transposed convolution), of given sizes. Made once for a
/// shape, it runs any number of times, one at a time, and takes no managed memory.
/// </summary>
internal abstract unsafe class ConvKernel
{
    /// <summary>Names the way in which weights are packed.</summary>
    public abstract string Algorithm { get; }

    /// <summary>True where each run reads the weight as it is, [Cout, Kh, Kw, Cin / groups]: packed, it would be many times as large.</summary>
    public virtual bool ReadsWeight => false;

    /// <summary>Floats of packed weights; 0 where the kernel <see cref="ReadsWeight"/>.</summary>
    public abstract int PackedLength { get; }

    /// <summary>
    /// Re-lays a weight [Cout, Kh, Kw, Cin / groups] for this kernel, which is to multiply the result's channel c by scale[c]; no scale is null.
    /// Kernels of the same algorithm pack alike, whatever the map's size.
    /// </summary>
    public abstract void Pack(float* weight, float* scale, float* packed);

    /// <summary>
    /// y = act(conv(x) · scale + bias + residual), on the team's threads. <paramref name="weight"/> is what <see cref="Pack"/> made of it, or the weight
    /// itself where the kernel <see cref="ReadsWeight"/>; the bias is <see cref="PackBias"/>'s; a residual may be null.
    /// </summary>
    public abstract void Run(float* x, float* weight, float* bias, float* residual, Activation activation, float* y);

    /// <summary>The fastest kernel that keeps to the rounding.</summary>
    public static ConvKernel For(ConvGeometry g, bool adjoint, Rounding rounding, PixelStrides strides)
    {
        if (Depthwise.Fits(g)) return new Depthwise(g, adjoint, strides);
        return Winograd.TileSize(g, adjoint, rounding) is > 0 and int size ? new Winograd(g, adjoint, size, strides) : new DirectConvolution(g, adjoint, strides);
    }

    /// <summary>Floats of a bias as <see cref="Run"/> wants it.</summary>
    public virtual int BiasLength => GatherProduct.Padded(OutChannels);

    /// <summary>Re-lays a bias of [out channels] for <see cref="Run"/>; an empty one makes zeros. The scale is that of <see cref="Pack"/>, or empty.</summary>
    public virtual void PackBias(ReadOnlySpan<float> bias, ReadOnlySpan<float> scale, Span<float> packed)
    {
        packed.Clear();
        bias.CopyTo(packed);
    }

    /// <summary>Channels of the result.</summary>
    protected abstract int OutChannels { get; }

    private protected static float Floor(Activation activation) => activation == Activation.Relu ? 0 : float.NegativeInfinity;
}
