using System.Buffers.Binary;
using System.Text;

namespace Delineate.Tensors.Weights;

/// <summary>A dictionary in a pickle: pairs in their order. Keys are not hashed, so hostile ones cost nothing.</summary>
internal sealed class PickledMap
{
    public List<(object? Key, object? Value)> Items { get; } = [];
}

/// <summary>A storage that a checkpoint's tensors lie in.</summary>
internal sealed record PickledStorage(ElementType Type, string Key, long Length);

/// <summary>A tensor: a view of a storage, its sizes and strides counted in elements.</summary>
internal sealed record PickledTensor(PickledStorage Storage, long Offset, long[] Sizes, long[] Strides);

/// <summary>An object whose content is of no use here (arguments, NumPy scalars): kept as a place holder.</summary>
internal sealed class PickledOther;

/// <summary>
/// Reads the pickle inside a checkpoint without ever running what it names: plain containers and numbers, tensors, and a short list of
/// harmless types. Any other global is refused by its name, as PyTorch's <c>weights_only</c> does.
/// </summary>
internal sealed class Unpickler(ReadOnlyMemory<byte> pickle, string path, string entry)
{
    private const int MostMarks = 1000; // nesting of containers under construction; real checkpoints have about five
    private readonly List<object?> stack = [];
    private readonly List<int> marks = [];
    private readonly Dictionary<uint, object?> memo = [];
    private int at;
    private int opAt;

    private enum Callable
    {
        OrderedDict,
        RebuildTensor,
        RebuildParameter,
        Other,
    }

    /// <summary>The object that the pickle describes.</summary>
    public object? Load()
    {
        while (true)
        {
            opAt = at;
            byte op = Bytes(1)[0];
            if (op == (byte)'.') return Pop();
            Step(op);
        }
    }

    private void Step(byte op)
    {
        switch ((char)op)
        {
            case '\x80': if (Bytes(1)[0] is var protocol and > 5) throw Bad($"pickle protocol {protocol} is not read"); break;
            case '\x95': Bytes(8); break; // FRAME: a hint for buffering
            case '(': if (marks.Count == MostMarks) throw Bad("containers are nested too deep"); marks.Add(stack.Count); break;
            case '0': Pop(); break;
            case '1': PopToMark(); break;
            case '2': stack.Add(Peek()); break;
            case 'N': stack.Add(null); break;
            case '\x88': stack.Add(true); break;
            case '\x89': stack.Add(false); break;
            case 'J': stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(Bytes(4))); break;
            case 'K': stack.Add((long)Bytes(1)[0]); break;
            case 'M': stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2))); break;
            case '\x8a': stack.Add(Integer(Bytes(Bytes(1)[0]))); break;
            case '\x8b': stack.Add(Integer(Bytes(Length(BinaryPrimitives.ReadInt32LittleEndian(Bytes(4)))))); break;
            case 'G': stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Bytes(8))); break;
            case 'X': stack.Add(Utf8(Length(BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4))))); break;
            case '\x8c': stack.Add(Utf8(Bytes(1)[0])); break;
            case '\x8d': stack.Add(Utf8(Length(BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8))))); break;
            case 'T': stack.Add(Encoding.Latin1.GetString(Bytes(Length(BinaryPrimitives.ReadInt32LittleEndian(Bytes(4)))))); break;
            case 'U': stack.Add(Encoding.Latin1.GetString(Bytes(Bytes(1)[0]))); break;
            case 'B': Skip(Length(BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4)))); break;
            case 'C': Skip(Bytes(1)[0]); break;
            case '\x8e': Skip(Length(BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8)))); break;
            case ']' or '\x8f': stack.Add(new List<object?>()); break; // EMPTY_LIST, EMPTY_SET
            case '}': stack.Add(new PickledMap()); break;
            case ')': stack.Add(Array.Empty<object?>()); break;
            case 'l': stack.Add(PopToMark().ToList()); break;
            case 't': stack.Add(PopToMark()); break;
            case '\x85': stack.Add(Last(1)); break;
            case '\x86': stack.Add(Last(2)); break;
            case '\x87': stack.Add(Last(3)); break;
            case 'a': Append(Last(1)); break;
            case 'e' or '\x90': Append(PopToMark()); break; // APPENDS, ADDITEMS
            case 'd': Dictionary(); break;
            case 's': SetItems(Last(2)); break;
            case 'u': SetItems(PopToMark()); break;
            case 'q': memo[Bytes(1)[0]] = Peek(); break;
            case 'r': memo[BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4))] = Peek(); break;
            case '\x94': memo[(uint)memo.Count] = Peek(); break;
            case 'h': Recall(Bytes(1)[0]); break;
            case 'j': Recall(BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4))); break;
            case 'c': stack.Add(Global(Line(), Line())); break;
            case '\x93': StackGlobal(); break;
            case 'R' or '\x81': Reduce(); break; // REDUCE, NEWOBJ
            case 'b': Build(); break;
            case 'Q': stack.Add(Storage(Pop())); break;
            default: throw Bad($"pickle opcode 0x{op:X2} is not read");
        }
    }

    /// <summary>What a global stands for: one of the types and functions that checkpoints need, all others refused.</summary>
    private object Global(string module, string name) => $"{module}.{name}" switch
    {
        "collections.OrderedDict" => Callable.OrderedDict,
        "torch._utils._rebuild_tensor_v2" => Callable.RebuildTensor,
        "torch._utils._rebuild_parameter" => Callable.RebuildParameter,
        "torch.DoubleStorage" => ElementType.F64,
        "torch.FloatStorage" => ElementType.F32,
        "torch.HalfStorage" => ElementType.F16,
        "torch.BFloat16Storage" => ElementType.BF16,
        "torch.LongStorage" => ElementType.I64,
        "torch.IntStorage" => ElementType.I32,
        "torch.ShortStorage" => ElementType.I16,
        "torch.CharStorage" => ElementType.I8,
        "torch.ByteStorage" => ElementType.U8,
        "torch.BoolStorage" => ElementType.Bool,
        "argparse.Namespace" or "numpy.dtype" or "numpy.ndarray" or "_codecs.encode" or "numpy.core.multiarray.scalar" or "numpy.core.multiarray._reconstruct"
            or "numpy._core.multiarray.scalar" or "numpy._core.multiarray._reconstruct" => Callable.Other,
        string other => throw Bad(
            $"the checkpoint asks for '{other}', which is refused because it could run any code: in Python, save the weights alone with torch.save(model.state_dict(), path)"),
    };

    private void StackGlobal()
    {
        object?[] names = Last(2);
        stack.Add(Global(names[0] as string ?? throw Bad("a global without a name"), names[1] as string ?? throw Bad("a global without a name")));
    }

    private void Reduce()
    {
        object?[] call = Last(2);
        object?[] arguments = call[1] as object?[] ?? throw Bad("a call without arguments");
        stack.Add(call[0] switch
        {
            Callable.OrderedDict => OrderedDict(arguments),
            Callable.RebuildTensor when arguments is [PickledStorage storage, long offset, object?[] sizes, object?[] strides, ..] =>
                new PickledTensor(storage, offset, Longs(sizes), Longs(strides)),
            Callable.RebuildParameter when arguments is [PickledTensor tensor, ..] => tensor,
            Callable.Other => new PickledOther(),
            _ => throw Bad("a call that is not understood"),
        });
    }

    private PickledMap OrderedDict(object?[] arguments)
    {
        var map = new PickledMap();
        if (arguments is []) return map;
        if (arguments is not [List<object?> pairs]) throw Bad("an OrderedDict that is not understood");
        foreach (object? pair in pairs)
        {
            map.Items.Add(pair is IReadOnlyList<object?> { Count: 2 } p ? (p[0], p[1]) : throw Bad("an OrderedDict that is not understood"));
        }
        return map;
    }

    /// <summary>BUILD sets attributes. Dictionaries carry a module's <c>_metadata</c> there, other objects nothing that is used.</summary>
    private void Build()
    {
        Pop();
        if (Peek() is not (PickledMap or PickledOther or PickledTensor)) throw Bad("attributes for an object that has none");
    }

    private PickledStorage Storage(object? id) =>
        id is object?[] and ["storage", ElementType type, string key, _, long length, ..] && length >= 0
        ? new PickledStorage(type, key, length)
        : throw Bad("a reference that is no storage");

    private void Append(object?[] items)
    {
        if (Peek() is List<object?> list) list.AddRange(items);
        else throw Bad("items for an object that is no list");
    }

    private void SetItems(object?[] items)
    {
        if (Peek() is not PickledMap map || items.Length % 2 != 0) throw Bad("items for an object that is no dictionary");
        for (int i = 0; i < items.Length; i += 2) map.Items.Add((items[i], items[i + 1]));
    }

    private void Dictionary()
    {
        object?[] items = PopToMark();
        stack.Add(new PickledMap());
        SetItems(items);
    }

    private void Skip(int length)
    {
        Bytes(length);
        stack.Add(new PickledOther());
    }

    private void Recall(uint index) =>
        stack.Add(memo.TryGetValue(index, out object? value) ? value : throw Bad($"memo {index} was never set"));

    private object? Peek() => stack.Count > Floor ? stack[^1] : throw Bad("the stack is empty");

    private object? Pop() => Last(1)[0];

    private object?[] Last(int count)
    {
        if (stack.Count - Floor < count) throw Bad("the stack is empty");
        object?[] items = [.. stack[^count..]];
        stack.RemoveRange(stack.Count - count, count);
        return items;
    }

    private object?[] PopToMark()
    {
        if (marks.Count == 0) throw Bad("there is no mark");
        object?[] items = Last(stack.Count - marks[^1]);
        marks.RemoveAt(marks.Count - 1);
        return items;
    }

    private int Floor => marks.Count == 0 ? 0 : marks[^1];

    private long[] Longs(object?[] items) => items.Length > RawTensor.MostAxes
        ? throw Bad($"a tensor of {items.Length} axes")
        : Array.ConvertAll(items, item => item is long value ? value : throw Bad("a tensor whose sizes are no numbers"));

    /// <summary>A whole number of any length; those beyond 64 bits carry nothing that is used.</summary>
    private static object Integer(ReadOnlySpan<byte> littleEndian)
    {
        if (littleEndian.Length > 8) return new PickledOther();
        long value = littleEndian.Length > 0 && (littleEndian[^1] & 0x80) != 0 ? -1 : 0;
        for (int i = littleEndian.Length - 1; i >= 0; i--) value = (value << 8) | littleEndian[i];
        return value;
    }

    private string Utf8(int length) => Encoding.UTF8.GetString(Bytes(length));

    private string Line()
    {
        int length = pickle.Span[at..].IndexOf((byte)'\n');
        if (length < 0) throw Bad("a name does not end");
        string line = Utf8(length);
        at++;
        return line;
    }

    private int Length(ulong claimed) => claimed <= (ulong)(pickle.Length - at)
        ? (int)claimed
        : throw Bad($"{claimed:N0} bytes are claimed where {pickle.Length - at:N0} are left");

    private int Length(long claimed) => Length((ulong)claimed); // a negative length is a huge one

    private ReadOnlySpan<byte> Bytes(int count)
    {
        if (count > pickle.Length - at) throw Bad("it ends too early");
        ReadOnlySpan<byte> bytes = pickle.Span.Slice(at, count);
        at += count;
        return bytes;
    }

    private WeightsFormatException Bad(string reason) => new(path, $"{entry}, byte {opAt}", reason);
}
