namespace Delineate.Imaging;

/// <summary>A colour picture: 8-bit RGB, interleaved, row-major. [H, W, 3].</summary>
public sealed class Image
{
    /// <summary>A black picture of <paramref name="height"/> × <paramref name="width"/> pixels.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A side is below 1, or the picture would not fit in one array.</exception>
    public Image(int height, int width)
        : this(height, width, new byte[PixelGrid.Length(height, width, 3)])
    {
    }

    /// <summary>A picture over <paramref name="pixels"/>, which it keeps: RGB, H·W·3 bytes.</summary>
    public Image(int height, int width, byte[] pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        if (pixels.Length != PixelGrid.Length(height, width, 3))
            throw new ArgumentException($"a {height}×{width} RGB picture holds {(long)height * width * 3} bytes, not {pixels.Length}", nameof(pixels));
        (Height, Width, Pixels) = (height, width, pixels);
    }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>RGB bytes, row-major: the red of pixel (y, x) is at (y·W + x)·3.</summary>
    public byte[] Pixels { get; }

    /// <summary>The colour of pixel (<paramref name="y"/>, <paramref name="x"/>).</summary>
    public Rgb this[int y, int x]
    {
        get
        {
            int i = PixelGrid.Index(y, x, Height, Width) * 3;
            return new Rgb(Pixels[i], Pixels[i + 1], Pixels[i + 2]);
        }
        set
        {
            int i = PixelGrid.Index(y, x, Height, Width) * 3;
            (Pixels[i], Pixels[i + 1], Pixels[i + 2]) = (value.R, value.G, value.B);
        }
    }

    /// <summary>A copy that shares nothing.</summary>
    public Image Clone() => new(Height, Width, (byte[])Pixels.Clone());
}
