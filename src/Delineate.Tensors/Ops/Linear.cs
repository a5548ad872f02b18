using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>The fully connected layer.</summary>
public static class LinearOp
{
    /// <summary>x·weightᵀ + bias along the last axis. [..., In] with weight [Out, In] → [..., Out].</summary>
    /// <exception cref="ShapeException">The last axis of x is not the weight's In, or the bias is not [Out].</exception>
    public static Tensor Linear(this Tensor x, Tensor weight, Tensor? bias = null)
    {
        if (x.Shape.Rank < 1 || weight.Shape.Rank != 2 || x.Shape[-1] != weight.Shape[1])
        {
            throw new ShapeException($"Linear of {x.Shape} with a weight {weight.Shape}: the weight is [Out, In] and the last axis of the input is In");
        }
        if (bias is not null && bias.Shape != [weight.Shape[0]]) throw new ShapeException($"Linear with a weight {weight.Shape} takes a bias of [{weight.Shape[0]}], got {bias.Shape}");

        // A 1×1 convolution over one line of pixels.
        var line = new Size2d(1, x.Shape.Product(0, x.Shape.Rank - 1));
        var geometry = new ConvGeometry(1, line, weight.Shape[1], line, weight.Shape[0], 1, 1, 0, 1, 1);
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedLinear(geometry), x.Shape.With(-1, weight.Shape[0]), x, weight, bias);
        Tensor y = Tensor.Empty(x.Shape.With(-1, weight.Shape[0]));
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
internal sealed record TracedLinear(ConvGeometry Geometry) : TracedConvolution(Geometry, IsTransposed: false)
{
    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        if (node.Inputs[0]!.Shape.Rank != 2) throw OnnxGraph.Refusal(node, $"of {node.Inputs[0]!.Shape} it is not known here, only of [N, C]");
        (string weight, string? bias) = onnx.Weights(node);
        string x = onnx.Of(node.Inputs[0]!);
        onnx.Result(node, "Gemm", bias is null ? [x, weight] : [x, weight, bias], new OnnxAttribute("transB", 1));
    }
}
