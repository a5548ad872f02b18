using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Delineate.Imaging;

/// <summary>Writes the packed bytes of row <paramref name="y"/> into <paramref name="row"/>.</summary>
internal delegate void PngRowWriter(int y, Span<byte> row);

/// <summary>Writes one non-interlaced PNG file, a row at a time: beside the rows that a filter compares, it holds the chunk that is being filled.</summary>
internal sealed class PngEncoder(Stream file, PngHeader header, PngOptions options, ReadOnlyMemory<Rgb> palette = default)
{
    private const int ChunkHead = 8; // bytes of a chunk's length and name
    private const int LargestChunk = 1 << 20, LeastChunk = 1 << 10; // bytes of compressed pixels in a chunk: small pictures are one

    public void Encode(PngRowWriter writeRow)
    {
        file.Write(Png.Signature);
        WriteHeader();
        if (palette.Length > 0)
        {
            var content = new byte[palette.Length * 3];
            for (int i = 0; i < palette.Length; i++)
            {
                Rgb color = palette.Span[i];
                (content[i * 3], content[(i * 3) + 1], content[(i * 3) + 2]) = (color.R, color.G, color.B);
            }
            WriteChunk(Png.PaletteChunk, content);
        }
        foreach ((string keyword, string text) in options.Text) WriteText(keyword, text);
        WritePixels(writeRow);
        WriteChunk(Png.EndChunk, []);
    }

    private void WriteHeader()
    {
        Span<byte> content = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(content, header.Width);
        BinaryPrimitives.WriteInt32BigEndian(content[4..], header.Height);
        content[8] = (byte)header.BitDepth;
        content[9] = (byte)header.ColorType;
        content[10..].Clear(); // deflate, the five filters, not interlaced
        WriteChunk(Png.HeaderChunk, content);
    }

    private void WriteText(string keyword, string text)
    {
        if (keyword.Length is 0 or > 79) throw new ArgumentException($"the keyword of a PNG note has 1 to 79 characters, not {keyword.Length}");
        if ((keyword + text).AsSpan().IndexOfAnyExceptInRange('\u0001', '\u00FF') >= 0)
            throw new ArgumentException($"the PNG note '{keyword}' holds characters outside Latin-1");
        WriteChunk(Png.TextChunk, Encoding.Latin1.GetBytes($"{keyword}\0{text}"));
    }

    private void WritePixels(PngRowWriter writeRow)
    {
        int rowBytes = checked((int)header.RowBytes(header.Width));
        byte[] row = new byte[PngFilter.Margin + rowBytes], above = new byte[PngFilter.Margin + rowBytes];
        byte[] best = new byte[1 + rowBytes], trial = new byte[1 + rowBytes]; // the filter's number, then the differences
        var chunks = new DataChunks(this, (int)Math.Min(LargestChunk, ((rowBytes + 1L) * header.Height) + LeastChunk));
        var level = options.Effort == PngEffort.Fast ? CompressionLevel.Fastest : CompressionLevel.Optimal;
        using (var deflater = new ZLibStream(chunks, level))
        {
            for (int y = 0; y < header.Height; y++)
            {
                writeRow(y, row.AsSpan(PngFilter.Margin));
                Filter(row, above, ref best, ref trial);
                deflater.Write(best);
                (row, above) = (above, row);
            }
        }
        chunks.Send();
    }

    /// <summary>
    /// Leaves in <paramref name="best"/> the filtered row. Ids are not filtered, since neighbours in number are not neighbours in meaning; for
    /// colours that one of the five filters is taken whose differences have the least sum of magnitudes (PNG specification, §12.7).
    /// </summary>
    private void Filter(byte[] row, byte[] above, ref byte[] best, ref byte[] trial)
    {
        int first = PngFilter.None, last = PngFilter.None;
        if (header.ColorType == PngColorType.Rgb)
            (first, last) = options.Effort == PngEffort.Fast ? (PngFilter.Paeth, PngFilter.Paeth) : (PngFilter.None, PngFilter.Paeth);
        long least = long.MaxValue;
        for (int filter = first; filter <= last; filter++)
        {
            long cost = PngFilter.Apply(filter, row, above, trial.AsSpan(1), header.PixelBytes);
            if (cost >= least) continue;
            least = cost;
            trial[0] = (byte)filter;
            (best, trial) = (trial, best);
        }
    }

    private void WriteChunk(uint type, ReadOnlySpan<byte> content)
    {
        byte[] chunk = new byte[ChunkHead + content.Length];
        content.CopyTo(chunk.AsSpan(ChunkHead));
        SendChunk(type, chunk);
    }

    /// <summary>Writes a chunk whose content lies behind <see cref="ChunkHead"/> free bytes.</summary>
    private void SendChunk(uint type, Span<byte> chunk)
    {
        Span<byte> crc = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(chunk, chunk.Length - ChunkHead);
        BinaryPrimitives.WriteUInt32BigEndian(chunk[4..], type);
        BinaryPrimitives.WriteUInt32BigEndian(crc, Crc32.Of(chunk[4..]));
        file.Write(chunk);
        file.Write(crc);
    }

    /// <summary>Cuts what is written to it into IDAT chunks.</summary>
    private sealed class DataChunks(PngEncoder encoder, int capacity) : Stream
    {
        private readonly byte[] chunk = new byte[ChunkHead + capacity];
        private int used = ChunkHead;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            while (!buffer.IsEmpty)
            {
                if (used == chunk.Length) Send();
                int count = Math.Min(buffer.Length, chunk.Length - used);
                buffer[..count].CopyTo(chunk.AsSpan(used));
                used += count;
                buffer = buffer[count..];
            }
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public void Send()
        {
            if (used > ChunkHead) encoder.SendChunk(Png.DataChunk, chunk.AsSpan(0, used));
            used = ChunkHead;
        }
    }
}
