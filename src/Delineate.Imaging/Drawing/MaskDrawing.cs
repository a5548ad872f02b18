namespace Delineate.Imaging;

/// <summary>Label maps and instance maps as colour: flat, blended over a photo, or as outlines.</summary>
public static class MaskDrawing
{
    /// <summary>Objects have so many colours: more could not be told apart, and outlines still part neighbours.</summary>
    public const int InstanceColors = 64;

    private const double Apart = 0.07; // in Oklab units (see DistinctColors): as far as Okabe and Ito's colours are from each other

    /// <summary>Every label as its colour. [H, W] → [H, W, 3].</summary>
    public static Image Colorize(this LabelMap labels, Palette palette)
    {
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(palette);
        var image = new Image(labels.Height, labels.Width);
        Fill(image, labels.Labels, id => palette[id], 255, stackalloc bool[256]);
        return image;
    }

    /// <summary>Every object in a colour of its own, and no object in black. [H, W] → [H, W, 3].</summary>
    public static Image Colorize(this IdMap ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var image = new Image(ids.Height, ids.Width);
        new Canvas(image).Fill(ids, 1);
        return image;
    }

    /// <summary>The colour that an object is drawn in: the same for the same id in every picture. Every <see cref="InstanceColors"/> ids they repeat.</summary>
    public static Rgb InstanceColor(int id) => id == 0 ? default : DistinctColors.Take(InstanceColors)[(int)(((uint)id - 1) % InstanceColors)];

    /// <summary>
    /// An id whose colour differs from those of other ids, to eyes that lack red or green cones too: the first that is well apart from all of them, else the
    /// one that is farthest.
    /// </summary>
    public static int IdApartFrom(ReadOnlySpan<int> others)
    {
        (int best, double farthest) = (1, -1);
        for (int id = 1; id <= InstanceColors; id++)
        {
            double nearest = double.MaxValue;
            foreach (int other in others) nearest = Math.Min(nearest, DistinctColors.Distance(InstanceColor(id), InstanceColor(other)));
            if (nearest >= Apart) return id;
            if (nearest > farthest) (best, farthest) = (id, nearest);
        }
        return best;
    }

    /// <summary>Blends the colours of the labels over the picture, save those that are <paramref name="hidden"/>.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public static void Fill(this Canvas canvas, LabelMap labels, Palette palette, double opacity, IReadOnlyCollection<byte>? hidden = null)
    {
        CheckSize(canvas, labels.Height, labels.Width);
        Fill(canvas.Image, labels.Labels, id => palette[id], Canvas.Alpha(opacity), Hidden(hidden));
    }

    /// <summary>Blends the colours of the objects over the picture.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public static void Fill(this Canvas canvas, IdMap ids, double opacity)
    {
        CheckSize(canvas, ids.Height, ids.Width);
        var cycle = new byte[ids.Ids.Length];
        for (int i = 0; i < cycle.Length; i++) cycle[i] = ids.Ids[i] == 0 ? (byte)0 : (byte)((((uint)ids.Ids[i] - 1) % InstanceColors) + 1);
        Span<bool> hidden = stackalloc bool[256];
        hidden[0] = true;
        Fill(canvas.Image, cycle, InstanceColor, Canvas.Alpha(opacity), hidden);
    }

    /// <summary>Outlines the regions of equal label on their inside, <paramref name="thickness"/> pixels wide;
    /// the border of the picture is no outline.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public static void Contour(this Canvas canvas, LabelMap labels, Palette palette, int thickness = 1, IReadOnlyCollection<byte>? hidden = null)
    {
        CheckSize(canvas, labels.Height, labels.Width);
        Rgb?[] colors = OutlineColors(palette, Hidden(hidden));
        Outline<byte>(canvas.Image, labels.Labels, thickness, id => colors[id]);
    }

    /// <summary>Outlines the objects on their inside, <paramref name="thickness"/> pixels wide; the border of the picture is no outline.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public static void Contour(this Canvas canvas, IdMap ids, int thickness = 1)
    {
        CheckSize(canvas, ids.Height, ids.Width);
        Outline<int>(canvas.Image, ids.Ids, thickness, id => id == 0 ? null : InstanceColor(id).Lit());
    }

    private static void Fill(Image image, ReadOnlySpan<byte> labels, Func<int, Rgb> colorOf, int alpha, ReadOnlySpan<bool> hidden) =>
        FillRow(image.Pixels, labels, Shares(colorOf, alpha, hidden));

    /// <summary>What each label's colour adds to a pixel in parts of 255, and how much of it stays: nothing and all where the label is hidden. [256].</summary>
    internal static ColorShare[] Shares(Func<int, Rgb> colorOf, int alpha, ReadOnlySpan<bool> hidden)
    {
        var shares = new ColorShare[256];
        for (int id = 0; id < 256; id++)
        {
            Rgb color = colorOf(id);
            shares[id] = hidden[id] ? new ColorShare(0, 0, 0, 255) : new ColorShare(color.R * alpha, color.G * alpha, color.B * alpha, 255 - alpha);
        }
        return shares;
    }

    /// <summary>Blends the colours of labels over as many pixels. [W, 3], [W].</summary>
    internal static void FillRow(Span<byte> pixels, ReadOnlySpan<byte> labels, ColorShare[] shares)
    {
        for (int i = 0, at = 0; i < labels.Length; i++, at += 3)
        {
            ref readonly ColorShare share = ref shares[labels[i]];
            Span<byte> pixel = pixels.Slice(at, 3);
            pixel[0] = Canvas.Over255((pixel[0] * share.Keep) + share.R);
            pixel[1] = Canvas.Over255((pixel[1] * share.Keep) + share.G);
            pixel[2] = Canvas.Over255((pixel[2] * share.Keep) + share.B);
        }
    }

    private static void Outline<T>(Image image, ReadOnlySpan<T> ids, int thickness, Func<T, Rgb?> colorOf)
        where T : IEquatable<T>
    {
        for (int y = 0; y < image.Height; y++) OutlineRow(Geometry.Colors(image).Slice(y * image.Width, image.Width), y, ids, thickness, colorOf);
    }

    /// <summary>Colours those pixels of row <paramref name="y"/> that lie within <paramref name="thickness"/> of another id above, below or beside them. [W], ids [H, W].</summary>
    internal static void OutlineRow<T>(Span<Rgb> pixels, int y, ReadOnlySpan<T> ids, int thickness, Func<T, Rgb?> colorOf)
        where T : IEquatable<T>
    {
        int width = pixels.Length, height = ids.Length / width, row = y * width;
        for (int x = 0; x < width; x++)
        {
            int i = row + x;
            for (int k = 1; k <= thickness; k++)
            {
                bool edge = (x >= k && !ids[i - k].Equals(ids[i])) || (x + k < width && !ids[i + k].Equals(ids[i]))
                    || (y >= k && !ids[i - (k * width)].Equals(ids[i])) || (y + k < height && !ids[i + (k * width)].Equals(ids[i]));
                if (!edge) continue;
                if (colorOf(ids[i]) is Rgb color) pixels[x] = color;
                break;
            }
        }
    }

    /// <summary>The colour that outlines each label, made light enough for a dark ground; null for hidden ones. [256].</summary>
    internal static Rgb?[] OutlineColors(Palette palette, ReadOnlySpan<bool> hidden)
    {
        var colors = new Rgb?[256];
        for (int id = 0; id < 256; id++) colors[id] = hidden[id] ? null : palette[id].Lit();
        return colors;
    }

    internal static bool[] Hidden(IReadOnlyCollection<byte>? ids)
    {
        var hidden = new bool[256];
        foreach (byte id in ids ?? []) hidden[id] = true;
        return hidden;
    }

    private static void CheckSize(Canvas canvas, int height, int width) => CheckSize(canvas.Image, height, width);

    internal static void CheckSize(Image image, int height, int width)
    {
        if (image.Height != height || image.Width != width)
            throw new ArgumentException($"the picture is {image.Height}×{image.Width}, the mask {height}×{width}: resize one of them first");
    }
}

/// <summary>What a label's colour adds to red, green and blue, in parts of 255, and how much of the pixel under it stays.</summary>
internal readonly record struct ColorShare(int R, int G, int B, int Keep);
