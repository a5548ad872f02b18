using System.Text.Json;
using Delineate.Data.Objects;
using Delineate.Imaging;

namespace Delineate.Data.Sets;

/// <summary>
/// labelme's JSON: one file an image, <c>NAME.json</c>, beside it or in a folder of its own, with polygons, rectangles, circles and masks; shapes of one
/// label and <c>group_id</c> are one object. Folders named after splits are splits. Source: https://github.com/wkentaro/labelme.
/// </summary>
public static class Labelme
{
    internal const string Expected = "NAME.json beside each image (labelme)";

    private const long MostBytes = 1L << 28; // a file may hold its image as text
    private const string Ignored = "__ignore__";

    internal static bool Recognises(string folder) => Folders(folder).Any(f => Json(f).Take(3).Any(IsLabelme));

    internal static ObjectSet Read(string folder, DatasetManifest manifest)
    {
        string[] folders = [.. Folders(folder).Where(f => Json(f).Any(IsLabelme))];
        if (folders.Length == 0) throw new DatasetException(folder, "there is no labelme file", $"looked for {Expected}");
        bool areSplits = folders.Length > 1 && folders.All(f => SplitNames.Plain(Path.GetFileName(f)) is "train" or "val" or "test");
        List<(string Split, PartContent Content)> read = areSplits
            ? [.. folders.OrderBy(f => SplitNames.Plain(Path.GetFileName(f)) is "train" ? 0 : 1).Select(f => (Path.GetFileName(f), Content(folder, [f])))]
            : [("", Content(folder, folders))];
        string[] labels = [.. read.SelectMany(r => r.Content.Objects).Select(o => o.Category).OfType<string>().Distinct()];
        ClassTable table = ObjectClasses.TableOf(Listed(folder) ?? [.. labels.Where(l => l != Ignored && !ObjectClasses.IsBackground(l)).Order(StringComparer.Ordinal)],
            manifest, folder);
        Dictionary<string, int> labelOf = ObjectClasses.LabelsOf(labels, table);
        if (labels.Contains(Ignored)) labelOf[Ignored] = table.IgnoreIndex;
        List<string> notes = [];
        int others = labelOf.Count(l => l.Value < 0);
        if (others > 0) notes.Add($"{others} labels are not among the declared classes: their shapes are left out ({FileDataset.FirstOf([.. labelOf.Where(l => l.Value < 0).Select(l => l.Key)])})");
        int bare = folders.Append(Path.Combine(folder, "images")).Where(Directory.Exists).Distinct().SelectMany(Images).Count() - read.Sum(r => r.Content.Images.Count(i => i.Path is not null));
        if (bare > 0) notes.Add($"{bare} images have no labelme file: they are left out");
        HeldPart[] parts = [.. read.Select(r => new HeldPart(() => r.Content) { Split = r.Split, File = areSplits ? Path.Combine(folder, r.Split) : folder, Labels = labelOf })];
        IReadOnlyList<ObjectPart> splits = parts;
        if (!areSplits)
        {
            splits = Subset.Divide(folder, manifest, parts[0], out IEnumerable<string> how);
            notes.AddRange(how);
        }
        return new ObjectSet { Folder = folder, Layout = DatasetLayout.Labelme, Manifest = manifest, Classes = table, Parts = splits, Notes = notes };
    }

    /// <summary>labelme's own list of labels, <c>labels.txt</c>, without the two that are no classes.</summary>
    private static string[]? Listed(string folder)
    {
        string path = Path.Combine(folder, "labels.txt");
        if (!File.Exists(path)) return null;
        return [.. File.ReadLines(path).Select(l => l.Trim()).Where(l => l.Length > 0 && l != Ignored && !ObjectClasses.IsBackground(l))];
    }

    private static IEnumerable<string> Folders(string folder) => Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal).Prepend(folder);

    private static IEnumerable<string> Json(string folder) =>
        Directory.EnumerateFiles(folder, "*.json").Where(f => Path.GetFileName(f) != DatasetManifest.FileName).Order(StringComparer.Ordinal);

    private static IEnumerable<string> Images(string folder) =>
        Directory.EnumerateFiles(folder).Where(f => Path.GetExtension(f).ToLowerInvariant() is ".jpg" or ".jpeg" or ".png");

    private static bool IsLabelme(string path)
    {
        try
        {
            using var lists = new JsonLists(File.OpenRead(path), path);
            while (lists.Next()) ;
            return lists.Keys.Contains("shapes") && lists.Keys.Contains("imagePath");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static PartContent Content(string root, IReadOnlyList<string> folders)
    {
        string[] files = [.. folders.SelectMany(Json)];
        var read = new (string ImagePath, int Height, int Width, IReadOnlyList<RawObject> Objects, FileFault? Fault)[files.Length];
        InParallel.For(files.Length, i => read[i] = ReadFile(files[i]));
        string[] names = ImagePaths.SampleNames([.. files.Select(f => Path.GetRelativePath(root, f))]);
        var images = new List<ImageRecord>();
        var objects = new List<RawObject>();
        var faults = new List<FileFault>();
        for (int i = 0; i < files.Length; i++)
        {
            if (read[i].Fault is { } fault) faults.Add(fault);
            if (read[i].ImagePath.Length == 0) continue;
            string own = Path.GetDirectoryName(files[i])!;
            var paths = new ImagePaths([own, Path.Combine(root, "images"), root]);
            string? path = paths.Find(read[i].ImagePath) ?? ((string[])[".jpg", ".jpeg", ".png"]).Select(s => paths.Find(Path.ChangeExtension(Path.GetFileName(files[i]), s))).FirstOrDefault(p => p is not null);
            objects.AddRange(read[i].Objects.Select(o => o with { Image = images.Count }));
            images.Add(new ImageRecord(names[i], read[i].ImagePath, path, read[i].Height, read[i].Width, files[i]));
        }
        return new PartContent(images, objects, faults);
    }

    private static (string ImagePath, int Height, int Width, IReadOnlyList<RawObject> Objects, FileFault? Fault) ReadFile(string path)
    {
        (string imagePath, int height, int width) = ("", 0, 0);
        var shapes = new List<(string? Group, RawObject Shape)>();
        try
        {
            if (new FileInfo(path).Length > MostBytes) throw new DatasetException(path, $"it is larger than {MostBytes >> 20} MB", "save it without imageData");
            using var lists = new JsonLists(File.OpenRead(path), path, "shapes", "imagePath", "imageHeight", "imageWidth");
            var raw = new List<byte[]>();
            while (lists.Next())
            {
                if (lists.List == "shapes" && lists.Index >= 0) raw.Add(lists.Element.ToArray());
                if (lists.Index >= 0) continue;
                using JsonDocument value = JsonValues.Parse(lists.Element);
                JsonElement? element = value.RootElement;
                if (lists.List == "imagePath") imagePath = element.Text() ?? "";
                else if (lists.List == "imageHeight") height = element.Side();
                else if (lists.List == "imageWidth") width = element.Side();
            }
            if (!lists.Keys.Contains("shapes")) return ("", 0, 0, [], new FileFault(Severity.Note, path, "it is no labelme file, and left out"));
            for (int i = 0; i < raw.Count; i++) shapes.Add(LabelmeShape.Read(raw[i], i, height, width));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            string problem = e is JsonException json ? $"this is not valid JSON: {JsonValues.Explain(json)}" : e is DatasetException fault ? fault.Problem : e.Message;
            return ("", 0, 0, [], new FileFault(Severity.Error, path, problem, "its image is left out; draw it again"));
        }
        if (imagePath.Length == 0 || ImagePaths.Relative(imagePath) is null) imagePath = Path.ChangeExtension(Path.GetFileName(path), ".jpg");
        return (imagePath, height, width, [.. ObjectJoin.Join(shapes, height, width)], null);
    }
}
