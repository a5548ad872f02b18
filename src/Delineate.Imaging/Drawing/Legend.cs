namespace Delineate.Imaging;

/// <summary>One line of a legend: a swatch, a name, and a figure that is set to the right.</summary>
public readonly record struct LegendEntry(Rgb Color, string Name, string Figure = "");

/// <summary>Colour swatches with names, in columns, on white.</summary>
public static class Legend
{
    private static readonly Rgb Ink = new(33, 33, 33), Grey = new(110, 110, 110);

    /// <summary>As many columns as fit in <paramref name="width"/> pixels; names that are too long end in “…”. → [as needed, width, 3].</summary>
    public static Image Below(IReadOnlyList<LegendEntry> entries, int width, Font font)
    {
        var style = new Style(font);
        for (int rows = 1; ; rows++)
        {
            Column[] columns = Columns(entries, rows, style);
            int excess = style.WidthOf(columns) - width;
            if (excess > 0 && columns.Length > 1) continue;
            if (excess > 0) columns[0].NameWidth = Math.Max(0, columns[0].NameWidth - excess);
            return Render(entries, columns, rows, (2 * style.Margin) + (rows * style.RowHeight), width, style);
        }
    }

    /// <summary>As few columns as fit in <paramref name="height"/> pixels, at least one row each; long names end in “…”.
    /// → [height or one row, as needed, 3].</summary>
    public static Image Beside(IReadOnlyList<LegendEntry> entries, int height, Font font)
    {
        var style = new Style(font);
        int rows = Math.Max(1, (height - (2 * style.Margin)) / style.RowHeight);
        Column[] columns = Columns(entries, rows, style);
        return Render(entries, columns, rows, Math.Max(height, (2 * style.Margin) + style.RowHeight), style.WidthOf(columns), style);
    }

    private static Column[] Columns(IReadOnlyList<LegendEntry> entries, int rows, Style style)
    {
        var columns = new Column[Math.Max(1, (entries.Count + rows - 1) / rows)];
        // Where there are many classes, one long name must not cost all of them a column.
        int widest = style.Font.Pixels * (entries.Count > 24 ? 10 : 20);
        for (int c = 0; c < columns.Length; c++)
        {
            var column = columns[c] = new Column();
            for (int i = c * rows; i < Math.Min(entries.Count, (c + 1) * rows); i++)
            {
                column.NameWidth = Math.Min(widest, Math.Max(column.NameWidth, style.Font.Measure(entries[i].Name)));
                column.FigureWidth = Math.Max(column.FigureWidth, style.Font.Measure(entries[i].Figure));
            }
        }
        return columns;
    }

    private static Image Render(IReadOnlyList<LegendEntry> entries, Column[] columns, int rows, int height, int width, Style style)
    {
        var canvas = new Canvas(new Image(height, width));
        canvas.FillRectangle(0, 0, height, width, new Rgb(255, 255, 255));
        int left = style.Margin;
        for (int c = 0; c < columns.Length; c++)
        {
            int nameLeft = left + style.Swatch + style.SwatchGap, figureRight = left + style.WidthOf(columns[c]);
            for (int r = 0; r < rows && (c * rows) + r < entries.Count; r++)
            {
                LegendEntry entry = entries[(c * rows) + r];
                int top = style.Margin + (r * style.RowHeight), textTop = top + ((style.RowHeight - style.Font.LineHeight) / 2);
                int swatchTop = top + ((style.RowHeight - style.Swatch) / 2);
                canvas.FillRectangle(swatchTop, left, style.Swatch, style.Swatch, entry.Color);
                // A darker rim, so that a white or pale swatch shows on white.
                canvas.Rectangle(swatchTop, left, style.Swatch, style.Swatch, Canvas.Mix(entry.Color, default, 72));
                canvas.Text(style.Font.Fit(entry.Name, columns[c].NameWidth), textTop, nameLeft, style.Font, Ink);
                canvas.Text(entry.Figure, textTop, figureRight - style.Font.Measure(entry.Figure), style.Font, Grey);
            }
            left = figureRight + style.ColumnGap;
        }
        return canvas.Image;
    }

    private sealed class Column
    {
        public int NameWidth { get; set; }

        public int FigureWidth { get; set; }
    }

    /// <summary>Distances in pixels, in proportion to the font.</summary>
    private sealed class Style(Font font)
    {
        public Font Font { get; } = font;

        public int Margin { get; } = font.Pixels * 2 / 3;

        public int Swatch { get; } = font.Pixels;

        public int SwatchGap { get; } = font.Pixels / 2;

        public int FigureGap { get; } = font.Pixels * 3 / 4;

        public int ColumnGap { get; } = font.Pixels * 2;

        public int RowHeight { get; } = font.LineHeight + (font.Pixels / 4);

        public int WidthOf(Column column) => Swatch + SwatchGap + column.NameWidth + (column.FigureWidth == 0 ? 0 : FigureGap + column.FigureWidth);

        public int WidthOf(Column[] columns) => (2 * Margin) + columns.Sum(WidthOf) + ((columns.Length - 1) * ColumnGap);
    }
}
