using System.Text;

namespace Delineate.Data.Sets;

/// <summary>How a data set's folder is laid out.</summary>
public enum DatasetLayout
{
    /// <summary>PASCAL VOC's: <c>JPEGImages/</c>, <c>SegmentationClass/</c>, <c>ImageSets/Segmentation/*.txt</c>.</summary>
    Voc,

    /// <summary><c>images/</c> with <c>masks/</c> or <c>instances/</c>, and <c>*.txt</c> split files beside them.</summary>
    Folder,

    /// <summary>COCO's JSON: see <see cref="Sets.Coco"/>.</summary>
    Coco,

    /// <summary>YOLO's text files: see <see cref="Sets.Yolo"/>.</summary>
    Yolo,

    /// <summary>labelme's JSON: see <see cref="Sets.Labelme"/>.</summary>
    Labelme,

    /// <summary>CVAT's XML for images: see <see cref="Sets.Cvat"/>.</summary>
    Cvat,
}

/// <summary>
/// A part of a data set: <paramref name="Names"/> as listed in <paramref name="File"/>, or chosen by the names' hash where that is null.
/// </summary>
public sealed record SplitList(string Name, string? File, IReadOnlyList<string> Names)
{
    /// <summary>
    /// Whether the split is a union of others (<c>trainval</c>, <c>all</c>), so that sharing images with them is no fault.
    /// </summary>
    public bool IsUnion => Name is "trainval" or "all";
}

/// <summary>The files of a data set as they lie in its folder, faults included: nothing is decoded yet.</summary>
public sealed record DatasetFiles
{
    private static readonly string[] ImageSuffixes = [".jpg", ".jpeg", ".png"];

    /// <summary>The data set's folder.</summary>
    public required string Folder { get; init; }

    /// <summary>How it is laid out.</summary>
    public required DatasetLayout Layout { get; init; }

    /// <summary>What <c>dataset.json</c> says; empty where there is none.</summary>
    public required DatasetManifest Manifest { get; init; }

    /// <summary>The folder that masks lie in.</summary>
    public required string MaskFolder { get; init; }

    /// <summary>Images by name (the file's name without its suffix), in ordinal order.</summary>
    public required SortedDictionary<string, string> Images { get; init; }

    /// <summary>Masks by the name of their image, in ordinal order.</summary>
    public required SortedDictionary<string, string> Masks { get; init; }

    /// <summary>Pictures that number the objects, by the name of their image; empty where there are none.</summary>
    public SortedDictionary<string, string> ObjectMasks { get; init; } = new(StringComparer.Ordinal);

    /// <summary>The splits that can be opened, <c>all</c> excepted.</summary>
    public required IReadOnlyList<SplitList> Splits { get; init; }

    /// <summary>Files of the image and mask folders that are left out, each with the reason.</summary>
    public required IReadOnlyList<(string File, string Reason)> LeftOut { get; init; }

    /// <summary>Names with both an image and a mask, in ordinal order.</summary>
    public IEnumerable<string> Pairs => Images.Keys.Where(Masks.ContainsKey);

    /// <summary>The picture that numbers an image's objects: where masks hold nothing else, the mask itself; null where there is none.</summary>
    internal string? ObjectMask(string name, MaskCoding coding) => (coding == MaskCoding.Instances ? Masks : ObjectMasks).GetValueOrDefault(name);

    /// <summary>A split by its name; <c>all</c> is every pair.</summary>
    /// <exception cref="DatasetException">There is no such split.</exception>
    public SplitList Split(string name)
    {
        if (Splits.FirstOrDefault(s => s.Name == name) is { } split) return split;
        if (name == "all") return new SplitList("all", null, [.. Pairs]);
        string known = string.Join(", ", Splits.Select(s => s.Name).Append("all"));
        throw new DatasetException(Folder, $"there is no split '{name}'", $"there are: {known}");
    }

    /// <summary>Lists a data set's files.</summary>
    internal static DatasetFiles Scan(string folder, DatasetLayout layout, DatasetManifest manifest, string imageFolder, string maskFolder,
        IEnumerable<string> splitFiles, string? objectFolder = null)
    {
        var leftOut = new List<(string File, string Reason)>();
        SortedDictionary<string, string> images = FilesByName(imageFolder, ImageSuffixes, "", leftOut);
        SortedDictionary<string, string> masks = FilesByName(maskFolder, [".png"], manifest.MaskSuffix, leftOut);
        List<SplitList> splits = [.. splitFiles.Select(file => new SplitList(Path.GetFileNameWithoutExtension(file), file, ReadNames(file)))];
        if (splits.Count == 0) splits = SplitByHash([.. images.Keys.Where(masks.ContainsKey)], manifest.Validation);
        return new DatasetFiles
        {
            Folder = folder,
            Layout = layout,
            Manifest = manifest,
            MaskFolder = maskFolder,
            Images = images,
            Masks = masks,
            ObjectMasks = objectFolder is null || objectFolder == maskFolder ? new(StringComparer.Ordinal) : FilesByName(objectFolder, [".png"], "", leftOut),
            Splits = splits,
            LeftOut = leftOut,
        };
    }

    private static SortedDictionary<string, string> FilesByName(string folder, string[] suffixes, string nameSuffix,
        List<(string File, string Reason)> leftOut)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (!Directory.Exists(folder)) return files;
        foreach (string path in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileNameWithoutExtension(path), suffix = Path.GetExtension(path);
            if (Path.GetFileName(path).StartsWith('.') || Path.GetFileName(path) is "Thumbs.db" or "desktop.ini") continue;
            if (!suffixes.Contains(suffix, StringComparer.OrdinalIgnoreCase))
            {
                leftOut.Add((path, $"it is not a {string.Join(" or ", suffixes)} file"));
            }
            else if (!name.EndsWith(nameSuffix, StringComparison.Ordinal) || name.Length == nameSuffix.Length)
            {
                leftOut.Add((path, $"its name does not end in '{nameSuffix}', which dataset.json says of masks"));
            }
            else if (!files.TryAdd(name[..^nameSuffix.Length], path))
            {
                leftOut.Add((path, $"it has the same name as {Path.GetFileName(files[name[..^nameSuffix.Length]])}, which is taken"));
            }
        }
        return files;
    }

    /// <summary>
    /// The names of a split file, one a line: folders (either slash) and image suffixes are dropped, so that lists of paths will do.
    /// </summary>
    internal static List<string> ReadNames(string file)
    {
        var names = new List<string>();
        foreach (string line in File.ReadLines(file, Encoding.UTF8))
        {
            string name = line.Trim().Replace('\\', '/');
            name = name[(name.LastIndexOf('/') + 1)..];
            string? suffix = ImageSuffixes.FirstOrDefault(s => name.EndsWith(s, StringComparison.OrdinalIgnoreCase));
            if (suffix is not null) name = name[..^suffix.Length];
            if (name.Length > 0) names.Add(name);
        }
        return names;
    }

    /// <summary>
    /// Holds out the names whose hash falls in the lowest <paramref name="share"/>: a name's split depends on the name alone, so that
    /// adding images moves none. A set of two or more keeps at least one image on each side.
    /// </summary>
    internal static List<SplitList> SplitByHash(IReadOnlyList<string> names, double share)
    {
        List<string> byHash = [.. names.OrderBy(Hash)];
        int held = byHash.Count(name => Hash(name) < share * uint.MaxValue);
        if (share > 0 && names.Count > 1) held = Math.Clamp(held, 1, names.Count - 1);
        HashSet<string> validation = [.. byHash.Take(held)];
        return [new SplitList("train", null, [.. names.Where(n => !validation.Contains(n))]),
            new SplitList("val", null, [.. names.Where(validation.Contains)])];
    }

    /// <summary>
    /// FNV-1a over the name's UTF-8 bytes, with a final scramble so that names that end alike are spread (32 bits; Fowler, Noll, Vo).
    /// </summary>
    private static uint Hash(string name)
    {
        uint hash = 2166136261;
        foreach (byte b in Encoding.UTF8.GetBytes(name)) hash = (hash ^ b) * 16777619;
        hash = (hash ^ (hash >> 16)) * 0x7FEB352D;
        hash = (hash ^ (hash >> 15)) * 0x846CA68B;
        return hash ^ (hash >> 16);
    }
}
