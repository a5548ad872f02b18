using System.Buffers;

namespace Delineate.Imaging;

/// <summary>Scaling of pictures and label maps, equal to PIL's <c>Image.resize</c> bit for bit.</summary>
public static class Resizing
{
    /// <summary>The picture at another size, smoothed where it shrinks. [H, W, 3] → [height, width, 3].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A side is below 1.</exception>
    public static Image Resize(this Image image, int height, int width, Interpolation interpolation = Interpolation.Bilinear)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (height == image.Height && width == image.Width) return image.Clone();
        var resized = new Image(height, width, GC.AllocateUninitializedArray<byte>(PixelGrid.Length(height, width, 3)));
        if (interpolation == Interpolation.Nearest)
        {
            Nearest(Geometry.Colors(image), image.Height, image.Width, Geometry.Colors(resized), height, width);
        }
        else
        {
            Filter(image, resized, interpolation);
        }
        return resized;
    }

    /// <summary>The labels under the centres of the new pixels. [H, W] → [height, width].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A side is below 1.</exception>
    public static LabelMap Resize(this LabelMap labels, int height, int width)
    {
        ArgumentNullException.ThrowIfNull(labels);
        var resized = new LabelMap(height, width);
        Nearest<byte>(labels.Labels, labels.Height, labels.Width, resized.Labels, height, width);
        return resized;
    }

    /// <summary>The ids under the centres of the new pixels. [H, W] → [height, width].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A side is below 1.</exception>
    public static IdMap Resize(this IdMap ids, int height, int width)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var resized = new IdMap(height, width);
        Nearest<int>(ids.Ids, ids.Height, ids.Width, resized.Ids, height, width);
        return resized;
    }

    private static void Nearest<T>(ReadOnlySpan<T> source, int height, int width, Span<T> target, int newHeight, int newWidth)
    {
        int[] rows = NearestIndices(height, newHeight), columns = NearestIndices(width, newWidth);
        for (int y = 0; y < newHeight; y++)
        {
            Span<T> to = target.Slice(y * newWidth, newWidth);
            if (y > 0 && rows[y] == rows[y - 1])
            {
                target.Slice((y - 1) * newWidth, newWidth).CopyTo(to);
                continue;
            }
            ReadOnlySpan<T> from = source.Slice(rows[y] * width, width);
            for (int x = 0; x < to.Length; x++) to[x] = from[columns[x]];
        }
    }

    /// <summary>PIL adds the scale up instead of multiplying, and where a sample falls between two pixels the rounding of that sum decides:
    /// so it is added up here too.</summary>
    private static int[] NearestIndices(int length, int newLength)
    {
        var indices = new int[newLength];
        double scale = (double)length / newLength, position = scale * 0.5;
        for (int i = 0; i < newLength; i++, position += scale) indices[i] = Math.Min((int)position, length - 1);
        return indices;
    }

    /// <summary>Along rows first, then down columns, rounded to bytes in between; a side that stays is not filtered.</summary>
    private static void Filter(Image source, Image target, Interpolation interpolation)
    {
        if (source.Height == target.Height)
        {
            AlongRows(source.Pixels, source.Width, target.Pixels, target.Width, source.Height, interpolation);
            return;
        }
        int stride = target.Width * 3;
        if (source.Width == target.Width)
        {
            ResampleKernels.DownColumns(source.Pixels, target.Pixels, stride, new(source.Height, target.Height, interpolation));
            return;
        }
        int length = checked(source.Height * stride);
        byte[] between = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            AlongRows(source.Pixels, source.Width, between.AsSpan(0, length), target.Width, source.Height, interpolation);
            ResampleKernels.DownColumns(between.AsSpan(0, length), target.Pixels, stride, new(source.Height, target.Height, interpolation));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(between);
        }
    }

    private static void AlongRows(ReadOnlySpan<byte> source, int width, Span<byte> target, int newWidth, int rows, Interpolation interpolation)
    {
        var windows = new ResampleWindows(width, newWidth, interpolation);
        int stride = width * 3, newStride = newWidth * 3, loaded = stride + ResampleKernels.RowSlack;
        byte[] padded = ArrayPool<byte>.Shared.Rent(2 * loaded);
        for (int y = 0; y < rows; y += 2)
        {
            // Rows go in pairs; the last of an odd number goes with the one before it again, or with itself.
            int second = Math.Min(y + 1, rows - 1), first = Math.Max(second - 1, 0);
            ResampleKernels.AlongRows(
                Loadable(source[(first * stride)..], stride, padded.AsSpan(0, loaded)),
                Loadable(source[(second * stride)..], stride, padded.AsSpan(loaded, loaded)),
                target.Slice(first * newStride, newStride), target.Slice(second * newStride, newStride), windows);
        }
        ArrayPool<byte>.Shared.Return(padded);
    }

    /// <summary>The kernel loads a little past a row: there lies the next row, except at the end of the picture, where the row is copied.</summary>
    private static ReadOnlySpan<byte> Loadable(ReadOnlySpan<byte> rest, int stride, Span<byte> copy)
    {
        if (rest.Length >= copy.Length) return rest[..copy.Length];
        rest[..stride].CopyTo(copy);
        return copy;
    }
}
