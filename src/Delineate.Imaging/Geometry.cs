using System.Runtime.InteropServices;

namespace Delineate.Imaging;

/// <summary>Mirroring, cutting out and padding, the same for pictures, label maps and id maps. Every result is a copy that shares nothing.</summary>
public static class Geometry
{
    /// <summary>Left and right exchanged. [H, W, 3] → [H, W, 3].</summary>
    public static Image FlipHorizontal(this Image image)
    {
        var flipped = new Image(image.Height, image.Width);
        MirrorRows(Colors(image), Colors(flipped), image.Width);
        return flipped;
    }

    /// <summary>Left and right exchanged. [H, W] → [H, W].</summary>
    public static LabelMap FlipHorizontal(this LabelMap labels)
    {
        var flipped = new LabelMap(labels.Height, labels.Width);
        MirrorRows<byte>(labels.Labels, flipped.Labels, labels.Width);
        return flipped;
    }

    /// <summary>Left and right exchanged. [H, W] → [H, W].</summary>
    public static IdMap FlipHorizontal(this IdMap ids)
    {
        var flipped = new IdMap(ids.Height, ids.Width);
        MirrorRows<int>(ids.Ids, flipped.Ids, ids.Width);
        return flipped;
    }

    /// <summary>Top and bottom exchanged. [H, W, 3] → [H, W, 3].</summary>
    public static Image FlipVertical(this Image image)
    {
        var flipped = new Image(image.Height, image.Width);
        ReverseRows(Colors(image), Colors(flipped), image.Width);
        return flipped;
    }

    /// <summary>Top and bottom exchanged. [H, W] → [H, W].</summary>
    public static LabelMap FlipVertical(this LabelMap labels)
    {
        var flipped = new LabelMap(labels.Height, labels.Width);
        ReverseRows<byte>(labels.Labels, flipped.Labels, labels.Width);
        return flipped;
    }

    /// <summary>Top and bottom exchanged. [H, W] → [H, W].</summary>
    public static IdMap FlipVertical(this IdMap ids)
    {
        var flipped = new IdMap(ids.Height, ids.Width);
        ReverseRows<int>(ids.Ids, flipped.Ids, ids.Width);
        return flipped;
    }

    /// <summary>A rectangle cut out. [H, W, 3] → [height, width, 3].</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rectangle is empty or leaves the picture.</exception>
    public static Image Crop(this Image image, int top, int left, int height, int width)
    {
        CheckInside(top, left, height, width, image.Height, image.Width);
        var cut = new Image(height, width);
        CopyWindow(Colors(image), image.Width, top, left, Colors(cut), width, 0, 0, height, width);
        return cut;
    }

    /// <summary>A rectangle cut out. [H, W] → [height, width].</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rectangle is empty or leaves the map.</exception>
    public static LabelMap Crop(this LabelMap labels, int top, int left, int height, int width)
    {
        CheckInside(top, left, height, width, labels.Height, labels.Width);
        var cut = new LabelMap(height, width);
        CopyWindow<byte>(labels.Labels, labels.Width, top, left, cut.Labels, width, 0, 0, height, width);
        return cut;
    }

    /// <summary>A rectangle cut out. [H, W] → [height, width].</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rectangle is empty or leaves the map.</exception>
    public static IdMap Crop(this IdMap ids, int top, int left, int height, int width)
    {
        CheckInside(top, left, height, width, ids.Height, ids.Width);
        var cut = new IdMap(height, width);
        CopyWindow<int>(ids.Ids, ids.Width, top, left, cut.Ids, width, 0, 0, height, width);
        return cut;
    }

    /// <summary>A border of <paramref name="fill"/> added. [H, W, 3] → [top + H + bottom, left + W + right, 3].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A border is negative.</exception>
    public static Image Pad(this Image image, int top, int left, int bottom, int right, Rgb fill = default)
    {
        (int height, int width) = Padded(image.Height, image.Width, top, left, bottom, right);
        var padded = new Image(height, width);
        if (fill != default) Colors(padded).Fill(fill);
        CopyWindow(Colors(image), image.Width, 0, 0, Colors(padded), width, top, left, image.Height, image.Width);
        return padded;
    }

    /// <summary>A border of the label <paramref name="fill"/> added. [H, W] → [top + H + bottom, left + W + right].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A border is negative.</exception>
    public static LabelMap Pad(this LabelMap labels, int top, int left, int bottom, int right, byte fill)
    {
        (int height, int width) = Padded(labels.Height, labels.Width, top, left, bottom, right);
        var padded = new LabelMap(height, width);
        padded.Labels.AsSpan().Fill(fill);
        CopyWindow<byte>(labels.Labels, labels.Width, 0, 0, padded.Labels, width, top, left, labels.Height, labels.Width);
        return padded;
    }

    /// <summary>A border of the id <paramref name="fill"/> added. [H, W] → [top + H + bottom, left + W + right].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A border is negative.</exception>
    public static IdMap Pad(this IdMap ids, int top, int left, int bottom, int right, int fill = 0)
    {
        (int height, int width) = Padded(ids.Height, ids.Width, top, left, bottom, right);
        var padded = new IdMap(height, width);
        padded.Ids.AsSpan().Fill(fill);
        CopyWindow<int>(ids.Ids, ids.Width, 0, 0, padded.Ids, width, top, left, ids.Height, ids.Width);
        return padded;
    }

    /// <summary>The picture's bytes as colours, in place: <see cref="Rgb"/> is three bytes in the same order.</summary>
    internal static Span<Rgb> Colors(Image image) => MemoryMarshal.Cast<byte, Rgb>(image.Pixels.AsSpan());

    /// <summary>Copies a window that lies inside both grids.</summary>
    internal static void CopyWindow<T>(
        ReadOnlySpan<T> source, int sourceWidth, int sourceTop, int sourceLeft,
        Span<T> target, int targetWidth, int targetTop, int targetLeft, int height, int width)
    {
        for (int y = 0; y < height; y++)
        {
            int from = ((sourceTop + y) * sourceWidth) + sourceLeft, to = ((targetTop + y) * targetWidth) + targetLeft;
            source.Slice(from, width).CopyTo(target.Slice(to, width));
        }
    }

    private static void MirrorRows<T>(ReadOnlySpan<T> source, Span<T> target, int width)
    {
        source.CopyTo(target);
        for (int start = 0; start < target.Length; start += width) target.Slice(start, width).Reverse();
    }

    private static void ReverseRows<T>(ReadOnlySpan<T> source, Span<T> target, int width)
    {
        for (int start = 0; start < source.Length; start += width) source.Slice(start, width).CopyTo(target[(source.Length - width - start)..]);
    }

    private static void CheckInside(int top, int left, int height, int width, int sourceHeight, int sourceWidth)
    {
        if (top < 0 || left < 0 || height < 1 || width < 1 || top > sourceHeight - height || left > sourceWidth - width)
        {
            throw new ArgumentOutOfRangeException(
                nameof(top), $"a {height}×{width} crop at ({top}, {left}) does not fit in {sourceHeight}×{sourceWidth}");
        }
    }

    private static (int Height, int Width) Padded(int height, int width, int top, int left, int bottom, int right)
    {
        if ((top | left | bottom | right) < 0)
        {
            throw new ArgumentOutOfRangeException(
                nameof(top), $"borders are not negative: {top}, {left}, {bottom}, {right} (top, left, bottom, right)");
        }
        return (checked(height + top + bottom), checked(width + left + right));
    }
}
