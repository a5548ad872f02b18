using Delineate.Imaging;

namespace Delineate.Explain;

/// <summary>Draws a sketch as pixels, in the colours of a light page.</summary>
internal static class SketchPixels
{
    public static readonly Rgb Paper = new(255, 255, 255), Ink = new(31, 35, 40), Faint = new(140, 149, 159);

    public static Image Draw(Sketch sketch, Sheet sheet, Language language)
    {
        Image image = Blank((int)Math.Ceiling(sketch.Height), (int)Math.Ceiling(sketch.Width));
        var canvas = new Canvas(image);
        foreach (Shape2d shape in sketch.Shapes)
        {
            switch (shape)
            {
                case Shape2d.Box box:
                    (int top, int left, int height, int width) = ((int)Math.Round(box.Y), (int)Math.Round(box.X), (int)Math.Round(box.Height), (int)Math.Round(box.Width));
                    Tint fill = box.Truth is { } t ? Sketch.Agreement(sheet[t.Label], sheet[t.Truth], t.Ignored) : box.Fill;
                    canvas.FillRectangle(top, left, height + 1, width + 1, ColorOf(fill));
                    canvas.Rectangle(top, left, height + 1, width + 1, ColorOf(box.Outline));
                    break;
                case Shape2d.Text text:
                    string content = text.Cell is { } cell ? Matrix.Format(sheet[cell]) : text.Content.In(language);
                    Font font = Font.OfSize(text.Size);
                    double x = text.IsCentred ? text.X - (font.Measure(content) / 2.0) : text.X;
                    canvas.Text(content, (int)Math.Round(text.Y - (font.LineHeight / 2.0)), (int)Math.Round(x), font, ColorOf(text.Tint));
                    break;
                case Shape2d.Stroke line:
                    canvas.Line(line.X0, line.Y0, line.X1, line.Y1, ColorOf(line.Tint), 1.5);
                    if (line.IsArrow) Head(canvas, line);
                    break;
                case Shape2d.Bitmap bitmap:
                    canvas.Paste(bitmap.Image.Resize((int)Math.Round(bitmap.Height), (int)Math.Round(bitmap.Width), Interpolation.Nearest), (int)Math.Round(bitmap.Y), (int)Math.Round(bitmap.X));
                    break;
            }
        }
        return image;
    }

    public static Image Blank(int height, int width)
    {
        byte[] pixels = new byte[height * width * 3];
        Array.Fill(pixels, (byte)255);
        return new Image(height, width, pixels);
    }

    private static void Head(Canvas canvas, Shape2d.Stroke line)
    {
        const double Length = 7, Spread = 0.45;
        double angle = Math.Atan2(line.Y1 - line.Y0, line.X1 - line.X0);
        foreach (double side in (double[])[-Spread, Spread])
            canvas.Line(line.X1, line.Y1, line.X1 - (Length * Math.Cos(angle + side)), line.Y1 - (Length * Math.Sin(angle + side)), ColorOf(line.Tint), 1.5);
    }

    private static Rgb ColorOf(Tint tint) => tint switch
    {
        Tint.Ink => Ink,
        Tint.Faint => Faint,
        Tint.Read => new Rgb(255, 224, 138),
        Tint.Made => new Rgb(158, 214, 255),
        Tint.Filled => new Rgb(236, 239, 243),
        Tint.Right => new Rgb(160, 226, 165),
        Tint.Wrong => new Rgb(255, 168, 160),
        Tint.Ignored => new Rgb(200, 205, 212),
        _ => Paper,
    };
}
