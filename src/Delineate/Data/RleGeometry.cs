using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>Mirroring, cutting out, padding and scaling of run-length masks, on the runs themselves: a mask is never unpacked.</summary>
public static class RleGeometry
{
    /// <summary>Left and right exchanged. [H, W] → [H, W].</summary>
    public static Rle FlipHorizontal(this Rle mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        int last = mask.Width - 1;
        return Rebuild(mask, mask.Height, mask.Width, Line(mask.Width, x => last - x), Line(mask.Height + 1, y => y));
    }

    /// <summary>Top and bottom exchanged. [H, W] → [H, W].</summary>
    public static Rle FlipVertical(this Rle mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        int height = mask.Height;
        return Rebuild(mask, height, mask.Width, Line(mask.Width, x => x), Line(height + 1, y => height - y));
    }

    /// <summary>A rectangle cut out. [H, W] → [height, width].</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rectangle is empty or leaves the mask.</exception>
    public static Rle Crop(this Rle mask, int top, int left, int height, int width)
    {
        ArgumentNullException.ThrowIfNull(mask);
        if (top < 0 || left < 0 || height < 1 || width < 1 || top > mask.Height - height || left > mask.Width - width)
            throw new ArgumentOutOfRangeException(nameof(top), $"a {height}×{width} crop at ({top}, {left}) does not fit in {mask.Height}×{mask.Width}");
        return Rebuild(mask, height, width, Line(width, x => left + x), Line(mask.Height + 1, y => Math.Clamp(y - top, 0, height)));
    }

    /// <summary>A border of pixels outside added. [H, W] → [top + H + bottom, left + W + right].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A border is negative.</exception>
    public static Rle Pad(this Rle mask, int top, int left, int bottom, int right)
    {
        ArgumentNullException.ThrowIfNull(mask);
        if ((top | left | bottom | right) < 0)
            throw new ArgumentOutOfRangeException(nameof(top), $"borders are not negative: {top}, {left}, {bottom}, {right} (top, left, bottom, right)");
        int width = mask.Width;
        return Rebuild(mask, checked(top + mask.Height + bottom), checked(left + width + right),
            Line(left + width + right, x => x >= left && x - left < width ? x - left : -1), Line(mask.Height + 1, y => top + y));
    }

    /// <summary>
    /// The mask at another size, each new pixel that of one old one. [H, W] → [height, width]. The old one is at ⌊i·old/new⌋ in single precision, as
    /// PyTorch's <c>interpolate(mode="nearest")</c> has it and torchvision's detectors resize masks; where <paramref name="centers"/> is true it lies
    /// under the new one's centre, as <see cref="Resizing.Resize(LabelMap, int, int)"/> and PIL have it.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">A side is below 1.</exception>
    public static Rle Resize(this Rle mask, int height, int width, bool centers = false)
    {
        ArgumentNullException.ThrowIfNull(mask);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        if (height == mask.Height && width == mask.Width) return mask;
        int[] rows = Sources(mask.Height, height, centers), starts = new int[mask.Height + 1];
        for (int y = 0, row = 0; y <= mask.Height; y++)
        {
            while (row < height && rows[row] < y) row++;
            starts[y] = row; // the first new row that shows old row y or one below
        }
        return Rebuild(mask, height, width, Sources(mask.Width, width, centers), starts);
    }

    private static int[] Sources(int length, int newLength, bool centers)
    {
        if (centers) return new IdMap(1, length, Line(length, i => i)).Resize(1, newLength).Ids;
        float scale = (float)length / newLength;
        return Line(newLength, i => Math.Min((int)MathF.Floor(i * scale), length - 1));
    }

    private static int[] Line(int length, Func<int, int> value)
    {
        int[] line = new int[length];
        for (int i = 0; i < length; i++) line[i] = value(i);
        return line;
    }

    /// <summary>
    /// A mask whose column x is the old column <paramref name="columns"/>[x] (none: −1), and in which the edge above old row y has become the edge above
    /// row <paramref name="edges"/>[y]; the edges go up, or all down.
    /// </summary>
    private static Rle Rebuild(Rle mask, int height, int width, int[] columns, int[] edges)
    {
        (int[] first, List<(int Top, int Bottom)> stretches) = Stretches(mask);
        bool down = edges[^1] < edges[0];
        var runs = new Rle.RunList(height, width);
        for (int x = 0; x < width; x++)
        {
            int y = 0, column = columns[x];
            for (int k = 0, count = column < 0 ? 0 : first[column + 1] - first[column]; k < count; k++)
            {
                (int top, int bottom) = stretches[down ? first[column + 1] - 1 - k : first[column] + k];
                (int from, int to) = down ? (edges[bottom], edges[top]) : (edges[top], edges[bottom]);
                if (to <= from) continue;
                runs.Add(from - y, false);
                runs.Add(to - from, true);
                y = to;
            }
            runs.Add(height - y, false);
        }
        return runs.ToRle();
    }

    /// <summary>The runs cut at the columns' ends: those of column x are first[x] … first[x + 1] − 1.</summary>
    private static (int[] First, List<(int Top, int Bottom)> Stretches) Stretches(Rle mask)
    {
        int[] first = new int[mask.Width + 1];
        var stretches = new List<(int Top, int Bottom)>();
        int column = 0;
        foreach ((int start, int length) in mask.Runs())
        {
            (int x, int y) = Math.DivRem(start, mask.Height);
            for (int left = length; left > 0; x++, y = 0)
            {
                while (column < x) first[++column] = stretches.Count;
                int part = Math.Min(left, mask.Height - y);
                stretches.Add((y, y + part));
                left -= part;
            }
        }
        while (column < mask.Width) first[++column] = stretches.Count;
        return (first, stretches);
    }
}
