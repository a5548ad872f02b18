using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>A batch norm whose scale and shift move into the weights before it.</summary>
internal sealed record NormFold(Tensor? Weight, Tensor? Bias, Tensor Mean, Tensor Variance, float Epsilon);

/// <summary>The weights of a convolution as the network holds them, and the batch norm that moves into them.</summary>
internal sealed record ConvSource(Tensor Weight, Tensor? Bias, NormFold? Norm)
{
    /// <summary>The weights for a kernel. The batch norm becomes a scale and a shift of each channel, computed in double.</summary>
    public ConvWeights Pack(ConvKernel kernel)
    {
        ReadOnlySpan<float> bias = Bias is null ? default : Bias.Block.Values[..Bias.Length];
        if (Norm is null) return new ConvWeights(kernel, Weight, bias);

        int channels = Norm.Mean.Length;
        var scale = new float[channels];
        var shift = new float[channels];
        ReadOnlySpan<float> means = Norm.Mean.Block.Values, variances = Norm.Variance.Block.Values;
        ReadOnlySpan<float> gammas = Norm.Weight is null ? default : Norm.Weight.Block.Values, betas = Norm.Bias is null ? default : Norm.Bias.Block.Values;
        for (int c = 0; c < channels; c++)
        {
            double factor = (gammas.IsEmpty ? 1 : gammas[c]) / Math.Sqrt((double)variances[c] + Norm.Epsilon);
            scale[c] = (float)factor;
            shift[c] = (float)((((bias.IsEmpty ? 0 : bias[c]) - (double)means[c]) * factor) + (betas.IsEmpty ? 0 : betas[c]));
        }
        return new ConvWeights(kernel, Weight, shift, scale);
    }
}

/// <summary>What packed weights were made from and for: maps of different sizes have equal keys where one copy serves them.</summary>
/// <param name="Source">The network's tensors.</param>
/// <param name="Algorithm">The kernel's mark.</param>
/// <param name="Phases">Of an adjoint with a stride, what decides which output pixels see the same taps and lie side by side; else nothing.</param>
internal sealed record WeightKey(ConvSource Source, string Algorithm, (Size2d Remainder, Size2d Least, bool IsDense) Phases)
{
    public static WeightKey Of(ConvStep step, ConvKernel kernel)
    {
        ConvGeometry g = step.Geometry;
        if (!step.IsAdjoint || g.Stride == 1) return new WeightKey(step.Source, kernel.Algorithm, default);
        var remainder = new Size2d(g.Input.Height % g.Stride.Height, g.Input.Width % g.Stride.Width);
        var least = new Size2d(Math.Min(g.Input.Height, g.Stride.Height), Math.Min(g.Input.Width, g.Stride.Width));
        return new WeightKey(step.Source, kernel.Algorithm, (remainder, least, step.Output.PixelStride == step.Output.Channels));
    }
}

/// <summary>Packed weights that several plans share.</summary>
internal sealed class PackedWeights
{
    private readonly Dictionary<WeightKey, ConvWeights> packed = [];

    public long Bytes { get; private set; }

    public ConvWeights Get(WeightKey key, ConvKernel kernel)
    {
        if (!packed.TryGetValue(key, out ConvWeights? weights))
        {
            packed.Add(key, weights = key.Source.Pack(kernel));
            Bytes += weights.Bytes;
        }
        return weights;
    }

    /// <summary>Lets go of what none of the keys asks for.</summary>
    public void KeepOnly(IReadOnlySet<WeightKey> keys)
    {
        foreach ((WeightKey key, ConvWeights weights) in packed)
        {
            if (keys.Contains(key)) continue;
            packed.Remove(key); // a dictionary may lose entries while it is walked
            Bytes -= weights.Bytes;
        }
    }
}
