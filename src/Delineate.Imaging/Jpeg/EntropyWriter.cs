using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Delineate.Imaging;

/// <summary>
/// A growing file: whole bytes and segments for headers, Huffman codes and numbers, with zeros stuffed after 0xFF, for blocks (T.81,
/// F.1.2).
/// </summary>
internal sealed class EntropyWriter(int capacity)
{
    // 64 coefficients of at most 16 + 10 bits, every byte of them stuffed, with the words that may still be waiting.
    private const int LargestBlock = 512;

    private byte[] _bytes = new byte[Math.Max(capacity, 1024)];
    private int _length;
    private ulong _buffer;
    private int _count;

    /// <summary>The code of each symbol of a table: code &lt;&lt; 8 | bits; 0 for symbols without one. [256].</summary>
    public static int[] Codes(ReadOnlySpan<byte> lengthCounts, ReadOnlySpan<byte> symbols)
    {
        int[] codes = new int[256];
        int code = 0;
        int index = 0;
        for (int length = 1; length <= 16; length++, code <<= 1)
        {
            for (int i = 0; i < lengthCounts[length - 1]; i++) codes[symbols[index++]] = (code++ << 8) | length;
        }
        return codes;
    }

    public void Marker(byte code)
    {
        Reserve(2);
        _bytes[_length++] = 0xFF;
        _bytes[_length++] = code;
    }

    /// <summary>A marker segment of the given contents, with its length.</summary>
    public void Segment(byte code, params ReadOnlySpan<byte> content)
    {
        Marker(code);
        Reserve(2 + content.Length);
        BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(_length), (ushort)(2 + content.Length));
        content.CopyTo(_bytes.AsSpan(_length + 2));
        _length += 2 + content.Length;
    }

    /// <summary>
    /// One block of 64 quantized coefficients, row-major; <paramref name="previousMean"/> is the mean of the component's block before and
    /// becomes this one's.
    /// </summary>
    public void Block(ReadOnlySpan<short> coefficients, int[] dcCodes, int[] acCodes, ref int previousMean)
    {
        Reserve(LargestBlock);
        Span<short> ordered = stackalloc short[64];
        ReadOnlySpan<byte> zigzag = JpegTables.Zigzag;
        for (int k = 0; k < ordered.Length; k++) ordered[k] = coefficients[zigzag[k]];

        int difference = ordered[0] - previousMean;
        previousMean = ordered[0];
        int size = SizeOf(difference);
        Put(dcCodes[size], difference, size);
        ulong nonZero = NonZero(ordered) & ~1UL;
        int last = 0;
        while (nonZero != 0)
        {
            int k = BitOperations.TrailingZeroCount(nonZero);
            nonZero &= nonZero - 1;
            int run = k - last - 1;
            for (; run > 15; run -= 16) Put(acCodes[0xF0], 0, 0);
            int value = ordered[k];
            size = SizeOf(value);
            Put(acCodes[(run << 4) | size], value, size);
            last = k;
        }
        if (last < 63) Put(acCodes[0], 0, 0);
    }

    /// <summary>Fills the last byte up with ones and returns the file, ended by <paramref name="endMarker"/>.</summary>
    public byte[] Finish(byte endMarker)
    {
        Reserve(LargestBlock);
        int spare = -_count & 7;
        Append((1u << spare) - 1, spare);
        while (_count > 0)
        {
            _count -= 8;
            StoreByte((byte)(_buffer >> _count));
        }
        Marker(endMarker);
        return _bytes.AsSpan(0, _length).ToArray();
    }

    private static int SizeOf(int value) => 32 - BitOperations.LeadingZeroCount((uint)Math.Abs(value));

    /// <summary>One bit for each coefficient that is not zero, the first lowest.</summary>
    private static ulong NonZero(ReadOnlySpan<short> ordered)
    {
        ulong mask = 0;
        for (int i = 0; i < 64; i += 16)
        {
            var pair = Vector128.NarrowWithSaturation(Vector128.Create(ordered.Slice(i, 8)), Vector128.Create(ordered.Slice(i + 8, 8)));
            mask |= (ulong)(~Vector128.Equals(pair, Vector128<sbyte>.Zero)).ExtractMostSignificantBits() << i;
        }
        return mask;
    }

    /// <summary>
    /// A code, and the number behind it in <paramref name="size"/> bits: negative ones less one, as two's complement cut off.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Put(int code, int value, int size)
    {
        uint number = (uint)(value + (value >> 31)) & ((1u << size) - 1);
        Append(((uint)(code >> 8) << size) | number, (code & 255) + size);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Append(uint bits, int count)
    {
        _buffer = (_buffer << count) | bits;
        _count += count;
        if (_count >= 32) Flush();
    }

    private void Flush()
    {
        _count -= 32;
        uint word = (uint)(_buffer >> _count);
        // As in EntropyReader: no byte of the word is 0xFF.
        if (((~word - 0x01010101) & word & 0x80808080) == 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(_bytes.AsSpan(_length), word);
            _length += 4;
            return;
        }
        for (int shift = 24; shift >= 0; shift -= 8) StoreByte((byte)(word >> shift));
    }

    private void StoreByte(byte value)
    {
        _bytes[_length++] = value;
        if (value == 0xFF) _bytes[_length++] = 0;
    }

    private void Reserve(int bytes)
    {
        if (_bytes.Length - _length < bytes) Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max(_bytes.Length * 2L, _length + bytes)));
    }
}
