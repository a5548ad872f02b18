namespace Delineate.Imaging;

/// <summary>How large a picture a decoder may take memory for. A file is refused on its declared size, before anything is allocated.</summary>
public sealed record DecodeLimits
{
    /// <summary>The limits that hold where a caller gives none.</summary>
    public static DecodeLimits Default { get; } = new();

    /// <summary>Pixels of one picture: 2²⁸ (16 384 × 16 384) unless told; aerial and slide scanners' tiles stay below it.</summary>
    public long MaxPixels { get; init; } = 1L << 28;

    /// <summary>Pixels of one side: a million unless told, the limit that libpng ships with. It bounds the row buffers.</summary>
    public int MaxSide { get; init; } = 1_000_000;

    /// <exception cref="ImageFormatException">A side is zero, or the picture is larger than these limits allow.</exception>
    internal void Check(long height, long width, string fileName, long offset)
    {
        if (height < 1 || width < 1) throw new ImageFormatException(fileName, offset, $"the picture is declared empty ({height}×{width})");
        if (height > MaxSide || width > MaxSide)
            throw new ImageFormatException(fileName, offset, $"the picture is declared {height}×{width}; a side may be {MaxSide} pixels at most");
        if (height * width > MaxPixels)
            throw new ImageFormatException(fileName, offset, $"the picture is declared {height}×{width}, over the limit of {MaxPixels} pixels");
    }
}
