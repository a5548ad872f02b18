using System.Buffers.Binary;

namespace Delineate.Imaging;

/// <summary>How the stored rows and columns of a picture are to be turned for viewing: the values of Exif's tag 0x0112.</summary>
public enum ExifOrientation
{
    /// <summary>As stored.</summary>
    Upright = 1,

    /// <summary>Left and right are swapped.</summary>
    MirroredHorizontally = 2,

    /// <summary>Upside down.</summary>
    Rotated180 = 3,

    /// <summary>Top and bottom are swapped.</summary>
    MirroredVertically = 4,

    /// <summary>Stored rows are columns.</summary>
    Transposed = 5,

    /// <summary>To be turned a quarter clockwise.</summary>
    QuarterClockwise = 6,

    /// <summary>Stored rows are columns, upside down and back to front.</summary>
    Transversed = 7,

    /// <summary>To be turned a quarter anticlockwise.</summary>
    QuarterAnticlockwise = 8,
}

/// <summary>The orientation of a picture: read from its Exif block (Exif 2.3, a TIFF directory) and applied to its pixels.</summary>
internal static class Exif
{
    private const int OrientationTag = 0x0112;
    private const int ShortType = 3;

    /// <summary>The orientation that a TIFF block names; upright where it names none or is damaged. Reads at most one directory.</summary>
    public static ExifOrientation ReadOrientation(ReadOnlySpan<byte> tiff)
    {
        if (tiff.Length < 8) return ExifOrientation.Upright;
        bool littleEndian = tiff[0] == (byte)'I';
        if (tiff[0] != tiff[1] || tiff[0] is not ((byte)'I' or (byte)'M') || Short(tiff, 2, littleEndian) != 42) return ExifOrientation.Upright;
        uint directory = littleEndian ? BinaryPrimitives.ReadUInt32LittleEndian(tiff[4..]) : BinaryPrimitives.ReadUInt32BigEndian(tiff[4..]);
        if (directory > tiff.Length - 2) return ExifOrientation.Upright;
        int entries = Short(tiff, (int)directory, littleEndian);
        int entry = (int)directory + 2;
        for (int i = 0; i < entries && entry <= tiff.Length - 12; i++, entry += 12)
        {
            if (Short(tiff, entry, littleEndian) != OrientationTag) continue;
            int value = Short(tiff, entry + 8, littleEndian);
            bool valid = Short(tiff, entry + 2, littleEndian) == ShortType && value is >= 1 and <= 8;
            return valid ? (ExifOrientation)value : ExifOrientation.Upright;
        }
        return ExifOrientation.Upright;
    }

    /// <summary>True where the orientation swaps height and width.</summary>
    public static bool SwapsSides(ExifOrientation orientation) => orientation >= ExifOrientation.Transposed;

    /// <summary>The picture as it is to be viewed; the same object where nothing changes. [H, W, 3] → [H, W, 3] or [W, H, 3].</summary>
    public static Image Apply(Image stored, ExifOrientation orientation)
    {
        if (orientation == ExifOrientation.Upright) return stored;
        (int height, int width) = SwapsSides(orientation) ? (stored.Width, stored.Height) : (stored.Height, stored.Width);
        // Stored place of the viewed pixel (y, x): origin + y·down + x·right, in pixels.
        int last = (stored.Height * stored.Width) - 1;
        int row = stored.Width;
        (int origin, int down, int right) = orientation switch
        {
            ExifOrientation.MirroredHorizontally => (row - 1, row, -1),
            ExifOrientation.Rotated180 => (last, -row, -1),
            ExifOrientation.MirroredVertically => (last - (row - 1), -row, 1),
            ExifOrientation.Transposed => (0, 1, row),
            ExifOrientation.QuarterClockwise => (last - (row - 1), 1, -row),
            ExifOrientation.Transversed => (last, -1, -row),
            _ => (row - 1, -1, row),
        };
        byte[] source = stored.Pixels;
        byte[] target = GC.AllocateUninitializedArray<byte>(source.Length);
        // Bands of 16 rows: walking down stored columns, each cache line that is touched serves the whole band.
        const int band = 16;
        for (int top = 0; top < height; top += band)
        {
            int bottom = Math.Min(height, top + band);
            for (int x = 0; x < width; x++)
            {
                int from = (origin + (top * down) + (x * right)) * 3;
                int to = ((top * width) + x) * 3;
                for (int y = top; y < bottom; y++, from += down * 3, to += width * 3)
                {
                    target[to] = source[from];
                    target[to + 1] = source[from + 1];
                    target[to + 2] = source[from + 2];
                }
            }
        }
        return new Image(height, width, target);
    }

    private static int Short(ReadOnlySpan<byte> tiff, int at, bool littleEndian) =>
        littleEndian ? BinaryPrimitives.ReadUInt16LittleEndian(tiff[at..]) : BinaryPrimitives.ReadUInt16BigEndian(tiff[at..]);
}
