namespace Delineate.Data;

/// <summary>
/// The mask of one object as run lengths: pixels outside and inside by turns, column by column from the top left, as COCO writes them
/// (https://cocodataset.org/#format-data). Small, exact, and quick to intersect. [H, W].
/// </summary>
public sealed class Rle : IEquatable<Rle>
{
    private readonly int[] counts; // outside, inside, outside, …; only the first may be 0, and all sum to H·W

    private Rle(int height, int width, int[] counts) => (Height, Width, this.counts) = (height, width, counts);

    /// <summary>Rows of the image.</summary>
    public int Height { get; }

    /// <summary>Columns of the image.</summary>
    public int Width { get; }

    /// <summary>Lengths of the runs, outside first; only the first may be 0.</summary>
    public ReadOnlySpan<int> Counts => counts;

    /// <summary>The number of pixels inside.</summary>
    public long Area
    {
        get
        {
            long area = 0;
            for (int i = 1; i < counts.Length; i += 2) area += counts[i];
            return area;
        }
    }

    /// <summary>The smallest box around the pixels inside; zeros where there are none.</summary>
    public Box Box
    {
        get
        {
            (int left, int top, int right, int bottom) = (int.MaxValue, int.MaxValue, -1, -1);
            foreach ((int start, int length) in Runs())
            {
                (int x, int y) = Math.DivRem(start, Height);
                (int lastX, int lastY) = Math.DivRem(start + length - 1, Height);
                (left, right) = (Math.Min(left, x), Math.Max(right, lastX));
                (top, bottom) = x == lastX ? (Math.Min(top, y), Math.Max(bottom, lastY)) : (0, Height - 1);
            }
            return right < 0 ? default : new Box(left, top, right + 1, bottom + 1);
        }
    }

    /// <summary>The mask whose pixels are not 0 in a row-major picture of <paramref name="height"/>·<paramref name="width"/> bytes.</summary>
    /// <exception cref="ArgumentException">The bytes are not as many, or the size is none of an image.</exception>
    public static Rle Encode(ReadOnlySpan<byte> mask, int height, int width)
    {
        CheckSize(height, width);
        if (mask.Length != height * width) throw new ArgumentException($"a {height}×{width} mask holds {height * width} bytes, not {mask.Length}", nameof(mask));
        var runs = new RunList(height, width);
        for (int x = 0; x < width; x++)
        {
            for (int y = 0, i = x; y < height; y++, i += width) runs.Add(1, mask[i] != 0);
        }
        return runs.ToRle();
    }

    /// <summary>The mask of given run lengths, outside first. Runs of 0 inside are joined.</summary>
    /// <exception cref="FormatException">A length is below 0, or they do not sum to height·width.</exception>
    public static Rle FromCounts(ReadOnlySpan<long> counts, int height, int width)
    {
        CheckSize(height, width);
        var runs = new RunList(height, width);
        long pixels = (long)height * width, sum = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            if (counts[i] < 0) throw new FormatException($"run {i + 1} of the mask has a length of {counts[i]}");
            sum += counts[i];
            if (sum > pixels) break;
            runs.Add((int)counts[i], i % 2 == 1);
        }
        if (sum != pixels) throw new FormatException($"the mask's runs cover {(sum > pixels ? "more than" : $"{sum}")} of the image's {height}×{width} = {pixels} pixels");
        return runs.ToRle();
    }

    /// <summary>The mask of COCO's compressed text.</summary>
    /// <exception cref="FormatException">The text is damaged, or belongs to an image of another size.</exception>
    public static Rle Parse(string compressed, int height, int width) => FromCounts(RleText.Read(compressed, (long)height * width), height, width);

    /// <summary>COCO's compressed text, as pycocotools writes it.</summary>
    public string ToCompressed() => RleText.Write(counts);

    /// <summary>All pixels inside any of the polygons [x0, y0, x1, y1, …], filled as pycocotools fills them: see <see cref="PolygonFill"/>.</summary>
    /// <exception cref="ArgumentException">A polygon has an odd number of coordinates or fewer than three corners.</exception>
    public static Rle FromPolygons(IReadOnlyList<IReadOnlyList<double>> polygons, int height, int width)
    {
        ArgumentNullException.ThrowIfNull(polygons);
        CheckSize(height, width);
        return Merge([.. polygons.Select(p => FromCounts(PolygonFill.Runs(p, height, width), height, width))], height, width);
    }

    /// <summary>All pixels of a box, filled as the polygon of its corners.</summary>
    public static Rle FromBox(Box box, int height, int width) =>
        FromPolygons([[box.X1, box.Y1, box.X1, box.Y2, box.X2, box.Y2, box.X2, box.Y1]], height, width);

    /// <summary>A mask with nothing inside.</summary>
    public static Rle Empty(int height, int width) => FromCounts([(long)height * width], height, width);

    /// <summary>The pixels inside any of the masks, or, as <paramref name="intersect"/> says, inside all.</summary>
    /// <exception cref="ArgumentException">There are no masks, or their sizes differ.</exception>
    public static Rle Merge(IReadOnlyList<Rle> masks, bool intersect = false)
    {
        ArgumentNullException.ThrowIfNull(masks);
        if (masks.Count == 0) throw new ArgumentException("there is no mask to merge", nameof(masks));
        Rle merged = masks[0];
        foreach (Rle mask in masks.Skip(1))
        {
            RequireSameSize(merged, mask);
            var runs = new RunList(merged.Height, merged.Width);
            Walk(merged, mask, (length, a, b) => runs.Add(length, intersect ? a && b : a || b));
            merged = runs.ToRle();
        }
        return merged;
    }

    /// <summary>The pixels inside this mask and not inside the other.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public Rle Without(Rle other)
    {
        ArgumentNullException.ThrowIfNull(other);
        RequireSameSize(this, other);
        var runs = new RunList(Height, Width);
        Walk(this, other, (length, a, b) => runs.Add(length, a && !b));
        return runs.ToRle();
    }

    /// <summary>
    /// The intersection over union of every pair, [detections, truths]. Where the truth is a crowd the union is the detection alone: what lies in a
    /// crowd counts in full.
    /// </summary>
    /// <exception cref="ArgumentException">The sizes differ, or there is not one flag for each truth.</exception>
    public static double[,] Iou(IReadOnlyList<Rle> detections, IReadOnlyList<Rle> truths, IReadOnlyList<bool>? isCrowd = null)
    {
        ArgumentNullException.ThrowIfNull(detections);
        ArgumentNullException.ThrowIfNull(truths);
        if (isCrowd is not null && isCrowd.Count != truths.Count) throw new ArgumentException($"{truths.Count} truths have {isCrowd.Count} crowd flags", nameof(isCrowd));
        var iou = new double[detections.Count, truths.Count];
        (Box Box, long Area)[] found = [.. detections.Select(m => (m.Box, m.Area))], wanted = [.. truths.Select(m => (m.Box, m.Area))];
        for (int d = 0; d < found.Length; d++)
        {
            for (int t = 0; t < wanted.Length; t++)
            {
                RequireSameSize(detections[d], truths[t]);
                (Box a, Box b) = (found[d].Box, wanted[t].Box);
                if (Math.Min(a.X2, b.X2) <= Math.Max(a.X1, b.X1) || Math.Min(a.Y2, b.Y2) <= Math.Max(a.Y1, b.Y1)) continue;
                long shared = detections[d].SharedWith(truths[t]);
                if (shared > 0) iou[d, t] = (double)shared / (isCrowd?[t] == true ? found[d].Area : found[d].Area + wanted[t].Area - shared);
            }
        }
        return iou;
    }

    /// <summary>The number of pixels inside both masks of one size.</summary>
    public long SharedWith(Rle other)
    {
        ArgumentNullException.ThrowIfNull(other);
        long shared = 0;
        int[] a = counts, b = other.counts;
        (int i, int j, int leftA, int leftB) = (0, 0, a[0], b[0]);
        while (true)
        {
            int step = Math.Min(leftA, leftB);
            if ((i & j & 1) == 1) shared += step;
            if ((leftA -= step) == 0)
            {
                if (++i == a.Length) return shared;
                leftA = a[i];
            }
            if ((leftB -= step) == 0)
            {
                if (++j == b.Length) return shared;
                leftB = b[j];
            }
        }
    }

    /// <summary>The mask as a row-major picture of bytes, 1 inside. [H·W].</summary>
    public byte[] Decode()
    {
        byte[] mask = new byte[Height * Width];
        Paint(mask, (byte)1);
        return mask;
    }

    /// <summary>Writes a value at all pixels inside, into a row-major picture of the image's size.</summary>
    public void Paint<T>(Span<T> picture, T value)
    {
        foreach ((int start, int length) in Runs())
        {
            (int x, int y) = Math.DivRem(start, Height);
            for (int k = 0, i = (y * Width) + x; k < length; k++)
            {
                picture[i] = value;
                if (++y < Height) i += Width;
                else (y, i) = (0, ++x);
            }
        }
    }

    public bool Equals(Rle? other) => other is not null && Height == other.Height && Width == other.Width && counts.AsSpan().SequenceEqual(other.counts);

    public override bool Equals(object? obj) => Equals(obj as Rle);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.Add(Height);
        hash.Add(Width);
        foreach (int count in counts) hash.Add(count);
        return hash.ToHashCode();
    }

    /// <summary>The runs inside: the place of the first pixel, counted down the columns, and the length.</summary>
    internal IEnumerable<(int Start, int Length)> Runs()
    {
        int place = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            if (i % 2 == 1) yield return (place, counts[i]);
            place += counts[i];
        }
    }

    private static Rle Merge(Rle[] masks, int height, int width) => masks.Length == 0 ? Empty(height, width) : Merge(masks);

    /// <summary>Runs along which neither mask changes: length, whether inside the one, whether inside the other.</summary>
    private static void Walk(Rle a, Rle b, Action<int, bool, bool> run)
    {
        (int i, int j, int leftA, int leftB) = (0, 0, a.counts[0], b.counts[0]);
        while (i < a.counts.Length && j < b.counts.Length)
        {
            int step = Math.Min(leftA, leftB);
            if (step > 0) run(step, i % 2 == 1, j % 2 == 1);
            if ((leftA -= step) == 0 && ++i < a.counts.Length) leftA = a.counts[i];
            if ((leftB -= step) == 0 && ++j < b.counts.Length) leftB = b.counts[j];
        }
    }

    private static void RequireSameSize(Rle a, Rle b)
    {
        if ((a.Height, a.Width) != (b.Height, b.Width)) throw new ArgumentException($"masks of {a.Height}×{a.Width} and {b.Height}×{b.Width} belong to different images");
    }

    private static void CheckSize(int height, int width)
    {
        const long MostPixels = 1 << 28; // as many as a decoded image may have
        if (height < 1 || width < 1 || (long)height * width > MostPixels) throw new ArgumentException($"an image of {height}×{width} pixels has no mask: 1 to {MostPixels} pixels");
    }

    /// <summary>Run lengths while they grow; neighbours of one kind are joined.</summary>
    internal sealed class RunList(int height, int width)
    {
        private readonly List<int> counts = [0];

        /// <summary>Appends pixels that are all inside or all outside.</summary>
        public void Add(int length, bool inside)
        {
            if (length == 0) return;
            if (counts.Count % 2 == (inside ? 0 : 1)) counts[^1] += length;
            else counts.Add(length);
        }

        public Rle ToRle() => new(height, width, [.. counts]);
    }
}
