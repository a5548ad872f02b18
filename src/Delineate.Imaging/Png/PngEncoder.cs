using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Delineate.Imaging;

/// <summary>Writes the packed bytes of row <paramref name="y"/> into <paramref name="row"/>.</summary>
internal delegate void PngRowWriter(int y, Span<byte> row);

/// <summary>Writes one non-interlaced PNG file.</summary>
internal sealed class PngEncoder(PngHeader header, PngOptions options, ReadOnlyMemory<Rgb> palette = default)
{
    private readonly MemoryStream file = new();

    public byte[] Encode(PngRowWriter writeRow)
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
        return file.ToArray();
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
        // The chunk's length is written when it is known.
        long start = file.Position;
        file.Write(stackalloc byte[8]);
        var level = options.Effort == PngEffort.Fast ? CompressionLevel.Fastest : CompressionLevel.Optimal;
        using (var deflater = new ZLibStream(file, level, leaveOpen: true))
        {
            for (int y = 0; y < header.Height; y++)
            {
                writeRow(y, row.AsSpan(PngFilter.Margin));
                Filter(row, above, ref best, ref trial);
                deflater.Write(best);
                (row, above) = (above, row);
            }
        }
        Span<byte> chunk = file.GetBuffer().AsSpan((int)start, (int)(file.Position - start));
        BinaryPrimitives.WriteInt32BigEndian(chunk, chunk.Length - 8);
        BinaryPrimitives.WriteUInt32BigEndian(chunk[4..], Png.DataChunk);
        WriteCrc(chunk[4..]);
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
        byte[] chunk = new byte[8 + content.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, content.Length);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(4), type);
        content.CopyTo(chunk.AsSpan(8));
        file.Write(chunk);
        WriteCrc(chunk.AsSpan(4));
    }

    private void WriteCrc(ReadOnlySpan<byte> typeAndContent)
    {
        Span<byte> crc = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(crc, Crc32.Of(typeAndContent));
        file.Write(crc);
    }
}
