using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Delineate.Imaging;

/// <summary>
/// Bits of one entropy-coded segment, with stuffed zero bytes taken out. At a marker, or at the end of the file, zero bits follow without
/// end, so that decoding cannot run away; <see cref="Exhausted"/> tells that some of them were used.
/// </summary>
internal ref struct EntropyReader
{
    /// <summary>Bits not used yet, the next one topmost. Below <see cref="Count"/> lie bits of the bytes that follow, or zeros.</summary>
    public ulong Buffer;

    /// <summary>How many bits of <see cref="Buffer"/> count.</summary>
    public int Count;

    private readonly ReadOnlySpan<byte> _file;
    private readonly string _name;
    private int _position;
    private int _padding;

    public EntropyReader(ReadOnlySpan<byte> file, int position, string name)
    {
        _file = file;
        _name = name;
        _position = position;
    }

    /// <summary>The next byte to load; never beyond a marker.</summary>
    public readonly int Position => _position;

    /// <summary>True once bits were used that the segment does not hold.</summary>
    public readonly bool Exhausted => _padding > Count;

    /// <summary>Fills the buffer to at least 56 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Refill()
    {
        ReadOnlySpan<byte> file = _file;
        int position = _position;
        if (position <= file.Length - 8)
        {
            ulong word = BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<ulong>(ref Unsafe.AsRef(in file[position])));
            // No byte of the word is 0xFF: its complement has no zero byte.
            if (((~word - 0x0101010101010101) & word & 0x8080808080808080) == 0)
            {
                // Bits of a byte that fits in part are set now and set again, to the same value, when the byte is loaded.
                Buffer |= word >> Count;
                _position = position + ((63 - Count) >> 3);
                Count |= 56;
                return;
            }
        }
        RefillBytewise();
    }

    /// <summary>The next <paramref name="count"/> bits (0 to 16) as a number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Read(int count)
    {
        if (Count < 16) Refill();
        int value = (int)(Buffer >> 1 >> (63 - count));
        Buffer <<= count;
        Count -= count;
        return value;
    }

    /// <summary>The next bit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool ReadBit()
    {
        if (Count < 1) Refill();
        bool bit = (long)Buffer < 0;
        Buffer <<= 1;
        Count--;
        return bit;
    }

    /// <summary>Drops the bits left of this interval and steps over restart marker number <paramref name="index"/> (0 to 7).</summary>
    public void Restart(int index)
    {
        (Buffer, Count, _padding) = (0, 0, 0);
        int marker = FindMarker(_file, _position);
        if (marker < 0 || _file[marker + 1] != JpegTables.Restart0 + index)
        {
            _position = marker < 0 ? _file.Length : marker;
            throw Fail($"restart marker {index} is missing");
        }
        _position = marker + 2;
    }

    /// <summary>An error at the place that is being read.</summary>
    public readonly ImageFormatException Fail(string reason) => new(_name, _position, reason);

    /// <summary>The place of the 0xFF before the next marker code at or after <paramref name="position"/>, or -1.</summary>
    public static int FindMarker(ReadOnlySpan<byte> file, int position)
    {
        while (position < file.Length - 1)
        {
            int next = file[position..].IndexOf((byte)0xFF);
            if (next < 0 || position + next + 1 >= file.Length) return -1;
            position += next;
            if (file[position + 1] is not (0x00 or 0xFF)) return position;
            position++;
        }
        return -1;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RefillBytewise()
    {
        while (Count < 56)
        {
            ulong next = 0;
            if (_position >= _file.Length)
            {
                _padding += 8;
            }
            else if (_file[_position] != 0xFF)
            {
                next = _file[_position++];
            }
            else
            {
                // 0xFF may be repeated as fill; the byte after it tells a stuffed zero from a marker.
                int code = _position + 1;
                while (code < _file.Length && _file[code] == 0xFF) code++;
                if (code < _file.Length && _file[code] == 0)
                {
                    next = 0xFF;
                    _position = code + 1;
                }
                else
                {
                    _padding += 8;
                }
            }
            Buffer |= next << (56 - Count);
            Count += 8;
        }
    }
}
