namespace Delineate.Tensors.Weights;

/// <summary>
/// A checkpoint written by <c>torch.save</c> of PyTorch 1.6 or later: a zip archive with a pickle and one file per storage. The pickle is
/// read, never run: whatever it names beyond tensors and plain containers is refused.
/// </summary>
public static class PyTorchFile
{
    private const int MostPickleBytes = 64 << 20;
    private static readonly string[] Wrappers = ["model", "state_dict", "model_state_dict"];

    /// <summary>
    /// Opens the state dict of a checkpoint: the tensors at its top, or those under <c>model</c>, <c>state_dict</c> or <c>model_state_dict</c>;
    /// a prefix <c>module.</c> common to all names is taken off. What else a checkpoint holds (epoch, optimizer, arguments) is left out.
    /// </summary>
    /// <exception cref="WeightsFormatException">The file is damaged, of another format, or asks for more than tensors and containers.</exception>
    public static WeightFile Open(string path) => WeightFile.Open(new FileBytes(path), Read);

    /// <summary>The same from a stream: see <see cref="WeightFile.Open(Stream, string)"/>.</summary>
    /// <exception cref="WeightsFormatException">As above.</exception>
    public static WeightFile Open(Stream stream, string name) => WeightFile.Open(new FileBytes(stream, name), Read);

    internal static WeightFile.Contents Read(FileBytes file)
    {
        RefuseOtherFormats(file);
        var zip = new ZipDirectory(file);
        ZipEntry[] pickles = [.. zip.Entries.Where(e => e.Name.EndsWith("/data.pkl", StringComparison.Ordinal)).Take(2)];
        if (pickles.Length != 1) throw new WeightsFormatException(file.Name, "archive",
                pickles.Length == 0 ? "a zip archive without data.pkl is no PyTorch checkpoint" : "the archive has more than one data.pkl");
        var storages = new StorageReader(file, zip, pickles[0].Name[..^"data.pkl".Length]);
        if (storages.IsBigEndian) throw new WeightsFormatException(file.Name, "byteorder", "tensors in big-endian order are not read");
        byte[] pickle = storages.ReadAll(pickles[0], MostPickleBytes);
        return new WeightFile.Contents(Tensors(StateDict(new Unpickler(pickle, file.Name, "data.pkl").Load(), file.Name), storages, file.Name));
    }

    private static void RefuseOtherFormats(FileBytes file)
    {
        Span<byte> head = stackalloc byte[(int)Math.Min(16, file.Length)];
        file.Read(0, head, "byte 0");
        if (head.StartsWith("PK\x03\x04"u8)) return;
        ReadOnlySpan<byte> oldMagic = [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]; // 0x1950a86a20f9469cfc6c, pickled
        if (head is [0x80, _, ..] && head[2..].StartsWith(oldMagic))
            throw new WeightsFormatException(file.Name, "byte 0", "a checkpoint in PyTorch's old stream format (before 1.6); only the zip format is read: in Python, load it and torch.save it again");
        throw new WeightsFormatException(file.Name, "byte 0", "not a PyTorch checkpoint: it does not begin as a zip archive");
    }

    /// <summary>The named tensors at the top of the pickled object or in one of the usual wrappers.</summary>
    private static List<(string Name, PickledTensor Tensor)> StateDict(object? root, string path)
    {
        if (root is not PickledMap map) throw new WeightsFormatException(path, "data.pkl", "the checkpoint holds no dictionary of tensors");
        foreach (string wrapper in Wrappers)
        {
            if (map.Items.LastOrDefault(i => i.Key is string key && key == wrapper).Value is PickledMap inner
                && NamedTensors(inner) is { Count: > 0 } wrapped) return wrapped;
        }
        return NamedTensors(map) is { Count: > 0 } tensors
            ? tensors
            : throw new WeightsFormatException(path, "data.pkl", "the checkpoint holds no tensors by name, neither at its top nor under model, state_dict or model_state_dict");
    }

    private static List<(string Name, PickledTensor Tensor)> NamedTensors(PickledMap map)
    {
        const string Parallel = "module."; // what DataParallel puts before every name
        List<(string Name, PickledTensor Tensor)> tensors =
            [.. map.Items.Where(i => i is { Key: string, Value: PickledTensor }).Select(i => ((string)i.Key!, (PickledTensor)i.Value!))];
        return tensors.TrueForAll(t => t.Name.StartsWith(Parallel, StringComparison.Ordinal))
            ? tensors.ConvertAll(t => (t.Name[Parallel.Length..], t.Tensor))
            : tensors;
    }

    private static Dictionary<string, RawTensor> Tensors(List<(string Name, PickledTensor Tensor)> named, StorageReader storages, string path)
    {
        var tensors = new Dictionary<string, RawTensor>(named.Count);
        foreach ((string name, PickledTensor tensor) in named)
        {
            if (!tensors.TryAdd(name, storages.View(tensor, name)))
                throw new WeightsFormatException(path, $"tensor '{name}'", "the checkpoint has this name twice");
        }
        return tensors;
    }
}
