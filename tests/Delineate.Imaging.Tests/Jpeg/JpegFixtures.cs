using System.IO.Compression;
using System.Text.Json;

namespace Delineate.Imaging.Tests;

/// <summary>A JPEG file and the RGB pixels that libjpeg-turbo decodes from it; made by tools/golden/make_jpeg.py.</summary>
public sealed record JpegFixture(string Name, int Height, int Width, byte[] File, byte[] Pixels)
{
    public static IReadOnlyList<JpegFixture> All { get; } = Load();

    public static JpegFixture Named(string name) => All.Single(f => f.Name == name);

    private static List<JpegFixture> Load()
    {
        using JsonDocument json = JsonDocument.Parse(System.IO.File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "jpeg.json")));
        var fixtures = new List<JpegFixture>();
        foreach (JsonElement f in json.RootElement.EnumerateArray())
        {
            (int height, int width) = (f.GetProperty("height").GetInt32(), f.GetProperty("width").GetInt32());
            byte[] pixels = new byte[height * width * 3];
            using var stream = new ZLibStream(new MemoryStream(f.GetProperty("pixels").GetBytesFromBase64()), CompressionMode.Decompress);
            stream.ReadExactly(pixels);
            fixtures.Add(new JpegFixture(f.GetProperty("name").GetString()!, height, width, f.GetProperty("file").GetBytesFromBase64(), pixels));
        }
        return fixtures;
    }
}

/// <summary>Takes JPEG files apart and puts them together again, faults included.</summary>
internal static class JpegForge
{
    /// <summary>Where the first segment of this marker code starts: the place of its 0xFF.</summary>
    public static int Find(byte[] file, byte code)
    {
        int at = 2;
        while (file[at + 1] != code)
        {
            if (file[at] != 0xFF || file[at + 1] == JpegTables.StartOfScan) throw new InvalidOperationException($"no segment 0x{code:X2}");
            at += 2 + ((file[at + 2] << 8) | file[at + 3]);
        }
        return at;
    }

    /// <summary>The file with bytes of a segment replaced, counted from its 0xFF.</summary>
    public static byte[] With(byte[] file, byte code, int offset, params byte[] bytes)
    {
        byte[] changed = [.. file];
        bytes.CopyTo(changed, Find(file, code) + offset);
        return changed;
    }

    /// <summary>The file without its first segment of this code.</summary>
    public static byte[] Without(byte[] file, byte code)
    {
        int at = Find(file, code);
        return [.. file[..at], .. file[(at + 2 + ((file[at + 2] << 8) | file[at + 3]))..]];
    }

    /// <summary>The file with bytes put in before its first segment of this code.</summary>
    public static byte[] Before(byte[] file, byte code, params byte[] bytes)
    {
        int at = Find(file, code);
        return [.. file[..at], .. bytes, .. file[at..]];
    }
}
