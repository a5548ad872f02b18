using System.Globalization;
using System.Runtime.InteropServices;

namespace Delineate.Imaging;

/// <summary>A photo under its labels, with its legend, a row at a time.</summary>
internal sealed class OverlayRows
{
    // A legend under a photo narrower than this many ems would have no room for its names.
    private const int LegendEms = 14;

    private readonly Image photo;
    private readonly LabelMap labels;
    private readonly ColorShare[] shares;
    private readonly Rgb?[] outlines;
    private readonly int thickness;
    private readonly Image? legend;
    private readonly int photoLeft, legendTop, legendLeft;

    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public OverlayRows(Image photo, LabelMap labels, Palette palette, IReadOnlyList<string> classNames, OverlayOptions? options)
    {
        ArgumentNullException.ThrowIfNull(photo);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(palette);
        ArgumentNullException.ThrowIfNull(classNames);
        MaskDrawing.CheckSize(photo, labels.Height, labels.Width);
        options ??= new OverlayOptions();
        (this.photo, this.labels, Height, Width) = (photo, labels, photo.Height, photo.Width);
        bool[] hidden = MaskDrawing.Hidden(options.Hidden);
        shares = MaskDrawing.Shares(id => palette[id], Canvas.Alpha(options.Opacity), hidden);
        outlines = MaskDrawing.OutlineColors(palette, hidden);
        thickness = options.ContourThickness ?? Overlay.Thickness(photo);
        if (options.Legend == LegendPlace.None || Entries(labels, palette, classNames, options) is not { Count: > 0 } entries) return;
        Font font = options.Font ?? Font.For(photo.Height, photo.Width);
        if (options.Legend == LegendPlace.Below)
        {
            legend = Legend.Below(entries, Math.Max(photo.Width, LegendEms * font.Pixels), font);
            (Height, Width, legendTop, photoLeft) = (photo.Height + legend.Height, legend.Width, photo.Height, (legend.Width - photo.Width) / 2);
        }
        else
        {
            legend = Legend.Beside(entries, photo.Height, font);
            (Height, Width, legendLeft) = (Math.Max(photo.Height, legend.Height), photo.Width + legend.Width, photo.Width);
        }
    }

    /// <summary>Rows of the whole drawing.</summary>
    public int Height { get; }

    /// <summary>Columns of the whole drawing.</summary>
    public int Width { get; }

    /// <summary>Draws row <paramref name="y"/>. → [Width, 3].</summary>
    public void Draw(int y, Span<byte> row)
    {
        row.Fill(255);
        if (y < photo.Height)
        {
            int length = photo.Width * 3;
            Span<byte> drawn = row.Slice(photoLeft * 3, length);
            photo.Pixels.AsSpan(y * length, length).CopyTo(drawn);
            MaskDrawing.FillRow(drawn, labels.Labels.AsSpan(y * photo.Width, photo.Width), shares);
            MaskDrawing.OutlineRow<byte>(MemoryMarshal.Cast<byte, Rgb>(drawn), y, labels.Labels, thickness, id => outlines[id]);
        }
        if (legend is not null && y >= legendTop && y < legendTop + legend.Height)
            legend.Pixels.AsSpan((y - legendTop) * legend.Width * 3, legend.Width * 3).CopyTo(row[(legendLeft * 3)..]);
    }

    private static List<LegendEntry> Entries(LabelMap labels, Palette palette, IReadOnlyList<string> classNames, OverlayOptions options)
    {
        var areas = new int[256];
        foreach (byte label in labels.Labels) areas[label]++;
        return [.. Enumerable.Range(0, 256)
            .Where(id => areas[id] > 0 && !options.Hidden.Contains((byte)id))
            .OrderByDescending(id => areas[id])
            .Select(id => new LegendEntry(
                palette[id],
                id < classNames.Count ? classNames[id] : $"class {id}",
                options.ShowArea ? Percent(areas[id] / (double)labels.Labels.Length) : ""))];
    }

    private static string Percent(double share) => share < 0.0005 ? "<0.1%" : (share * 100).ToString("0.0", CultureInfo.InvariantCulture) + "%";
}
