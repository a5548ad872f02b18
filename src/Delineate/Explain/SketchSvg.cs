using System.Globalization;
using System.Net;
using System.Text;
using Delineate.Imaging;

namespace Delineate.Explain;

/// <summary>Draws a sketch as inline SVG: colours are classes of the page's style, texts are real texts, and what shows a cell of the sheet says which.</summary>
internal static class SketchSvg
{
    public static string Draw(Sketch sketch, Sheet sheet, Language language)
    {
        var svg = new StringBuilder();
        string label = WebUtility.HtmlEncode(string.Join(", ", sketch.Shapes.OfType<Shape2d.Text>().Where(t => t.Cell is null).Select(t => t.Content.In(language)).Take(12)));
        svg.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {sketch.Width:0.#} {sketch.Height:0.#}\" width=\"{sketch.Width:0.#}\" height=\"{sketch.Height:0.#}\" role=\"img\" aria-label=\"{label}\">");
        foreach (Shape2d shape in sketch.Shapes) Draw(svg, shape, sheet, language);
        return svg.Append("</svg>").ToString();
    }

    private static void Draw(StringBuilder svg, Shape2d shape, Sheet sheet, Language language)
    {
        switch (shape)
        {
            case Shape2d.Box box:
                string truth = box.Truth is { } t ? $" data-label=\"{t.Label}\" data-truth=\"{t.Truth}\" data-ignored=\"{t.Ignored}\"" : "";
                svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{box.X:0.##}\" y=\"{box.Y:0.##}\" width=\"{box.Width:0.##}\" height=\"{box.Height:0.##}\" class=\"f-{Name(box.Fill)} o-{Name(box.Outline)}\"{truth}/>");
                break;
            case Shape2d.Text text:
                string content = text.Cell is { } cell ? Matrix.Format(sheet[cell]) : text.Content.In(language);
                string attributes = (text.Cell is { } c ? $" data-cell=\"{c}\"" : "") + (text.IsCentred ? " text-anchor=\"middle\"" : "");
                svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{text.X:0.##}\" y=\"{text.Y:0.##}\" font-size=\"{text.Size}\" class=\"t-{Name(text.Tint)}\"{attributes}>{WebUtility.HtmlEncode(content)}</text>");
                break;
            case Shape2d.Stroke line:
                svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{line.X0:0.##}\" y1=\"{line.Y0:0.##}\" x2=\"{line.X1:0.##}\" y2=\"{line.Y1:0.##}\" class=\"s-{Name(line.Tint)}\"{(line.IsArrow ? " marker-end=\"url(#head)\"" : "")}/>");
                break;
            case Shape2d.Bitmap bitmap:
                svg.Append(CultureInfo.InvariantCulture, $"<image x=\"{bitmap.X:0.##}\" y=\"{bitmap.Y:0.##}\" width=\"{bitmap.Width:0.##}\" height=\"{bitmap.Height:0.##}\" preserveAspectRatio=\"none\" class=\"pixels\" href=\"{DataUri(bitmap.Image)}\"/>");
                break;
        }
    }

    /// <summary>A picture as a page holds it.</summary>
    public static string DataUri(Image image) => "data:image/png;base64," + Convert.ToBase64String(Png.Encode(image));

    /// <summary>The name of a tint in the page's style.</summary>
    public static string Name(Tint tint) => tint.ToString().ToLowerInvariant();
}
