namespace Delineate.Imaging;

/// <summary>Many pictures on one page, each with a caption.</summary>
public static class ContactSheet
{
    private static readonly Rgb Paper = new(255, 255, 255), Well = new(238, 238, 238), Ink = new(33, 33, 33);

    /// <summary>Pictures in rows of <paramref name="columns"/>, each shrunk or grown to fit in a cell with its proportions kept;
    /// a caption that is too long ends in “…”. → [as needed, as needed, 3].</summary>
    /// <exception cref="ArgumentException">There is no picture.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A count or size is below 1, or the sheet would not fit in one array.</exception>
    public static Image Compose(
        IReadOnlyList<(Image Picture, string Caption)> pictures, int columns, int cellHeight, int cellWidth, string title = "", Font? font = null)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        if (pictures.Count == 0) throw new ArgumentException("a contact sheet needs at least one picture", nameof(pictures));
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(cellHeight, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(cellWidth, 1);
        font ??= Font.OfSize(cellWidth < 240 ? 12 : cellWidth < 600 ? 16 : 24);
        columns = Math.Min(columns, pictures.Count);
        int gap = font.Pixels, captionHeight = pictures.All(p => p.Caption.Length == 0) ? 0 : font.LineHeight + (font.Pixels / 4);
        int titleHeight = title.Length == 0 ? 0 : font.LineHeight + (gap / 2), rows = (pictures.Count + columns - 1) / columns;
        int width = checked(gap + (columns * (cellWidth + gap))), height = checked(gap + titleHeight + (rows * (cellHeight + captionHeight + gap)));
        var canvas = new Canvas(new Image(height, width));
        canvas.FillRectangle(0, 0, height, width, Paper);
        canvas.Text(font.Fit(title, width - (2 * gap)), gap / 2, gap, font, Ink);
        for (int i = 0; i < pictures.Count; i++)
        {
            (Image picture, string caption) = pictures[i];
            int top = gap + titleHeight + (i / columns * (cellHeight + captionHeight + gap)), left = gap + (i % columns * (cellWidth + gap));
            Image fitted = FitInto(picture, cellHeight, cellWidth);
            canvas.FillRectangle(top, left, cellHeight, cellWidth, Well);
            canvas.Paste(fitted, top + ((cellHeight - fitted.Height) / 2), left + ((cellWidth - fitted.Width) / 2));
            string text = font.Fit(caption, cellWidth);
            canvas.Text(text, top + cellHeight + (font.Pixels / 8), left + ((cellWidth - font.Measure(text)) / 2), font, Ink);
        }
        return canvas.Image;
    }

    /// <summary>Pictures next to each other at their own size: a photo, its truth and its prediction.</summary>
    /// <exception cref="ArgumentException">There is no picture.</exception>
    public static Image SideBySide(IReadOnlyList<(Image Picture, string Caption)> pictures, Font? font = null)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        if (pictures.Count == 0) throw new ArgumentException("there is no picture to lay out", nameof(pictures));
        return Compose(pictures, pictures.Count, pictures.Max(p => p.Picture.Height), pictures.Max(p => p.Picture.Width), font: font);
    }

    /// <summary>The picture at the largest size that fits and keeps its proportions.</summary>
    private static Image FitInto(Image picture, int height, int width)
    {
        if (picture.Height == height && picture.Width <= width || picture.Width == width && picture.Height <= height) return picture;
        double scale = Math.Min((double)height / picture.Height, (double)width / picture.Width);
        return picture.Resize(
            Math.Clamp((int)Math.Round(picture.Height * scale), 1, height), Math.Clamp((int)Math.Round(picture.Width * scale), 1, width));
    }
}
