namespace Delineate.Tensors.Weights;

/// <summary>The storages of a zip checkpoint and views of them. Storages claim no more than the file has bytes, and neither do strided views.</summary>
internal sealed class StorageReader
{
    private readonly Dictionary<string, ZipEntry> entries = [];
    private readonly Dictionary<string, (PickledStorage Storage, long At)> storages = [];
    private readonly FileBytes file;
    private readonly ZipDirectory zip;
    private readonly string folder;
    private long bytesLeft;
    private long copiesLeft;

    public StorageReader(FileBytes file, ZipDirectory zip, string folder)
    {
        (this.file, this.zip, this.folder, bytesLeft, copiesLeft) = (file, zip, folder, file.Length, file.Length);
        foreach (ZipEntry entry in zip.Entries)
        {
            if (!entries.TryAdd(entry.Name, entry))
                throw new WeightsFormatException(file.Name, entry.Name, "the archive has this entry twice");
        }
    }

    /// <summary>True where the archive says that its numbers are in big-endian order.</summary>
    public bool IsBigEndian =>
        entries.TryGetValue(folder + "byteorder", out ZipEntry? entry) && System.Text.Encoding.ASCII.GetString(ReadAll(entry, 16)).Trim() == "big";

    /// <summary>The bytes of an entry that may have at most <paramref name="most"/>.</summary>
    public byte[] ReadAll(ZipEntry entry, int most)
    {
        Take(entry);
        if (entry.Length > most)
            throw new WeightsFormatException(file.Name, entry.Name, $"{entry.Length:N0} bytes are more than the {most:N0} that are read");
        byte[] bytes = new byte[entry.Length];
        file.Read(zip.DataAt(entry), bytes, entry.Name);
        return bytes;
    }

    /// <summary>A tensor whose values will be read from its storage in the order of its axes.</summary>
    public RawTensor View(PickledTensor tensor, string name)
    {
        WeightsFormatException Bad(string reason) => new(file.Name, $"tensor '{name}'", reason);
        long at = Storage(tensor.Storage, name), stored = tensor.Storage.Length;
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
        return new RawTensor(new StridedView(shape, tensor.Offset, tensor.Strides), new FileValues(file, tensor.Storage.Type, at, $"tensor '{name}'"));
    }

    /// <summary>Where the storage begins in the file.</summary>
    private long Storage(PickledStorage storage, string name)
    {
        if (storages.TryGetValue(storage.Key, out (PickledStorage Storage, long At) known))
        {
            return known.Storage == storage
                ? known.At
                : throw new WeightsFormatException(file.Name, $"tensor '{name}'", $"storage {storage.Key} has two types or lengths");
        }
        if (!entries.TryGetValue($"{folder}data/{storage.Key}", out ZipEntry? entry))
            throw new WeightsFormatException(file.Name, $"tensor '{name}'", $"the archive lacks its storage data/{storage.Key}");
        Take(entry);
        // A storage may be longer in the archive than the pickle says (older versions padded), never shorter.
        if (entry.Length / storage.Type.Size() < storage.Length)
            throw new WeightsFormatException(file.Name, entry.Name, $"{storage.Length:N0} elements of {storage.Type} are claimed, but it has {entry.Length:N0} bytes");
        long at = zip.DataAt(entry);
        storages.Add(storage.Key, (storage, at));
        return at;
    }

    /// <summary>Counts an entry against the file's length: entries that are packed, or that share bytes, could claim without end.</summary>
    private void Take(ZipEntry entry)
    {
        if (!entry.IsStored)
            throw new WeightsFormatException(file.Name, entry.Name, "the entry is compressed or encrypted; torch.save stores entries as they are");
        bytesLeft -= entry.Length;
        if (bytesLeft < 0)
            throw new WeightsFormatException(file.Name, entry.Name, "the entries claim more bytes than the file has");
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
