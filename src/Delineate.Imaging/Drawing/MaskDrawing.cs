namespace Delineate.Imaging;

/// <summary>Label maps and instance maps as colour: flat, blended over a photo, or as outlines.</summary>
public static class MaskDrawing
{
    // Beyond this many instances colours repeat: more could not be told apart, and outlines still part neighbours.
    private const int InstanceColors = 64;

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

    /// <summary>The colour that an object is drawn in: the same for the same id in every picture.</summary>
    public static Rgb InstanceColor(int id) => id == 0 ? default : DistinctColors.Take(InstanceColors)[(int)(((uint)id - 1) % InstanceColors)];

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
        bool[] skip = Hidden(hidden);
        Outline<byte>(canvas.Image, labels.Labels, thickness, id => skip[id] ? null : palette[id]);
    }

    /// <summary>Outlines the objects on their inside, <paramref name="thickness"/> pixels wide; the border of the picture is no outline.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public static void Contour(this Canvas canvas, IdMap ids, int thickness = 1)
    {
        CheckSize(canvas, ids.Height, ids.Width);
        Outline<int>(canvas.Image, ids.Ids, thickness, id => id == 0 ? null : InstanceColor(id));
    }

    private static void Fill(Image image, ReadOnlySpan<byte> labels, Func<int, Rgb> colorOf, int alpha, ReadOnlySpan<bool> hidden)
    {
        // The colours' share of each sum is the same for all pixels of a label; a hidden one adds nothing and keeps all of what is under it.
        var shares = new (int R, int G, int B, int Keep)[256];
        for (int id = 0; id < 256; id++)
        {
            Rgb color = colorOf(id);
            shares[id] = hidden[id] ? (0, 0, 0, 255) : (color.R * alpha, color.G * alpha, color.B * alpha, 255 - alpha);
        }
        Span<byte> pixels = image.Pixels;
        for (int i = 0, at = 0; i < labels.Length; i++, at += 3)
        {
            ref readonly (int R, int G, int B, int Keep) share = ref shares[labels[i]];
            Span<byte> pixel = pixels.Slice(at, 3);
            pixel[0] = Canvas.Over255((pixel[0] * share.Keep) + share.R);
            pixel[1] = Canvas.Over255((pixel[1] * share.Keep) + share.G);
            pixel[2] = Canvas.Over255((pixel[2] * share.Keep) + share.B);
        }
    }

    private static void Outline<T>(Image image, ReadOnlySpan<T> ids, int thickness, Func<T, Rgb?> colorOf)
        where T : IEquatable<T>
    {
        int height = image.Height, width = image.Width;
        Span<Rgb> pixels = Geometry.Colors(image);
        for (int y = 0; y < height; y++)
        {
            int row = y * width;
            for (int x = 0; x < width; x++)
            {
                int i = row + x;
                for (int k = 1; k <= thickness; k++)
                {
                    bool edge = (x >= k && !ids[i - k].Equals(ids[i])) || (x + k < width && !ids[i + k].Equals(ids[i]))
                        || (y >= k && !ids[i - (k * width)].Equals(ids[i])) || (y + k < height && !ids[i + (k * width)].Equals(ids[i]));
                    if (!edge) continue;
                    if (colorOf(ids[i]) is Rgb color) pixels[i] = color.Lit();
                    break;
                }
            }
        }
    }

    private static bool[] Hidden(IReadOnlyCollection<byte>? ids)
    {
        var hidden = new bool[256];
        foreach (byte id in ids ?? []) hidden[id] = true;
        return hidden;
    }

    private static void CheckSize(Canvas canvas, int height, int width)
    {
        if (canvas.Image.Height != height || canvas.Image.Width != width)
        {
            throw new ArgumentException(
                $"the picture is {canvas.Image.Height}×{canvas.Image.Width}, the mask {height}×{width}: resize one of them first");
        }
    }
}
