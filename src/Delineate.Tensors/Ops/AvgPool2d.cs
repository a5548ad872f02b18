using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Average pooling.</summary>
public static class AvgPool2dOp
{
    /// <summary>
    /// The mean of each window. [N, H, W, C] → [N, OH, OW, C]. The stride is the kernel's size unless given; padding counts as zeros unless
    /// <paramref name="countIncludePad"/> is false; cells beyond the padding, which <paramref name="ceilMode"/> may reach, never count.
    /// </summary>
    /// <exception cref="ShapeException">x has not four axes, the padding is more than half the kernel, or the output would be empty.</exception>
    public static Tensor AvgPool2d(this Tensor x, Size2d kernelSize, Size2d? stride = null, Size2d? padding = null, bool ceilMode = false, bool countIncludePad = true)
    {
        Window2d window = Window2d.Of(x, kernelSize, stride ?? kernelSize, padding ?? 0, 1, ceilMode);
        AxisWindows rows = AxisWindows.Sliding(window.Input.Height, window.Output.Height, window.Kernel.Height, window.Stride.Height, window.Padding.Height, countIncludePad);
        AxisWindows columns = AxisWindows.Sliding(window.Input.Width, window.Output.Width, window.Kernel.Width, window.Stride.Width, window.Padding.Width, countIncludePad);
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedAvgPool2d(rows, columns, window, ceilMode, countIncludePad), window.OutputShape, x);
        Tensor y = Tensor.Empty(window.OutputShape);
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
internal sealed record TracedAvgPool2d(AxisWindows Rows, AxisWindows Columns, Window2d Window, bool CeilMode, bool CountIncludePad) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => WindowMean.Forward(inputs[0].Tensor, Rows, Columns, output.Tensor);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        if (CeilMode) throw OnnxGraph.Refusal(node, "with ceilMode runtimes do not agree on which cells count");
        onnx.Result(node, "AveragePool", [onnx.Of(node.Inputs[0]!)], [.. Window.OnnxAttributes(), new("count_include_pad", CountIncludePad ? 1 : 0)]);
    }
}
