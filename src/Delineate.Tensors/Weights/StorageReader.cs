using System.IO.Compression;

namespace Delineate.Tensors.Weights;

/// <summary>The storages of a zip checkpoint and views of them. No more is read, and no more copied, than the file has bytes.</summary>
internal sealed class StorageReader
{
    private readonly Dictionary<string, ZipArchiveEntry> entries = [];
    private readonly Dictionary<string, (ElementType Type, float[] Values)> storages = [];
    private readonly string folder;
    private readonly string path;
    private long bytesLeft;
    private long copiesLeft;

    public StorageReader(ZipArchive zip, string folder, long fileBytes, string path)
    {
        (this.folder, this.path, bytesLeft, copiesLeft) = (folder, path, fileBytes, fileBytes);
        foreach (ZipArchiveEntry entry in zip.Entries)
        {
            if (!entries.TryAdd(entry.FullName, entry))
                throw new WeightsFormatException(path, entry.FullName, "the archive has this entry twice");
        }
    }

    /// <summary>True where the archive says that its numbers are in big-endian order.</summary>
    public bool IsBigEndian =>
        entries.TryGetValue(folder + "byteorder", out ZipArchiveEntry? entry) && System.Text.Encoding.ASCII.GetString(ReadAll(entry, 16)).Trim() == "big";

    /// <summary>The bytes of an entry that may have at most <paramref name="most"/>.</summary>
    public byte[] ReadAll(ZipArchiveEntry entry, int most)
    {
        Take(entry);
        if (entry.Length > most)
            throw new WeightsFormatException(path, entry.FullName, $"{entry.Length:N0} bytes are more than the {most:N0} that are read");
        byte[] bytes = new byte[entry.Length];
        using Stream stream = entry.Open();
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>The tensor's values in the order of its axes.</summary>
    public RawTensor View(PickledTensor tensor, string name)
    {
        WeightsFormatException Bad(string reason) => new(path, $"tensor '{name}'", reason);
        ReadOnlyMemory<float> storage = Storage(tensor.Storage, name);
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
        if (tensor.Offset < 0 || last >= storage.Length) throw Bad($"it reaches beyond the {storage.Length:N0} elements of its storage");
        if (length > storage.Length)
            throw Bad($"{shape} has more elements than its storage's {storage.Length:N0}: expanded tensors are not read");
        if (IsContiguous(tensor)) return new RawTensor(shape, storage.Slice((int)tensor.Offset, shape.Length));
        copiesLeft -= shape.Length;
        if (copiesLeft < 0) throw Bad("its views of one storage would take more memory than the file has bytes");
        var values = new float[shape.Length];
        Gather(storage.Span[(int)tensor.Offset..], tensor, values);
        return new RawTensor(shape, values);
    }

    private ReadOnlyMemory<float> Storage(PickledStorage storage, string name)
    {
        if (storages.TryGetValue(storage.Key, out (ElementType Type, float[] Values) known))
        {
            return known.Type == storage.Type && known.Values.Length == storage.Length
                ? known.Values
                : throw new WeightsFormatException(path, $"tensor '{name}'", $"storage {storage.Key} has two types or lengths");
        }
        if (!entries.TryGetValue($"{folder}data/{storage.Key}", out ZipArchiveEntry? entry))
            throw new WeightsFormatException(path, $"tensor '{name}'", $"the archive lacks its storage data/{storage.Key}");
        Take(entry);
        // A storage may be longer in the archive than the pickle says (older versions padded), never shorter.
        if (entry.Length / storage.Type.Size() < storage.Length)
            throw new WeightsFormatException(path, entry.FullName, $"{storage.Length:N0} elements of {storage.Type} are claimed, but it has {entry.Length:N0} bytes");
        var values = new float[storage.Length];
        using Stream stream = entry.Open();
        storage.Type.Read(stream, values);
        storages.Add(storage.Key, (storage.Type, values));
        return values;
    }

    /// <summary>Counts an entry against the file's length: entries that are packed, or that share bytes, could claim without end.</summary>
    private void Take(ZipArchiveEntry entry)
    {
        if (entry.CompressedLength != entry.Length)
            throw new WeightsFormatException(path, entry.FullName, "the entry is compressed; torch.save stores entries as they are");
        bytesLeft -= entry.Length;
        if (entry.Length < 0 || bytesLeft < 0)
            throw new WeightsFormatException(path, entry.FullName, "the entries claim more bytes than the file has");
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

    /// <summary>Copies a strided view, last axis fastest. The caller made sure that all of it lies inside.</summary>
    private static void Gather(ReadOnlySpan<float> from, PickledTensor view, Span<float> to)
    {
        Span<long> index = stackalloc long[view.Sizes.Length];
        index.Clear();
        long at = 0;
        for (int i = 0; i < to.Length; i++)
        {
            to[i] = from[(int)at];
            for (int axis = index.Length - 1; axis >= 0; axis--)
            {
                at += view.Strides[axis];
                if (++index[axis] < view.Sizes[axis]) break;
                at -= view.Sizes[axis] * view.Strides[axis];
                index[axis] = 0;
            }
        }
    }
}
