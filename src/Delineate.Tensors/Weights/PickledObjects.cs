namespace Delineate.Tensors.Weights;

/// <summary>A dictionary in a pickle: pairs in their order. Keys are not hashed, so hostile ones cost nothing.</summary>
internal sealed class PickledMap
{
    public List<(object? Key, object? Value)> Items { get; } = [];
}

/// <summary>
/// A storage that a checkpoint's tensors lie in: <paramref name="Count"/> elements from number <paramref name="First"/> on of the
/// <paramref name="Length"/> that are written under a key. Only files of PyTorch's first versions have storages that are a part of another.
/// </summary>
internal sealed record PickledStorage(ElementType Type, string Key, long Length, long First, long Count);

/// <summary>A tensor: a view of a storage, its sizes and strides counted in elements.</summary>
internal sealed record PickledTensor(PickledStorage Storage, long Offset, long[] Sizes, long[] Strides);

/// <summary>Bytes, or a text of one byte a letter, that stay where they are until an array's values are read.</summary>
internal sealed record PickledBytes(FileBytes Source, long At, long Length);

/// <summary>A text too long to be a name. It is decoded only where an array says that it is its bytes.</summary>
internal sealed record PickledText(long At, int Length);

/// <summary>An element type of NumPy: <c>f4</c> and the order of its bytes, which the pickle sets after it has made it.</summary>
internal sealed class PickledDtype(string code)
{
    public string Code => code;

    public char Order { get; set; } = '=';
}

/// <summary>An array of NumPy, which is made empty and then filled; <see cref="Type"/> is null until then.</summary>
internal sealed class PickledArray
{
    public PickledDtype? Type { get; set; }

    public long[] Sizes { get; set; } = [];

    /// <summary>The first axis is the innermost.</summary>
    public bool IsFortran { get; set; }

    /// <summary>Null where the elements are Python objects.</summary>
    public PickledBytes? Data { get; set; }
}

/// <summary>An object whose content is of no use here (arguments, devices): kept as a place holder.</summary>
internal sealed class PickledOther;
