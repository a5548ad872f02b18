namespace Delineate.Tensors.Weights;

/// <summary>An element type and the order of its bytes.</summary>
internal readonly record struct NumpyType(ElementType Elements, bool IsBigEndian);

/// <summary>What NumPy writes of an array, in <c>.npy</c> files and in pickles alike: an element type, sizes and an order of axes.</summary>
internal static class NumpyValues
{
    /// <summary>The element type of a code such as <c>f4</c>, whose bytes lie in an order of <c>&lt;</c>, <c>&gt;</c>, <c>=</c> (this machine's) or <c>|</c> (none).</summary>
    /// <exception cref="WeightsFormatException">It is not read.</exception>
    public static NumpyType TypeOf(char order, string code, Func<string, WeightsFormatException> bad)
    {
        ElementType type = code switch
        {
            "f8" => ElementType.F64,
            "f4" => ElementType.F32,
            "f2" => ElementType.F16,
            "i8" => ElementType.I64,
            "i4" => ElementType.I32,
            "i2" => ElementType.I16,
            "i1" => ElementType.I8,
            "u8" => ElementType.U64,
            "u4" => ElementType.U32,
            "u2" => ElementType.U16,
            "u1" => ElementType.U8,
            "b1" => ElementType.Bool,
            ['O', ..] => throw bad("its elements are Python objects, which could run any code: save numbers"),
            _ => throw bad($"NumPy's element type '{code}' is not read: save array.astype(numpy.float32)"),
        };
        return new NumpyType(type, order == '>');
    }

    /// <summary>An array whose values lie in a file from a byte on, all of its <paramref name="length"/> bytes.</summary>
    /// <exception cref="WeightsFormatException">The sizes are no tensor's, or take another number of bytes.</exception>
    public static RawTensor View(FileBytes file, long at, long length, NumpyType type, long[] sizes, bool isFortran, string place, Func<string, WeightsFormatException> bad)
    {
        if (sizes.Length > RawTensor.MostAxes) throw bad($"an array of {sizes.Length} axes");
        Int128 count = 1;
        foreach (long size in sizes)
        {
            if (size < 0 || size > RawTensor.MostElements) throw bad($"a size of {size:N0}");
            count *= size;
            if (count > RawTensor.MostElements) throw bad("it has more elements than a tensor can hold");
        }
        Int128 bytes = count * type.Elements.Size();
        if (bytes != length) throw bad($"[{string.Join(", ", sizes)}] of {type.Elements} takes {bytes:N0} bytes, but {length:N0} are given");
        Shape shape = Shape.Of(Array.ConvertAll(sizes, s => (int)s));
        if (count == 0) return new RawTensor(shape, default);
        StridedView view = StridedView.RowMajor(shape);
        if (isFortran)
        {
            long stride = 1;
            for (int i = 0; i < sizes.Length; i++)
            {
                view.Strides[i] = stride;
                stride *= sizes[i];
            }
        }
        return new RawTensor(view, new FileValues(file, type.Elements, at, place, type.IsBigEndian));
    }
}
