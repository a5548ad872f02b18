namespace Delineate.Imaging;

/// <summary>What the samples of a PNG mean; the values are those of the file format.</summary>
public enum PngColorType
{
    /// <summary>One grey sample, of 1, 2, 4, 8 or 16 bits.</summary>
    Grey = 0,

    /// <summary>Red, green, blue, of 8 or 16 bits.</summary>
    Rgb = 2,

    /// <summary>One index into the palette, of 1, 2, 4 or 8 bits.</summary>
    Palette = 3,

    /// <summary>Grey and opacity, of 8 or 16 bits.</summary>
    GreyAlpha = 4,

    /// <summary>Red, green, blue and opacity, of 8 or 16 bits.</summary>
    Rgba = 6,
}

/// <summary>Size and kind of a PNG: its IHDR chunk.</summary>
public readonly record struct PngHeader(int Height, int Width, PngColorType ColorType, int BitDepth, bool Interlaced)
{
    /// <summary>First row, first column, row step and column step of the seven pictures (PNG specification, §8.1).</summary>
    private static readonly (int Y, int X, int StepY, int StepX)[] Adam7 =
        [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)];

    /// <summary>Samples of a pixel: 1 to 4.</summary>
    public int Channels => ColorType switch
    {
        PngColorType.Grey or PngColorType.Palette => 1,
        PngColorType.GreyAlpha => 2,
        PngColorType.Rgb => 3,
        _ => 4,
    };

    /// <summary>The kind in words, for messages: "8-bit RGB".</summary>
    public string Kind => $"{BitDepth}-bit " + ColorType switch
    {
        PngColorType.Grey => "grey",
        PngColorType.Rgb => "RGB",
        PngColorType.Palette => "palette",
        PngColorType.GreyAlpha => "grey with alpha",
        _ => "RGB with alpha",
    };

    /// <summary>Distance in bytes between a sample and its left neighbour, as the filters count it: 1 below 8 bits a pixel.</summary>
    internal int PixelBytes => Math.Max(1, Channels * BitDepth / 8);

    /// <summary>Bytes of a packed row of <paramref name="width"/> pixels, without its filter byte.</summary>
    internal long RowBytes(int width) => (((long)width * Channels * BitDepth) + 7) / 8;

    /// <summary>The pictures that the file stores one after the other: the whole, or the seven of Adam7 (those without pixels left out).</summary>
    internal IEnumerable<PngPass> Passes()
    {
        if (!Interlaced)
        {
            yield return new PngPass(0, 0, 1, 1, Height, Width);
            yield break;
        }
        foreach ((int y, int x, int dy, int dx) in Adam7)
            if (Height > y && Width > x) yield return new PngPass(y, x, dy, dx, (Height - y + dy - 1) / dy, (Width - x + dx - 1) / dx);
    }
}

/// <summary>
/// A grid of pixels within the picture: every <paramref name="StepY"/>-th row from <paramref name="Y"/>, every <paramref name="StepX"/>-th column
/// from <paramref name="X"/>.
/// </summary>
internal readonly record struct PngPass(int Y, int X, int StepY, int StepX, int Height, int Width);
