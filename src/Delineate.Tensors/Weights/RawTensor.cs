namespace Delineate.Tensors.Weights;

/// <summary>
/// A tensor as a weight file holds it: float32 values, row-major in PyTorch's order of axes, <c>[Cout, Cin, Kh, Kw]</c> for a convolution.
/// A tensor of four axes is re-laid with its second axis last when it becomes a <see cref="Tensor"/>; other ranks are the same in both.
/// The values of a tensor of a <see cref="WeightFile"/> stay in the file: each call that asks for them reads them, and fails once the file is closed.
/// </summary>
public sealed class RawTensor
{
    internal const int MostAxes = 32;
    internal static readonly int MostElements = Array.MaxLength - 64;
    private readonly StridedView view;
    private readonly FileValues? file; // null where the values are in memory
    private readonly ReadOnlyMemory<float> memory;

    /// <exception cref="ShapeException">The count of values is not the shape's.</exception>
    public RawTensor(Shape shape, ReadOnlyMemory<float> values)
    {
        if (values.Length != shape.Length)
            throw new ShapeException($"{shape} has {shape.Length} elements, but {values.Length} values were given");
        (view, memory) = (StridedView.RowMajor(shape), values);
    }

    internal RawTensor(StridedView view, FileValues file) => (this.view, this.file) = (view, file);

    private RawTensor(StridedView view, FileValues? file, ReadOnlyMemory<float> memory) => (this.view, this.file, this.memory) = (view, file, memory);

    public Shape Shape => view.Shape;

    /// <summary>What the elements are in the file, in safetensors' words: <c>F32</c>, <c>BF16</c>, <c>I64</c>, <c>BOOL</c>.</summary>
    public string ElementType => (file?.Type ?? Weights.ElementType.F32).ToString().ToUpperInvariant();

    /// <summary>The shape that a tensor of the engine has in a file.</summary>
    public static Shape ShapeOf(Tensor tensor) => ChannelOrder.ToSecond(tensor.Shape);

    /// <summary>A copy of an engine's tensor: the inverse of <see cref="ToTensor"/>.</summary>
    public static RawTensor Of(Tensor tensor)
    {
        var values = new float[tensor.Length];
        ChannelOrder.ToSecond(tensor.Shape, tensor.Span, values);
        return new RawTensor(ChannelOrder.ToSecond(tensor.Shape), values);
    }

    /// <summary>
    /// The same values with one axis cut into several. The weight of a linear layer over flattened maps, [Cout, C·Kh·Kw], becomes that of the convolution
    /// which does the same, [Cout, C, Kh, Kw]. Reads nothing.
    /// </summary>
    /// <exception cref="ShapeException">There is no such axis, or the sizes' product is not its size.</exception>
    public RawTensor Unflatten(int axis, params ReadOnlySpan<int> sizes) => new(view.Unflatten(axis, sizes), file, memory);

    /// <summary>A copy of the values, row-major in PyTorch's order of axes.</summary>
    /// <exception cref="WeightsFormatException">The file was changed or cannot be read.</exception>
    public float[] ToArray()
    {
        float[] values = GC.AllocateUninitializedArray<float>(Shape.Length);
        Copy(view, values);
        return values;
    }

    /// <summary>A new tensor with the same values, channels last.</summary>
    /// <exception cref="WeightsFormatException">The file was changed or cannot be read.</exception>
    public Tensor ToTensor()
    {
        Tensor tensor = Tensor.Empty(ChannelOrder.ToLast(Shape));
        CopyTo(tensor);
        return tensor;
    }

    /// <summary>Overwrites a tensor with these values, channels last. From a file they are read a few megabytes at a time at most.</summary>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    /// <exception cref="WeightsFormatException">The file was changed or cannot be read; it may have been found out only after some values were overwritten.</exception>
    public void CopyTo(Tensor tensor)
    {
        StridedView last = ChannelOrder.ToLast(view);
        if (tensor.Shape != last.Shape) throw new ShapeException($"values of {last.Shape} cannot fill a tensor of {tensor.Shape}");
        Copy(last, tensor.Span);
    }

    /// <summary>Refuses values whose file is closed or is not what it was when it was opened.</summary>
    internal void RefuseChanged() => file?.RefuseChanged();

    private void Copy(StridedView order, Span<float> to)
    {
        if (file is null)
        {
            StridedCopy.Run(memory.Span, order, to);
            return;
        }
        file.RefuseChanged();
        StridedCopy.Run(file, order, to);
        file.RefuseChanged(); // a file that was written over meanwhile can have given any values
    }
}
