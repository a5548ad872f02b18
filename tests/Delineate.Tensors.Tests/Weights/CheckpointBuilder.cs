using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace Delineate.Tensors.Tests.Weights;

/// <summary>Writes checkpoints opcode by opcode, honest and hostile ones.</summary>
internal sealed class CheckpointBuilder
{
    private readonly MemoryStream pickle = new();
    private readonly Dictionary<string, byte[]> storages = [];
    private readonly Dictionary<string, long> lengths = [];

    public CheckpointBuilder() => Op(0x80, 2);

    public Dictionary<string, byte[]> OtherEntries { get; } = [];

    public CompressionLevel Compression { get; set; } = CompressionLevel.NoCompression;

    public CheckpointBuilder Op(params byte[] bytes)
    {
        pickle.Write(bytes);
        return this;
    }

    public CheckpointBuilder Op(char opcode) => Op((byte)opcode);

    public CheckpointBuilder Global(string module, string name) => Op([(byte)'c', .. Encoding.UTF8.GetBytes($"{module}\n{name}\n")]);

    public CheckpointBuilder Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text), length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        return Op([(byte)'X', .. length, .. bytes]);
    }

    public CheckpointBuilder Number(long value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return Op([0x8A, 8, .. bytes]);
    }

    public CheckpointBuilder Numbers(params long[] values)
    {
        Op('(');
        foreach (long value in values) Number(value);
        return Op('t');
    }

    public CheckpointBuilder Storage(string type, string key, long length)
    {
        lengths[key] = length;
        return Op('(').Text("storage").Global("torch", type).Text(key).Text("cpu").Number(length).Op('t').Op('Q');
    }

    /// <summary>Bytes, as protocol 3 and later write them.</summary>
    public CheckpointBuilder Bytes(params byte[] bytes)
    {
        byte[] length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        return Op([(byte)'B', .. length, .. bytes]);
    }

    public CheckpointBuilder Dtype(string code, string order = "<") => Global("numpy", "dtype").Text(code).Op(0x89, 0x88, 0x87).Op('R')
        .Op('(').Number(3).Text(order).Op((byte)'N', (byte)'N', (byte)'N').Number(-1).Number(-1).Number(0).Op('t').Op('b');

    /// <summary>An array of NumPy, made empty; its state follows.</summary>
    public CheckpointBuilder EmptyArray() => Global("numpy.core.multiarray", "_reconstruct").Global("numpy", "ndarray").Numbers(0).Bytes((byte)'b').Op(0x87).Op('R');

    /// <summary>An array of NumPy, as pickle writes it.</summary>
    public CheckpointBuilder Array(string code, long[] sizes, byte[] data, bool isFortran = false, string order = "<") =>
        EmptyArray().Op('(').Number(1).Numbers(sizes).Dtype(code, order).Op((byte)(isFortran ? 0x88 : 0x89)).Bytes(data).Op('t').Op('b');

    /// <summary>A tensor over a storage, as torch.save writes it.</summary>
    public CheckpointBuilder Tensor(string type, string key, long storageLength, long offset, long[] sizes, long[] strides) =>
        Global("torch._utils", "_rebuild_tensor_v2").Op('(').Storage(type, key, storageLength).Number(offset).Numbers(sizes).Numbers(strides).Op(0x89)
            .Global("collections", "OrderedDict").Op(')').Op('R').Op('t').Op('R');

    /// <summary>What a stream says before a storage, where it is not what the pickle says.</summary>
    public CheckpointBuilder Length(string key, long length)
    {
        lengths[key] = length;
        return this;
    }

    public CheckpointBuilder Data(string key, params float[] values) => Data(key, MemoryMarshal.AsBytes<float>(values).ToArray());

    public CheckpointBuilder Data(string key, byte[] bytes)
    {
        storages[key] = bytes;
        return this;
    }

    /// <summary>The archive, the pickle ended by STOP.</summary>
    public byte[] Build()
    {
        Op('.');
        var archive = new MemoryStream();
        using (var zip = new ZipArchive(archive, ZipArchiveMode.Create, leaveOpen: true))
        {
            Add(zip, "model/data.pkl", pickle.ToArray());
            foreach ((string key, byte[] bytes) in storages) Add(zip, $"model/data/{key}", bytes);
            foreach ((string name, byte[] bytes) in OtherEntries) Add(zip, name, bytes);
        }
        return archive.ToArray();
    }

    /// <summary>The pickle by itself, ended by STOP.</summary>
    public byte[] BuildPickle()
    {
        Op('.');
        return pickle.ToArray();
    }

    /// <summary>PyTorch's old stream: magic number, version, machine, the pickle, the keys, each storage with its count of elements.</summary>
    public byte[] BuildStream(bool isLittleEndian = true, int version = 1001)
    {
        var keys = new CheckpointBuilder().Op(']').Op('(');
        foreach (string key in storages.Keys) keys.Text(key);
        using var file = new MemoryStream();
        file.Write(Convert.FromHexString("80028A0A6CFC9C46F9206AA850192E"));
        file.Write(new CheckpointBuilder().Number(version).BuildPickle());
        file.Write(new CheckpointBuilder().Op('}').Text("little_endian").Op((byte)(isLittleEndian ? 0x88 : 0x89)).Op('s').BuildPickle());
        file.Write(BuildPickle());
        file.Write(keys.Op('e').BuildPickle());
        byte[] length = new byte[8];
        foreach ((string key, byte[] bytes) in storages)
        {
            BinaryPrimitives.WriteInt64LittleEndian(length, lengths.GetValueOrDefault(key));
            file.Write(length);
            file.Write(bytes);
        }
        return file.ToArray();
    }

    private void Add(ZipArchive zip, string name, byte[] bytes)
    {
        using Stream entry = zip.CreateEntry(name, Compression).Open();
        entry.Write(bytes);
    }
}
