namespace Delineate.Tensors.Weights;

/// <summary>
/// An open weight file. Opening reads and checks everything but the values, which <see cref="RawTensor"/> reads from the file when they are asked for, so
/// that loading a network takes no second copy of its weights. Any thread may read, and several at once; dispose the file once the values were read.
/// </summary>
public sealed class WeightFile : IDisposable
{
    /// <summary>Bytes that tell the formats apart.</summary>
    internal const int HeadLength = 32;

    private static readonly Dictionary<string, string> Nothing = [];
    private readonly FileBytes bytes;

    private WeightFile(FileBytes bytes, IReadOnlyDictionary<string, string> metadata, IReadOnlyDictionary<string, RawTensor> tensors) =>
        (this.bytes, Metadata, Tensors) = (bytes, metadata, tensors);

    /// <summary>The file's path, or the name that the caller gave a stream.</summary>
    public string Name => bytes.Name;

    /// <summary>What the file says of itself; only <c>.safetensors</c> files say anything.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensors by name, in the file's order.</summary>
    public IReadOnlyDictionary<string, RawTensor> Tensors { get; }

    /// <summary>
    /// Opens a <c>.safetensors</c> file, a PyTorch checkpoint of any version, a pickle of arrays as detectron2 publishes it, a <c>.npy</c> or a <c>.npz</c>
    /// file: the first bytes decide, not the suffix.
    /// </summary>
    /// <exception cref="WeightsFormatException">The file is damaged or of a format that is not read.</exception>
    public static WeightFile Open(string path) => Open(new FileBytes(path), ReadAny);

    /// <summary>
    /// The same from a stream that can seek, which stays the caller's and must stay open; it is moved whenever values are read.
    /// <paramref name="name"/> stands for the path in messages.
    /// </summary>
    /// <exception cref="WeightsFormatException">The file is damaged or of a format that is not read.</exception>
    public static WeightFile Open(Stream stream, string name) => Open(new FileBytes(stream, name), ReadAny);

    /// <summary>Closes the file. Its tensors keep their shapes, but no values can be read any more.</summary>
    public void Dispose() => bytes.Dispose();

    /// <summary>A file whose contents <paramref name="read"/> finds in the bytes, which are closed with it, or at once where that fails.</summary>
    internal static WeightFile Open(FileBytes bytes, Func<FileBytes, Contents> read)
    {
        try
        {
            Contents contents = read(bytes);
            return new WeightFile(bytes, contents.Metadata ?? Nothing, WithoutParallel(contents.Tensors));
        }
        catch
        {
            bytes.Dispose();
            throw;
        }
    }

    /// <summary>
    /// A safetensors file begins with the length of its header, 'P' or 0x80 with a zip archive or a pickle. All three can agree in this byte, so the
    /// ninth decides: the header's brace.
    /// </summary>
    private static Contents ReadAny(FileBytes bytes)
    {
        Span<byte> head = stackalloc byte[(int)Math.Min(HeadLength, bytes.Length)];
        bytes.Read(0, head, "byte 0");
        if (NpyFile.IsNpy(head)) return NpyFile.Read(bytes);
        if (head is [_, _, _, _, _, _, _, _, (byte)'{', ..]) return SafetensorsFile.Read(bytes);
        if (PyTorchFile.IsStream(head)) return PyTorchFile.Read(bytes);
        if (head is [0x80, ..]) return PickleFile.Read(bytes);
        return head is [(byte)'P', ..] ? ReadZip(bytes) : SafetensorsFile.Read(bytes);
    }

    private static Contents ReadZip(FileBytes bytes)
    {
        var zip = new ZipDirectory(bytes);
        return !zip.Entries.Any(PyTorchFile.IsPickle) && zip.Entries.Any(NpzFile.IsArray) ? NpzFile.Read(bytes, zip) : PyTorchFile.Read(bytes, zip);
    }

    /// <summary>The tensors without the prefix that PyTorch's DataParallel puts before every name.</summary>
    private static IReadOnlyDictionary<string, RawTensor> WithoutParallel(IReadOnlyDictionary<string, RawTensor> tensors)
    {
        const string Parallel = "module.";
        return tensors.Count > 0 && tensors.Keys.All(name => name.StartsWith(Parallel, StringComparison.Ordinal))
            ? tensors.ToDictionary(t => t.Key[Parallel.Length..], t => t.Value)
            : tensors;
    }

    /// <summary>What a format's reader finds in a file.</summary>
    internal sealed record Contents(IReadOnlyDictionary<string, RawTensor> Tensors, IReadOnlyDictionary<string, string>? Metadata = null);
}
