using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Batch normalisation with what usually follows it, an addition and a ReLU, in the same pass.</summary>
public static unsafe class BatchNormOp
{
    /// <summary>
    /// y = act((x − mean) / √(variance + eps) · weight + bias + residual) over all axes but the last. [..., C] → [..., C]; weight, bias and the
    /// running statistics are [C], the residual has x's shape. In training mean and variance are the batch's own and the running ones move by
    /// <paramref name="momentum"/> towards them (towards the unbiased variance); else the running ones are used. An empty batch leaves them alone.
    /// Ioffe and Szegedy 2015, arXiv:1502.03167.
    /// </summary>
    /// <exception cref="ShapeException">A shape does not fit, or training sees one value for each channel.</exception>
    public static Tensor BatchNorm(
        this Tensor x, Tensor? weight, Tensor? bias, Tensor runningMean, Tensor runningVariance, bool training,
        float momentum = 0.1f, float eps = 1e-5f, Activation activation = Activation.None, Tensor? residual = null)
    {
        if (x.Shape.Rank == 0) throw new ShapeException("BatchNorm takes a tensor whose last axis is the channels, got a scalar");
        Check.Channels(weight, x, "weight");
        Check.Channels(bias, x, "bias");
        Check.Channels(runningMean, x, "running mean");
        Check.Channels(runningVariance, x, "running variance");
        if (residual is not null) Check.SameShape(x, residual);
        int channels = x.Shape[-1];
        int rows = channels == 0 ? 0 : x.Length / channels;
        if (training && rows == 1)
        {
            throw new ShapeException(
                $"BatchNorm in training got one value for each channel ({x.Shape}), which has no variance: use a larger batch or image, drop the last small batch, or freeze the layer (evaluation mode)");
        }

        if (Tracer.Current is { } tracer)
        {
            if (training) Tracer.Refuse("in training it reads the batch's statistics; call Train(false) first");
            return tracer.Add(new TracedBatchNorm(eps, activation), x.Shape, x, weight, bias, runningMean, runningVariance, residual);
        }
        Tensor y = Tensor.Empty(x.Shape);
        Tensor norm = Tensor.Empty([4, channels]); // mean, scale, shift, 1/√(variance + eps)
        if (rows > 0) Forward(x, rows, channels, weight, bias, runningMean, runningVariance, training, momentum, eps, activation, residual, norm, y);
        var wanted = new Wanted(x.WantsGrad, weight is { WantsGrad: true }, bias is { WantsGrad: true }, residual is { WantsGrad: true });
        Tensor? signs = activation != Activation.None && residual is not null ? y : null; // without a residual they are found again from x
        Autograd.Record(y, [x, weight, bias, residual], dy => Backward(dy, x, rows, channels, weight, training, activation, wanted, norm, signs), read: [x, signs]);
        if (y.Node is null) norm.Block.Release();
        return y;
    }

    internal static void Forward(
        Tensor x, int rows, int channels, Tensor? weight, Tensor? bias, Tensor runningMean, Tensor runningVariance, bool training,
        float momentum, float eps, Activation activation, Tensor? residual, Tensor norm, Tensor y)
    {
        using Scratch scratch = Scratch.Floats(4 * channels);
        double* means = (double*)Pinned.Of(scratch);
        double* variances = means + channels;
        float* runningMeans = Pinned.Of(runningMean), runningVariances = Pinned.Of(runningVariance);
        if (training)
        {
            ChannelNorm.Moments(Pinned.Of(x), rows, channels, means, variances);
            double unbiased = rows / (rows - 1.0);
            for (int c = 0; c < channels && !Autograd.IsRecomputing; c++)
            {
                runningMeans[c] = (float)(((1.0 - momentum) * runningMeans[c]) + (momentum * means[c]));
                runningVariances[c] = (float)(((1.0 - momentum) * runningVariances[c]) + (momentum * variances[c] * unbiased));
            }
        }
        else
        {
            for (int c = 0; c < channels; c++) (means[c], variances[c]) = (runningMeans[c], runningVariances[c]);
        }
        float* mean = Pinned.Of(norm), scale = mean + channels, shift = scale + channels, inverse = shift + channels;
        float* weights = Pinned.OfOptional(weight), biases = Pinned.OfOptional(bias);
        for (int c = 0; c < channels; c++)
        {
            double invert = 1 / Math.Sqrt(variances[c] + eps);
            double factor = weights is null ? invert : weights[c] * invert;
            mean[c] = (float)means[c];
            scale[c] = (float)factor;
            shift[c] = (float)((biases is null ? 0 : biases[c]) + ((mean[c] - means[c]) * factor)); // what rounding the mean took away comes back here
            inverse[c] = (float)invert;
        }
        ChannelNorm.Apply(Pinned.Of(x), rows, channels, new ChannelAffine(mean, scale, shift), Pinned.OfOptional(residual), activation, Pinned.Of(y));
    }

    private static Tensor?[] Backward(Tensor dy, Tensor x, int rows, int channels, Tensor? weight, bool training, Activation activation, Wanted wanted, Tensor norm, Tensor? y)
    {
        // Whose gradient is dy but for the activation gets it in dy's place, where nobody else holds dy: the residual, else x.
        Tensor? place = dy.Block.IsUnshared ? dy : null;
        Tensor? dx = !wanted.X ? null : wanted.Residual || place is null ? Tensor.Empty(x.Shape) : place;
        Tensor? dWeight = wanted.Weight ? Tensor.Zeros([channels]) : null;
        Tensor? dBias = wanted.Bias ? Tensor.Zeros([channels]) : null;
        Tensor? dResidual = !wanted.Residual ? null : activation == Activation.None ? dy : place ?? Tensor.Empty(x.Shape);
        if (rows > 0)
        {
            float* mean = Pinned.Of(norm), scale = mean + channels, shift = scale + channels, inverse = shift + channels;
            var gradient = new ChannelGradient(Pinned.Of(dy), Pinned.Of(x), Pinned.OfOptional(y), new ChannelAffine(mean, scale, shift), activation);
            using Scratch scratch = Scratch.Floats(6 * channels);
            double* sums = (double*)Pinned.Of(scratch);
            double* products = sums + channels;
            float* b = (float*)(products + channels), c = b + channels;
            bool moving = training && wanted.X; // the batch's statistics moved with x
            if (moving || wanted.Weight || wanted.Bias) ChannelNorm.GradientSums(gradient, rows, channels, sums, products);
            for (int k = 0; moving && k < channels; k++)
            {
                b[k] = (float)(-(double)scale[k] * inverse[k] * inverse[k] * products[k] / rows);
                c[k] = (float)(-(double)scale[k] * sums[k] / rows);
            }
            for (int k = 0; k < channels; k++)
            {
                if (dWeight is not null) dWeight.Span[k] = (float)(products[k] * inverse[k]);
                if (dBias is not null) dBias.Span[k] = (float)sums[k];
            }
            if (dx is not null || dResidual is not null)
            {
                float* maskedGradient = activation == Activation.None ? null : Pinned.OfOptional(dResidual);
                ChannelNorm.GradientInput(gradient, rows, channels, scale, moving ? b : null, moving ? c : null, Pinned.OfOptional(dx), maskedGradient);
            }
        }
        norm.Block.Release();
        return [dx, dWeight, dBias, dResidual];
    }

    private readonly record struct Wanted(bool X, bool Weight, bool Bias, bool Residual);
}

/// <summary>With running statistics. Reads x, weight, bias, running mean, running variance, residual.</summary>
internal sealed record TracedBatchNorm(float Epsilon, Activation Activation) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output)
    {
        (Tensor x, Tensor? weight, Tensor? bias, Tensor mean, Tensor variance) = (inputs[0].Tensor, inputs[1].Optional, inputs[2].Optional, inputs[3].Tensor, inputs[4].Tensor);
        (Tensor? residual, Tensor y, int channels) = (inputs[5].Optional, output.Tensor, x.Shape[^1]);
        if (x.Length == 0) return Work.Nothing;
        Tensor norm = Tensor.Unpooled([4, channels]);
        return Work.Once(() => BatchNormOp.Forward(x, x.Length / channels, channels, weight, bias, mean, variance, false, 0, Epsilon, Activation, residual, norm, y));
    }

    /// <summary>What is left of it is the addition and the activation where the convolution before it took it in.</summary>
    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        string y = onnx.Of(node.Inputs[0]!);
        if (!onnx.IsFolded(node))
        {
            int channels = node.Output.Shape[^1];
            string weight = node.Inputs[1] is { } w ? onnx.Of(w) : onnx.Numbers($"{node.Path}.ones", 1, channels);
            string bias = node.Inputs[2] is { } b ? onnx.Of(b) : onnx.Numbers($"{node.Path}.zeros", 0, channels);
            y = onnx.Add(node, "BatchNormalization", [y, weight, bias, onnx.Of(node.Inputs[3]!), onnx.Of(node.Inputs[4]!)], new OnnxAttribute("epsilon", Epsilon));
        }
        if (node.Inputs[5] is { } residual) y = onnx.Add(node, "Add", [y, onnx.Of(residual)]);
        onnx.Set(node, Activation == Activation.Relu ? onnx.Add(node, "Relu", [y]) : y);
    }
}
