namespace Delineate.Tensors.Weights;

/// <summary>
/// A tensor as a weight file holds it: float32 values, row-major in PyTorch's order of axes, <c>[Cout, Cin, Kh, Kw]</c> for a convolution.
/// A tensor of four axes is re-laid with its second axis last when it becomes a <see cref="Tensor"/>; other ranks are the same in both.
/// </summary>
public sealed class RawTensor
{
    internal const int MostAxes = 32;
    internal static readonly int MostElements = Array.MaxLength - 64;

    /// <exception cref="ShapeException">The count of values is not the shape's.</exception>
    public RawTensor(Shape shape, ReadOnlyMemory<float> values)
    {
        if (values.Length != shape.Length)
            throw new ShapeException($"{shape} has {shape.Length} elements, but {values.Length} values were given");
        (Shape, Values) = (shape, values);
    }

    public Shape Shape { get; }

    public ReadOnlyMemory<float> Values { get; }

    /// <summary>The shape that a tensor of the engine has in a file.</summary>
    public static Shape ShapeOf(Tensor tensor) => ChannelOrder.ToSecond(tensor.Shape);

    /// <summary>The tensor of an engine's tensor: the inverse of <see cref="ToTensor"/>.</summary>
    public static RawTensor Of(Tensor tensor)
    {
        var values = new float[tensor.Length];
        ChannelOrder.ToSecond(tensor.Shape, tensor.Span, values);
        return new RawTensor(ChannelOrder.ToSecond(tensor.Shape), values);
    }

    /// <summary>A new tensor with the same values, channels last.</summary>
    public Tensor ToTensor()
    {
        Tensor tensor = Tensor.Empty(ChannelOrder.ToLast(Shape));
        CopyTo(tensor);
        return tensor;
    }

    /// <summary>Overwrites a tensor with these values, channels last.</summary>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public void CopyTo(Tensor tensor)
    {
        Shape shape = ChannelOrder.ToLast(Shape);
        if (tensor.Shape != shape) throw new ShapeException($"values of {shape} cannot fill a tensor of {tensor.Shape}");
        ChannelOrder.ToLast(Shape, Values.Span, tensor.Span);
    }
}
