namespace Delineate.Tensors.Weights;

/// <summary>
/// The two orders of axes: PyTorch keeps the channels of a four-axis tensor second ([N, C, H, W], [Cout, Cin, Kh, Kw]), this engine last
/// ([N, H, W, C], [Cout, Kh, Kw, Cin]). Weights change order here and nowhere else. Tensors of other ranks are the same in both.
/// </summary>
internal static class ChannelOrder
{
    /// <summary>[A, B, H, W] → [A, H, W, B].</summary>
    public static Shape ToLast(Shape shape) => shape.Rank == 4 ? [shape[0], shape[2], shape[3], shape[1]] : shape;

    /// <summary>[A, H, W, B] → [A, B, H, W].</summary>
    public static Shape ToSecond(Shape shape) => shape.Rank == 4 ? [shape[0], shape[3], shape[1], shape[2]] : shape;

    /// <summary>The elements of a view, channels second, in the order in which they are channels last.</summary>
    public static StridedView ToLast(StridedView view) => view.Shape.Rank == 4 ? view.Permute([0, 2, 3, 1]) : view;

    /// <summary>Values of a tensor of <paramref name="shape"/>, channels last, written channels second.</summary>
    public static void ToSecond(Shape shape, ReadOnlySpan<float> from, Span<float> to)
    {
        StridedView view = StridedView.RowMajor(shape);
        StridedCopy.Run(from, shape.Rank == 4 ? view.Permute([0, 3, 1, 2]) : view, to);
    }
}
