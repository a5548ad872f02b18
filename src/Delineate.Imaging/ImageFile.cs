namespace Delineate.Imaging;

/// <summary>The file formats that are read and written.</summary>
public enum ImageFormat
{
    /// <summary>Portable Network Graphics: exact; pictures, labels and ids.</summary>
    Png,

    /// <summary>JPEG: photos.</summary>
    Jpeg,
}

/// <summary>
/// Size and kind of an image file. Sizes are those of the picture as viewed (a JPEG's Exif orientation applied). <paramref name="Channels"/> counts
/// stored samples of a pixel: 1 for grey and palette files, 3 for RGB; <paramref name="HasPalette"/> tells indices from grey.
/// </summary>
public readonly record struct ImageHeader(ImageFormat Format, int Height, int Width, int Channels, int BitDepth, bool HasPalette);

/// <summary>
/// Image files by path: reads PNG and JPEG by what the bytes say, whatever the name; writes by the name's extension, so that a file is there in
/// whole or not at all.
/// </summary>
public static class ImageFile
{
    private const int HeadBytes = 64 * 1024; // holds the headers of nearly all files, metadata and thumbnail included

    /// <summary>The picture of a file, Exif orientation applied. → [H, W, 3].</summary>
    /// <exception cref="ImageFormatException">The file is neither PNG nor JPEG, or is damaged.</exception>
    public static Image Load(string path) => Decode(File.ReadAllBytes(path), path);

    /// <summary>The picture of a PNG or JPEG file that is in memory; <paramref name="name"/> is for messages. → [H, W, 3].</summary>
    /// <exception cref="ImageFormatException">The bytes are neither PNG nor JPEG, or are damaged.</exception>
    public static Image Decode(ReadOnlyMemory<byte> file, string name) =>
        FormatOf(file.Span, name) == ImageFormat.Png ? Png.Decode(file, name).ToImage() : Jpeg.Decode(file.Span, name);

    /// <summary>Size and kind, from the first part of a file.</summary>
    /// <exception cref="ImageFormatException">The file is neither PNG nor JPEG, or its header is damaged.</exception>
    public static ImageHeader ReadHeader(string path)
    {
        byte[] head = ReadHead(path, out bool whole);
        if (FormatOf(head, path) == ImageFormat.Png)
        {
            PngHeader png = Png.ReadHeader(head, path);
            return new ImageHeader(ImageFormat.Png, png.Height, png.Width, png.Channels, png.BitDepth, png.ColorType == PngColorType.Palette);
        }
        JpegHeader jpeg;
        try
        {
            jpeg = Jpeg.ReadHeader(head, path);
        }
        catch (ImageFormatException) when (!whole)
        {
            jpeg = Jpeg.ReadHeader(File.ReadAllBytes(path), path); // large colour profiles push the frame header back
        }
        return new ImageHeader(ImageFormat.Jpeg, jpeg.Height, jpeg.Width, jpeg.Components, 8, HasPalette: false);
    }

    /// <summary>The class ids of a palette or grey PNG, as stored. [H, W].</summary>
    /// <exception cref="ImageFormatException">The file is no PNG, is damaged, holds colours, or holds a value above 255.</exception>
    public static LabelMap LoadLabels(string path) => LoadExact(path, "class ids").ToLabelMap();

    /// <summary>The object ids of a palette or grey PNG of up to 16 bits, as stored. [H, W].</summary>
    /// <exception cref="ImageFormatException">The file is no PNG, is damaged, or holds colours.</exception>
    public static IdMap LoadIds(string path) => LoadExact(path, "object ids").ToIdMap();

    /// <summary>Writes a picture as <c>.png</c>, or as <c>.jpg</c> or <c>.jpeg</c> with <paramref name="jpegQuality"/> (1…100).</summary>
    /// <exception cref="ArgumentException">The path has another extension.</exception>
    public static void Save(Image image, string path, int jpegQuality = 92) =>
        WriteWhole(path, FormatFor(path) == ImageFormat.Png ? file => Png.Write(file, image) : file => file.Write(Jpeg.Encode(image, jpegQuality)));

    /// <summary>Writes class ids as a palette PNG whose indices are the ids; as a grey PNG where <paramref name="palette"/> is null.</summary>
    /// <exception cref="ArgumentException">The path does not end in <c>.png</c>.</exception>
    public static void SaveLabels(LabelMap labels, Palette? palette, string path)
    {
        RequireExact(path, "class ids");
        WriteWhole(path, file => Png.Write(file, labels, palette));
    }

    /// <summary>Writes object ids as a 16-bit grey PNG.</summary>
    /// <exception cref="ArgumentException">The path does not end in <c>.png</c>, or an id is above 65 535.</exception>
    public static void SaveIds(IdMap ids, string path)
    {
        RequireExact(path, "object ids");
        WriteWhole(path, file => Png.Write(file, ids));
    }

    private static PngImage LoadExact(string path, string wanted)
    {
        byte[] file = File.ReadAllBytes(path);
        string remedy = "save them as a palette or grey PNG";
        if (FormatOf(file, path) == ImageFormat.Jpeg)
            throw new ImageFormatException(path, 0, $"this is a JPEG file, which cannot hold {wanted}: its compression changes values; {remedy}");
        return Png.Decode(file, path);
    }

    private static byte[] ReadHead(string path, out bool whole)
    {
        using FileStream stream = File.OpenRead(path);
        byte[] head = new byte[Math.Min(HeadBytes, stream.Length)];
        stream.ReadExactly(head);
        whole = head.Length == stream.Length;
        return head;
    }

    private static ImageFormat FormatOf(ReadOnlySpan<byte> file, string name)
    {
        if (file.StartsWith(Png.Signature[..4])) return ImageFormat.Png;
        if (file.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8])) return ImageFormat.Jpeg;
        string reason = file.IsEmpty ? "the file is empty"
            : Recognise(file) is { } kind ? $"the file is in {kind} format, which is not read: convert it to PNG or JPEG"
            : file.StartsWith("version https://git-lfs"u8) ? "this is a Git LFS pointer, not the file itself: fetch it with 'git lfs pull'"
            : file.TrimStart(" \t\r\n\uFEFF"u8).StartsWith("<"u8) ? "this is mark-up (a saved web page or an SVG drawing?), not a PNG or JPEG file"
            : $"this is neither a PNG nor a JPEG file: it starts with {Convert.ToHexString(file[..Math.Min(8, file.Length)])}";
        throw new ImageFormatException(name, 0, reason);
    }

    /// <summary>The name of a format that people may hold for an image that can be read; null for unknown bytes.</summary>
    private static string? Recognise(ReadOnlySpan<byte> file)
    {
        if (file.StartsWith("GIF8"u8)) return "GIF";
        if (file.StartsWith("BM"u8)) return "BMP";
        if (file.StartsWith("II*\0"u8) || file.StartsWith("MM\0*"u8) || file.StartsWith("II+\0"u8) || file.StartsWith("MM\0+"u8)) return "TIFF";
        if (file.StartsWith("RIFF"u8) && file.Length >= 12 && file[8..].StartsWith("WEBP"u8)) return "WebP";
        if (file.StartsWith("8BPS"u8)) return "Photoshop";
        if (file.StartsWith("%PDF"u8)) return "PDF";
        if (file.StartsWith("\0\0\0\u000CjP  "u8)) return "JPEG 2000";
        if (file.StartsWith("\0\0\u0001\0"u8)) return "Windows icon";
        if (file.StartsWith((ReadOnlySpan<byte>)[0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'])) return "NumPy";
        if (file.StartsWith("PK\u0003\u0004"u8)) return "ZIP";
        if (file.Length < 12 || !file[4..].StartsWith("ftyp"u8)) return null;
        ReadOnlySpan<byte> brand = file[8..12];
        return brand.SequenceEqual("avif"u8) ? "AVIF" : brand.StartsWith("he"u8) || brand.SequenceEqual("mif1"u8) ? "HEIC" : "video";
    }

    internal static ImageFormat FormatFor(string path) => Path.GetExtension(path).ToUpperInvariant() switch
    {
        ".PNG" => ImageFormat.Png,
        ".JPG" or ".JPEG" => ImageFormat.Jpeg,
        _ => throw new ArgumentException($"cannot save '{path}': name it .png, .jpg or .jpeg", nameof(path)),
    };

    private static void RequireExact(string path, string wanted)
    {
        if (FormatFor(path) != ImageFormat.Png)
            throw new ArgumentException($"cannot save {wanted} as '{path}': JPEG changes values; name it .png", nameof(path));
    }

    /// <summary>Writes beside the target and renames, so that whoever looks at <paramref name="path"/> sees the old file or the new one.</summary>
    internal static void WriteWhole(string path, Action<Stream> write)
    {
        string target = Path.GetFullPath(path);
        string folder = Path.GetDirectoryName(target) ?? target;
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"cannot write '{path}': the folder '{folder}' does not exist");
        string temporary = Path.Combine(folder, $".{Path.GetRandomFileName()}.tmp");
        try
        {
            using (FileStream file = File.Create(temporary)) write(file);
            File.Move(temporary, target, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
