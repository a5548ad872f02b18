namespace Delineate.Imaging;

/// <summary>The arithmetic that every pixel container shares: lengths that fit in one array, and checked indices.</summary>
internal static class PixelGrid
{
    public static int Length(int height, int width, int channels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        long length = (long)height * width * channels;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Array.MaxLength, nameof(height));
        return (int)length;
    }

    public static int Index(int y, int x, int height, int width)
    {
        if ((uint)y >= (uint)height || (uint)x >= (uint)width)
            throw new ArgumentOutOfRangeException(nameof(y), $"pixel ({y}, {x}) lies outside a {height}×{width} picture");
        return (y * width) + x;
    }
}
