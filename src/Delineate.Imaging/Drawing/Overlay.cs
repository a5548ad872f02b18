namespace Delineate.Imaging;

/// <summary>Where an overlay's legend goes.</summary>
public enum LegendPlace
{
    /// <summary>No legend.</summary>
    None,

    /// <summary>Under the photo, in columns.</summary>
    Below,

    /// <summary>To the right of the photo.</summary>
    Right,
}

/// <summary>How an overlay looks.</summary>
public sealed record OverlayOptions
{
    /// <summary>How strongly the colours cover the photo, 0…1: at one half both can be judged.</summary>
    public double Opacity { get; init; } = 0.5;

    /// <summary>Outline in pixels; nothing chooses 1 on small photos and more on large ones; 0 draws none.</summary>
    public int? ContourThickness { get; init; }

    /// <summary>Ids that are neither drawn nor listed: the background of a data set that has one, and 255, "ignore".</summary>
    public IReadOnlyCollection<byte> Hidden { get; init; } = [255];

    /// <summary>Where the legend goes.</summary>
    public LegendPlace Legend { get; init; } = LegendPlace.Below;

    /// <summary>Whether the legend gives each class's share of the picture.</summary>
    public bool ShowArea { get; init; } = true;

    /// <summary>Font of legend and names; nothing chooses one by the size of the photo.</summary>
    public Font? Font { get; init; }
}

/// <summary>Photos with what was found in them drawn over.</summary>
public static class Overlay
{
    /// <summary>The photo with its labels blended over, outlined, and a legend of the classes that occur, largest first, with their share of
    /// the picture. Photo [H, W, 3], labels [H, W] → at least [H, W, 3].</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public static Image Draw(Image photo, LabelMap labels, Palette palette, IReadOnlyList<string> classNames, OverlayOptions? options = null)
    {
        var rows = new OverlayRows(photo, labels, palette, classNames, options);
        var image = new Image(rows.Height, rows.Width);
        for (int y = 0; y < rows.Height; y++) rows.Draw(y, image.Pixels.AsSpan(y * rows.Width * 3, rows.Width * 3));
        return image;
    }

    /// <summary>
    /// The same as a file: <c>.png</c>, drawn and written row by row, so that it takes no memory beside photo and labels, or <c>.jpg</c> or <c>.jpeg</c>.
    /// </summary>
    /// <exception cref="ArgumentException">The sizes differ, or the path has another extension.</exception>
    public static void Save(string path, Image photo, LabelMap labels, Palette palette, IReadOnlyList<string> classNames, OverlayOptions? options = null)
    {
        if (ImageFile.FormatFor(path) != ImageFormat.Png)
        {
            ImageFile.Save(Draw(photo, labels, palette, classNames, options), path);
            return;
        }
        var rows = new OverlayRows(photo, labels, palette, classNames, options);
        ImageFile.WriteWhole(path, file => Png.WriteRgb(file, rows.Height, rows.Width, rows.Draw));
    }

    /// <summary>The photo with every object blended over in a colour of its own and outlined, and on each one that is named its name.
    /// Photo [H, W, 3], ids [H, W] → [H, W, 3].</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public static Image Draw(Image photo, IdMap ids, IReadOnlyDictionary<int, string>? names = null, OverlayOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(photo);
        ArgumentNullException.ThrowIfNull(ids);
        options ??= new OverlayOptions();
        var canvas = new Canvas(photo.Clone());
        canvas.Fill(ids, options.Opacity);
        canvas.Contour(ids, options.ContourThickness ?? Thickness(photo));
        if (names is { Count: > 0 }) Name(canvas, ids, names, options.Font ?? Font.For(photo.Height, photo.Width));
        return canvas.Image;
    }

    /// <summary>Each name is centred on the mean of its object's pixels, or stands above an object that it would hide.</summary>
    private static void Name(Canvas canvas, IdMap ids, IReadOnlyDictionary<int, string> names, Font font)
    {
        var sums = new SortedDictionary<int, (int Top, long Y, long X, int Count)>();
        for (int i = 0; i < ids.Ids.Length; i++)
        {
            int id = ids.Ids[i], y = i / ids.Width, x = i % ids.Width;
            if (id == 0 || !names.ContainsKey(id)) continue;
            sums[id] = sums.TryGetValue(id, out var sum) ? (sum.Top, sum.Y + y, sum.X + x, sum.Count + 1) : (y, y, x, 1);
        }
        foreach ((int id, (int top, long y, long x, int count)) in sums)
        {
            (int height, int width) = Canvas.PlateSize(names[id], font);
            bool hides = count < 4 * height * width;
            int plateTop = hides ? top - height - 1 : (int)(y / count) - (height / 2);
            canvas.Label(names[id], plateTop, (int)(x / count) - (width / 2), font, MaskDrawing.InstanceColor(id));
        }
    }

    internal static int Thickness(Image photo) => 1 + (Math.Min(photo.Height, photo.Width) / 800);
}
