using System.Text;

namespace Delineate.Imaging;

/// <summary>Draws on a picture, in place. What lies outside the picture is clipped; a shape with a coordinate that is not finite is not drawn.</summary>
/// <remarks>Whole numbers are pixels, given as (top, left). Fractions are points (x, y): pixel (row, column) covers
/// [column, column + 1) × [row, row + 1).</remarks>
public sealed class Canvas
{
    // Beyond any picture's side (2³¹), and small enough that squared distances stay exact to far less than a pixel.
    private const double Far = 1e10;

    /// <summary>A canvas over <paramref name="image"/>, which it draws on.</summary>
    public Canvas(Image image)
    {
        ArgumentNullException.ThrowIfNull(image);
        Image = image;
    }

    /// <summary>The picture that is drawn on.</summary>
    public Image Image { get; }

    /// <summary>A rectangle of one colour.</summary>
    public void FillRectangle(int top, int left, int height, int width, Rgb color, double opacity = 1)
    {
        (int y0, int y1) = Clip(top, height, Image.Height);
        (int x0, int x1) = Clip(left, width, Image.Width);
        if (x0 >= x1) return;
        int alpha = Alpha(opacity);
        for (int y = y0; y < y1; y++)
        {
            Span<Rgb> row = Row(y)[x0..x1];
            if (alpha == 255) row.Fill(color);
            else foreach (ref Rgb pixel in row) pixel = Mix(pixel, color, alpha);
        }
    }

    /// <summary>A crisp outline of a rectangle, of <paramref name="thickness"/> pixels that lie inside it.</summary>
    public void Rectangle(int top, int left, int height, int width, Rgb color, int thickness = 1)
    {
        thickness = Math.Min(thickness, (Math.Min(height, width) + 1) / 2);
        if (thickness < 1) return;
        int inner = height - (2 * thickness);
        FillRectangle(top, left, thickness, width, color);
        FillRectangle(Add(top, height - thickness), left, thickness, width, color);
        FillRectangle(Add(top, thickness), left, inner, thickness, color);
        FillRectangle(Add(top, thickness), Add(left, width - thickness), inner, thickness, color);
    }

    /// <summary>An antialiased line with round ends, <paramref name="width"/> pixels wide.</summary>
    public void Line(double x0, double y0, double x1, double y1, Rgb color, double width = 1) => Stroke(x0, y0, x1, y1, 0, width, color);

    /// <summary>An antialiased filled circle.</summary>
    public void Disc(double x, double y, double radius, Rgb color) => Stroke(x, y, x, y, 0, 2 * radius, color);

    /// <summary>An antialiased circle line, <paramref name="width"/> pixels wide.</summary>
    public void Circle(double x, double y, double radius, Rgb color, double width = 1) => Stroke(x, y, x, y, radius, width, color);

    /// <summary>A keypoint: a disc in a white ring inside a dark one, so that it shows on any ground.</summary>
    public void Keypoint(double x, double y, Rgb color, double radius = 3)
    {
        Disc(x, y, radius + 2, new Rgb(32, 32, 32));
        Disc(x, y, radius + 1.25, new Rgb(255, 255, 255));
        Disc(x, y, radius, color);
    }

    /// <summary>A box in xyxy pixels, rounded to whole ones, with a name on a plate above it, or inside where there is no room above.</summary>
    public void Box(double x0, double y0, double x1, double y1, Rgb color, string? name = null, int thickness = 2, Font? font = null)
    {
        if (!(double.IsFinite(x0) && double.IsFinite(y0) && double.IsFinite(x1) && double.IsFinite(y1))) return;
        (int left, int top, int right, int bottom) = (Whole(x0), Whole(y0), Whole(x1), Whole(y1));
        Rectangle(top, left, bottom - top, right - left, color, thickness);
        if (string.IsNullOrEmpty(name)) return;
        font ??= Font.For(Image.Height, Image.Width);
        int plate = PlateSize(name, font).Height;
        Label(name, top >= plate ? top - plate : top, left, font, color);
    }

    /// <summary>A line of text, its line box beginning at (top, left). Returns the column where the next text would begin.</summary>
    public int Text(string text, int top, int left, Font font, Rgb color)
    {
        ArgumentNullException.ThrowIfNull(text);
        int pen = left;
        foreach (Rune rune in text.EnumerateRunes())
        {
            Font.Glyph glyph = font.Find(rune);
            Stamp(font.Alpha(glyph), glyph.Width, Add(top, glyph.Top), Add(pen, glyph.Left), color);
            pen = Add(pen, glyph.Advance);
        }
        return pen;
    }

    /// <summary>A line of text on a plate of <paramref name="background"/>, in black or white, whichever reads;
    /// moved, and shortened, so that it stays in the picture.</summary>
    public void Label(string text, int top, int left, Font font, Rgb background)
    {
        text = font.Fit(text, Image.Width - (2 * Padding(font)));
        (int height, int width) = PlateSize(text, font);
        top = Math.Clamp(top, 0, Math.Max(0, Image.Height - height));
        left = Math.Clamp(left, 0, Math.Max(0, Image.Width - width));
        FillRectangle(top, left, height, width, background);
        Text(text, top + ((height - font.LineHeight) / 2), left + Padding(font), font, background.TextColor());
    }

    /// <summary>A picture laid over this one, its corner at (top, left).</summary>
    public void Paste(Image picture, int top, int left)
    {
        ArgumentNullException.ThrowIfNull(picture);
        (int y0, int y1) = Clip(top, picture.Height, Image.Height);
        (int x0, int x1) = Clip(left, picture.Width, Image.Width);
        if (x0 >= x1 || y0 >= y1) return;
        Geometry.CopyWindow<Rgb>(
            Geometry.Colors(picture), picture.Width, y0 - top, x0 - left, Geometry.Colors(Image), Image.Width, y0, x0, y1 - y0, x1 - x0);
    }

    /// <summary>Size of the plate that <see cref="Label"/> draws where the whole text fits.</summary>
    public static (int Height, int Width) PlateSize(string text, Font font)
    {
        ArgumentNullException.ThrowIfNull(font);
        return (font.LineHeight + (Padding(font) / 2), font.Measure(text) + (2 * Padding(font)));
    }

    internal static Rgb Mix(Rgb under, Rgb over, int alpha) =>
        new(Mix(under.R, over.R, alpha), Mix(under.G, over.G, alpha), Mix(under.B, over.B, alpha));

    internal static int Alpha(double opacity) => (int)Math.Round(Math.Clamp(opacity, 0, 1) * 255);

    private static int Padding(Font font) => Math.Max(2, font.Pixels / 4);

    /// <summary>x / 255, rounded, for 0 ≤ x ≤ 255².</summary>
    internal static byte Over255(int x) => (byte)(((x + 128) * 257) >> 16);

    private static byte Mix(byte under, byte over, int alpha) => Over255((under * (255 - alpha)) + (over * alpha));

    private static int Whole(double x) => (int)Math.Round(Math.Clamp(x, -(1 << 29), 1 << 29));

    private static int Add(int a, int b) => (int)Math.Clamp((long)a + b, int.MinValue, int.MaxValue);

    private static (int Start, int End) Clip(int start, int length, int limit) =>
        ((int)Math.Clamp((long)start, 0, limit), (int)Math.Clamp((long)start + length, 0, limit));

    private Span<Rgb> Row(int y) => Geometry.Colors(Image).Slice(y * Image.Width, Image.Width);

    private void Stamp(ReadOnlySpan<byte> alpha, int width, int top, int left, Rgb color)
    {
        if (width == 0) return;
        (int y0, int y1) = Clip(top, alpha.Length / width, Image.Height);
        (int x0, int x1) = Clip(left, width, Image.Width);
        for (int y = y0; y < y1; y++)
        {
            Span<Rgb> row = Row(y);
            ReadOnlySpan<byte> line = alpha.Slice((y - top) * width, width);
            for (int x = x0; x < x1; x++) row[x] = Mix(row[x], color, line[x - left]);
        }
    }

    /// <summary>Paints the points whose distance from a segment differs from <paramref name="radius"/> by at most half the width: a line where
    /// the radius is 0, a ring where the segment is a point, a disc where both are.
    /// A pixel is covered in proportion to how far its centre lies within that band.</summary>
    private void Stroke(double x0, double y0, double x1, double y1, double radius, double width, Rgb color)
    {
        if (!double.IsFinite(x0 + y0 + x1 + y1 + radius + width) || width <= 0 || radius < 0) return;
        (x0, y0, x1, y1) = (Math.Clamp(x0, -Far, Far), Math.Clamp(y0, -Far, Far), Math.Clamp(x1, -Far, Far), Math.Clamp(y1, -Far, Far));
        double dx = x1 - x0, dy = y1 - y0, squared = (dx * dx) + (dy * dy), reach = radius + (width / 2) + 0.5;
        int top = Bound(Math.Floor(Math.Min(y0, y1) - reach), Image.Height), bottom = Bound(Math.Ceiling(Math.Max(y0, y1) + reach), Image.Height);
        for (int y = top; y < bottom; y++)
        {
            double cy = y + 0.5;
            // Only the stretch of the segment that is within reach of this row can touch it.
            double start = 0, end = 1;
            if (dy != 0)
            {
                double a = (cy - reach - y0) / dy, b = (cy + reach - y0) / dy;
                (start, end) = (Math.Clamp(Math.Min(a, b), 0, 1), Math.Clamp(Math.Max(a, b), 0, 1));
            }
            double xa = x0 + (start * dx), xb = x0 + (end * dx);
            int left = Bound(Math.Floor(Math.Min(xa, xb) - reach), Image.Width), right = Bound(Math.Ceiling(Math.Max(xa, xb) + reach), Image.Width);
            Span<Rgb> row = Row(y);
            for (int x = left; x < right; x++)
            {
                double px = x + 0.5 - x0, py = cy - y0;
                double along = squared == 0 ? 0 : Math.Clamp(((px * dx) + (py * dy)) / squared, 0, 1);
                double ex = px - (along * dx), ey = py - (along * dy);
                double inside = (width / 2) + 0.5 - Math.Abs(Math.Sqrt((ex * ex) + (ey * ey)) - radius);
                // A line thinner than a pixel covers no more than its width.
                if (inside > 0) row[x] = Mix(row[x], color, Alpha(Math.Min(inside, width)));
            }
        }
    }

    private static int Bound(double x, int limit) => (int)Math.Clamp(x, 0, limit);
}
