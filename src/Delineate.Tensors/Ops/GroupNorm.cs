using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Group normalisation.</summary>
public static unsafe class GroupNormOp
{
    /// <summary>
    /// Normalises each image over its pixels and the C / groups channels of each group, then scales and shifts each channel.
    /// [N, ..., C] → [N, ..., C]; weight and bias are [C]. Wu and He 2018, arXiv:1803.08494. With as many groups as channels: instance norm.
    /// </summary>
    /// <exception cref="ShapeException">The groups do not divide the channels, or a shape does not fit.</exception>
    public static Tensor GroupNorm(this Tensor x, int groups, Tensor? weight = null, Tensor? bias = null, float eps = 1e-5f)
    {
        if (x.Shape.Rank < 2) throw new ShapeException($"GroupNorm takes [N, ..., C], got {x.Shape}");
        Check.Channels(weight, x, "weight");
        Check.Channels(bias, x, "bias");
        (int batch, int channels) = (x.Shape[0], x.Shape[-1]);
        if (groups < 1 || channels % groups != 0) throw new ShapeException($"GroupNorm takes groups that divide the channels, got {groups} groups for the {channels} channels of {x.Shape}");

        if (Tracer.Current is { } tracer) return tracer.Add(new TracedGroupNorm(groups, eps), x.Shape, x, weight, bias);
        Tensor y = Tensor.Empty(x.Shape);
        Tensor norm = Tensor.Empty([batch, 4, channels]); // for each image mean, scale, shift, 1/√(variance + eps)
        if (x.Length > 0) Forward(x, groups, weight, bias, eps, norm, y);
        (bool wantsX, bool wantsWeight, bool wantsBias) = (x.WantsGrad, weight is { WantsGrad: true }, bias is { WantsGrad: true });
        Autograd.Record(y, [x, weight, bias], dy => Backward(dy, x, groups, wantsX, wantsWeight, wantsBias, norm));
        if (y.Node is null) norm.Block.Release();
        return y;
    }

    internal static void Forward(Tensor x, int groups, Tensor? weight, Tensor? bias, float eps, Tensor norm, Tensor y)
    {
        (int batch, int channels) = (x.Shape[0], x.Shape[-1]);
        int pixels = x.Length / batch / channels, size = channels / groups;
        float* weights = Pinned.OfOptional(weight), biases = Pinned.OfOptional(bias);
        using Scratch scratch = Scratch.Floats(4 * channels);
        double* means = (double*)Pinned.Of(scratch);
        double* variances = means + channels;
        for (int image = 0; image < batch; image++)
        {
            float* input = Pinned.Of(x) + ((long)image * pixels * channels), output = Pinned.Of(y) + ((long)image * pixels * channels);
            ChannelNorm.Moments(input, pixels, channels, means, variances);
            float* mean = Pinned.Of(norm) + (4L * image * channels), scale = mean + channels, shift = scale + channels, inverse = shift + channels;
            for (int first = 0; first < channels; first += size)
            {
                (double m, double variance) = Merge(new ReadOnlySpan<double>(means + first, size), new ReadOnlySpan<double>(variances + first, size));
                double invert = 1 / Math.Sqrt(variance + eps);
                for (int c = first; c < first + size; c++)
                {
                    double factor = weights is null ? invert : weights[c] * invert;
                    mean[c] = (float)m;
                    scale[c] = (float)factor;
                    shift[c] = (float)((biases is null ? 0 : biases[c]) + ((mean[c] - m) * factor));
                    inverse[c] = (float)invert;
                }
            }
            ChannelNorm.Apply(input, pixels, channels, new ChannelAffine(mean, scale, shift), null, Activation.None, output);
        }
    }

    /// <summary>Mean and variance of equally large sets together.</summary>
    private static (double Mean, double Variance) Merge(ReadOnlySpan<double> means, ReadOnlySpan<double> variances)
    {
        double mean = 0, variance = 0;
        foreach (double m in means) mean += m;
        mean /= means.Length;
        for (int i = 0; i < means.Length; i++) variance += variances[i] + ((means[i] - mean) * (means[i] - mean));
        return (mean, variance / means.Length);
    }

    private static Tensor?[] Backward(Tensor dy, Tensor x, int groups, bool wantsX, bool wantsWeight, bool wantsBias, Tensor norm)
    {
        (int batch, int channels) = (x.Shape[0], x.Shape[-1]);
        Tensor? dx = wantsX ? Tensor.Empty(x.Shape) : null;
        var weightSums = new double[channels];
        var biasSums = new double[channels];
        if (x.Length > 0)
        {
            int pixels = x.Length / batch / channels, size = channels / groups;
            double count = (double)pixels * size;
            using Scratch scratch = Scratch.Floats(6 * channels);
            double* sums = (double*)Pinned.Of(scratch);
            double* products = sums + channels;
            float* b = (float*)(products + channels), c = b + channels;
            for (int image = 0; image < batch; image++)
            {
                long at = (long)image * pixels * channels;
                float* mean = Pinned.Of(norm) + (4L * image * channels), scale = mean + channels, shift = scale + channels, inverse = shift + channels;
                var gradient = new ChannelGradient(Pinned.Of(dy) + at, Pinned.Of(x) + at, null, new ChannelAffine(mean, scale, shift), Activation.None);
                ChannelNorm.GradientSums(gradient, pixels, channels, sums, products);
                for (int first = 0; first < channels; first += size)
                {
                    double sum = 0, product = 0; // of the gradients of the normalised values, hence with the weights
                    for (int k = first; k < first + size; k++)
                    {
                        weightSums[k] += products[k] * inverse[k];
                        biasSums[k] += sums[k];
                        sum += sums[k] * scale[k];
                        product += products[k] * scale[k];
                    }
                    for (int k = first; k < first + size; k++)
                    {
                        b[k] = (float)(-product * inverse[k] * inverse[k] / count);
                        c[k] = (float)(-sum / count);
                    }
                }
                if (dx is not null) ChannelNorm.GradientInput(gradient, pixels, channels, scale, b, c, Pinned.Of(dx) + at, null);
            }
        }
        norm.Block.Release();
        return [dx, wantsWeight ? Rounded(weightSums) : null, wantsBias ? Rounded(biasSums) : null];
    }

    private static Tensor Rounded(double[] sums) => Tensor.From(Array.ConvertAll(sums, v => (float)v), [sums.Length]);
}

/// <summary>Reads x, weight, bias.</summary>
internal sealed record TracedGroupNorm(int Groups, float Epsilon) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output)
    {
        (Tensor x, Tensor? weight, Tensor? bias, Tensor y) = (inputs[0].Tensor, inputs[1].Optional, inputs[2].Optional, output.Tensor);
        if (x.Length == 0) return Work.Nothing;
        Tensor norm = Tensor.Unpooled([x.Shape[0], 4, x.Shape[^1]]);
        return Work.Once(() => GroupNormOp.Forward(x, Groups, weight, bias, Epsilon, norm, y));
    }
}
