using System.Globalization;
using System.Net;
using System.Text;

namespace Delineate.Drawing;

/// <summary>One curve: its name, a CSS colour variable, and its points in order of x.</summary>
internal sealed record Curve(string Name, string Color, IReadOnlyList<(double X, double Y)> Points);

/// <summary>
/// A line chart over whole numbers (epochs) as inline SVG: axes with round ticks, a legend, a tooltip on every point. Colours come from the
/// page's CSS.
/// </summary>
internal static class LineChart
{
    private const int Width = 560, Height = 260, Left = 56, Right = 14, Top = 30, Bottom = 36, LegendGap = 10;

    public static string Svg(string title, string xName, IReadOnlyList<Curve> curves, bool fromZero = false)
    {
        List<(double X, double Y)> points = [.. curves.SelectMany(c => c.Points).Where(p => double.IsFinite(p.Y))];
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg class=\"chart\" viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{Text(title)}\">");
        svg.Append(CultureInfo.InvariantCulture, $"<text class=\"title\" x=\"{Left}\" y=\"16\">{Text(title)}</text>");
        if (points.Count == 0) return svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"{Height / 2}\">nothing was measured</text></svg>").ToString();

        // Where the legend leaves no room for the title, it takes a line of its own.
        int legendWidth = curves.Sum(c => LegendWidth(c.Name)), legendLine = Left + (8 * title.Length) + 8 + legendWidth > Width - Right ? 18 : 0, top = Top + legendLine;
        double low = points.Min(p => p.Y), high = points.Max(p => p.Y);
        double[] xTicks = Ticks(points.Min(p => p.X), points.Max(p => p.X), 8, leastStep: 1);
        double[] yTicks = fromZero && low >= 0 ? Ticks(0, high > 0 ? high : 1, 5) : Ticks(low, high, 5);
        foreach (double tick in yTicks)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(tick):F1}\" y2=\"{Y(tick):F1}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text class=\"tick\" text-anchor=\"end\" x=\"{Left - 6}\" y=\"{Y(tick) + 4:F1}\">{Number(tick)}</text>");
        }
        foreach (double tick in xTicks)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text class=\"tick\" text-anchor=\"middle\" x=\"{X(tick):F1}\" y=\"{Height - Bottom + 16}\">{Number(tick)}</text>");
        }
        svg.Append(CultureInfo.InvariantCulture, $"<text class=\"tick\" text-anchor=\"end\" x=\"{Width - Right}\" y=\"{Height - 4}\">{Text(xName)}</text>");
        int legend = Width - Right;
        foreach (Curve curve in curves.Reverse())
        {
            legend -= LegendWidth(curve.Name) - LegendGap;
            svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{legend}\" cy=\"{12 + legendLine}\" r=\"4\" fill=\"{curve.Color}\"/><text class=\"tick\" x=\"{legend + 7}\" y=\"{16 + legendLine}\">{Text(curve.Name)}</text>");
            legend -= LegendGap;
        }
        foreach (Curve curve in curves)
        {
            List<(double X, double Y)> line = [.. curve.Points.Where(p => double.IsFinite(p.Y))];
            string places = string.Join(' ', line.Select(p => string.Create(CultureInfo.InvariantCulture, $"{X(p.X):F1},{Y(p.Y):F1}")));
            svg.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"{curve.Color}\" stroke-width=\"2\" points=\"{places}\"/>");
            if (line.Count > 200) continue;
            foreach ((double x, double y) in line)
                svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(x):F1}\" cy=\"{Y(y):F1}\" r=\"3\" fill=\"{curve.Color}\"><title>{Text(curve.Name)}, {Text(xName)} {Number(x)}: {y:G5}</title></circle>");
        }
        return svg.Append("</svg>").ToString();

        double X(double x) => Left + ((x - xTicks[0]) / (xTicks[^1] - xTicks[0]) * (Width - Left - Right));
        double Y(double y) => Height - Bottom - ((y - yTicks[0]) / (yTicks[^1] - yTicks[0]) * (Height - Bottom - top));
    }

    private static int LegendWidth(string name) => 12 + (7 * name.Length) + LegendGap;

    internal static string Text(string text) => WebUtility.HtmlEncode(new string([.. text.Where(c => !char.IsControl(c) || c is '\n' or '\t')]));

    /// <summary>
    /// Round numbers that cover low … high in about <paramref name="wanted"/> steps of 1, 2 or 5 times a power of ten, none below
    /// <paramref name="leastStep"/>.
    /// </summary>
    internal static double[] Ticks(double low, double high, int wanted, double leastStep = 0)
    {
        if (high - low < 1e-12 * Math.Max(1, Math.Abs(high))) (low, high) = (low - 0.5, high + 0.5);
        double rough = (high - low) / wanted, power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = Math.Max(leastStep, power * (rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 });
        double first = Math.Floor((low / step) + 1e-9) * step;
        int count = (int)Math.Ceiling(((high - first) / step) - 1e-9);
        return [.. Enumerable.Range(0, count + 1).Select(i => first + (i * step))];
    }

    private static string Number(double value) => Math.Abs(value) < 1e-12 ? "0" : value.ToString("G4", CultureInfo.InvariantCulture);
}
