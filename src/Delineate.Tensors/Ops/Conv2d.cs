using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>2-D convolution.</summary>
public static class Conv2dOp
{
    /// <summary>
    /// The sums of a map's windows weighted by each filter (a cross-correlation, as in every network), plus a bias. Sizes are
    /// (height, width); a single number stands for both; stride and dilation are 1 and padding 0 unless given.
    /// [N, H, W, Cin] with weight [Cout, Kh, Kw, Cin / groups] → [N, OH, OW, Cout], OH = (H + 2·padding − dilation·(Kh − 1) − 1) / stride + 1.
    /// </summary>
    /// <exception cref="ShapeException">Shapes do not fit together, or no output pixel is left.</exception>
    public static Tensor Conv2d(this Tensor x, Tensor weight, Tensor? bias = null, Size2d? stride = null, Size2d? padding = null, Size2d? dilation = null, int groups = 1)
    {
        ConvGeometry geometry = ConvGeometry.Of(x, weight, bias, stride ?? 1, padding ?? 0, dilation ?? 1, groups);
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedConv2d(geometry), geometry.OutputShape, x, weight, bias);
        Tensor y = Tensor.Empty(geometry.OutputShape);
        Convolution.Forward(geometry, x.Span, weight.Span, bias is null ? default : bias.Span, y.Span);
        (bool wantsData, bool wantsWeight, bool wantsBias) = (x.WantsGrad, weight.WantsGrad, bias is { WantsGrad: true });
        return Autograd.Record(y, [x, weight, bias], dy => Backward(geometry, x, weight, dy, wantsData, wantsWeight, wantsBias), read: [wantsWeight ? x : null, wantsData ? weight : null]);
    }

    private static Tensor?[] Backward(ConvGeometry geometry, Tensor x, Tensor weight, Tensor dy, bool wantsData, bool wantsWeight, bool wantsBias)
    {
        Tensor? dx = wantsData ? Tensor.Empty(x.Shape) : null;
        Tensor? dw = wantsWeight ? Tensor.Empty(weight.Shape) : null;
        Tensor? db = wantsBias ? Tensor.Empty([geometry.OutChannels]) : null;
        if (dx is not null) Convolution.BackwardData(geometry, dy.Span, weight.Span, default, dx.Span);
        if (dw is not null) Convolution.BackwardWeights(geometry, x.Span, dy.Span, dw.Span);
        if (db is not null) Convolution.BackwardBias(dy.Span, db.Span);
        return [dx, dw, db];
    }
}

/// <summary>Reads x, weight, bias.</summary>
internal sealed record TracedConv2d(ConvGeometry Geometry) : TracedConvolution(Geometry, IsTransposed: false)
{
    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        (string weight, string? bias) = onnx.Weights(node);
        onnx.Result(node, "Conv", bias is null ? [onnx.Of(node.Inputs[0]!), weight] : [onnx.Of(node.Inputs[0]!), weight, bias], Attributes());
    }
}

/// <summary>What a plan fuses its neighbours into: a product of gathered pixels and weights. Reads x, weight, bias.</summary>
internal abstract record TracedConvolution(ConvGeometry Geometry, bool IsTransposed) : GraphOp
{
    public override long MultiplyAdds(GraphNode node) => (long)Geometry.OutputShape.Length * Geometry.Depth;

    /// <summary>The attributes that Conv and ConvTranspose share.</summary>
    protected OnnxAttribute[] Attributes() =>
    [
        new("kernel_shape", [Geometry.Kernel.Height, Geometry.Kernel.Width]),
        new("strides", [Geometry.Stride.Height, Geometry.Stride.Width]),
        new("pads", [Geometry.Padding.Height, Geometry.Padding.Width, Geometry.Padding.Height, Geometry.Padding.Width]),
        new("dilations", [Geometry.Dilation.Height, Geometry.Dilation.Width]),
        new("group", Geometry.Groups),
    ];

    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output)
    {
        (Tensor x, Tensor weight, Tensor? bias, Tensor y) = (inputs[0].Tensor, inputs[1].Tensor, inputs[2].Optional, output.Tensor);
        return Work.Once(() =>
        {
            ReadOnlySpan<float> first = bias is null ? default : bias.Span;
            if (IsTransposed) Convolution.BackwardData(Geometry, x.Span, weight.Span, first, y.Span);
            else Convolution.Forward(Geometry, x.Span, weight.Span, first, y.Span);
        });
    }
}
