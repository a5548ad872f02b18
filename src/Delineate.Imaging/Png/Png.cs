using System.Buffers.Binary;

namespace Delineate.Imaging;

/// <summary>How hard <see cref="Png"/> tries to make a file small.</summary>
public enum PngEffort
{
    /// <summary>The best of the five filters for every row, and zlib's usual level.</summary>
    Small,

    /// <summary>One filter for all rows and zlib's fastest level: about four times as fast, files a third to a half larger.</summary>
    Fast,
}

/// <summary>How to write a PNG.</summary>
public sealed record PngOptions
{
    internal static PngOptions Default { get; } = new();

    /// <summary>Size against speed; pixels are kept exactly either way.</summary>
    public PngEffort Effort { get; init; } = PngEffort.Small;

    /// <summary>
    /// Stores palette files with as few bits as their largest label needs (1, 2, 4 or 8) and leaves out the colours beyond. Off by default: many
    /// programs expect 8 bits and all the colours.
    /// </summary>
    public bool MinimalBitDepth { get; init; }

    /// <summary>Notes stored as tEXt chunks: keyword (1 to 79 Latin-1 characters) and Latin-1 text.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Text { get; init; } = [];
}

/// <summary>Reads and writes PNG files. Source: Portable Network Graphics (PNG) Specification, third edition, W3C 2025.</summary>
public static class Png
{
    internal const uint HeaderChunk = 0x49484452, PaletteChunk = 0x504C5445, TransparencyChunk = 0x74524E53; // IHDR, PLTE, tRNS
    internal const uint DataChunk = 0x49444154, EndChunk = 0x49454E44, TextChunk = 0x74455874; // IDAT, IEND, tEXt

    /// <summary>Bytes of the signature and the IHDR chunk, which open every file.</summary>
    internal const int PreludeLength = 33;

    /// <summary>Length, name and CRC of a chunk.</summary>
    internal const int ChunkOverhead = 12;

    internal static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>Size and kind from the first 33 bytes of a file; <paramref name="name"/> is for messages.</summary>
    /// <exception cref="ImageFormatException">These bytes do not start a PNG file.</exception>
    public static PngHeader ReadHeader(ReadOnlySpan<byte> file, string name)
    {
        if (!file.StartsWith(Signature))
            throw new ImageFormatException(name, 0, $"this is not a PNG file: it starts with {Convert.ToHexString(file[..Math.Min(8, file.Length)])}");
        if (file.Length < PreludeLength) throw new ImageFormatException(name, file.Length, "the file ends within its header");
        ReadOnlySpan<byte> chunk = file[8..PreludeLength], data = chunk[8..];
        if (BinaryPrimitives.ReadUInt32BigEndian(chunk[4..]) != HeaderChunk || BinaryPrimitives.ReadUInt32BigEndian(chunk) != 13)
            throw new ImageFormatException(name, 8, "the first chunk must be an IHDR of 13 bytes");
        if (Crc32.Of(chunk[4..21]) != BinaryPrimitives.ReadUInt32BigEndian(chunk[21..]))
            throw new ImageFormatException(name, 29, "chunk IHDR is damaged: its CRC does not match");
        uint width = BinaryPrimitives.ReadUInt32BigEndian(data), height = BinaryPrimitives.ReadUInt32BigEndian(data[4..]);
        if (width == 0 || height == 0) throw new ImageFormatException(name, 16, $"the picture is declared empty ({height}×{width})");
        if (width > int.MaxValue || height > int.MaxValue)
            throw new ImageFormatException(name, 16, $"the picture is declared {height}×{width}, more than PNG allows");
        int depth = data[8], color = data[9];
        bool known = color switch
        {
            0 => depth is 1 or 2 or 4 or 8 or 16,
            3 => depth is 1 or 2 or 4 or 8,
            2 or 4 or 6 => depth is 8 or 16,
            _ => false,
        };
        if (!known) throw new ImageFormatException(name, 24, $"PNG has no colour type {color} with {depth} bits a sample");
        if (data[10] != 0) throw new ImageFormatException(name, 26, $"compression method {data[10]} is unknown");
        if (data[11] != 0) throw new ImageFormatException(name, 27, $"filter method {data[11]} is unknown");
        if (data[12] > 1) throw new ImageFormatException(name, 28, $"interlace method {data[12]} is unknown");
        return new PngHeader((int)height, (int)width, (PngColorType)color, depth, data[12] == 1);
    }

    /// <summary>
    /// Reads a whole file of any colour type, bit depth and interlacing; <paramref name="name"/> is for messages. Every chunk's CRC and the
    /// data's Adler-32 are checked.
    /// </summary>
    /// <exception cref="ImageFormatException">The file is damaged, incomplete, or declares a picture beyond <paramref name="limits"/>.</exception>
    public static PngImage Decode(ReadOnlyMemory<byte> file, string name, DecodeLimits? limits = null) =>
        new PngDecoder(file, name, limits ?? DecodeLimits.Default).Decode();

    /// <summary>An 8-bit RGB file.</summary>
    public static byte[] Encode(Image image, PngOptions? options = null) => ToArray(file => Write(file, image, options));

    /// <summary>
    /// A file whose stored values are the class ids: a palette file showing them in the colours of <paramref name="palette"/>, or a grey file without
    /// one. Ids beyond the palette are black.
    /// </summary>
    public static byte[] Encode(LabelMap labels, Palette? palette = null, PngOptions? options = null) => ToArray(file => Write(file, labels, palette, options));

    /// <summary>A 16-bit grey file whose stored values are the object ids.</summary>
    /// <exception cref="ArgumentException">An id is below 0 or above 65 535 (the message names the pixel).</exception>
    public static byte[] Encode(IdMap ids, PngOptions? options = null) => ToArray(file => Write(file, ids, options));

    /// <summary>The same to a stream, a row at a time: the file is never in memory.</summary>
    internal static void Write(Stream file, Image image, PngOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(image);
        int rowLength = image.Width * 3;
        WriteRgb(file, image.Height, image.Width, (y, row) => image.Pixels.AsSpan(y * rowLength, rowLength).CopyTo(row), options);
    }

    /// <summary>An 8-bit RGB file whose rows are made as they are written.</summary>
    internal static void WriteRgb(Stream file, int height, int width, PngRowWriter writeRow, PngOptions? options = null) =>
        new PngEncoder(file, new PngHeader(height, width, PngColorType.Rgb, 8, Interlaced: false), options ?? PngOptions.Default).Encode(writeRow);

    /// <summary>See <see cref="Encode(LabelMap, Palette?, PngOptions?)"/>.</summary>
    internal static void Write(Stream file, LabelMap labels, Palette? palette, PngOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(labels);
        options ??= PngOptions.Default;
        int width = labels.Width, depth = 8;
        if (palette is null)
        {
            var grey = new PngEncoder(file, new PngHeader(labels.Height, width, PngColorType.Grey, 8, Interlaced: false), options);
            grey.Encode((y, row) => labels.Labels.AsSpan(y * width, width).CopyTo(row));
            return;
        }
        int largest = 0;
        foreach (byte label in labels.Labels) largest = Math.Max(largest, label);
        if (options.MinimalBitDepth) depth = largest < 2 ? 1 : largest < 4 ? 2 : largest < 16 ? 4 : 8;
        var colors = new Rgb[Math.Min(Math.Max(palette.Count, largest + 1), 1 << depth)];
        for (int id = 0; id < colors.Length; id++) colors[id] = palette[id];
        var encoder = new PngEncoder(file, new PngHeader(labels.Height, width, PngColorType.Palette, depth, Interlaced: false), options, colors);
        encoder.Encode((y, row) => Pack(labels.Labels.AsSpan(y * width, width), row, depth));
    }

    /// <summary>See <see cref="Encode(IdMap, PngOptions?)"/>.</summary>
    internal static void Write(Stream file, IdMap ids, PngOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(ids);
        int width = ids.Width, wrong = Array.FindIndex(ids.Ids, id => (uint)id > ushort.MaxValue);
        if (wrong >= 0)
        {
            string place = $"pixel ({wrong / width}, {wrong % width})";
            throw new ArgumentException($"{place} holds id {ids.Ids[wrong]}; a PNG holds ids 0 to 65535: number the objects from 1", nameof(ids));
        }
        var encoder = new PngEncoder(file, new PngHeader(ids.Height, width, PngColorType.Grey, 16, Interlaced: false), options ?? PngOptions.Default);
        encoder.Encode((y, row) =>
        {
            for (int x = 0; x < width; x++) BinaryPrimitives.WriteUInt16BigEndian(row[(x * 2)..], (ushort)ids.Ids[(y * width) + x]);
        });
    }

    private static byte[] ToArray(Action<Stream> write)
    {
        using var file = new MemoryStream();
        write(file);
        return file.ToArray();
    }

    /// <summary>Packs one label a byte into one label every <paramref name="depth"/> bits, the first in the highest bits.</summary>
    private static void Pack(ReadOnlySpan<byte> labels, Span<byte> row, int depth)
    {
        if (depth == 8)
        {
            labels.CopyTo(row);
            return;
        }
        row.Clear();
        int perByte = 8 / depth;
        for (int x = 0; x < labels.Length; x++) row[x / perByte] |= (byte)(labels[x] << (8 - (depth * ((x % perByte) + 1))));
    }
}
