using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>2-D transposed convolution.</summary>
public static class ConvTranspose2dOp
{
    /// <summary>
    /// The adjoint of <see cref="Conv2dOp.Conv2d"/>, plus a bias: each input pixel adds the filter, weighted, to the output, so that
    /// stride s makes a map s times as large. The weight has the layout of the convolution whose adjoint this is. Output padding adds
    /// rows and columns at the bottom and right, for the sizes that several inputs of that convolution share.
    /// [N, H, W, Cin] with weight [Cin, Kh, Kw, Cout / groups] → [N, OH, OW, Cout], OH = (H − 1)·stride − 2·padding + dilation·(Kh − 1) + outputPadding + 1.
    /// </summary>
    /// <exception cref="ShapeException">Shapes do not fit together, or no output pixel is left.</exception>
    public static Tensor ConvTranspose2d(
        this Tensor x, Tensor weight, Tensor? bias = null, Size2d? stride = null, Size2d? padding = null, Size2d? outputPadding = null, Size2d? dilation = null, int groups = 1)
    {
        ConvGeometry geometry = ConvGeometry.OfTransposed(x, weight, bias, stride ?? 1, padding ?? 0, outputPadding ?? 0, dilation ?? 1, groups);
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedConvTranspose2d(geometry), geometry.InputShape, x, weight, bias);
        Tensor y = Tensor.Empty(geometry.InputShape);
        Convolution.BackwardData(geometry, x.Span, weight.Span, bias is null ? default : bias.Span, y.Span);
        (bool wantsData, bool wantsWeight, bool wantsBias) = (x.WantsGrad, weight.WantsGrad, bias is { WantsGrad: true });
        return Autograd.Record(y, [x, weight, bias], dy => Backward(geometry, x, weight, dy, wantsData, wantsWeight, wantsBias), read: [wantsWeight ? x : null, wantsData ? weight : null]);
    }

    private static Tensor?[] Backward(ConvGeometry geometry, Tensor x, Tensor weight, Tensor dy, bool wantsData, bool wantsWeight, bool wantsBias)
    {
        Tensor? dx = wantsData ? Tensor.Empty(x.Shape) : null;
        Tensor? dw = wantsWeight ? Tensor.Empty(weight.Shape) : null;
        Tensor? db = wantsBias ? Tensor.Empty([geometry.InChannels]) : null;
        if (dx is not null) Convolution.Forward(geometry, dy.Span, weight.Span, default, dx.Span);
        if (dw is not null) Convolution.BackwardWeights(geometry, dy.Span, x.Span, dw.Span);
        if (db is not null) Convolution.BackwardBias(dy.Span, db.Span);
        return [dx, dw, db];
    }
}

/// <summary>Reads x, weight, bias. The geometry is the adjoint's.</summary>
internal sealed record TracedConvTranspose2d(ConvGeometry Geometry) : TracedConvolution(Geometry, IsTransposed: true)
{
    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        (string weight, string? bias) = onnx.Weights(node);
        string x = onnx.Of(node.Inputs[0]!);
        var padding = new OnnxAttribute("output_padding", [
            OutputPadding(Geometry.Input.Height, Geometry.Output.Height, Geometry.Kernel.Height, Geometry.Stride.Height, Geometry.Padding.Height, Geometry.Dilation.Height),
            OutputPadding(Geometry.Input.Width, Geometry.Output.Width, Geometry.Kernel.Width, Geometry.Stride.Width, Geometry.Padding.Width, Geometry.Dilation.Width)]);
        onnx.Result(node, "ConvTranspose", bias is null ? [x, weight] : [x, weight, bias], [.. Attributes(), padding]);

        static long OutputPadding(int large, int small, int kernel, int stride, int padding, int dilation) =>
            large - (((small - 1L) * stride) - (2L * padding) + ((long)dilation * (kernel - 1)) + 1);
    }
}
