using System.Buffers;
using System.Globalization;
using Delineate.Imaging;

namespace Delineate.Data.Sets;

/// <summary>What the pixels of mask files hold.</summary>
public enum MaskCoding
{
    /// <summary>The label itself, as a palette index or a grey value.</summary>
    Labels,

    /// <summary>0 for background, 255 (or 1) for the one class.</summary>
    Binary,

    /// <summary>A colour of the class table.</summary>
    Colors,

    /// <summary>0 for background, any other number for an object of the one class.</summary>
    Instances,
}

/// <summary>
/// Turns mask files into label maps: how their pixels are coded, which labels they may hold, and which are renamed. Several threads may
/// read at once.
/// </summary>
public sealed class MaskReader
{
    private readonly byte[] map;
    private readonly bool renames;
    private readonly SearchValues<byte> outside;
    private readonly Dictionary<Rgb, byte> colors = [];

    /// <summary>A reader of masks of one coding.</summary>
    /// <exception cref="DatasetException">The map of <paramref name="manifest"/> names an unknown class.</exception>
    public MaskReader(MaskCoding coding, ClassTable classes, DatasetManifest manifest, IReadOnlyList<string> notes)
    {
        (Coding, Classes, Notes) = (coding, classes, notes);
        IEnumerable<byte> beyond = Enumerable.Range(classes.Count, 256 - classes.Count).Select(v => (byte)v);
        outside = SearchValues.Create([.. beyond.Where(v => v != classes.IgnoreIndex)]);
        map = [.. Enumerable.Range(0, 256).Select(v => (byte)v)];
        foreach ((byte stored, string target) in manifest.MaskMap) map[stored] = LabelOf(target, manifest);
        renames = manifest.MaskMap.Count > 0;
        if (coding != MaskCoding.Colors) return;
        for (int label = 0; label < classes.Count; label++)
        {
            if (!colors.TryAdd(classes.Palette[label], (byte)label))
                throw new DatasetException(manifest.Path ?? DatasetManifest.FileName,
                    $"\"colors\" gives {classes.Palette[label]} to two classes", "colours must differ to tell classes apart");
        }
        colors.TryAdd(Palette.Voc[255], classes.IgnoreIndex); // the border colour of VOC's masks
    }

    /// <summary>What the pixels hold.</summary>
    public MaskCoding Coding { get; }

    /// <summary>The labels that may occur.</summary>
    public ClassTable Classes { get; }

    /// <summary>What was found out or assumed.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>The reader for a data set: coding and classes from its manifest or found from its masks.</summary>
    /// <exception cref="DatasetException">The classes cannot be told.</exception>
    public static MaskReader For(DatasetFiles files) => MaskDetection.Detect(files);

    /// <summary>The labels of a mask file, all of them of the class table or the ignore label.</summary>
    /// <exception cref="DatasetException">The file is unreadable, of another coding, or holds something outside the class table: pixel,
    /// value and remedy are named.</exception>
    public LabelMap Read(string path)
    {
        PngImage png = Decode(path);
        LabelMap labels = Coding switch
        {
            MaskCoding.Labels => Labels(path, png),
            MaskCoding.Binary => Binary(path, Grey(path, png)),
            MaskCoding.Colors => FromColors(path, png),
            MaskCoding.Instances => Foreground(path, png),
            _ => throw new InvalidOperationException($"unknown coding {Coding}"),
        };
        int wrong = labels.Labels.AsSpan().IndexOfAny(outside);
        if (wrong >= 0) throw OutOfRange(path, labels, wrong);
        return labels;
    }

    internal static PngImage Decode(string path)
    {
        try
        {
            return Png.Decode(File.ReadAllBytes(path), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw FileDataset.Unreadable(path, e);
        }
    }

    /// <summary>
    /// The values of a palette or grey file, or of a colour file whose three channels agree; null for true colours and values above 255.
    /// </summary>
    internal static LabelMap? GreyOrNull(PngImage png)
    {
        if (png.ColorType is not (PngColorType.Rgb or PngColorType.Rgba))
            return png.BitDepth == 16 && png.WideSamples.AsSpan().IndexOfAnyExceptInRange((ushort)0, (ushort)255) >= 0 ? null : png.ToLabelMap();
        if (png.BitDepth == 16) return null;
        byte[] pixels = png.ToImage().Pixels;
        var grey = new LabelMap(png.Height, png.Width);
        for (int i = 0; i < grey.Labels.Length; i++)
        {
            if (pixels[3 * i] != pixels[(3 * i) + 1] || pixels[3 * i] != pixels[(3 * i) + 2]) return null;
            grey.Labels[i] = pixels[3 * i];
        }
        return grey;
    }

    private static LabelMap Grey(string path, PngImage png)
    {
        if (GreyOrNull(png) is { } grey) return grey;
        if (png.ColorType is PngColorType.Rgb or PngColorType.Rgba)
        {
            throw new DatasetException(path, $"the mask is a picture in colours ({png.Header.Kind}), not one label a pixel",
                "list \"classes\" and \"colors\" in dataset.json with \"masks\": { \"coding\": \"colors\" }, or save masks as palette or grey PNG");
        }
        int pixel = png.WideSamples.AsSpan().IndexOfAnyExceptInRange((ushort)0, (ushort)255);
        string place = $"pixel ({pixel / png.Width}, {pixel % png.Width})";
        throw new DatasetException(path, $"{place} of the 16-bit mask holds {png.WideSamples[pixel]}, more than any label",
            "if the values number objects, set \"masks\": { \"coding\": \"instances\" } in dataset.json or name the folder instances/");
    }

    private LabelMap Labels(string path, PngImage png)
    {
        LabelMap labels = Grey(path, png);
        if (!renames) return labels;
        byte[] values = labels.Labels;
        for (int i = 0; i < values.Length; i++) values[i] = map[values[i]];
        return labels;
    }

    private static LabelMap Binary(string path, LabelMap mask)
    {
        byte[] values = mask.Labels;
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] is not (0 or 1 or 255))
            {
                throw new DatasetException(path, $"pixel ({i / mask.Width}, {i % mask.Width}) holds {values[i]}, but these masks are 0 and 255",
                    "save masks without smoothing or compression losses; for more than one class list \"classes\" in dataset.json");
            }
            values[i] = values[i] == 0 ? (byte)0 : (byte)1;
        }
        return mask;
    }

    private static LabelMap Foreground(string path, PngImage png)
    {
        IdMap ids;
        try
        {
            ids = png.ToIdMap();
        }
        catch (ImageFormatException e)
        {
            throw FileDataset.Unreadable(path, e);
        }
        var labels = new LabelMap(ids.Height, ids.Width);
        for (int i = 0; i < labels.Labels.Length; i++) labels.Labels[i] = ids.Ids[i] > 0 ? (byte)1 : (byte)0;
        return labels;
    }

    private LabelMap FromColors(string path, PngImage png)
    {
        byte[] pixels = png.ToImage().Pixels;
        var labels = new LabelMap(png.Height, png.Width);
        Rgb last = default;
        byte label = 0;
        bool known = false;
        for (int i = 0; i < labels.Labels.Length; i++)
        {
            var color = new Rgb(pixels[3 * i], pixels[(3 * i) + 1], pixels[(3 * i) + 2]);
            if (!known || color != last)
            {
                if (!colors.TryGetValue(color, out label)) throw UnknownColor(path, color, i / png.Width, i % png.Width);
                (last, known) = (color, true);
            }
            labels.Labels[i] = label;
        }
        return labels;
    }

    private DatasetException UnknownColor(string path, Rgb color, int y, int x)
    {
        (Rgb nearest, byte label) = colors.MinBy(c => Math.Abs(c.Key.R - color.R) + Math.Abs(c.Key.G - color.G) + Math.Abs(c.Key.B - color.B));
        string name = label < Classes.Count ? Classes.Names[label] : "ignore";
        return new DatasetException(path, $"pixel ({y}, {x}) has the colour {color}, which \"colors\" does not list",
            $"the nearest listed one is {nearest} ({name}): add the colour to dataset.json, or save masks without smoothing or compression losses");
    }

    private DatasetException OutOfRange(string path, LabelMap labels, int index)
    {
        int value = labels.Labels[index], count = Classes.Count;
        var present = new bool[256];
        foreach (byte label in labels.Labels) present[label] = true;
        string firstThree = string.Join(", ", Enumerable.Range(1, Math.Min(count, 3)).Select(v => $"\"{v}\": {v - 1}"));
        string remedy = (value, present[0]) switch
        {
            (255, _) when count <= 2 => "if 255 marks the class, set \"masks\": { \"coding\": \"binary\" } in dataset.json",
            (_, false) when value == count =>
                $"if labels start at 1, set \"masks\": {{ \"map\": {{ {firstThree}{(count > 3 ? ", …" : "")} }} }} in dataset.json",
            _ => $"set \"masks\": {{ \"map\": {{ \"{value}\": \"ignore\" }} }} in dataset.json to leave such pixels out, map it to a class, "
                + "or add the class to \"classes\"",
        };
        string place = $"pixel ({index / labels.Width}, {index % labels.Width})";
        string known = $"there are {count} classes (0 to {count - 1}) and the ignore label {Classes.IgnoreIndex}";
        return new DatasetException(path, $"{place} holds label {value}, but {known}", remedy);
    }

    private byte LabelOf(string target, DatasetManifest manifest)
    {
        int label = Classes.Names.ToList().IndexOf(target);
        if (label >= 0) return (byte)label;
        if (target == "ignore") return Classes.IgnoreIndex;
        if (byte.TryParse(target, NumberStyles.None, CultureInfo.InvariantCulture, out byte number)) return number;
        throw new DatasetException(manifest.Path ?? DatasetManifest.FileName, $"\"masks.map\" names the class '{target}', which does not exist",
            NearNames.Suggest(target, [.. Classes.Names, "ignore"]));
    }
}
