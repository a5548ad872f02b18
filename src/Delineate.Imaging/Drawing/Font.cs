using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace Delineate.Imaging;

/// <summary>DejaVu Sans at one size, as bitmaps: Latin letters, digits and the common signs; anything else is drawn as a box.</summary>
/// <remarks>The glyphs are embedded, so that pictures look the same on every machine; <c>tools/font/make_font.py</c> makes them.</remarks>
public sealed class Font
{
    private const string Ellipsis = "…";
    private static readonly Lazy<Font[]> Sizes = new(Load);

    private readonly Dictionary<int, Glyph> glyphs;
    private readonly byte[] alpha;
    private readonly Glyph missing;

    private Font(int pixels, int ascent, int descent, Dictionary<int, Glyph> glyphs, byte[] alpha, Glyph missing)
    {
        (Pixels, Ascent, LineHeight) = (pixels, ascent, ascent + descent);
        (this.glyphs, this.alpha, this.missing) = (glyphs, alpha, missing);
    }

    /// <summary>Nominal size: 12, 16, 24 or 36 pixels.</summary>
    public int Pixels { get; }

    /// <summary>From the top of a line down to the letters' feet, in pixels.</summary>
    public int Ascent { get; }

    /// <summary>Height of a line, in pixels.</summary>
    public int LineHeight { get; }

    /// <summary>The largest font not above <paramref name="pixels"/>, or the smallest there is.</summary>
    public static Font OfSize(int pixels) => Array.FindLast(Sizes.Value, f => f.Pixels <= pixels) ?? Sizes.Value[0];

    /// <summary>A font that is readable on a picture of this size without covering it.</summary>
    public static Font For(int height, int width) => OfSize(Math.Max(12, Math.Min(height, width) / 36));

    /// <summary>Width of a line of text, in pixels.</summary>
    public int Measure(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int width = 0;
        foreach (Rune rune in text.EnumerateRunes()) width += Find(rune).Advance;
        return width;
    }

    /// <summary>The text, or as much of its beginning as fits in <paramref name="width"/> pixels with “…” after it;
    /// nothing where not even that fits.</summary>
    public string Fit(string text, int width)
    {
        if (Measure(text) <= width) return text;
        int room = width - Measure(Ellipsis), length = 0;
        if (room < 0) return "";
        foreach (Rune rune in text.EnumerateRunes())
        {
            room -= Find(rune).Advance;
            if (room < 0) break;
            length += rune.Utf16SequenceLength;
        }
        return text[..length].TrimEnd() + Ellipsis;
    }

    /// <summary>Whether a character has a sign of its own; others are drawn as a box.</summary>
    public bool Has(char character) => glyphs.ContainsKey(character);

    internal Glyph Find(Rune rune)
    {
        if (glyphs.TryGetValue(rune.Value, out Glyph glyph)) return glyph;
        return Rune.GetUnicodeCategory(rune) switch
        {
            // A line break or tab in a name takes the room of a space; an accent that stands alone is left out, and its letter stays.
            UnicodeCategory.Control or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator => glyphs[' '],
            UnicodeCategory.NonSpacingMark or UnicodeCategory.Format => default,
            _ => missing,
        };
    }

    internal ReadOnlySpan<byte> Alpha(Glyph glyph) => alpha.AsSpan(glyph.Offset, glyph.Width * glyph.Height);

    private static Font[] Load()
    {
        using Stream packed = typeof(Font).Assembly.GetManifestResourceStream("dejavu-sans.glyphs")!;
        using var inflated = new ZLibStream(packed, CompressionMode.Decompress);
        using var whole = new MemoryStream();
        inflated.CopyTo(whole);
        whole.Position = 0;
        using var reader = new BinaryReader(whole);
        var characters = new ushort[reader.ReadUInt16()];
        var fonts = new Font[reader.ReadByte()];
        for (int i = 0; i < characters.Length; i++) characters[i] = reader.ReadUInt16();
        for (int i = 0; i < fonts.Length; i++) fonts[i] = Read(reader, characters);
        return fonts;
    }

    private static Font Read(BinaryReader reader, ushort[] characters)
    {
        int pixels = reader.ReadByte(), ascent = reader.ReadByte(), descent = reader.ReadByte();
        var glyphs = new Dictionary<int, Glyph>(characters.Length);
        var alpha = new List<byte>();
        foreach (ushort character in characters)
        {
            int advance = reader.ReadByte(), left = reader.ReadSByte(), top = reader.ReadSByte(), width = reader.ReadByte(), height = reader.ReadByte();
            glyphs.Add(character, new Glyph(advance, left, top, width, height, alpha.Count));
            alpha.AddRange(reader.ReadBytes(width * height));
        }
        Glyph missing = AddBox(pixels, glyphs['H'], alpha);
        return new Font(pixels, ascent, descent, glyphs, [.. alpha], missing);
    }

    /// <summary>An upright frame as tall as a capital.</summary>
    private static Glyph AddBox(int pixels, Glyph capital, List<byte> alpha)
    {
        int line = Math.Max(1, pixels / 16), width = pixels / 2, height = capital.Height, offset = alpha.Count;
        for (int i = 0; i < width * height; i++)
        {
            int x = i % width, y = i / width;
            bool edge = Math.Min(x, width - 1 - x) < line || Math.Min(y, height - 1 - y) < line;
            alpha.Add((byte)(edge ? 255 : 0));
        }
        return new Glyph(width + (2 * line), line, capital.Top, width, height, offset);
    }

    /// <summary>Where a character's bitmap lies: right of the pen and below the top of the line, and how far the pen moves.</summary>
    internal readonly record struct Glyph(int Advance, int Left, int Top, int Width, int Height, int Offset);
}
