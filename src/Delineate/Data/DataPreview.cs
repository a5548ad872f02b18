using Delineate.Drawing;
using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>Samples with their truth drawn over, on one page: the quickest way to see that masks fit their images.</summary>
public static class DataPreview
{
    /// <summary>
    /// A contact sheet of up to <paramref name="count"/> samples spread evenly over the data set, each as image and as image with its
    /// labels, or its objects, drawn over, with a legend of the classes below.
    /// </summary>
    /// <exception cref="DatasetException">A sample that would be shown cannot be read.</exception>
    public static Image ContactSheet(Dataset dataset, int count = 12, int columns = 4, int cellSize = 240, string title = "")
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        count = Math.Min(count, dataset.Count);
        int[] shown = [.. Enumerable.Range(0, count).Select(i => (int)((long)i * dataset.Count / count))];
        return Sheet([.. shown.Select(dataset.Load)], dataset.Classes, columns, cellSize, title);
    }

    /// <summary>A contact sheet of given samples: of a batch, to see what augmentation does.</summary>
    /// <exception cref="ArgumentException">There is no sample.</exception>
    public static Image Sheet(IReadOnlyList<Sample> samples, ClassTable classes, int columns = 4, int cellSize = 240, string title = "")
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentNullException.ThrowIfNull(classes);
        var options = new OverlayOptions
        {
            Legend = LegendPlace.None,
            Hidden = classes.Background is int background ? [(byte)background] : [],
        };
        var colors = new Rgb[256];
        for (int label = 0; label < 256; label++) colors[label] = label == classes.IgnoreIndex ? IgnoredColor : classes.Palette[label];
        var palette = new Palette(colors);
        var pictures = new List<(Image, string)>();
        var seen = new bool[256];
        int perSample = 1;
        foreach (Sample sample in samples)
        {
            int before = pictures.Count;
            pictures.Add((sample.Image, sample.Name));
            if (sample.Annotation.Semantic is { } labels)
            {
                foreach (byte label in labels.Labels) seen[label] = true;
                pictures.Add((Overlay.Draw(sample.Image, labels, palette, classes.Names, options), "truth"));
            }
            if (sample.Annotation.Instances is { } objects)
                pictures.Add((Objects(sample.Image, objects, classes, cellSize), $"{objects.Count} object{(objects.Count == 1 ? "" : "s")}"));
            perSample = Math.Max(perSample, pictures.Count - before);
        }
        columns = Math.Max(perSample, columns / perSample * perSample); // what belongs together stays in one row
        Image sheet = Delineate.Imaging.ContactSheet.Compose(pictures, columns, cellSize, cellSize, title);
        List<LegendEntry> entries = [.. classes.Names.Select((name, c) => (name, c)).Where(x => seen[x.c] && x.c != classes.Background)
            .Select(x => new LegendEntry(palette[x.c], x.name))];
        if (seen[classes.IgnoreIndex]) entries.Add(new LegendEntry(IgnoredColor, "ignored"));
        if (entries.Count == 0) return sheet;
        Image legend = Legend.Below(entries, sheet.Width, Font.OfSize(16));
        var canvas = new Canvas(sheet.Pad(0, 0, legend.Height, Math.Max(0, legend.Width - sheet.Width), new Rgb(255, 255, 255)));
        canvas.Paste(legend, sheet.Height, 0);
        return canvas.Image;
    }

    /// <summary>The objects drawn at the size at which they will be seen, so that lines and names stay sharp.</summary>
    private static Image Objects(Image photo, IReadOnlyList<Instance> objects, ClassTable classes, int cellSize)
    {
        double scale = Math.Min(1, (double)cellSize / Math.Max(photo.Height, photo.Width));
        (int height, int width) = (Math.Max(1, (int)Math.Round(photo.Height * scale)), Math.Max(1, (int)Math.Round(photo.Width * scale)));
        return InstanceOverlay.Draw(photo.Resize(height, width), [.. objects.Select(o => o.Resize((photo.Height, photo.Width), (height, width), centers: true))], classes);
    }

    // Light grey: away from every class colour, and visible over dark and bright photos.
    private static readonly Rgb IgnoredColor = new(224, 224, 224);
}
