using System.Buffers.Binary;
using System.Text;

namespace Delineate.Tensors.Tests.Weights;

/// <summary>Faults of pickles that random bytes seldom hit: whole opcodes lost, doubled, moved or put in, with arguments at the edges.</summary>
internal static class PickleDamage
{
    private const int MostRepeats = 1500; // beyond the depth to which containers may be nested
    private const string Opcodes =
        "(.012NIJKMGXUTBCclodtsuabeqrhj)]}iRQPp\u0080\u0081\u0082\u0085\u0086\u0087\u0088\u0089\u008a\u008b\u008c\u008d\u008e\u008f\u0090\u0091\u0092\u0093\u0094\u0095\u0096\u0097\u0098";

    private static readonly long[] EdgeNumbers =
        [-1, 0, 1, 2, 3, 4, 7, 31, 32, 33, 255, 256, 65_535, 65_536, int.MaxValue - 64L, int.MaxValue, 1L << 31, 1L << 32, 1L << 40, 1L << 61, 1L << 62, long.MaxValue - 1, long.MaxValue, long.MinValue];

    private static readonly string[] Globals =
    [
        "collections\nOrderedDict", "torch._utils\n_rebuild_tensor", "torch._utils\n_rebuild_tensor_v2", "torch._utils\n_rebuild_parameter", "torch\nFloatStorage", "torch\nHalfStorage",
        "torch\nDoubleStorage", "numpy\nndarray", "numpy\ndtype", "numpy.core.multiarray\n_reconstruct", "numpy.core.multiarray\nscalar", "numpy._core.numeric\n_frombuffer",
        "_codecs\nencode", "builtins\nbytes", "argparse\nNamespace", "torch\nSize", "os\nsystem", "builtins\neval", "",
    ];

    /// <summary>A damaged copy of a file that begins with pickles, one or several; what follows them stays as it is.</summary>
    public static byte[] Of(byte[] file, Random random)
    {
        (List<byte[]> ops, int end) = Ops(file);
        if (ops.Count == 0) ops.Add([0x80, 2]);
        Damage(ops, random);
        return [.. ops.SelectMany(op => op), .. file.AsSpan(end)];
    }

    private static void Damage(List<byte[]> ops, Random random)
    {
        int at = random.Next(ops.Count), other = random.Next(ops.Count);
        switch (random.Next(10))
        {
            case 0: ops.RemoveAt(at); break;
            case 1: ops.InsertRange(at, Enumerable.Repeat(ops[at], random.Next(2) == 0 ? 1 : random.Next(MostRepeats))); break;
            case 2: (ops[at], ops[other]) = (ops[other], ops[at]); break;
            case 3: ops[at] = RandomOp(random); break;
            case 4: ops.Insert(at, RandomOp(random)); break;
            case 5: ops.InsertRange(other, ops.GetRange(at, Math.Min(ops.Count - at, 1 + random.Next(60)))); break;
            case 6: // a number at an edge: a size, a stride, an offset, a count
                int[] numbers = [.. Enumerable.Range(0, ops.Count).Where(i => ops[i][0] is (byte)'K' or (byte)'M' or (byte)'J' or 0x8A)];
                if (numbers.Length > 0) ops[numbers[random.Next(numbers.Length)]] = Number(EdgeNumbers[random.Next(EdgeNumbers.Length)]);
                break;
            case 7: // a name that stands elsewhere
                int[] texts = [.. Enumerable.Range(0, ops.Count).Where(i => ops[i][0] is (byte)'X' or (byte)'U' or 0x8C or (byte)'c')];
                if (texts.Length > 0) ops[texts[random.Next(texts.Length)]] = ops[texts[random.Next(texts.Length)]];
                break;
            default: ops.Insert(at, Crafted(random)); break;
        }
    }

    /// <summary>Some opcode, its argument at an edge as often as not.</summary>
    private static byte[] RandomOp(Random random)
    {
        byte[] argument = new byte[random.Next(12)];
        if (random.Next(2) == 0) random.NextBytes(argument);
        else argument.AsSpan().Fill((byte)(random.Next(2) == 0 ? 0xFF : 0x7F));
        return [(byte)Opcodes[random.Next(Opcodes.Length)], .. argument];
    }

    private static byte[] Crafted(Random random)
    {
        int count = 1 + random.Next(MostRepeats);
        byte slot = (byte)random.Next(256);
        return random.Next(8) switch
        {
            0 => Repeat([(byte)'('], count), // marks in marks
            1 => [(byte)')', .. Repeat([0x85], count)], // tuples in tuples
            2 => [(byte)']', .. Repeat([(byte)']', (byte)'a'], count)], // lists one after the other
            3 => [(byte)']', (byte)'q', slot, .. Repeat([(byte)'h', slot, (byte)'a'], count)], // a list that holds itself
            4 => [(byte)'}', (byte)'q', slot, .. Repeat([(byte)'h', slot, (byte)'h', slot, (byte)'s'], count)], // a dictionary that is its own key
            5 => [(byte)'q', slot, .. Repeat([(byte)'h', slot], count)], // one object again and again
            6 => Claim(random), // a length that no file has
            _ => [(byte)'c', .. Encoding.ASCII.GetBytes(Globals[random.Next(Globals.Length)]), (byte)'\n', .. random.Next(2) == 0 ? ")R"u8 : "(tR"u8],
        };
    }

    private static byte[] Claim(Random random)
    {
        byte op = (byte)"XTB\u008b\u008d\u008e\u0096\u0095rj"[random.Next(10)];
        byte[] length = new byte[op is 0x8D or 0x8E or 0x96 or 0x95 ? 8 : 4];
        length.AsSpan().Fill(0xFF);
        length[^1] = (byte)(random.Next(2) == 0 ? 0xFF : 0x7F >> random.Next(8));
        return [op, .. length];
    }

    private static byte[] Number(long value)
    {
        byte[] op = [0x8A, 8, .. new byte[8]];
        BinaryPrimitives.WriteInt64LittleEndian(op.AsSpan(2), value);
        return op;
    }

    private static byte[] Repeat(byte[] ops, int count) => [.. Enumerable.Repeat(ops, count).SelectMany(op => op)];

    /// <summary>The opcodes of the pickles at a file's beginning, each with its argument, as far as they can be told, and where they end.</summary>
    private static (List<byte[]> Ops, int End) Ops(byte[] file)
    {
        var ops = new List<byte[]>();
        int at = 0;
        while (at < file.Length)
        {
            long length = LengthAt(file.AsSpan(at));
            if (length > file.Length - at) break;
            ops.Add(file[at..(at + (int)length)]);
            at += (int)length;
            if (ops[^1][0] == (byte)'.' && (at == file.Length || file[at] != 0x80)) break; // no further pickle
        }
        return (ops, at);
    }

    /// <summary>Bytes of the opcode with its argument.</summary>
    private static long LengthAt(ReadOnlySpan<byte> op)
    {
        const int Fixed8 = 9;
        if (op.Length < Fixed8) op = (byte[])[.. op, .. new byte[Fixed8]];
        return (char)op[0] switch
        {
            'K' or 'h' or 'q' or '\x80' or '\x82' => 2,
            'M' or '\x83' => 3,
            'J' or 'j' or 'r' or '\x84' => 5,
            'G' or '\x95' => Fixed8,
            'U' or 'C' or '\x8a' or '\x8c' => 2L + op[1],
            'T' or 'X' or 'B' or '\x8b' => 5L + BinaryPrimitives.ReadUInt32LittleEndian(op[1..]),
            '\x8d' or '\x8e' or '\x96' => BinaryPrimitives.ReadUInt64LittleEndian(op[1..]) is var length && length < int.MaxValue ? Fixed8 + (long)length : long.MaxValue,
            'I' or 'L' or 'F' or 'S' or 'V' or 'p' or 'g' or 'P' => Lines(op, 1),
            'c' or 'i' => Lines(op, 2),
            _ => 1,
        };
    }

    private static long Lines(ReadOnlySpan<byte> op, int count)
    {
        int at = 0;
        for (; count > 0; count--)
        {
            int length = op[at..].IndexOf((byte)'\n');
            if (length < 0) return long.MaxValue;
            at += length + 1;
        }
        return at;
    }
}
