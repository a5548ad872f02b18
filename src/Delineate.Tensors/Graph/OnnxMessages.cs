using Google.Protobuf;

namespace Delineate.Tensors;

/// <summary>Element types by their numbers in <c>onnx.proto3</c> (TensorProto.DataType).</summary>
public enum OnnxType
{
    /// <summary>Single precision.</summary>
    Float = 1,

    /// <summary>A byte.</summary>
    UInt8 = 2,

    /// <summary>A whole number: sizes and indices are of this type.</summary>
    Int64 = 7,

    /// <summary>What comparisons give.</summary>
    Bool = 9,

    /// <summary>Double precision.</summary>
    Double = 11,
}

/// <summary>A named constant of an op: a whole number, a number, whole numbers, a text or the body of a loop.</summary>
public readonly struct OnnxAttribute
{
    private readonly string name;
    private readonly object value;

    public OnnxAttribute(string name, long value) => (this.name, this.value) = (name, value);

    public OnnxAttribute(string name, float value) => (this.name, this.value) = (name, value);

    public OnnxAttribute(string name, long[] value) => (this.name, this.value) = (name, value);

    public OnnxAttribute(string name, string value) => (this.name, this.value) = (name, value);

    internal OnnxAttribute(string name, OnnxBody value) => (this.name, this.value) = (name, value);

    /// <summary>The ops inside, where the attribute holds some.</summary>
    internal OnnxBody? Body => value as OnnxBody;

    /// <summary>AttributeProto: name = 1, f = 2, i = 3, s = 4, g = 6, ints = 8, type = 20 (1 f, 2 i, 3 s, 5 g, 7 ints).</summary>
    internal byte[] ToBytes()
    {
        (string key, object content) = (name, value);
        return Wire.Message(output =>
        {
            Wire.Text(output, 1, key);
            switch (content)
            {
                case long number:
                    Wire.Number(output, 3, number);
                    Wire.Number(output, 20, 2);
                    break;
                case float number:
                    output.WriteTag(2, WireFormat.WireType.Fixed32);
                    output.WriteFloat(number);
                    Wire.Number(output, 20, 1);
                    break;
                case string text:
                    Wire.Text(output, 4, text);
                    Wire.Number(output, 20, 3);
                    break;
                case OnnxBody body:
                    Wire.Bytes(output, 6, body.ToBytes());
                    Wire.Number(output, 20, 5);
                    break;
                case long[] numbers:
                    Wire.Packed(output, 8, numbers);
                    Wire.Number(output, 20, 7);
                    break;
            }
        });
    }
}

/// <summary>One op of the file; a missing input is the empty name.</summary>
internal sealed record OnnxNode(string Name, string Op, string[] Inputs, string[] Outputs, OnnxAttribute[] Attributes)
{
    /// <summary>NodeProto: input = 1, output = 2, name = 3, op_type = 4, attribute = 5.</summary>
    public byte[] ToBytes() => Wire.Message(output =>
    {
        foreach (string input in Inputs) Wire.Text(output, 1, input);
        foreach (string made in Outputs) Wire.Text(output, 2, made);
        Wire.Text(output, 3, Name);
        Wire.Text(output, 4, Op);
        foreach (OnnxAttribute attribute in Attributes) Wire.Bytes(output, 5, attribute.ToBytes());
    });
}

/// <summary>The ops of a loop, run once for each step; they may read what was made before the loop.</summary>
internal sealed record OnnxBody(string Name, List<OnnxNode> Nodes, IReadOnlyList<OnnxPort> Inputs, IReadOnlyList<OnnxPort> Outputs)
{
    /// <summary>GraphProto, as in <see cref="OnnxModel.Write"/>.</summary>
    public byte[] ToBytes() => Wire.Message(output =>
    {
        foreach (OnnxNode node in Nodes) Wire.Bytes(output, 1, node.ToBytes());
        Wire.Text(output, 2, Name);
        foreach (OnnxPort port in Inputs) Wire.Bytes(output, 11, port.ToBytes());
        foreach (OnnxPort port in Outputs) Wire.Bytes(output, 12, port.ToBytes());
    });
}

/// <summary>A constant tensor. Its values are written when the file is, so that a network is never held twice.</summary>
internal sealed record OnnxTensor(string Name, OnnxType Type, long[] Sizes, Action<Stream> WriteValues)
{
    private long ValueBytes => Sizes.Aggregate(Type == OnnxType.Float ? sizeof(float) : (long)sizeof(long), (product, size) => product * size);

    /// <summary>TensorProto up to its values: dims = 1, data_type = 2, name = 8, raw_data = 9 (little-endian), the last of them.</summary>
    private byte[] Head() => Wire.Message(output =>
    {
        Wire.Packed(output, 1, Sizes);
        Wire.Number(output, 2, (int)Type);
        Wire.Text(output, 8, Name);
        output.WriteTag(9, WireFormat.WireType.LengthDelimited);
        output.WriteLength(checked((int)ValueBytes));
    });

    /// <summary>The message's length.</summary>
    public long Length => Head().Length + ValueBytes;

    public void Write(Stream stream)
    {
        stream.Write(Head());
        WriteValues(stream);
    }
}

/// <summary>An axis of an input or output: of a known size, or of one that is free and has a name.</summary>
/// <param name="Value">How large it is, or null.</param>
/// <param name="Name">What a free axis is called: values that share an axis share its name.</param>
public readonly record struct OnnxSize(long? Value, string Name)
{
    public static implicit operator OnnxSize(long value) => new(value, "");

    public static implicit operator OnnxSize(string name) => new(null, name);
}

/// <summary>An input or output of the file.</summary>
internal sealed record OnnxPort(string Name, OnnxType Type, IReadOnlyList<OnnxSize> Sizes)
{
    /// <summary>
    /// ValueInfoProto: name = 1, type = 2; TypeProto: tensor_type = 1; its elem_type = 1, shape = 2; TensorShapeProto: dim = 1; its dim_value = 1, dim_param = 2.
    /// </summary>
    public byte[] ToBytes()
    {
        byte[] shape = Wire.Message(output =>
        {
            foreach (OnnxSize size in Sizes)
            {
                Wire.Bytes(output, 1, Wire.Message(axis =>
                {
                    if (size.Value is { } value) Wire.Number(axis, 1, value);
                    else Wire.Text(axis, 2, size.Name);
                }));
            }
        });
        byte[] tensor = Wire.Message(output =>
        {
            Wire.Number(output, 1, (int)Type);
            Wire.Bytes(output, 2, shape);
        });
        return Wire.Message(output =>
        {
            Wire.Text(output, 1, Name);
            Wire.Bytes(output, 2, Wire.Message(type => Wire.Bytes(type, 1, tensor)));
        });
    }

    public override string ToString() => $"{Name} {Type.ToString().ToLowerInvariant()}[{string.Join(", ", Sizes.Select(s => s.Value?.ToString() ?? s.Name))}]";
}

/// <summary>
/// A model in ONNX's format, the few messages of <c>onnx.proto3</c> that a network needs. The numbers beside the messages are their fields' numbers there.
/// </summary>
internal sealed record OnnxModel(
    string Name, string ProducerVersion, IReadOnlyList<OnnxNode> Nodes, IReadOnlyList<OnnxTensor> Tensors, OnnxPort Input, IReadOnlyList<OnnxPort> Outputs,
    IReadOnlyList<KeyValuePair<string, string>> Metadata)
{
    /// <summary>The version of the operators. 17 is the first with everything that is written here, and old enough for every runtime in use.</summary>
    public const int Opset = 17;

    private const int IrVersion = 8; // the file format's, the one that came with operator set 17

    /// <summary>A protobuf message is at most so long.</summary>
    private const long MostBytes = int.MaxValue;

    /// <summary>
    /// ModelProto: ir_version = 1, producer_name = 2, producer_version = 3, graph = 7, opset_import = 8 (its version = 2), metadata_props = 14 (key = 1, value = 2).
    /// GraphProto: node = 1, name = 2, initializer = 5, input = 11, output = 12.
    /// </summary>
    /// <exception cref="GraphException">The file would be larger than the format allows.</exception>
    public void Write(Stream stream)
    {
        byte[] graph = Wire.Message(output =>
        {
            foreach (OnnxNode node in Nodes) Wire.Bytes(output, 1, node.ToBytes());
            Wire.Text(output, 2, Name);
            Wire.Bytes(output, 11, Input.ToBytes());
            foreach (OnnxPort port in Outputs) Wire.Bytes(output, 12, port.ToBytes());
        });
        byte[] head = Wire.Message(output =>
        {
            Wire.Number(output, 1, IrVersion);
            Wire.Text(output, 2, "Delineate");
            Wire.Text(output, 3, ProducerVersion);
            Wire.Bytes(output, 8, Wire.Message(opset => Wire.Number(opset, 2, Opset)));
            foreach ((string key, string value) in Metadata)
            {
                Wire.Bytes(output, 14, Wire.Message(entry =>
                {
                    Wire.Text(entry, 1, key);
                    Wire.Text(entry, 2, value);
                }));
            }
        });
        long length = graph.Length + Tensors.Sum(t => 1L + CodedOutputStream.ComputeLengthSize((int)Math.Min(t.Length, MostBytes)) + t.Length);
        if (length + head.Length + 16 > MostBytes)
            throw new GraphException($"the file would be {(length + head.Length) / 1e9:F1} GB, and a file in ONNX's format ends at 2.1: use a smaller model");

        stream.Write(head);
        Lead(7, length);
        stream.Write(graph);
        foreach (OnnxTensor tensor in Tensors)
        {
            Lead(5, tensor.Length);
            tensor.Write(stream);
        }

        void Lead(int field, long size)
        {
            using var output = new CodedOutputStream(stream, leaveOpen: true);
            output.WriteTag(field, WireFormat.WireType.LengthDelimited);
            output.WriteLength((int)size);
        }
    }
}

/// <summary>Fields of a protobuf message.</summary>
file static class Wire
{
    public static byte[] Message(Action<CodedOutputStream> write)
    {
        using var memory = new MemoryStream();
        using (var output = new CodedOutputStream(memory, leaveOpen: true)) write(output);
        return memory.ToArray();
    }

    public static void Number(CodedOutputStream output, int field, long value)
    {
        output.WriteTag(field, WireFormat.WireType.Varint);
        output.WriteInt64(value);
    }

    public static void Text(CodedOutputStream output, int field, string value)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteString(value);
    }

    public static void Bytes(CodedOutputStream output, int field, byte[] value)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(UnsafeByteOperations.UnsafeWrap(value));
    }

    public static void Packed(CodedOutputStream output, int field, long[] values) => Bytes(output, field, Message(packed => Array.ForEach(values, packed.WriteInt64)));
}
