using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Interpolation by the nearest pixel.</summary>
public static unsafe class ResizeNearestOp
{
    /// <summary>
    /// The map at another size; output pixel o repeats input pixel ⌊o · H / height⌋. [N, H, W, C] → [N, height, width, C].
    /// </summary>
    /// <exception cref="ShapeException">x has not four axes, or a size is not positive.</exception>
    public static Tensor ResizeNearest(this Tensor x, int height, int width) => Resize(x, height, width, null, null);

    /// <summary>The same to another map's height and width, whatever they are: a graph remembers the map, not the numbers.</summary>
    /// <exception cref="ShapeException">A map has not four axes, or a size is not positive.</exception>
    public static Tensor ResizeNearest(this Tensor x, Tensor like)
    {
        ArgumentNullException.ThrowIfNull(like);
        Check.Rank(like, 4);
        return Resize(x, like.Shape[1], like.Shape[2], null, like);
    }

    /// <summary>The same to ⌊H · scale⌋ × ⌊W · scale⌋; output pixel o repeats input pixel ⌊o / scale⌋.</summary>
    /// <exception cref="ShapeException">x has not four axes, or a size is not positive.</exception>
    public static Tensor ResizeNearest(this Tensor x, float scale)
    {
        (int height, int width) = Scaled(x, scale, nameof(ResizeNearest));
        return Resize(x, height, width, scale, null);
    }

    internal static (int Height, int Width) Scaled(Tensor x, float scale, string op)
    {
        Check.Rank(x, 4, op);
        double height = Math.Floor(x.Shape[1] * (double)scale), width = Math.Floor(x.Shape[2] * (double)scale);
        if (!(height >= 1 && width >= 1 && height <= int.MaxValue && width <= int.MaxValue))
            throw new ShapeException($"{op} of {x.Shape} by {scale} has no size: use a positive scale that leaves at least one pixel");
        return ((int)height, (int)width);
    }

    internal static void CheckSizes(Tensor x, int height, int width, string op)
    {
        Check.Rank(x, 4, op);
        if (height < 1 || width < 1 || x.Shape[1] == 0 || x.Shape[2] == 0)
            throw new ShapeException($"{op} takes a height and width of at least 1, got input {x.Shape} and output {height}×{width}");
    }

    private static Tensor Resize(Tensor x, int height, int width, float? scale, Tensor? like)
    {
        CheckSizes(x, height, width, nameof(ResizeNearest));
        AxisWindows rows = Sources(x.Shape[1], height, scale), columns = Sources(x.Shape[2], width, scale);
        if (Tracer.Current is { } tracer) return tracer.AddSized(new TracedResizeNearest(rows, columns, scale), [x.Shape[0], height, width, x.Shape[3]], like, x);
        Tensor y = Tensor.Empty([x.Shape[0], height, width, x.Shape[3]]);
        WindowMean.Forward(x, rows, columns, y).Run();
        Shape shape = x.Shape;
        return Autograd.Record(y, x, dy =>
        {
            Tensor dx = Tensor.Empty(shape);
            WindowMean.Backward(dy, rows, columns, dx).Run();
            return dx;
        }, read: []);
    }

    // In float, as the reference implementation does, so that both round alike.
    private static AxisWindows Sources(int inputs, int outputs, float? scale)
    {
        float step = AxisResize.Step(inputs, outputs, scale);
        return AxisWindows.Single(inputs, outputs, o => inputs == outputs ? o : Math.Min((int)(o * step), inputs - 1));
    }
}

/// <summary>Reads x.</summary>
internal sealed record TracedResizeNearest(AxisWindows Rows, AxisWindows Columns, float? Scale) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => WindowMean.Forward(inputs[0].Tensor, Rows, Columns, output.Tensor);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node) =>
        onnx.Resize(node, Scale, new("mode", "nearest"), new("coordinate_transformation_mode", "asymmetric"), new("nearest_mode", "floor"));
}
