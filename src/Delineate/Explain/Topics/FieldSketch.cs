using Delineate.Imaging;

namespace Delineate.Explain.Topics;

/// <summary>Draws what a value depends on over the image, with the field by the formula and the square that holds most of it.</summary>
internal static class FieldSketch
{
    private const double Side = 460, Margin = 26, LegendHeight = 74;
    private const double Faintest = 1e-4; // of the largest energy: below is as dark as nothing

    public static Sketch Draw(Matrix energy, ReceptiveField rows, ReceptiveField columns, (int Row, int Column) middle, int side)
    {
        // The field may reach far beyond the image; it is drawn whole, up to so many times the image.
        const double Most = 3;
        (double top, double bottom) = Around(rows.Size, middle.Row, energy.Height * Most);
        (double left, double right) = Around(columns.Size, middle.Column, energy.Width * Most);
        bool isCut = rows.Size > energy.Height * Most || columns.Size > energy.Width * Most;
        double y0 = Math.Min(0, top), x0 = Math.Min(0, left), y1 = Math.Max(energy.Height, bottom), x1 = Math.Max(energy.Width, right);
        double scale = Side / Math.Max(y1 - y0, x1 - x0);
        var shapes = new List<Shape2d>
        {
            new Shape2d.Box(X(x0), Y(y0), (x1 - x0) * scale, (y1 - y0) * scale, Tint.Filled, Tint.Filled),
            new Shape2d.Bitmap(X(0), Y(0), energy.Width * scale, energy.Height * scale, Picture(energy, scale)),
        };
        if (!isCut) Outline(top, left, bottom, right, Tint.Wrong);
        (double squareTop, double squareLeft) = (middle.Row - ((side - 1) / 2.0), middle.Column - ((side - 1) / 2.0));
        Outline(Math.Max(0, squareTop), Math.Max(0, squareLeft), Math.Min(energy.Height, squareTop + side), Math.Min(energy.Width, squareLeft + side), Tint.Right);

        double width = Math.Max((x1 - x0) * scale, Side) + (2 * Margin), at = Margin + ((y1 - y0) * scale) + 20;
        string reach = isCut ? " (beyond this drawing)" : "", reachChinese = isCut ? "（超出本图）" : "";
        Key(Tint.Wrong, new Words($"by the formula: {Format(rows.Size)}×{Format(columns.Size)}{reach}", $"按公式：{Format(rows.Size)}×{Format(columns.Size)}{reachChinese}"));
        Key(Tint.Right, new Words($"95 % of the energy: {side}×{side}", $"95 % 的能量：{side}×{side}"));
        Key(Tint.Filled, new Words($"image: {energy.Height}×{energy.Width}, outside of it grey", $"图像：{energy.Height}×{energy.Width}，其外为灰色"));
        return new Sketch(width, at - 20 + LegendHeight - (3 * 20) + 12, shapes);

        double X(double x) => Margin + ((x - x0) * scale);

        double Y(double y) => Margin + ((y - y0) * scale);

        void Outline(double t, double l, double b, double r, Tint tint)
        {
            shapes.Add(new Shape2d.Stroke(X(l), Y(t), X(r), Y(t), tint));
            shapes.Add(new Shape2d.Stroke(X(r), Y(t), X(r), Y(b), tint));
            shapes.Add(new Shape2d.Stroke(X(r), Y(b), X(l), Y(b), tint));
            shapes.Add(new Shape2d.Stroke(X(l), Y(b), X(l), Y(t), tint));
        }

        void Key(Tint tint, Words text)
        {
            shapes.Add(new Shape2d.Box(Margin, at - 6, 12, 12, tint));
            shapes.Add(new Shape2d.Text(Margin + 20, at, text, 13, Tint.Ink, IsCentred: false));
            at += 20;
        }
    }

    /// <summary>From the edge of the first pixel that is seen to that of the last, no longer than the most.</summary>
    private static (double From, double To) Around(double size, int middle, double most)
    {
        double length = Math.Min(size, most), from = middle + 0.5 - (length / 2);
        return (from, from + length);
    }

    /// <summary>Energies fall off by powers of ten, so that is how they are coloured.</summary>
    private static Image Picture(Matrix energy, double scale)
    {
        double most = energy.Values.Max();
        Image picture = HeatMap.Of(energy with { Values = [.. energy.Values.Select(e => most > 0 ? Math.Log10(Math.Max(Faintest, e / most)) : 0)] });
        // Leaving out every so many-th pixel would draw patterns that are not there.
        return scale >= 1 ? picture : picture.Resize(Math.Max(1, (int)Math.Round(energy.Height * scale)), Math.Max(1, (int)Math.Round(energy.Width * scale)));
    }

    private static string Format(double value) => Matrix.Format(value);
}
