using Delineate.Imaging;

namespace Delineate.Explain;

/// <summary>Steps as pictures, one each. Their words are English in every language: the built-in font has no others.</summary>
public static class ExplanationPictures
{
    private const int LeastWidth = 720, MostWidth = 1200, Margin = 20, Gap = 18;

    /// <summary>A step: its title, its text and what it shows, side by side as far as there is room.</summary>
    public static Image Draw(Explanation explanation, int step)
    {
        ArgumentNullException.ThrowIfNull(explanation);
        Step shown = explanation.Steps[step];
        var (font, head) = (Font.OfSize(16), Font.OfSize(24));
        Image[] parts = [.. shown.Exhibits.Select(e => Draw(e, explanation.Sheet))];
        int width = Math.Clamp(parts.Select(p => p.Width + (2 * Margin)).DefaultIfEmpty(0).Max(), LeastWidth, int.MaxValue);
        width = Math.Max(width, Math.Min(MostWidth, parts.Sum(p => p.Width + Gap) + (2 * Margin)));
        string[] title = [.. Wrapped($"{step + 1}. {shown.Title.English}", head, width - (2 * Margin))], text = [.. Wrapped(shown.Text.English, font, width - (2 * Margin))];
        int y = Margin + (title.Length * head.LineHeight) + 8 + (text.Length * font.LineHeight) + Gap;
        var places = new List<(Image Part, int Top, int Left)>();
        int x = Margin, row = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            Image part = parts[i];
            bool isLine = IsLine(shown.Exhibits[i]) || (i > 0 && IsLine(shown.Exhibits[i - 1])); // a line stands alone
            if (x > Margin && (isLine || x + part.Width > width - Margin)) (x, y, row) = (Margin, y + row + Gap, 0);
            places.Add((part, y, x));
            (x, row) = (x + part.Width + Gap, Math.Max(row, part.Height));
        }
        Image image = SketchPixels.Blank(y + row + Margin, width);
        var canvas = new Canvas(image);
        int line = Margin;
        foreach (string words in title) (line, _) = (line + head.LineHeight, canvas.Text(words, line, Margin, head, SketchPixels.Ink));
        line += 8;
        foreach (string words in text) (line, _) = (line + font.LineHeight, canvas.Text(words, line, Margin, font, SketchPixels.Ink));
        foreach ((Image part, int top, int left) in places) canvas.Paste(part, top, left);
        return image;
    }

    private static bool IsLine(Exhibit exhibit) => exhibit is Exhibit.Working or Exhibit.Line;

    private static Image Draw(Exhibit exhibit, Sheet sheet) => exhibit switch
    {
        Exhibit.Numbers numbers => SketchPixels.Draw(Sketch.Of(sheet, numbers, Language.En), sheet, Language.En),
        Exhibit.Labels labels => SketchPixels.Draw(Sketch.Of(sheet, labels, Language.En), sheet, Language.En),
        Exhibit.Drawing drawing => WithCaption(SketchPixels.Draw(drawing.Sketch, sheet, Language.En), drawing.Caption.English),
        Exhibit.Working working => Paragraph(Working.Of(sheet, working.Name, working.Cell)),
        Exhibit.Line line => Paragraph(line.Text),
        Exhibit.Picture picture => WithCaption(
            picture.Scale == 1 ? picture.Image : picture.Image.Resize(picture.Image.Height * picture.Scale, picture.Image.Width * picture.Scale, Interpolation.Nearest), picture.Caption.English),
        Exhibit.Table table => Draw(table),
        _ => throw new ArgumentException($"an exhibit of {exhibit.GetType().Name}", nameof(exhibit)),
    };

    private static Image Draw(Exhibit.Table table)
    {
        const int ColumnGap = 24;
        Font font = Font.OfSize(16);
        string[][] rows = [[.. table.Head.Select(h => h.English)], .. table.Rows.Select(r => (string[])[.. r.Select(v => v.English)])];
        int[] widths = [.. Enumerable.Range(0, table.Head.Count).Select(c => rows.Max(r => font.Measure(r[c])))];
        int rowHeight = font.LineHeight + 6;
        Image image = SketchPixels.Blank(rows.Length * rowHeight, widths.Sum() + (ColumnGap * (widths.Length - 1)) + 2);
        var canvas = new Canvas(image);
        for (int r = 0; r < rows.Length; r++)
        {
            for (int c = 0, x = 0; c < widths.Length; x += widths[c++] + ColumnGap)
                canvas.Text(rows[r][c], (r * rowHeight) + 3, c == 0 ? x : x + widths[c] - font.Measure(rows[r][c]), font, r == 0 ? SketchPixels.Faint : SketchPixels.Ink);
            canvas.FillRectangle(((r + 1) * rowHeight) - 1, 0, 1, image.Width, SketchPixels.Faint, 0.4);
        }
        return image;
    }

    private static Image WithCaption(Image picture, string caption)
    {
        Font font = Font.OfSize(12);
        string[] lines = [.. Wrapped(caption, font, Math.Max(picture.Width, 220))];
        Image image = SketchPixels.Blank(picture.Height + 4 + (lines.Length * font.LineHeight), Math.Max(picture.Width, lines.Select(font.Measure).DefaultIfEmpty(0).Max()));
        var canvas = new Canvas(image);
        canvas.Paste(picture, 0, 0);
        for (int i = 0; i < lines.Length; i++) canvas.Text(lines[i], picture.Height + 4 + (i * font.LineHeight), 0, font, SketchPixels.Faint);
        return image;
    }

    private static Image Paragraph(string text)
    {
        Font font = Font.OfSize(16);
        string[] lines = [.. Wrapped(text, font, MostWidth - (2 * Margin))];
        Image image = SketchPixels.Blank((lines.Length * font.LineHeight) + 2, lines.Max(font.Measure) + 2);
        var canvas = new Canvas(image);
        for (int i = 0; i < lines.Length; i++) canvas.Text(lines[i], i * font.LineHeight, 0, font, SketchPixels.Ink);
        return image;
    }

    private static IEnumerable<string> Wrapped(string text, Font font, int width)
    {
        string line = "";
        foreach (string word in text.Split(' '))
        {
            string longer = line.Length == 0 ? word : $"{line} {word}";
            if (line.Length > 0 && font.Measure(longer) > width)
            {
                yield return line;
                longer = word;
            }
            line = longer;
        }
        if (line.Length > 0) yield return line;
    }
}
