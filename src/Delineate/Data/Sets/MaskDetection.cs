using System.Collections.Concurrent;
using Delineate.Imaging;

namespace Delineate.Data.Sets;

/// <summary>
/// Finds from a data set's files what its manifest leaves open: the coding of the masks, the classes and the palette.
/// <para>
/// Masks that hold only 0 and 255 are read as a binary class only where no class table of three or more classes and no ignore index says
/// that 255 means something else: VOC's own masks may show nothing but background and the ignored border.
/// </para>
/// </summary>
internal static class MaskDetection
{
    /// <summary>
    /// How many masks, spread over the set, tell the coding. Only sets whose masks are all 0 and 255 are looked at to the end.
    /// </summary>
    private const int LookedAt = 32;

    /// <summary>
    /// More classes than this found in unnamed masks are rather grey photographs or smoothed edges (ADE20K, the largest common set, has
    /// 150).
    /// </summary>
    private const int MostUnnamedClasses = 150;

    /// <exception cref="DatasetException">The classes cannot be told.</exception>
    public static MaskReader Detect(DatasetFiles files)
    {
        DatasetManifest manifest = files.Manifest;
        var notes = new List<string>();
        IReadOnlyList<string>? names = DeclaredNames(files);
        string[] some = Spread([.. files.Pairs.Select(n => files.Masks[n])], LookedAt);
        MaskCoding coding = manifest.Coding ?? FindCoding(files, names, some, notes);
        if (coding is MaskCoding.Binary or MaskCoding.Instances)
        {
            names = names switch
            {
                null => ["background", "object"],
                [string single] => ["background", single],
                { Count: 2 } two => two,
                _ => throw new DatasetException(manifest.Path ?? files.Folder, $"masks with one foreground class cannot hold {names.Count} classes",
                    "list two classes (background first), or set \"masks\": { \"coding\": \"labels\" }"),
            };
        }
        byte ignore = manifest.IgnoreIndex ?? 255;
        if (names is null && files.Layout == DatasetLayout.Voc)
        {
            names = Voc.ClassNames;
            notes.Add("there is neither dataset.json nor class_names.txt: the 21 classes of PASCAL VOC are assumed");
        }
        names ??= CountClasses(files, ignore, notes);
        if (coding == MaskCoding.Labels && names.Count == 1)
        {
            throw new DatasetException(manifest.Path ?? files.Folder,
                $"there is one class only ('{names[0]}'), so that there is nothing to tell apart",
                "list the background too: \"classes\": [\"background\", …]");
        }
        var classes = new ClassTable(names)
        {
            IgnoreIndex = ignore,
            Background = BackgroundOf(names, manifest),
            Palette = PaletteOf(manifest.Colors, names, coding == MaskCoding.Labels ? some : []),
        };
        return new MaskReader(coding, classes, manifest, notes);
    }

    /// <summary>The names of <c>dataset.json</c> or <c>class_names.txt</c>; where both exist they must agree.</summary>
    private static IReadOnlyList<string>? DeclaredNames(DatasetFiles files)
    {
        string path = Path.Combine(files.Folder, "class_names.txt");
        if (!File.Exists(path)) return files.Manifest.Classes;
        List<string> names = [.. File.ReadLines(path).Select(l => l.Trim()).Where(l => l.Length > 0)];
        if (files.Manifest.Classes is { } declared && !declared.SequenceEqual(names))
            throw new DatasetException(path, "it lists other classes than dataset.json", "keep the classes in one of the two files");
        try
        {
            _ = new ClassTable(names);
        }
        catch (ArgumentException e)
        {
            throw new DatasetException(path, e.Message.Split(" (Parameter")[0], "write one class name a line");
        }
        return names;
    }

    private static int? BackgroundOf(IReadOnlyList<string> names, DatasetManifest manifest)
    {
        if (manifest.Background is { } named)
        {
            int index = names.ToList().IndexOf(named);
            if (index >= 0) return index;
            throw new DatasetException(manifest.Path!, $"\"background\" names '{named}', which is not one of the classes",
                NearNames.Suggest(named, names));
        }
        int found = names.ToList().FindIndex(n => n.Trim('_').Equals("background", StringComparison.OrdinalIgnoreCase));
        return found >= 0 ? found : null;
    }

    /// <summary>The declared colours, else those stored in the masks, else VOC's for VOC's classes, else distinct ones.</summary>
    private static Palette PaletteOf(IReadOnlyList<Rgb>? declared, IReadOnlyList<string> names, string[] masks)
    {
        // One name declared for a binary set has become two; its colour then belongs to the second.
        if (declared is not null) return new Palette(declared.Count < names.Count ? [default, .. declared] : [.. declared]);
        if (masks.Select(StoredPalette).FirstOrDefault(p => p?.Count >= names.Count) is { } stored) return stored;
        return names.SequenceEqual(Voc.ClassNames) ? Palette.Voc : Palette.Distinct(names.Count);
    }

    private static MaskCoding FindCoding(DatasetFiles files, IReadOnlyList<string>? names, string[] some, List<string> notes)
    {
        if (Path.GetFileName(files.MaskFolder) == "instances")
        {
            notes.Add("the masks in instances/ number objects: all objects are of one class");
            return MaskCoding.Instances;
        }
        int classes = names?.Count ?? (files.Layout == DatasetLayout.Voc ? Voc.ClassNames.Count : 2);
        bool mayBeBinary = classes <= 2 && files.Manifest.IgnoreIndex is null && files.Manifest.MaskMap.Count == 0;
        bool only0And255 = mayBeBinary, saw255 = false;
        foreach (string path in some)
        {
            if (!only0And255 && files.Manifest.Colors is null) break;
            try
            {
                PngImage png = MaskReader.Decode(path);
                LabelMap? grey = MaskReader.GreyOrNull(png);
                if (grey is null && png.ColorType is PngColorType.Rgb or PngColorType.Rgba && files.Manifest.Colors is not null) return MaskCoding.Colors;
                only0And255 &= grey is not null && grey.Labels.AsSpan().IndexOfAnyExcept((byte)0, (byte)255) < 0;
                saw255 |= only0And255 && grey!.Labels.AsSpan().Contains((byte)255);
            }
            catch (DatasetException)
            {
                // An unreadable mask tells nothing of the coding; it is reported when it is checked or read.
            }
        }
        if (!only0And255 || !saw255) return MaskCoding.Labels;
        notes.Add($"the {some.Length} masks looked at hold only 0 and 255: read as a binary mask, 255 → label 1");
        return MaskCoding.Binary;
    }

    /// <summary>Where nothing names the classes: one for every label from 0 to the largest in any mask.</summary>
    private static List<string> CountClasses(DatasetFiles files, byte ignore, List<string> notes)
    {
        var largest = new ConcurrentBag<(int Label, string Path)>();
        Parallel.ForEach(files.Pairs, name =>
        {
            try
            {
                if (MaskReader.GreyOrNull(MaskReader.Decode(files.Masks[name])) is not { } labels) return;
                int top = -1;
                foreach (byte label in labels.Labels)
                    if (label > top && label != ignore) top = label;
                largest.Add((top, files.Masks[name]));
            }
            catch (DatasetException)
            {
                // As above: reported when it is checked or read.
            }
        });
        (int most, string where) = largest.Append((Label: -1, Path: files.MaskFolder)).OrderByDescending(l => l.Label)
            .ThenBy(l => l.Path, StringComparer.Ordinal).First();
        if (most < 1)
            throw new DatasetException(files.MaskFolder, "no classes are declared and the masks hold none", "list \"classes\" in dataset.json");
        if (most >= MostUnnamedClasses)
            throw new DatasetException(where, $"no classes are declared and the mask holds the value {most}",
                "list \"classes\" in dataset.json; class masks must be saved without smoothing");
        notes.Add($"no classes are declared: labels 0 to {most} were found; name them with \"classes\" in dataset.json");
        return most == 1 ? ["background", "object"] : [.. Enumerable.Range(0, most + 1).Select(i => $"class {i}")];
    }

    private static Palette? StoredPalette(string path)
    {
        try
        {
            return MaskReader.Decode(path).Palette;
        }
        catch (DatasetException)
        {
            return null;
        }
    }

    /// <summary>Up to <paramref name="count"/> of them, evenly spaced.</summary>
    internal static string[] Spread(string[] paths, int count) =>
        paths.Length <= count ? paths : [.. Enumerable.Range(0, count).Select(i => paths[(int)((long)i * paths.Length / count)])];
}
