namespace Delineate.Tensors.Kernels;

/// <summary>
/// The weights of a convolution, packed once for the algorithm that will use them. They do not depend on the map's size, except as it
/// decides the algorithm: plans for several sizes share them.
/// </summary>
internal sealed unsafe class ConvWeights
{
    private readonly float[] packed;
    private readonly float[] bias;

    /// <param name="kernel">A kernel of the algorithm.</param>
    /// <param name="weight">[Cout, Kh, Kw, Cin / groups].</param>
    /// <param name="bias">One value for each channel of the result; empty for none.</param>
    public ConvWeights(ConvKernel kernel, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias)
    {
        Algorithm = kernel.Algorithm;
        packed = Aligned(kernel.PackedLength);
        this.bias = Aligned(kernel.BiasLength);
        fixed (float* w = weight) kernel.Pack(w, Packed);
        kernel.PackBias(bias, new Span<float>(Bias, kernel.BiasLength));
    }

    /// <summary>Kernels with this mark can use these weights.</summary>
    public string Algorithm { get; }

    public long Bytes => ((long)packed.Length + bias.Length) * sizeof(float);

    internal float* Packed => Line(packed);

    internal float* Bias => Line(bias);

    private static float[] Aligned(int length) => GC.AllocateUninitializedArray<float>(length + 16, pinned: true);

    private static float* Line(float[] pinned) => (float*)(((nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(pinned)) + 63) & ~63);
}

/// <summary>A convolution of given sizes with its weights: runs any number of times, one at a time, and takes no managed memory.</summary>
internal sealed unsafe class ConvRun(ConvKernel kernel, ConvWeights weights, Activation activation)
{
    /// <summary>y = act(conv(x) + bias + residual); the residual may be null.</summary>
    public void Run(float* x, float* residual, float* y) => kernel.Run(x, weights.Packed, weights.Bias, residual, activation, y);
}
