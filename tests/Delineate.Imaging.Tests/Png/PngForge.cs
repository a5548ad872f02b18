using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Delineate.Imaging.Tests;

/// <summary>Puts PNG files together piece by piece, plainly and independently of the product: every kind, interlaced or not, and wrong ones.</summary>
internal static class PngForge
{
    public static readonly (PngColorType Color, int Depth)[] Kinds =
    [
        (PngColorType.Grey, 1), (PngColorType.Grey, 2), (PngColorType.Grey, 4), (PngColorType.Grey, 8), (PngColorType.Grey, 16),
        (PngColorType.Palette, 1), (PngColorType.Palette, 2), (PngColorType.Palette, 4), (PngColorType.Palette, 8),
        (PngColorType.Rgb, 8), (PngColorType.Rgb, 16), (PngColorType.GreyAlpha, 8), (PngColorType.GreyAlpha, 16), (PngColorType.Rgba, 8), (PngColorType.Rgba, 16),
    ];

    /// <summary>The first row and column, and the steps, of Adam7's passes.</summary>
    private static readonly (int Y, int X, int StepY, int StepX)[] Adam7 =
        [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)];

    public static byte[] File(params (string Type, byte[] Content)[] chunks)
    {
        var file = new List<byte> { 0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A };
        foreach ((string type, byte[] content) in chunks) file.AddRange(Chunk(type, content));
        return [.. file];
    }

    public static byte[] Header(int height, int width, int color = 0, int depth = 8, int interlace = 0, int compression = 0, int filter = 0)
    {
        var content = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(content, width);
        BinaryPrimitives.WriteInt32BigEndian(content.AsSpan(4), height);
        (content[8], content[9], content[10], content[11], content[12]) = ((byte)depth, (byte)color, (byte)compression, (byte)filter, (byte)interlace);
        return content;
    }

    public static byte[] Header(PngHeader header) => Header(header.Height, header.Width, (int)header.ColorType, header.BitDepth, header.Interlaced ? 1 : 0);

    /// <summary>A whole file of these samples, each row with a random filter, its data cut into IDAT chunks of <paramref name="dataLength"/> bytes.</summary>
    public static byte[] Picture(PngHeader header, ushort[] samples, Random random, int dataLength = int.MaxValue, CompressionLevel level = CompressionLevel.Optimal)
    {
        List<(string, byte[])> chunks = [("IHDR", Header(header))];
        if (header.ColorType == PngColorType.Palette) chunks.Add(("PLTE", [.. Enumerable.Range(0, (1 << header.BitDepth) * 3).Select(i => (byte)(i * 7))]));
        foreach (byte[] part in Compress(Scanlines(header, samples, random), level).Chunk(dataLength)) chunks.Add(("IDAT", part));
        chunks.Add(("IEND", []));
        return File([.. chunks]);
    }

    public static ushort[] RandomSamples(PngHeader header, Random random)
    {
        var samples = new ushort[header.Height * header.Width * header.Channels];
        for (int i = 0; i < samples.Length; i++) samples[i] = (ushort)random.Next(1 << header.BitDepth);
        return samples;
    }

    public static byte[] Compress(byte[] raw, CompressionLevel level = CompressionLevel.Optimal)
    {
        var target = new MemoryStream();
        using (var deflater = new ZLibStream(target, level)) deflater.Write(raw);
        return target.ToArray();
    }

    public static byte[] Scanlines(PngHeader header, ushort[] samples, Random random)
    {
        var raw = new List<byte>();
        int channels = header.Channels, step = Math.Max(1, channels * header.BitDepth / 8);
        foreach ((int y0, int x0, int stepY, int stepX) in header.Interlaced ? Adam7 : [(0, 0, 1, 1)])
        {
            byte[]? above = null;
            for (int y = y0; y < header.Height && x0 < header.Width; y += stepY)
            {
                var values = new List<ushort>();
                for (int x = x0; x < header.Width; x += stepX) values.AddRange(samples[(((y * header.Width) + x) * channels)..(((y * header.Width) + x + 1) * channels)]);
                byte[] row = PackBits(values, header.BitDepth);
                int filter = random.Next(5);
                raw.Add((byte)filter);
                raw.AddRange(Filter(filter, row, above ?? new byte[row.Length], step));
                above = row;
            }
        }
        return [.. raw];
    }

    /// <summary>The plain form of the five filters, one byte at a time, as the specification words them.</summary>
    public static byte[] Filter(int filter, byte[] row, byte[] above, int step)
    {
        var result = new byte[row.Length];
        for (int i = 0; i < row.Length; i++)
        {
            int a = i >= step ? row[i - step] : 0, b = above[i], c = i >= step ? above[i - step] : 0;
            int p = a + b - c, toA = Math.Abs(p - a), toB = Math.Abs(p - b), toC = Math.Abs(p - c);
            int paeth = toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
            result[i] = (byte)(row[i] - filter switch { 0 => 0, 1 => a, 2 => b, 3 => (a + b) / 2, _ => paeth });
        }
        return result;
    }

    /// <summary>Writes the right CRC behind every chunk whose length still fits in the file.</summary>
    public static byte[] MendChecksums(byte[] file)
    {
        file = (byte[])file.Clone();
        for (int at = 8; at + 12 <= file.Length;)
        {
            uint length = BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at));
            if (length > file.Length - at - 12) break;
            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(at + 8 + (int)length), BitwiseCrc(file.AsSpan(at + 4, 4 + (int)length)));
            at += 12 + (int)length;
        }
        return file;
    }

    public static uint BitwiseCrc(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
        }
        return ~crc;
    }

    private static byte[] Chunk(string type, byte[] content)
    {
        byte[] body = [.. Encoding.Latin1.GetBytes(type), .. content];
        byte[] length = new byte[4], crc = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, content.Length);
        BinaryPrimitives.WriteUInt32BigEndian(crc, BitwiseCrc(body));
        return [.. length, .. body, .. crc];
    }

    private static byte[] PackBits(List<ushort> values, int depth)
    {
        var row = new byte[((values.Count * depth) + 7) / 8];
        for (int i = 0, bit = 0; i < values.Count; i++)
            for (int k = depth - 1; k >= 0; k--, bit++)
                if ((values[i] >> k & 1) != 0) row[bit / 8] |= (byte)(0x80 >> (bit % 8));
        return row;
    }
}
