using System.Runtime.InteropServices;
using System.Text;
using Google.Protobuf;

namespace Delineate.Testing;

/// <summary>An op of an ONNX file as it was read back; attributes are whole numbers, numbers, lists of whole numbers or texts.</summary>
public sealed record OnnxReadNode(string Name, string Op, IReadOnlyList<string> Inputs, string Output, IReadOnlyDictionary<string, object> Attributes);

/// <summary>A constant of an ONNX file.</summary>
public sealed record OnnxReadTensor(string Name, int Type, long[] Sizes, byte[] Bytes)
{
    public float[] Floats => MemoryMarshal.Cast<byte, float>(Bytes).ToArray();

    public long[] Wholes => MemoryMarshal.Cast<byte, long>(Bytes).ToArray();
}

/// <summary>An input or output: free axes by name, others by number.</summary>
public sealed record OnnxReadPort(string Name, long Type, string[] Sizes);

/// <summary>An ONNX file read back field by field with nothing but the protobuf reader; the numbers are those of <c>onnx.proto3</c>.</summary>
public sealed class OnnxReader
{
    private OnnxReader(string path)
    {
        Dictionary<int, List<object>> model = Fields(File.ReadAllBytes(path));
        IrVersion = (long)model[1][0];
        Producer = Text(model[2][0]);
        Opset = (long)Fields((byte[])model[8][0])[2][0];
        Metadata = All(model, 14).ToDictionary(f => Text(f[1][0]), f => Text(f[2][0]));
        Dictionary<int, List<object>> graph = Fields((byte[])model[7][0]);
        Nodes = [.. All(graph, 1).Select(Node)];
        Tensors = All(graph, 5).Select(Tensor).ToDictionary(t => t.Name);
        Input = Port(All(graph, 11).Single());
        Output = Port(All(graph, 12).Single());
    }

    public long IrVersion { get; }

    public string Producer { get; }

    public long Opset { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    public IReadOnlyList<OnnxReadNode> Nodes { get; }

    public IReadOnlyDictionary<string, OnnxReadTensor> Tensors { get; }

    public OnnxReadPort Input { get; }

    public OnnxReadPort Output { get; }

    public static OnnxReader Read(string path) => new(path);

    public int Count(string op) => Nodes.Count(n => n.Op == op);

    /// <summary>Why the graph cannot run, or null: every name is made once, before it is read.</summary>
    public string? Fault()
    {
        var known = new HashSet<string>(Tensors.Keys) { Input.Name, "" };
        foreach (OnnxReadNode node in Nodes)
        {
            foreach (string input in node.Inputs)
            {
                if (!known.Contains(input)) return $"{node.Name} reads {input}, which nothing made before";
            }
            if (!known.Add(node.Output)) return $"{node.Output} is made twice";
        }
        return known.Contains(Output.Name) ? null : $"nothing makes {Output.Name}";
    }

    private static OnnxReadNode Node(Dictionary<int, List<object>> fields) => new(
        Text(fields[3][0]), Text(fields[4][0]), fields.TryGetValue(1, out List<object>? inputs) ? [.. inputs.Select(Text)] : [], Text(fields[2].Single()),
        All(fields, 5).ToDictionary(a => Text(a[1][0]), a => (long)a[20][0] switch
        {
            1 => (object)BitConverter.UInt32BitsToSingle((uint)a[2][0]),
            2 => a[3][0],
            3 => Text(a[4][0]),
            _ => Packed((byte[])a[8][0]),
        }));

    private static OnnxReadTensor Tensor(Dictionary<int, List<object>> fields) =>
        new(Text(fields[8][0]), (int)(long)fields[2][0], Packed((byte[])fields[1][0]), (byte[])fields[9][0]);

    private static OnnxReadPort Port(Dictionary<int, List<object>> fields)
    {
        Dictionary<int, List<object>> tensor = Fields((byte[])Fields((byte[])fields[2][0])[1][0]);
        return new OnnxReadPort(Text(fields[1][0]), (long)tensor[1][0], [.. All(Fields((byte[])tensor[2][0]), 1).Select(d => d.TryGetValue(1, out List<object>? value) ? $"{value[0]}" : Text(d[2][0]))]);
    }

    private static IEnumerable<Dictionary<int, List<object>>> All(Dictionary<int, List<object>> fields, int field) =>
        fields.TryGetValue(field, out List<object>? values) ? values.Select(v => Fields((byte[])v)) : [];

    private static string Text(object bytes) => Encoding.UTF8.GetString((byte[])bytes);

    private static long[] Packed(byte[] bytes)
    {
        var values = new List<long>();
        var input = new CodedInputStream(bytes);
        while (!input.IsAtEnd) values.Add(input.ReadInt64());
        return [.. values];
    }

    private static Dictionary<int, List<object>> Fields(byte[] message)
    {
        var fields = new Dictionary<int, List<object>>();
        var input = new CodedInputStream(message);
        while (input.ReadTag() is not 0 and uint tag)
        {
            object value = WireFormat.GetTagWireType(tag) switch
            {
                WireFormat.WireType.Varint => input.ReadInt64(),
                WireFormat.WireType.Fixed32 => input.ReadFixed32(),
                _ => input.ReadBytes().ToByteArray(),
            };
            int field = WireFormat.GetTagFieldNumber(tag);
            if (!fields.TryGetValue(field, out List<object>? list)) fields.Add(field, list = []);
            list.Add(value);
        }
        return fields;
    }
}
