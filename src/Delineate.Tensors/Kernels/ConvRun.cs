namespace Delineate.Tensors.Kernels;

/// <summary>
/// The weights of a convolution, packed once for the algorithm that will use them. They do not depend on the map's size, except as it
/// decides the algorithm: plans for several sizes share them.
/// </summary>
internal sealed unsafe class ConvWeights
{
    private readonly Block? home;
    private readonly float[] packed;
    private readonly float[] bias;

    /// <param name="kernel">A kernel of the algorithm.</param>
    /// <param name="weight">[Cout, Kh, Kw, Cin / groups]. A kernel that reads the weight itself will find it there on each run.</param>
    /// <param name="bias">One value for each channel of the result; empty for none.</param>
    /// <param name="scale">What each channel of the result is multiplied by before the bias is added; empty for nothing.</param>
    public ConvWeights(ConvKernel kernel, Tensor weight, ReadOnlySpan<float> bias, ReadOnlySpan<float> scale = default)
    {
        Algorithm = kernel.Algorithm;
        packed = kernel.ReadsWeight ? [] : Aligned(kernel.PackedLength);
        this.bias = Aligned(kernel.BiasLength);
        kernel.PackBias(bias, scale, new Span<float>(Line(this.bias), kernel.BiasLength));
        if (kernel.ReadsWeight) home = weight.Block;
        else fixed (float* values = weight.Block.Values, factors = scale) kernel.Pack(values, factors, Line(packed));
    }

    /// <summary>Kernels with this mark can use these weights.</summary>
    public string Algorithm { get; }

    /// <summary>Bytes beside the network's own weights.</summary>
    public long Bytes => ((long)packed.Length + bias.Length) * sizeof(float);

    /// <summary>What <see cref="ConvKernel.Run"/> takes as the weight.</summary>
    internal float* Weight => home is null ? Line(packed) : Pinned.Of(home);

    internal float* Bias => Line(bias);

    private static float[] Aligned(int length) => GC.AllocateUninitializedArray<float>(length + 16, pinned: true);

    private static float* Line(float[] pinned) => (float*)(((nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(pinned)) + 63) & ~63);
}

/// <summary>A convolution of given sizes with its weights: runs any number of times, one at a time, and takes no managed memory.</summary>
internal sealed unsafe class ConvRun(ConvKernel kernel, ConvWeights weights, Activation activation)
{
    /// <summary>y = act(conv(x) + bias + residual); the residual may be null.</summary>
    public void Run(float* x, float* residual, float* y) => kernel.Run(x, weights.Weight, weights.Bias, residual, activation, y);
}
