namespace Delineate.Tensors.Weights;

/// <summary>
/// Some of the elements of a storage, in the row-major order of a shape: element (i, j, …) is number <paramref name="Offset"/> + i·<c>Strides[0]</c> +
/// j·<c>Strides[1]</c> + ….
/// </summary>
internal readonly record struct StridedView(Shape Shape, long Offset, long[] Strides)
{
    /// <summary>All elements of a storage in their order.</summary>
    public static StridedView RowMajor(Shape shape)
    {
        var strides = new long[shape.Rank];
        long stride = 1;
        for (int i = strides.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= shape[i];
        }
        return new StridedView(shape, 0, strides);
    }

    /// <summary>The same elements with axis <c>order[i]</c> as the i-th.</summary>
    public StridedView Permute(ReadOnlySpan<int> order)
    {
        var sizes = new int[order.Length];
        var strides = new long[order.Length];
        for (int i = 0; i < order.Length; i++) (sizes[i], strides[i]) = (Shape[order[i]], Strides[order[i]]);
        return new StridedView(Shape.Of(sizes), Offset, strides);
    }

    /// <summary>The same elements with one axis cut into several, the first of which is the slowest.</summary>
    /// <exception cref="ShapeException">The sizes' product is not the axis's size.</exception>
    public StridedView Unflatten(int axis, ReadOnlySpan<int> sizes)
    {
        int place = Shape.Axis(axis);
        if (Shape.Of(sizes).Length != Shape[place])
            throw new ShapeException($"axis {axis} of {Shape} cannot be cut into [{string.Join(", ", sizes.ToArray())}]: their product is not {Shape[place]}");
        long[] cut = RowMajor(Shape.Of(sizes)).Strides;
        for (int i = 0; i < cut.Length; i++) cut[i] *= Strides[place];
        Shape shape = [.. Shape.AsSpan()[..place], .. sizes, .. Shape.AsSpan()[(place + 1)..]];
        return new StridedView(shape, Offset, [.. Strides[..place], .. cut, .. Strides[(place + 1)..]]);
    }
}
