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

    public CheckpointBuilder Storage(string type, string key, long length) =>
        Op('(').Text("storage").Global("torch", type).Text(key).Text("cpu").Number(length).Op('t').Op('Q');

    /// <summary>A tensor over a storage, as torch.save writes it.</summary>
    public CheckpointBuilder Tensor(string type, string key, long storageLength, long offset, long[] sizes, long[] strides) =>
        Global("torch._utils", "_rebuild_tensor_v2").Op('(').Storage(type, key, storageLength).Number(offset).Numbers(sizes).Numbers(strides).Op(0x89)
            .Global("collections", "OrderedDict").Op(')').Op('R').Op('t').Op('R');

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

    private void Add(ZipArchive zip, string name, byte[] bytes)
    {
        using Stream entry = zip.CreateEntry(name, Compression).Open();
        entry.Write(bytes);
    }
}
