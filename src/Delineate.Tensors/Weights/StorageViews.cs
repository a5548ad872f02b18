namespace Delineate.Tensors.Weights;

/// <summary>
/// Views of a checkpoint's storages, which begin where <paramref name="placeOf"/> says (given the name of the tensor that asks). Views that are no plain
/// stretch of the file claim no more than the file has bytes.
/// </summary>
internal sealed class StorageViews(FileBytes file, Func<PickledStorage, string, long> placeOf)
{
    private long copiesLeft = file.Length;

    /// <summary>A tensor whose values will be read from its storage in the order of its axes.</summary>
    public RawTensor View(PickledTensor tensor, string name)
    {
        WeightsFormatException Bad(string reason) => new(file.Name, $"tensor '{name}'", reason);
        long at = placeOf(tensor.Storage, name), stored = tensor.Storage.Count;
        if (tensor.Sizes.Length != tensor.Strides.Length)
            throw Bad($"it has {tensor.Sizes.Length} sizes and {tensor.Strides.Length} strides");
        Int128 length = 1, last = tensor.Offset;
        for (int i = 0; i < tensor.Sizes.Length; i++)
        {
            (long size, long stride) = (tensor.Sizes[i], tensor.Strides[i]);
            if (size < 0 || size > RawTensor.MostElements || stride < 0) throw Bad($"a size of {size:N0} with a stride of {stride:N0}");
            length *= size;
            last += (Int128)Math.Max(0, size - 1) * stride;
            if (length > RawTensor.MostElements) throw Bad("it has more elements than a tensor can hold");
        }
        Shape shape = Shape.Of(Array.ConvertAll(tensor.Sizes, s => (int)s));
        if (length == 0) return new RawTensor(shape, default);
        if (tensor.Offset < 0 || last >= stored) throw Bad($"it reaches beyond the {stored:N0} elements of its storage");
        if (length > stored)
            throw Bad($"{shape} has more elements than its storage's {stored:N0}: expanded tensors are not read");
        if (!IsContiguous(tensor))
        {
            copiesLeft -= shape.Length;
            if (copiesLeft < 0) throw Bad("its views of one storage would take more memory than the file has bytes");
            if (last - tensor.Offset >= RawTensor.MostElements) throw Bad("its elements lie further apart than a tensor can be long");
        }
        return new RawTensor(new StridedView(shape, tensor.Storage.First + tensor.Offset, tensor.Strides), new FileValues(file, tensor.Storage.Type, at, $"tensor '{name}'"));
    }

    private static bool IsContiguous(PickledTensor tensor)
    {
        long expected = 1;
        for (int i = tensor.Sizes.Length - 1; i >= 0; i--)
        {
            if (tensor.Sizes[i] != 1 && tensor.Strides[i] != expected) return false;
            expected *= tensor.Sizes[i];
        }
        return true;
    }
}
