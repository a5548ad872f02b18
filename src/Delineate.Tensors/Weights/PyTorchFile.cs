using System.Globalization;
using System.Numerics;

namespace Delineate.Tensors.Weights;

/// <summary>
/// A checkpoint written by <c>torch.save</c>: since PyTorch 1.6 a zip archive with a pickle and one file per storage, before it a stream of pickles
/// with the storages behind them. The pickle is read, never run: whatever it names beyond tensors and plain containers is refused.
/// </summary>
public static class PyTorchFile
{
    private const int MostPickleBytes = 64 << 20;
    private const int StreamProtocol = 1001;
    private static readonly BigInteger StreamMagic = BigInteger.Parse("1950a86a20f9469cfc6c", NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    /// <summary>
    /// Opens the state dict of a checkpoint: the tensors at its top, or those under <c>model</c>, <c>state_dict</c> or <c>model_state_dict</c>;
    /// a prefix <c>module.</c> common to all names is taken off. What else a checkpoint holds (epoch, optimizer, arguments) is left out.
    /// </summary>
    /// <exception cref="WeightsFormatException">The file is damaged, of another format, or asks for more than tensors and containers.</exception>
    public static WeightFile Open(string path) => WeightFile.Open(new FileBytes(path), Read);

    /// <summary>The same from a stream: see <see cref="WeightFile.Open(Stream, string)"/>.</summary>
    /// <exception cref="WeightsFormatException">As above.</exception>
    public static WeightFile Open(Stream stream, string name) => WeightFile.Open(new FileBytes(stream, name), Read);

    /// <summary>
    /// Saves tensors as a state dict that <c>torch.load</c> reads and <c>load_state_dict</c> takes: contiguous float32 in PyTorch's order of axes. The file
    /// is there whole or not at all, and its values are written as they are re-laid, a megabyte at a time.
    /// </summary>
    /// <exception cref="ArgumentException">Two tensors have one name.</exception>
    public static void Save(string path, IEnumerable<(string Name, Tensor Tensor)> tensors)
    {
        const string Folder = "archive/";
        (string Name, Tensor Tensor)[] all = [.. tensors];
        var names = new HashSet<string>();
        foreach ((string name, _) in all)
        {
            if (!names.Add(name)) throw new ArgumentException($"two tensors of one file are named '{name}'", nameof(tensors));
        }
        byte[] pickle = PickleWriter.StateDict([.. all.Select(t => (t.Name, RawTensor.ShapeOf(t.Tensor)))]);
        AtomicFile.Write(path, file =>
        {
            var zip = new ZipWriter(file);
            Add("data.pkl", pickle);
            Add("byteorder", "little"u8.ToArray());
            for (int i = 0; i < all.Length; i++)
            {
                Tensor tensor = all[i].Tensor;
                zip.Add(string.Create(CultureInfo.InvariantCulture, $"{Folder}data/{i}"), (long)tensor.Length * sizeof(float), entry => TensorBytes.Write(entry, tensor));
            }
            Add("version", "3\n"u8.ToArray());
            zip.Finish();

            void Add(string name, byte[] bytes) => zip.Add(Folder + name, bytes.Length, entry => entry.Write(bytes));
        });
    }

    /// <summary>Whether a file that begins like this is a checkpoint in the stream format: its first pickle is a number of ten bytes.</summary>
    internal static bool IsStream(ReadOnlySpan<byte> head) => head is [0x80, _, ..] && head.IndexOf(StreamMagic.ToByteArray()) >= 0;

    internal static WeightFile.Contents Read(FileBytes file)
    {
        Span<byte> head = stackalloc byte[(int)Math.Min(WeightFile.HeadLength, file.Length)];
        file.Read(0, head, "byte 0");
        if (head.StartsWith("PK\x03\x04"u8)) return Read(file, new ZipDirectory(file));
        return IsStream(head)
            ? ReadStream(file)
            : throw new WeightsFormatException(file.Name, "byte 0", "not a PyTorch checkpoint: it does not begin as a zip archive, nor as PyTorch's older stream of pickles");
    }

    internal static WeightFile.Contents Read(FileBytes file, ZipDirectory zip)
    {
        ZipEntry[] pickles = [.. zip.Entries.Where(IsPickle).Take(2)];
        if (pickles.Length != 1) throw new WeightsFormatException(file.Name, "archive",
                pickles.Length == 0 ? "a zip archive without data.pkl is no PyTorch checkpoint" : "the archive has more than one data.pkl");
        var storages = new ZipStorages(file, zip, pickles[0].Name[..^"data.pkl".Length]);
        if (storages.IsBigEndian) throw new WeightsFormatException(file.Name, "byteorder", "tensors in big-endian order are not read");
        long at = storages.Take(pickles[0]);
        if (pickles[0].Length > MostPickleBytes)
            throw new WeightsFormatException(file.Name, pickles[0].Name, $"{pickles[0].Length:N0} bytes are more than the {MostPickleBytes:N0} that are read");
        object? root = new Unpickler(new PickleBytes(file, at, at + pickles[0].Length, "data.pkl, ")).Load();
        return new WeightFile.Contents(PickledState.Tensors(root, file, "data.pkl", new StorageViews(file, storages.PlaceOf).View));
    }

    internal static bool IsPickle(ZipEntry entry) => entry.Name.EndsWith("/data.pkl", StringComparison.Ordinal);

    /// <summary>Five pickles (a magic number, a version, what the machine was, the object, the keys of its storages), then the storages.</summary>
    private static WeightFile.Contents ReadStream(FileBytes file)
    {
        var bytes = new PickleBytes(file, 0, file.Length, "");
        var pickles = new Unpickler(bytes);
        if (pickles.Load() is not BigInteger magic || magic != StreamMagic) throw new WeightsFormatException(file.Name, "byte 0", "not PyTorch's magic number");
        if (pickles.Load() is not long protocol || protocol != StreamProtocol) throw new WeightsFormatException(file.Name, "version", $"only version {StreamProtocol} of the stream format is read");
        if (pickles.Load() is not PickledMap machine) throw new WeightsFormatException(file.Name, "machine", "the checkpoint does not say on which kind of machine it was written");
        if (machine.Items.Exists(i => i is { Key: "little_endian", Value: false })) throw new WeightsFormatException(file.Name, "machine", "tensors in big-endian order are not read");
        object? root = pickles.Load();
        if (pickles.Load() is not List<object?> keys) throw new WeightsFormatException(file.Name, "storage keys", "the checkpoint has no list of its storages");
        var storages = new StreamStorages(file, bytes.At, keys, pickles.Storages);
        return new WeightFile.Contents(PickledState.Tensors(root, file, "the pickled object", new StorageViews(file, storages.PlaceOf).View));
    }
}
