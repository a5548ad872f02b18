using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;

namespace Delineate.Imaging;

/// <summary>
/// Reads one PNG file: first all its chunks, so that a damaged or incomplete file is refused before memory is taken, then the pixels, from blocks of
/// inflated rows straight into the samples.
/// </summary>
internal sealed class PngDecoder(ReadOnlyMemory<byte> file, string name, DecodeLimits limits)
{
    private const int BlockBytes = 128 * 1024; // inflated rows that wait to be unfiltered; stays in the second-level cache
    private const int LongestRow = 1 << 28; // reached only where the caller raised the limit of a side
    private const int MostInflation = 1032; // deflate's bound (RFC 1951): 258 bytes from a length code and a distance code of one bit each

    private readonly List<(int Start, int Length)> data = [];
    private PngHeader header;
    private Palette? palette;
    private byte[]? paletteAlpha;
    private ushort[]? transparentColor;

    public PngImage Decode()
    {
        header = Png.ReadHeader(file.Span, name);
        limits.Check(header.Height, header.Width, name, 16);
        ReadChunks();
        long sampleCount = (long)header.Height * header.Width * header.Channels;
        if (sampleCount > Array.MaxLength || header.RowBytes(header.Width) > LongestRow)
            throw Error(16, $"{header.Height}×{header.Width} pixels ({header.Kind}) do not fit in one array");
        RefuseImpossibleSize();
        byte[] samples = [];
        ushort[] wideSamples = [];
        if (header.BitDepth == 16) wideSamples = GC.AllocateUninitializedArray<ushort>((int)sampleCount);
        else samples = GC.AllocateUninitializedArray<byte>((int)sampleCount);
        ReadPixels(samples, wideSamples);
        return new PngImage(name, header, samples, wideSamples, palette, paletteAlpha, transparentColor);
    }

    private void ReadChunks()
    {
        ReadOnlySpan<byte> bytes = file.Span;
        int at = Png.PreludeLength;
        bool dataEnded = false;
        while (true)
        {
            if (bytes.Length - at < Png.ChunkOverhead) throw Error(bytes.Length, "the file ends before its IEND chunk");
            uint length = BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]);
            uint type = BinaryPrimitives.ReadUInt32BigEndian(bytes[(at + 4)..]);
            string chunk = NameOf(bytes.Slice(at + 4, 4), at);
            if (length > bytes.Length - at - Png.ChunkOverhead)
                throw Error(at, $"chunk {chunk} claims {length} bytes, but the file holds {bytes.Length - at - Png.ChunkOverhead} more");
            int start = at + 8, end = start + (int)length;
            if (Crc32.Of(bytes[(at + 4)..end]) != BinaryPrimitives.ReadUInt32BigEndian(bytes[end..]))
                throw Error(at, $"chunk {chunk} is damaged: its CRC does not match");
            ReadOnlySpan<byte> content = bytes[start..end];
            switch (type)
            {
                case Png.HeaderChunk:
                    throw Error(at, "there is a second IHDR chunk");
                case Png.PaletteChunk:
                    ReadPalette(content, at);
                    break;
                case Png.TransparencyChunk:
                    ReadTransparency(content, at);
                    break;
                case Png.DataChunk:
                    if (dataEnded) throw Error(at, "the IDAT chunks do not follow each other");
                    if (header.ColorType == PngColorType.Palette && palette is null)
                        throw Error(at, "the PLTE chunk is missing before the pixels of a palette file");
                    data.Add((start, (int)length));
                    break;
                case Png.EndChunk:
                    if (length != 0) throw Error(at, "chunk IEND must be empty");
                    if (data.Count == 0) throw Error(at, "the file holds no pixels: it has no IDAT chunk");
                    return; // what follows is not the picture's; other readers pass over it too
                default:
                    // A capital first letter says that the picture cannot be understood without the chunk.
                    if ((type & 0x2000_0000) == 0) throw Error(at, $"chunk {chunk} is unknown and marked as indispensable");
                    break;
            }
            dataEnded |= data.Count > 0 && type != Png.DataChunk;
            at = end + 4;
        }
    }

    private void ReadPalette(ReadOnlySpan<byte> content, int at)
    {
        if (palette is not null) throw Error(at, "there is a second PLTE chunk");
        if (data.Count > 0) throw Error(at, "chunk PLTE follows the pixels");
        if (content.Length == 0 || content.Length % 3 != 0 || content.Length > 768)
            throw Error(at, $"chunk PLTE holds {content.Length} bytes; 1 to 256 colours of 3 bytes are possible");
        // In RGB files it is a hint for poor displays, and grey files should have none.
        if (header.ColorType == PngColorType.Palette) palette = new Palette(MemoryMarshal.Cast<byte, Rgb>(content));
    }

    private void ReadTransparency(ReadOnlySpan<byte> content, int at)
    {
        if (data.Count > 0) throw Error(at, "chunk tRNS follows the pixels");
        if (paletteAlpha is not null || transparentColor is not null) throw Error(at, "there is a second tRNS chunk");
        if (header.ColorType == PngColorType.Palette)
        {
            if (palette is null) throw Error(at, "chunk tRNS precedes PLTE");
            if (content.Length > palette.Count) throw Error(at, $"chunk tRNS holds {content.Length} values for {palette.Count} colours");
            paletteAlpha = content.ToArray();
            return;
        }
        if (header.ColorType is PngColorType.GreyAlpha or PngColorType.Rgba) throw Error(at, "chunk tRNS has no place in a file with alpha");
        if (content.Length != header.Channels * 2) throw Error(at, $"chunk tRNS holds {content.Length} bytes, not {header.Channels * 2}");
        transparentColor = new ushort[header.Channels];
        for (int k = 0; k < transparentColor.Length; k++) transparentColor[k] = BinaryPrimitives.ReadUInt16BigEndian(content[(k * 2)..]);
    }

    /// <summary>A file of a few bytes that declares a huge picture is refused here, before memory is taken for it.</summary>
    private void RefuseImpossibleSize()
    {
        long compressed = 0;
        foreach ((_, int length) in data) compressed += length;
        if (InflatedLength() > compressed * MostInflation)
            throw Error(data[0].Start, $"{compressed} bytes of compressed data cannot hold {header.Height}×{header.Width} pixels ({header.Kind})");
    }

    private long InflatedLength()
    {
        long length = 0;
        foreach (PngPass pass in header.Passes()) length += pass.Height * (1 + header.RowBytes(pass.Width));
        return length;
    }

    private void ReadPixels(byte[] samples, ushort[] wideSamples)
    {
        // A side is at most a million pixels of 8 bytes, unless the caller raised the limit: these buffers stay within a few megabytes.
        int longestRow = (int)header.RowBytes(header.Width);
        byte[] block = ArrayPool<byte>.Shared.Rent(Math.Max(BlockBytes, longestRow + 1));
        byte[] rows = ArrayPool<byte>.Shared.Rent(longestRow * 2);
        try
        {
            using var compressed = new ChunkedStream(file, data);
            using var inflater = new ZLibStream(compressed, CompressionMode.Decompress);
            var source = new RowSource(this, compressed, inflater, block, InflatedLength());
            foreach (PngPass pass in header.Passes())
            {
                if (header.BitDepth == 8 && !header.Interlaced) ReadRows(ref source, samples, rows);
                else if (header.BitDepth == 16) ReadPass<ushort>(ref source, pass, wideSamples, rows);
                else ReadPass<byte>(ref source, pass, samples, rows);
            }
            source.RequireEnd();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
            ArrayPool<byte>.Shared.Return(rows);
        }
    }

    /// <summary>The common case: stored rows are sample rows, and each is unfiltered where it will stay.</summary>
    private void ReadRows(ref RowSource source, byte[] samples, byte[] zeros)
    {
        int rowBytes = header.Width * header.Channels;
        Span<byte> above = zeros.AsSpan(0, rowBytes);
        above.Clear();
        for (int y = 0; y < header.Height; y++)
        {
            Span<byte> row = samples.AsSpan(y * rowBytes, rowBytes);
            ReadRow(ref source, row, above);
            above = row;
        }
    }

    private void ReadPass<T>(ref RowSource source, PngPass pass, T[] samples, byte[] rows)
        where T : unmanaged
    {
        int rowBytes = (int)header.RowBytes(pass.Width), channels = header.Channels;
        Span<byte> row = rows.AsSpan(0, rowBytes), above = rows.AsSpan(rowBytes, rowBytes);
        T[] unpackedRow = ArrayPool<T>.Shared.Rent(pass.StepX == 1 ? 0 : pass.Width * channels);
        above.Clear();
        for (int y = 0; y < pass.Height; y++)
        {
            ReadRow(ref source, row, above);
            Span<T> target = samples.AsSpan((pass.Y + (y * pass.StepY)) * header.Width * channels, header.Width * channels);
            Span<T> unpacked = pass.StepX == 1 ? target : unpackedRow.AsSpan(0, pass.Width * channels);
            Unpack(row, unpacked);
            for (int x = 0; pass.StepX > 1 && x < pass.Width; x++)
                unpacked.Slice(x * channels, channels).CopyTo(target[((pass.X + (x * pass.StepX)) * channels)..]);
            Span<byte> read = row;
            row = above;
            above = read;
        }
        ArrayPool<T>.Shared.Return(unpackedRow);
    }

    private void ReadRow(ref RowSource source, Span<byte> row, ReadOnlySpan<byte> above)
    {
        ReadOnlySpan<byte> stored = source.Next(row.Length + 1);
        if (stored[0] >= PngFilter.Count) throw Error(source.FileOffset, $"a row names filter {stored[0]}; PNG has filters 0 to 4");
        PngFilter.Undo(stored[0], stored[1..], above, row, header.PixelBytes);
    }

    /// <summary>One sample an element, from big-endian 16-bit samples, bytes, or 8 / depth samples a byte with the first in the highest bits.</summary>
    private void Unpack<T>(ReadOnlySpan<byte> row, Span<T> samples)
        where T : unmanaged
    {
        if (typeof(T) == typeof(ushort))
        {
            ReadOnlySpan<ushort> stored = MemoryMarshal.Cast<byte, ushort>(row);
            Span<ushort> wide = MemoryMarshal.Cast<T, ushort>(samples);
            if (BitConverter.IsLittleEndian) BinaryPrimitives.ReverseEndianness(stored, wide);
            else stored.CopyTo(wide);
            return;
        }
        Span<byte> bytes = MemoryMarshal.AsBytes(samples);
        int depth = header.BitDepth;
        if (depth == 8)
        {
            row.CopyTo(bytes);
            return;
        }
        int mask = (1 << depth) - 1;
        for (int x = 0, bit = 0; x < bytes.Length; x++, bit += depth)
            bytes[x] = (byte)((row[bit >> 3] >> (8 - depth - (bit & 7))) & mask);
    }

    private string NameOf(ReadOnlySpan<byte> type, int at)
    {
        foreach (byte letter in type)
            if (!char.IsAsciiLetter((char)letter)) throw Error(at, $"a chunk is expected here, but its name would be {Convert.ToHexString(type)}");
        return string.Create(CultureInfo.InvariantCulture, $"{(char)type[0]}{(char)type[1]}{(char)type[2]}{(char)type[3]}");
    }

    private ImageFormatException Error(long at, string reason, Exception? inner = null) => new(name, at, reason, inner);

    /// <summary>Hands out inflated rows, reading whole blocks and never more than the picture needs.</summary>
    private struct RowSource(PngDecoder decoder, ChunkedStream compressed, ZLibStream inflater, byte[] block, long total)
    {
        private int start;
        private int end;
        private long inflated;

        /// <summary>The byte of the file that the inflater stands at; it reads ahead by up to its buffer of 8 KB.</summary>
        public readonly long FileOffset => compressed.FileOffset;

        public ReadOnlySpan<byte> Next(int length)
        {
            if (end - start < length) Refill(length);
            start += length;
            return block.AsSpan(start - length, length);
        }

        public readonly void RequireEnd()
        {
            // Reading to the end makes the inflater check the Adler-32. If that is missing it asks for more input, and then ends without a word.
            if (Inflate(block.AsSpan(0, 1)) != 0)
                throw decoder.Error(FileOffset, $"the compressed data go on after the {total} bytes that the picture needs");
            if (compressed.WasReadBeyondEnd) throw decoder.Error(FileOffset, "the compressed data end before their checksum");
        }

        private void Refill(int length)
        {
            block.AsSpan(start, end - start).CopyTo(block);
            (start, end) = (0, end - start);
            while (end < length)
            {
                int read = Inflate(block.AsSpan(end, (int)Math.Min(block.Length - end, total - inflated)));
                if (read == 0) throw decoder.Error(FileOffset, $"the compressed data end after {inflated} of {total} bytes");
                end += read;
                inflated += read;
            }
        }

        private readonly int Inflate(Span<byte> target)
        {
            try
            {
                return inflater.Read(target);
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                throw decoder.Error(FileOffset, "the compressed data are damaged or incomplete", e);
            }
        }
    }

    /// <summary>The contents of the IDAT chunks as one stream.</summary>
    private sealed class ChunkedStream(ReadOnlyMemory<byte> file, List<(int Start, int Length)> chunks) : Stream
    {
        private int chunk;
        private int used;

        public long FileOffset => chunk < chunks.Count ? chunks[chunk].Start + used : chunks[^1].Start + chunks[^1].Length;

        public bool WasReadBeyondEnd { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            while (chunk < chunks.Count && used == chunks[chunk].Length) (chunk, used) = (chunk + 1, 0);
            if (chunk == chunks.Count)
            {
                WasReadBeyondEnd = true;
                return 0;
            }
            int count = Math.Min(buffer.Length, chunks[chunk].Length - used);
            file.Span.Slice(chunks[chunk].Start + used, count).CopyTo(buffer);
            used += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
