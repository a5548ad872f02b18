using System.Runtime.CompilerServices;

namespace Delineate.Imaging;

/// <summary>
/// A Huffman table laid out for decoding: the next <see cref="LookupBits"/> bits give the code and, where they reach that far, the
/// coefficient behind it. Codes and values: T.81, annexes C, F.1.2 and F.2.2.
/// </summary>
internal sealed class HuffmanDecoder
{
    /// <summary>10 bits hold nearly every code of a photo with its value, and four tables of 4 KB stay in the first-level cache.</summary>
    public const int LookupBits = 10;

    /// <summary>
    /// The run of an entry that ends a block; in progressive scans the run less this is the category of the end-of-band count.
    /// </summary>
    public const int EndOfBlockRun = 64;

    private readonly int[] _lookup = new int[1 << LookupBits];
    private readonly byte[] _codeLengths = new byte[1 << LookupBits];
    private readonly byte[] _symbols;
    private readonly bool _isDc;

    // For each code length: the codes of that length, left-aligned in 16 bits, lie below _limit; symbol index = code + _offset.
    private readonly int[] _limit = new int[18];
    private readonly int[] _offset = new int[17];

    private HuffmanDecoder(byte[] symbols, bool isDc) => (_symbols, _isDc) = (symbols, isDc);

    /// <summary>
    /// Entries: 0 where the code is longer than the lookup, else value &lt;&lt; 17 | run &lt;&lt; 10 | bits of the value still to be read
    /// &lt;&lt; 6 | bits to drop (the six bits that a shift looks at).
    /// </summary>
    public int[] Lookup => _lookup;

    /// <summary>
    /// Builds the table from the number of codes of each length 1 to 16 and their symbols. Null where no prefix code has these lengths.
    /// </summary>
    public static HuffmanDecoder? TryBuild(ReadOnlySpan<byte> lengthCounts, ReadOnlySpan<byte> symbols, bool isDc)
    {
        var table = new HuffmanDecoder(symbols.ToArray(), isDc);
        int code = 0;
        int index = 0;
        for (int length = 1; length <= 16; length++)
        {
            table._offset[length] = index - code;
            for (int i = 0; i < lengthCounts[length - 1]; i++, code++, index++)
            {
                if (code >= 1 << length) return null;
                if (isDc && symbols[index] > 15) return null;
                if (length <= LookupBits) table.FillLookup(code, length, symbols[index]);
            }
            table._limit[length] = code << (16 - length);
            code <<= 1;
        }
        table._limit[17] = int.MaxValue;
        return table;
    }

    /// <summary>Reads one symbol as it stands in the table.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int ReadSymbol(ref EntropyReader bits)
    {
        if (bits.Count < 16) bits.Refill();
        int length = _codeLengths[(int)(bits.Buffer >> (64 - LookupBits))];
        if (length == 0) length = LongCodeLength((int)(bits.Buffer >> 48));
        if (length > 16) throw bits.Fail("invalid Huffman code");
        int symbol = _symbols[(int)(bits.Buffer >> (64 - length)) + _offset[length]];
        bits.Buffer <<= length;
        bits.Count -= length;
        return symbol;
    }

    /// <summary>The entry for a code longer than the lookup, given the next 16 bits; 0 where there is no such code.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public int LongEntry(int next16)
    {
        int length = LongCodeLength(next16);
        return length > 16 ? 0 : EntryOf(_symbols[(next16 >> (16 - length)) + _offset[length]], length);
    }

    /// <summary>The signed number that <paramref name="size"/> bits stand for (T.81, F.12: EXTEND). Size 0 to 15.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Extend(int bits, int size)
    {
        // Below half of the range the number is negative: bits - (2^size - 1).
        int half = (1 << size) >> 1;
        return bits + (((bits - half) >> 31) & (1 - (1 << size)));
    }

    private int LongCodeLength(int next16)
    {
        int length = LookupBits + 1;
        while (next16 >= _limit[length]) length++;
        return length;
    }

    private void FillLookup(int code, int length, byte symbol)
    {
        int spare = LookupBits - length;
        int entry = EntryOf(symbol, length);
        int size = (entry >> 6) & 15;
        int run = entry >> 10;
        for (int tail = 0; tail < 1 << spare; tail++)
        {
            int whole = entry;
            if (size != 0 && size <= spare)
            {
                int value = Extend(tail >> (spare - size), size);
                whole = (value << 17) | (run << 10) | (length + size);
            }
            _lookup[(code << spare) | tail] = whole;
            _codeLengths[(code << spare) | tail] = (byte)length;
        }
    }

    private int EntryOf(byte symbol, int length)
    {
        if (_isDc) return (symbol << 6) | length;
        (int run, int size) = (symbol >> 4, symbol & 15);
        if (size == 0 && run != 15) run += EndOfBlockRun;
        return (run << 10) | (size << 6) | length;
    }
}
