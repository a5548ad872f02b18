using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Average pooling to a given size.</summary>
public static class AdaptiveAvgPool2dOp
{
    /// <summary>
    /// The mean of each of OH × OW parts that cover the input (rows ⌊o·H/OH⌋ … ⌈(o+1)·H/OH⌉ − 1, overlapping where OH does not divide H; larger
    /// outputs repeat inputs). [N, H, W, C] → [N, OH, OW, C].
    /// </summary>
    /// <exception cref="ShapeException">x has not four axes or an empty height or width, or the output is not positive.</exception>
    public static Tensor AdaptiveAvgPool2d(this Tensor x, Size2d output)
    {
        Check.Rank(x, 4);
        if (output.Height < 1 || output.Width < 1 || x.Shape[1] == 0 || x.Shape[2] == 0)
            throw new ShapeException($"AdaptiveAvgPool2d takes a height and width of at least 1, got input {x.Shape} and output {output}");
        AxisWindows rows = AxisWindows.Adaptive(x.Shape[1], output.Height), columns = AxisWindows.Adaptive(x.Shape[2], output.Width);
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedAdaptiveAvgPool2d(rows, columns), [x.Shape[0], output.Height, output.Width, x.Shape[3]], x);
        Tensor y = Tensor.Empty([x.Shape[0], output.Height, output.Width, x.Shape[3]]);
        WindowMean.Forward(x, rows, columns, y).Run();
        Shape shape = x.Shape;
        return Autograd.Record(y, x, dy =>
        {
            Tensor dx = Tensor.Empty(shape);
            WindowMean.Backward(dy, rows, columns, dx).Run();
            return dx;
        }, read: []);
    }
}

/// <summary>Reads x.</summary>
internal sealed record TracedAdaptiveAvgPool2d(AxisWindows Rows, AxisWindows Columns) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => WindowMean.Forward(inputs[0].Tensor, Rows, Columns, output.Tensor);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        if (Rows.From.Length != 1 || Columns.From.Length != 1) throw OnnxGraph.Refusal(node, "ONNX has it for one output pixel only");
        onnx.Result(node, "GlobalAveragePool", [onnx.Of(node.Inputs[0]!)]);
    }
}
