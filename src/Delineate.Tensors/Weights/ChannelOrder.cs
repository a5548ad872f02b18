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

    /// <summary>Values of a tensor of <paramref name="shape"/>, channels second, written channels last.</summary>
    public static void ToLast(Shape shape, ReadOnlySpan<float> from, Span<float> to) =>
        Transpose(from, to, shape.Rank == 4 ? shape[1] : 1, shape.Rank == 4 ? shape[2] * shape[3] : 1);

    /// <summary>Values of a tensor of <paramref name="shape"/>, channels last, written channels second.</summary>
    public static void ToSecond(Shape shape, ReadOnlySpan<float> from, Span<float> to) =>
        Transpose(from, to, shape.Rank == 4 ? shape[1] * shape[2] : 1, shape.Rank == 4 ? shape[3] : 1);

    /// <summary>Transposes each matrix of a stack.</summary>
    private static void Transpose(ReadOnlySpan<float> from, Span<float> to, int rows, int columns)
    {
        if (rows <= 1 || columns <= 1)
        {
            from.CopyTo(to);
            return;
        }
        for (int start = 0; start < from.Length; start += rows * columns)
        {
            ReadOnlySpan<float> source = from.Slice(start, rows * columns);
            Span<float> target = to.Slice(start, rows * columns);
            for (int r = 0; r < rows; r++)
            {
                for (int c = 0; c < columns; c++) target[(c * rows) + r] = source[(r * columns) + c];
            }
        }
    }
}
