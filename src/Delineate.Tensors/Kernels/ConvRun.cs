namespace Delineate.Tensors.Kernels;

/// <summary>How a convolution is computed.</summary>
internal enum ConvAlgorithm
{
    Direct,
    Winograd2,
    Winograd4,
    Depthwise,
}

/// <summary>
/// A convolution's (or transposed convolution's) weights, made ready once for the kernel that will use them. They depend on the map's size only
/// through the algorithm, so that plans of several sizes share them.
/// </summary>
internal sealed class ConvWeights
{
    private ConvWeights(ConvAlgorithm algorithm, float[] weight, float[] bias) => (Algorithm, Weight, Bias) = (algorithm, weight, bias);

    public ConvAlgorithm Algorithm { get; }

    public long Bytes => ((long)Weight.Length + Bias.Length) * sizeof(float);

    public float[] Weight { get; }

    public float[] Bias { get; }

    public static ConvWeights Pack(ConvGeometry g, bool transposed, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, Rounding rounding) =>
        new(Choose(g, transposed, rounding), weight.ToArray(), bias.ToArray());

    public static ConvAlgorithm Choose(ConvGeometry g, bool transposed, Rounding rounding) => Depthwise.Fits(g) ? ConvAlgorithm.Depthwise : ConvAlgorithm.Direct;
}

/// <summary>One convolution of one shape, to be run any number of times.</summary>
internal sealed unsafe class ConvRun
{
    private readonly ConvGeometry geometry;
    private readonly bool transposed;
    private readonly ConvWeights weights;
    private readonly Activation activation;
    private readonly int xPixel, yPixel, residualPixel;

    /// <summary>The strides are the floats between neighbouring pixels of a map, at least its channels.</summary>
    public ConvRun(ConvGeometry g, bool transposed, ConvWeights weights, Activation activation, int xPixelStride, int yPixelStride, int residualPixelStride)
    {
        (geometry, this.transposed, this.weights, this.activation) = (g, transposed, weights, activation);
        (xPixel, yPixel, residualPixel) = (xPixelStride, yPixelStride, residualPixelStride);
    }

    /// <summary>y = act(conv(x) + bias + residual); the residual may be null.</summary>
    public void Run(float* x, float* residual, float* y)
    {
        ConvGeometry g = geometry;
        (int inPixels, int outPixels) = (g.Batch * g.Input.Height * g.Input.Width, g.Batch * g.Output.Height * g.Output.Width);
        (int inChannels, int outChannels) = (g.InChannels, g.OutChannels);
        if (transposed) (inPixels, outPixels, inChannels, outChannels) = (outPixels, inPixels, outChannels, inChannels);
        using Scratch dense = Scratch.Floats(xPixel == inChannels ? 0 : inPixels * inChannels);
        using Scratch result = Scratch.Floats(yPixel == outChannels ? 0 : outPixels * outChannels);
        float* from = x, to = y;
        if (xPixel != inChannels) Gather.CopyRows(x, xPixel, from = Pinned.Of(dense), inChannels, inPixels, inChannels);
        if (yPixel != outChannels) to = Pinned.Of(result);
        var source = new ReadOnlySpan<float>(from, inPixels * inChannels);
        var target = new Span<float>(to, outPixels * outChannels);
        if (transposed) Convolution.BackwardData(g, source, weights.Weight, weights.Bias, target);
        else Convolution.Forward(g, source, weights.Weight, weights.Bias, target);
        for (int pixel = 0; pixel < outPixels; pixel++)
        {
            float* line = to + ((long)pixel * outChannels), final = y + ((long)pixel * yPixel);
            float* added = residual is null ? null : residual + ((long)pixel * residualPixel);
            if (added is not null || activation != Activation.None || final != line) LaneLoop.Over(new EndKernel(line, added, activation, final), outChannels);
        }
    }

    private readonly struct EndKernel(float* line, float* residual, Activation activation, float* result) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int i = from;
            for (; i + V.Count <= to; i += V.Count)
            {
                V value = V.Load(line + i);
                if (residual is not null) value += V.Load(residual + i);
                if (activation == Activation.Relu) value = V.Relu(value);
                value.Store(result + i);
            }
            return i;
        }
    }
}
