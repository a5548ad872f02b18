using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Delineate.Tensors.Weights;

/// <summary>
/// Reads pickles without ever running what they name: plain containers and numbers, tensors, arrays of NumPy, and a short list of harmless types.
/// Any other global is refused by its name, as PyTorch's <c>weights_only</c> does.
/// </summary>
internal sealed class Unpickler(PickleBytes pickle)
{
    private const int MostMarks = 1000; // nesting of containers under construction; real checkpoints have about five
    private const int MostSteps = 4_000_000; // each can leave an object of some 100 bytes; real checkpoints take some 50 for a tensor
    private const int MostIntegerBytes = 16;
    private readonly List<object?> stack = [];
    private readonly List<int> marks = [];
    private readonly Dictionary<uint, object?> memo = [];
    private readonly Dictionary<string, PickledStorage> storages = [];
    private long opAt;
    private int stepsLeft = MostSteps;
    private long copiesLeft = pickle.File.Length; // of what a few bytes can ask for again and again

    private enum Callable
    {
        OrderedDict,
        RebuildTensor,
        RebuildParameter,
        NumpyArray,
        NumpyReconstruct,
        NumpyFromBuffer,
        NumpyScalar,
        NumpyDtype,
        Encode,
        Bytes,
        Other,
    }

    /// <summary>The storages that the pickle's tensors lie in.</summary>
    public IReadOnlyDictionary<string, PickledStorage> Storages => storages;

    /// <summary>The object that the pickle describes; called again, the one that follows it.</summary>
    public object? Load()
    {
        stack.Clear();
        marks.Clear();
        memo.Clear();
        while (true)
        {
            opAt = pickle.At;
            if (--stepsLeft < 0) throw Bad($"it has more than the {MostSteps:N0} steps that are read");
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
            case '\x8b': LongInteger(BinaryPrimitives.ReadInt32LittleEndian(Bytes(4))); break;
            case 'G': stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Bytes(8))); break;
            case 'X': AddText(BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4))); break;
            case '\x8c': AddText(Bytes(1)[0]); break;
            case '\x8d': AddText(BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8))); break;
            case 'T': AddPython2Text(BinaryPrimitives.ReadInt32LittleEndian(Bytes(4))); break;
            case 'U': AddPython2Text(Bytes(1)[0]); break;
            case 'B': AddBytes(BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4))); break;
            case 'C': AddBytes(Bytes(1)[0]); break;
            case '\x8e' or '\x96': AddBytes(BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8))); break; // BINBYTES8, BYTEARRAY8
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
            case 'c': stack.Add(Global(pickle.Line(), pickle.Line())); break;
            case '\x93': StackGlobal(); break;
            case 'R' or '\x81': Reduce(Last(2)); break; // REDUCE, NEWOBJ
            case '\x92': Reduce(Last(3)); break; // NEWOBJ_EX
            case 'i': stack.Add(Call(Global(pickle.Line(), pickle.Line()), PopToMark())); break; // INST
            case 'o': Instance(PopToMark()); break; // OBJ
            case 'b': Build(); break;
            case 'Q': stack.Add(Storage(Pop())); break;
            default: throw Bad($"pickle opcode 0x{op:X2} is not read");
        }
    }

    /// <summary>What a global stands for: one of the types and functions that checkpoints need, all others refused.</summary>
    private object Global(string module, string name) => $"{module}.{name}" switch
    {
        "collections.OrderedDict" => Callable.OrderedDict,
        "torch._utils._rebuild_tensor" or "torch._utils._rebuild_tensor_v2" => Callable.RebuildTensor,
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
        "numpy.ndarray" => Callable.NumpyArray,
        "numpy.core.multiarray._reconstruct" or "numpy._core.multiarray._reconstruct" => Callable.NumpyReconstruct,
        "numpy.core.numeric._frombuffer" or "numpy._core.numeric._frombuffer" => Callable.NumpyFromBuffer,
        "numpy.core.multiarray.scalar" or "numpy._core.multiarray.scalar" => Callable.NumpyScalar,
        "numpy.dtype" => Callable.NumpyDtype,
        "_codecs.encode" => Callable.Encode,
        "__builtin__.bytes" or "builtins.bytes" => Callable.Bytes, // how Python 3 writes no bytes at all for Python 2
        "argparse.Namespace" or "torch.Size" or "torch.device" => Callable.Other,
        string other => throw Bad(
            $"the checkpoint asks for '{other}', which is refused because it could run any code: in Python, save the weights alone with torch.save(model.state_dict(), path)"),
    };

    private void StackGlobal()
    {
        object?[] names = Last(2);
        stack.Add(Global(names[0] as string ?? throw Bad("a global without a name"), names[1] as string ?? throw Bad("a global without a name")));
    }

    /// <summary>A call as the stack has it: a callable and its arguments.</summary>
    private void Reduce(object?[] call) => stack.Add(Call(call[0], call[1] as object?[] ?? throw Bad("a call without arguments")));

    private void Instance(object?[] call) => stack.Add(Call(call is [var type, ..] ? type : throw Bad("an object without a type"), call[1..]));

    /// <summary>What a call gives, of the few that are known; nothing is called.</summary>
    private object? Call(object? callable, object?[] arguments) => callable switch
    {
        Callable.OrderedDict => OrderedDict(arguments),
        Callable.RebuildTensor when arguments is [PickledStorage storage, long offset, object?[] sizes, object?[] strides, ..] =>
            new PickledTensor(storage, offset, Longs(sizes), Longs(strides)),
        Callable.RebuildParameter when arguments is [PickledTensor tensor, ..] => tensor,
        Callable.NumpyReconstruct when arguments is [Callable.NumpyArray, ..] => new PickledArray(),
        Callable.NumpyFromBuffer when arguments is [var data, PickledDtype type, object?[] sizes, string order] =>
            new PickledArray { Type = type, Sizes = Longs(sizes), Data = AsBytes(data), IsFortran = order == "F" },
        Callable.NumpyScalar when arguments is [PickledDtype type, var data] => new PickledArray { Type = type, Data = AsBytes(data) },
        Callable.NumpyDtype when arguments is [string code, ..] => new PickledDtype(code),
        Callable.Encode when arguments is [string or PickledText, string] => Encoded(arguments),
        Callable.Bytes when arguments is [] => Latin1(""),
        Callable.Other => new PickledOther(),
        _ => throw Bad("a call that is not understood"),
    };

    private PickledMap OrderedDict(object?[] arguments)
    {
        var map = new PickledMap();
        if (arguments is []) return map;
        if (arguments is not [List<object?> pairs]) throw Bad("an OrderedDict that is not understood");
        Copy(pairs.Count);
        foreach (object? pair in pairs)
        {
            map.Items.Add(pair is IReadOnlyList<object?> { Count: 2 } p ? (p[0], p[1]) : throw Bad("an OrderedDict that is not understood"));
        }
        return map;
    }

    /// <summary>BUILD sets attributes. Dictionaries carry a module's <c>_metadata</c> there, other objects nothing that is used, those of NumPy all they are.</summary>
    private void Build()
    {
        object? state = Pop();
        switch (Peek())
        {
            case PickledArray array: Fill(array, state); break;
            case PickledDtype type when state is object?[] and [_, string { Length: 1 } order, ..]: type.Order = order[0]; break;
            case PickledMap or PickledOther or PickledTensor: break;
            default: throw Bad("attributes for an object that has none");
        }
    }

    /// <summary>An array's state: a version that the oldest lack, sizes, element type, whether the first axis is the innermost, bytes.</summary>
    private void Fill(PickledArray array, object? state)
    {
        object?[] parts = state as object?[] ?? [];
        if (parts is [long, ..]) parts = parts[1..];
        if (parts is not [object?[] sizes, PickledDtype type, bool or long, var data]) throw Bad("a NumPy array that is not understood");
        (array.Sizes, array.Type, array.IsFortran, array.Data) = (Longs(sizes), type, parts[2] is not (false or 0L), AsBytes(data));
    }

    /// <summary>An array's bytes. In the pickles of Python 2 they are a text; null where the elements are objects.</summary>
    private PickledBytes? AsBytes(object? data) => data switch
    {
        PickledBytes bytes => bytes,
        string text => Latin1(text),
        _ => null,
    };

    /// <summary>How Python 3 writes bytes for Python 2: <c>_codecs.encode('…', 'latin1')</c>.</summary>
    private object Encoded(object?[] call)
    {
        if (call[1] is not ("latin1" or "latin-1")) return new PickledOther();
        if (call[0] is string text) return Latin1(text);
        var utf8 = (PickledText)call[0]!;
        Copy(utf8.Length);
        byte[] bytes = new byte[utf8.Length];
        pickle.File.Read(utf8.At, bytes, $"byte {utf8.At}");
        int length = 0;
        for (int i = 0; i < bytes.Length; i++) // in place: UTF-8 is never shorter
        {
            byte first = bytes[i];
            if (first >= 0x80)
            {
                if (first is not (0xC2 or 0xC3) || ++i == bytes.Length || (bytes[i] & 0xC0) != 0x80) throw Bad("a text for bytes that has other letters than bytes");
                first = (byte)((first << 6) | (bytes[i] & 0x3F));
            }
            bytes[length++] = first;
        }
        return new PickledBytes(pickle.File.Unpacked(bytes.AsMemory(0, length)), 0, length);
    }

    private PickledBytes Latin1(string text)
    {
        Copy(text.Length);
        if (text.AsSpan().IndexOfAnyExceptInRange('\0', '\xFF') >= 0) throw Bad("a text for bytes that has other letters than bytes");
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        return new PickledBytes(pickle.File.Unpacked(bytes), 0, bytes.Length);
    }

    /// <summary>Counts what is copied against the file's length: the same object can be copied again for two bytes.</summary>
    private void Copy(long length)
    {
        if ((copiesLeft -= length) < 0) throw Bad("its objects would take more memory than the file has bytes");
    }

    private PickledStorage Storage(object? id)
    {
        if (id is not (object?[] and ["storage", ElementType type, string key, _, long length, .. var rest]) || length < 0) throw Bad("a reference that is no storage");
        var storage = new PickledStorage(type, key, length, 0, length);
        if (!storages.TryAdd(key, storage) && storages[key] != storage) throw Bad($"storage {key} has two types or lengths");
        if (rest is not [object?[] part]) return storage;
        return part is [_, long first, long count] && first >= 0 && count >= 0 && first <= length - count
            ? storage with { First = first, Count = count }
            : throw Bad("a storage that is no part of its own");
    }

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

    private void AddBytes(ulong length) => stack.Add(new PickledBytes(pickle.File, pickle.Skip(pickle.Claimed(length)), (long)length));

    private void AddText(ulong length) => stack.Add(pickle.Claimed(length) <= PickleBytes.MostAtOnce
        ? Encoding.UTF8.GetString(Bytes((int)length))
        : new PickledText(pickle.Skip((long)length), length <= int.MaxValue ? (int)length : throw Bad($"a text of {length:N0} bytes")));

    /// <summary>A text of one byte a letter: a name where it is short, an array's bytes where it is long.</summary>
    private void AddPython2Text(int length)
    {
        if (pickle.Claimed((ulong)length) <= PickleBytes.MostAtOnce) stack.Add(Encoding.Latin1.GetString(Bytes(length)));
        else AddBytes((ulong)length);
    }

    private void Recall(uint index) =>
        stack.Add(memo.TryGetValue(index, out object? value) ? value : throw Bad($"memo {index} was never set"));

    private object? Peek() => stack.Count > Floor ? stack[^1] : throw Bad("the stack is empty");

    private object? Pop()
    {
        object? top = Peek();
        stack.RemoveAt(stack.Count - 1);
        return top;
    }

    private object?[] Last(int count)
    {
        int first = stack.Count - count;
        if (first < Floor) throw Bad("the stack is empty");
        var items = new object?[count];
        stack.CopyTo(first, items, 0, count);
        stack.RemoveRange(first, count);
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

    private long[] Longs(object?[] items)
    {
        if (items.Length > RawTensor.MostAxes) throw Bad($"a tensor of {items.Length} axes");
        Copy(items.Length);
        return Array.ConvertAll(items, item => item is long value ? value : throw Bad("a tensor whose sizes are no numbers"));
    }

    /// <summary>A whole number of any length; those beyond 128 bits carry nothing that is used.</summary>
    private static object Integer(ReadOnlySpan<byte> littleEndian)
    {
        if (littleEndian.Length > MostIntegerBytes) return new PickledOther();
        var value = new BigInteger(littleEndian);
        return value >= long.MinValue && value <= long.MaxValue ? (object)(long)value : value;
    }

    private void LongInteger(int length)
    {
        if (pickle.Claimed((ulong)length) <= MostIntegerBytes)
        {
            stack.Add(Integer(Bytes(length)));
            return;
        }
        pickle.Skip(length);
        stack.Add(new PickledOther());
    }

    private ReadOnlySpan<byte> Bytes(int count) => pickle.Take(count);

    private WeightsFormatException Bad(string reason) => pickle.Bad(opAt, reason);
}
