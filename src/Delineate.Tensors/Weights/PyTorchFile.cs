using System.IO.Compression;

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
    /// The state dict of a checkpoint: the tensors at its top, or those under <c>model</c>, <c>state_dict</c> or <c>model_state_dict</c>;
    /// a prefix <c>module.</c> common to all names is taken off. What else a checkpoint holds (epoch, optimizer, arguments) is left out.
    /// </summary>
    /// <exception cref="WeightsFormatException">The file is damaged, of another format, or asks for more than tensors and containers.</exception>
    public static IReadOnlyDictionary<string, RawTensor> Load(string path)
    {
        using FileStream file = File.OpenRead(path);
        return Load(file, path);
    }

    /// <summary>The same from a stream that can seek; <paramref name="name"/> stands for the path in messages.</summary>
    public static IReadOnlyDictionary<string, RawTensor> Load(Stream stream, string name)
    {
        RefuseOtherFormats(stream, name);
        try
        {
            using var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
            ZipArchiveEntry[] pickles = [.. zip.Entries.Where(e => e.FullName.EndsWith("/data.pkl", StringComparison.Ordinal)).Take(2)];
            if (pickles.Length != 1) throw new WeightsFormatException(name, "archive",
                    pickles.Length == 0 ? "a zip archive without data.pkl is no PyTorch checkpoint" : "the archive has more than one data.pkl");
            string folder = pickles[0].FullName[..^"data.pkl".Length];
            var storages = new StorageReader(zip, folder, stream.Length, name);
            if (storages.IsBigEndian) throw new WeightsFormatException(name, "byteorder", "tensors in big-endian order are not read");
            byte[] pickle = storages.ReadAll(pickles[0], MostPickleBytes);
            return Tensors(StateDict(new Unpickler(pickle, name, "data.pkl").Load(), name), storages, name);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or NotSupportedException)
        {
            throw new WeightsFormatException(name, "archive", "the zip archive is damaged or cut short", e);
        }
    }

    private static void RefuseOtherFormats(Stream stream, string path)
    {
        Span<byte> head = stackalloc byte[16];
        int length = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        if (length >= 4 && head.StartsWith("PK\x03\x04"u8)) return;
        ReadOnlySpan<byte> oldMagic = [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]; // 0x1950a86a20f9469cfc6c, pickled
        if (head[0] == 0x80 && head[2..].StartsWith(oldMagic))
            throw new WeightsFormatException(path, "byte 0", "a checkpoint in PyTorch's old stream format (before 1.6); only the zip format is read: in Python, load it and torch.save it again");
        throw new WeightsFormatException(path, "byte 0", "not a PyTorch checkpoint: it does not begin as a zip archive");
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
