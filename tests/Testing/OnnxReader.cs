using System.Runtime.InteropServices;
using System.Text;
using Google.Protobuf;

namespace Delineate.Testing;

/// <summary>An op of an ONNX file as it was read back; attributes are whole numbers, numbers, lists of whole numbers, texts or a <see cref="OnnxReadBody"/>.</summary>
public sealed record OnnxReadNode(string Name, string Op, IReadOnlyList<string> Inputs, IReadOnlyList<string> Outputs, IReadOnlyDictionary<string, object> Attributes)
{
    public string Output => Outputs[0];
}

/// <summary>The ops of a loop.</summary>
public sealed record OnnxReadBody(IReadOnlyList<OnnxReadNode> Nodes, IReadOnlyList<OnnxReadPort> Inputs, IReadOnlyList<OnnxReadPort> Outputs);

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
        Outputs = [.. All(graph, 12).Select(Port)];
    }

    public long IrVersion { get; }

    public string Producer { get; }

    public long Opset { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    public IReadOnlyList<OnnxReadNode> Nodes { get; }

    public IReadOnlyDictionary<string, OnnxReadTensor> Tensors { get; }

    public OnnxReadPort Input { get; }

    public IReadOnlyList<OnnxReadPort> Outputs { get; }

    /// <summary>The only output.</summary>
    public OnnxReadPort Output => Outputs.Single();

    /// <summary>The ops of the file, those of loops too.</summary>
    public IEnumerable<OnnxReadNode> AllNodes => Nodes.SelectMany(Inside);

    public static OnnxReader Read(string path) => new(path);

    public int Count(string op) => Nodes.Count(n => n.Op == op);

    /// <summary>Why the graph cannot run, or null: every name is made once, before it is read, and so in loops; every constant is read.</summary>
    public string? Fault()
    {
        var known = new HashSet<string>(Tensors.Keys) { Input.Name, "" };
        string? unread = Tensors.Keys.FirstOrDefault(name => !AllNodes.Any(n => n.Inputs.Contains(name)));
        return Fault(Nodes, known) ?? (Outputs.FirstOrDefault(o => !known.Contains(o.Name)) is { } missing ? $"nothing makes {missing.Name}" : null)
            ?? (unread is null ? null : $"nothing reads {unread}");
    }

    private static string? Fault(IReadOnlyList<OnnxReadNode> nodes, HashSet<string> known)
    {
        foreach (OnnxReadNode node in nodes)
        {
            foreach (string input in node.Inputs)
            {
                if (!known.Contains(input)) return $"{node.Name} reads {input}, which nothing made before";
            }
            foreach (OnnxReadBody body in node.Attributes.Values.OfType<OnnxReadBody>())
            {
                var inner = new HashSet<string>(known);
                foreach (OnnxReadPort given in body.Inputs)
                {
                    if (!inner.Add(given.Name)) return $"{given.Name} is made twice";
                }
                if (Fault(body.Nodes, inner) is { } fault) return fault;
                if (body.Outputs.FirstOrDefault(o => !inner.Contains(o.Name)) is { } missing) return $"nothing makes {missing.Name}";
            }
            foreach (string made in node.Outputs)
            {
                if (!known.Add(made)) return $"{made} is made twice";
            }
        }
        return null;
    }

    private static IEnumerable<OnnxReadNode> Inside(OnnxReadNode node) =>
        node.Attributes.Values.OfType<OnnxReadBody>().SelectMany(body => body.Nodes.SelectMany(Inside)).Prepend(node);

    private static OnnxReadBody Body(Dictionary<int, List<object>> graph) => new([.. All(graph, 1).Select(Node)], [.. All(graph, 11).Select(Port)], [.. All(graph, 12).Select(Port)]);

    private static OnnxReadNode Node(Dictionary<int, List<object>> fields) => new(
        Text(fields[3][0]), Text(fields[4][0]), fields.TryGetValue(1, out List<object>? inputs) ? [.. inputs.Select(Text)] : [], [.. fields[2].Select(Text)],
        All(fields, 5).ToDictionary(a => Text(a[1][0]), a => (long)a[20][0] switch
        {
            1 => (object)BitConverter.UInt32BitsToSingle((uint)a[2][0]),
            2 => a[3][0],
            3 => Text(a[4][0]),
            5 => Body(Fields((byte[])a[6][0])),
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
