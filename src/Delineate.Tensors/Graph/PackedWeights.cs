using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>A batch norm whose scale and shift move into the weights before it.</summary>
internal sealed record NormFold(Tensor? Weight, Tensor? Bias, Tensor Mean, Tensor Variance, float Epsilon);

/// <summary>What packed weights were made from and for. Maps of different sizes have equal keys where the same algorithm serves them.</summary>
internal sealed record WeightKey(
    Tensor Weight, Tensor? Bias, NormFold? Norm, bool IsTransposed, Size2d Stride, Size2d Padding, Size2d Dilation, int Groups, ConvAlgorithm Algorithm, Rounding Rounding)
{
    public static WeightKey Of(TracedConvolution op, Tensor weight, Tensor? bias, Rounding rounding)
    {
        ConvGeometry g = op.Geometry;
        ConvAlgorithm algorithm = ConvWeights.Choose(g, op.IsTransposed, rounding);
        return new WeightKey(weight, bias, null, op.IsTransposed, g.Stride, g.Padding, g.Dilation, g.Groups, algorithm, rounding);
    }

    /// <summary>The weights for the kernel, with the batch norm in them. Folded in double.</summary>
    public ConvWeights Pack(ConvGeometry g)
    {
        ReadOnlySpan<float> weight = Weight.Block.Values[..Weight.Length];
        ReadOnlySpan<float> bias = Bias is null ? default : Bias.Block.Values[..Bias.Length];
        if (Norm is null) return ConvWeights.Pack(g, IsTransposed, weight, bias, Rounding);

        int channels = Norm.Mean.Length;
        var scale = new double[channels];
        var shift = new float[channels];
        ReadOnlySpan<float> means = Norm.Mean.Block.Values, variances = Norm.Variance.Block.Values;
        ReadOnlySpan<float> gammas = Norm.Weight is null ? default : Norm.Weight.Block.Values, betas = Norm.Bias is null ? default : Norm.Bias.Block.Values;
        for (int c = 0; c < channels; c++)
        {
            scale[c] = (gammas.IsEmpty ? 1 : gammas[c]) / Math.Sqrt((double)variances[c] + Norm.Epsilon);
            shift[c] = (float)((((bias.IsEmpty ? 0 : bias[c]) - (double)means[c]) * scale[c]) + (betas.IsEmpty ? 0 : betas[c]));
        }
        using Scratch scratch = Scratch.Floats(weight.Length);
        Span<float> folded = scratch.Span;
        if (IsTransposed)
        {
            // [Cin, taps, Cout / groups]: the output channel runs along the last axis, its group along the first.
            for (int i = 0, at = 0; i < g.OutChannels; i++)
            {
                int first = i / g.OutGroup * g.InGroup;
                for (int tap = 0; tap < g.Taps; tap++)
                {
                    for (int c = first; c < first + g.InGroup; c++, at++) folded[at] = (float)(weight[at] * scale[c]);
                }
            }
        }
        else
        {
            for (int c = 0, at = 0; c < channels; c++)
            {
                for (int k = 0; k < g.Depth; k++, at++) folded[at] = (float)(weight[at] * scale[c]);
            }
        }
        return ConvWeights.Pack(g, IsTransposed, folded, shift, Rounding);
    }
}

/// <summary>Packed weights that several plans share.</summary>
internal sealed class PackedWeights
{
    private readonly Dictionary<WeightKey, ConvWeights> packed = [];

    public long Bytes { get; private set; }

    public ConvWeights Get(WeightKey key, ConvGeometry g)
    {
        if (!packed.TryGetValue(key, out ConvWeights? weights))
        {
            packed.Add(key, weights = key.Pack(g));
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
