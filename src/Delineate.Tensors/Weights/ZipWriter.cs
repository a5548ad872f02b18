using System.Buffers.Binary;
using System.Text;

namespace Delineate.Tensors.Weights;

/// <summary>
/// Writes a zip archive of stored entries whose bytes begin on multiples of 64, as <c>torch.save</c> does, so that they can be mapped into memory.
/// All lengths and places are in 64-bit fields (PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.5.3).
/// </summary>
internal sealed class ZipWriter(Stream file)
{
    private const int Alignment = 64, LocalLength = 30, WideLength = 20; // of a local header without its variable parts; of its field with 64-bit lengths
    private const ushort Version = 45, PaddingId = 0x4246; // the first with 64-bit fields; the id that PyTorch gives its padding
    private const ushort FirstDay = (1 << 5) | 1; // 1 January 1980: the same tensors give the same file
    private readonly MemoryStream directory = new();
    private long count;

    /// <summary>Adds an entry whose <paramref name="length"/> bytes <paramref name="write"/> writes.</summary>
    public void Add(string name, long length, Action<Stream> write)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(name);
        long at = file.Position;
        int padding = (int)(-(at + LocalLength + utf8.Length + WideLength + 4) & (Alignment - 1));
        WriteHeader(0);
        using var checkedFile = new Crc32Stream(file);
        write(checkedFile);
        if (checkedFile.Length != length) throw new InvalidOperationException($"{name} has {checkedFile.Length:N0} bytes, {length:N0} were announced");
        long end = file.Position;
        file.Position = at;
        WriteHeader(checkedFile.Crc);
        file.Position = end;

        Put(directory, "PK\x01\x02"u8, [Version, Version, 0, 0, 0, FirstDay], [checkedFile.Crc, uint.MaxValue, uint.MaxValue]);
        Put(directory, default, [(ushort)utf8.Length, 4 + 24, 0, 0, 0], [0, uint.MaxValue]);
        directory.Write(utf8);
        Put(directory, default, [1, 24], [], [length, length, at]);
        count++;

        void WriteHeader(uint crc)
        {
            Put(file, "PK\x03\x04"u8, [Version, 0, 0, 0, FirstDay], [crc, uint.MaxValue, uint.MaxValue]);
            Put(file, default, [(ushort)utf8.Length, (ushort)(WideLength + 4 + padding)], []);
            file.Write(utf8);
            Put(file, default, [1, WideLength - 4], [], [length, length]);
            Put(file, default, [PaddingId, (ushort)padding], []);
            file.Write(new byte[padding]);
        }
    }

    /// <summary>Writes the directory, without which the archive is none.</summary>
    public void Finish()
    {
        long at = file.Position, length = directory.Length;
        directory.WriteTo(file);
        long endAt = file.Position;
        Put(file, "PK\x06\x06"u8, [], [], [44]); // what follows of this record
        Put(file, default, [Version, Version], [0, 0], [count, count, length, at]);
        Put(file, "PK\x06\x07"u8, [], [0], [endAt]);
        Put(file, default, [], [1]);
        Put(file, "PK\x05\x06"u8, [0, 0, ushort.MaxValue, ushort.MaxValue], [uint.MaxValue, uint.MaxValue]);
        Put(file, default, [0], []);
    }

    private static void Put(Stream to, ReadOnlySpan<byte> magic, ReadOnlySpan<ushort> shorts, ReadOnlySpan<uint> ints, ReadOnlySpan<long> longs = default)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        to.Write(magic);
        foreach (ushort value in shorts)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
            to.Write(bytes[..sizeof(ushort)]);
        }
        foreach (uint value in ints)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
            to.Write(bytes[..sizeof(uint)]);
        }
        foreach (long value in longs)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            to.Write(bytes);
        }
    }

    /// <summary>Passes bytes on and computes their checksum (polynomial 0xEDB88320), eight bytes a step by as many tables.</summary>
    private sealed class Crc32Stream(Stream to) : Stream
    {
        private const int Step = 8;
        private static readonly uint[] Tables = MakeTables();
        private uint crc = uint.MaxValue;
        private long length;

        public uint Crc => ~crc;

        public override long Length => length;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Position { get => length; set => throw new NotSupportedException(); }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            to.Write(buffer);
            length += buffer.Length;
            ReadOnlySpan<uint> tables = Tables;
            uint sum = crc;
            while (buffer.Length >= Step)
            {
                uint low = sum ^ BinaryPrimitives.ReadUInt32LittleEndian(buffer), high = BinaryPrimitives.ReadUInt32LittleEndian(buffer[4..]);
                sum = tables[(7 << 8) + (byte)low] ^ tables[(6 << 8) + (byte)(low >> 8)] ^ tables[(5 << 8) + (byte)(low >> 16)] ^ tables[(4 << 8) + (int)(low >> 24)]
                    ^ tables[(3 << 8) + (byte)high] ^ tables[(2 << 8) + (byte)(high >> 8)] ^ tables[(1 << 8) + (byte)(high >> 16)] ^ tables[(int)(high >> 24)];
                buffer = buffer[Step..];
            }
            foreach (byte value in buffer) sum = tables[(byte)(sum ^ value)] ^ (sum >> 8);
            crc = sum;
        }

        public override void Flush() => to.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        private static uint[] MakeTables()
        {
            const uint Polynomial = 0xEDB88320;
            var tables = new uint[Step << 8];
            for (uint i = 0; i < 256; i++)
            {
                uint value = i;
                for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) * Polynomial);
                tables[i] = value;
            }
            for (int i = 256; i < tables.Length; i++) tables[i] = tables[(byte)tables[i - 256]] ^ (tables[i - 256] >> 8);
            return tables;
        }
    }
}
