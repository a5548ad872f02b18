using System.Globalization;
using System.Text;
using Delineate.Data.Objects;

namespace Delineate.Data.Sets;

/// <summary>
/// YOLO's text files: <c>labels/…/NAME.txt</c> for <c>images/…/NAME.jpg</c>, a line an object: its class's number and the corners of its outline as
/// shares of the image's width and height, or centre, width and height of its box; <c>data.yaml</c> names classes and splits.
/// Source: https://docs.ultralytics.com/datasets/segment/.
/// </summary>
public static class Yolo
{
    internal const string Expected = "images/ and labels/ with data.yaml (YOLO)";

    private const long MostBytes = 1 << 26;
    private static readonly string[] ImageSuffixes = [".jpg", ".jpeg", ".png"];
    private static readonly (string Key, string[] Folders)[] SplitKeys = [("train", ["train"]), ("val", ["val", "valid"]), ("test", ["test"])];

    internal static bool Recognises(string folder) => Directory.Exists(Path.Combine(folder, "labels")) && Directory.Exists(Path.Combine(folder, "images"))
        || (Description(folder) is not null && Directory.EnumerateDirectories(folder).Append(folder).Any(f => Directory.Exists(Path.Combine(f, "labels"))));

    internal static ObjectSet Read(string folder, DatasetManifest manifest)
    {
        string? yaml = Description(folder);
        Dictionary<string, YamlValue> described = yaml is null ? [] : SimpleYaml.Read(yaml);
        if (described.ContainsKey("kpt_shape")) throw new DatasetException(yaml!, "it describes keypoints (kpt_shape), whose labels are not read", "export the data set as COCO keypoints");
        IReadOnlyList<string>? names = Names(folder, yaml, described);
        var notes = new List<string>();
        List<(string Split, string File, Func<IEnumerable<string>> Images)> splits = Splits(folder, yaml, described);
        bool whole = splits.Count == 0;
        if (whole) splits = [("", yaml ?? folder, () => ImagesIn(Path.Combine(folder, "images")))];
        HeldPart[] parts = [.. splits.Select(s => new HeldPart(() => Content(folder, s.Images())) { Split = s.Split, File = s.File })];
        if (names is null && manifest.Classes is null)
        {
            int most = parts.SelectMany(p => Enumerable.Range(0, p.ObjectCount).Select(p.Read)).Select(o => int.TryParse(o.Category, out int c) ? c : -1).DefaultIfEmpty(-1).Max();
            names = [.. Enumerable.Range(0, Math.Clamp(most + 1, 0, 255)).Select(i => $"class {i}")];
            notes.Add($"nothing names the classes: 0 to {most} were found; name them as \"names\" in data.yaml or \"classes\" in dataset.json");
        }
        ClassTable table = ObjectClasses.TableOf(names ?? [], manifest, yaml ?? folder);
        // Without names of its own, numbers are places among the declared classes.
        names ??= [.. table.Names.Skip(1)];
        Dictionary<string, int> labelOf = ObjectClasses.LabelsOf(names, table);
        foreach (HeldPart part in parts)
            part.Labels = names.Select((name, i) => (i, labelOf[name])).ToDictionary(p => p.i.ToString(CultureInfo.InvariantCulture), p => p.Item2, StringComparer.Ordinal);
        IReadOnlyList<ObjectPart> divided = parts;
        if (whole)
        {
            divided = Subset.Divide(folder, manifest, parts[0], out IEnumerable<string> how);
            notes.AddRange(how);
        }
        return new ObjectSet { Folder = folder, Layout = DatasetLayout.Yolo, Manifest = manifest, Classes = table, Parts = divided, Notes = notes };
    }

    private static string? Description(string folder) =>
        ((string[])["data.yaml", "data.yml", "dataset.yaml"]).Select(n => Path.Combine(folder, n)).FirstOrDefault(File.Exists)
        ?? (Directory.EnumerateFiles(folder, "*.yaml").ToArray() is [var only] ? only : null);

    /// <summary>The classes by their numbers: <c>names</c> of the description, else <c>classes.txt</c>.</summary>
    private static IReadOnlyList<string>? Names(string folder, string? yaml, Dictionary<string, YamlValue> described)
    {
        if (described.TryGetValue("names", out YamlValue? listed) && listed.Entries.Count > 0)
        {
            var names = new string[listed.Entries.Count];
            foreach ((string key, string name) in listed.Entries)
            {
                if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number >= names.Length || names[number] is not null)
                    throw new DatasetException(yaml!, $"\"names\" has the number '{key}' among {names.Length} names", "number them from 0 on without gaps");
                names[number] = name;
            }
            if (described.GetValueOrDefault("nc")?.Text is { } nc && nc != names.Length.ToString(CultureInfo.InvariantCulture))
                throw new DatasetException(yaml!, $"nc is {nc}, but there are {names.Length} names", null);
            return names;
        }
        string? list = ((string[])["classes.txt", Path.Combine("labels", "classes.txt")]).Select(n => Path.Combine(folder, n)).FirstOrDefault(File.Exists);
        return list is null ? null : [.. File.ReadLines(list).Select(l => l.Trim()).Where(l => l.Length > 0)];
    }

    private static List<(string Split, string File, Func<IEnumerable<string>> Images)> Splits(string folder, string? yaml, Dictionary<string, YamlValue> described)
    {
        var splits = new List<(string Split, string File, Func<IEnumerable<string>> Images)>();
        foreach ((string key, string[] folders) in SplitKeys)
        {
            YamlValue? value = described.GetValueOrDefault(key) ?? (key == "val" ? described.GetValueOrDefault("valid") : null);
            string[] places = value is null ? [] : value.Text is { Length: > 0 } text ? [text] : [.. value.Entries.Select(e => e.Value)];
            if (places.Length > 0) splits.Add((key, yaml!, () => places.SelectMany(p => Listed(folder, yaml!, key, p))));
            else if (yaml is null && folders.SelectMany(f => (string[])[Path.Combine(folder, "images", f), Path.Combine(folder, f, "images")]).FirstOrDefault(Directory.Exists) is { } found)
                splits.Add((key, found, () => ImagesIn(found)));
        }
        // A description may name the same folder for all splits: then it divides nothing.
        return described.Count > 0 && splits.Count > 0 && splits.Select(s => Place(described, s.Split)).Distinct().Count() < splits.Count ? [] : splits;

        static string Place(Dictionary<string, YamlValue> described, string key) =>
            described.GetValueOrDefault(key) is { } value ? value.Text ?? string.Join('|', value.Entries.Select(e => e.Value)) : key;
    }

    /// <summary>Images of a folder, or of a file that lists them. Paths of other machines are taken from the data set's folder on.</summary>
    private static IEnumerable<string> Listed(string folder, string yaml, string key, string place)
    {
        string? relative = ImagePaths.Relative(place);
        for (string? rest = relative; rest is not null; rest = rest.Contains('/', StringComparison.Ordinal) ? rest[(rest.IndexOf('/', StringComparison.Ordinal) + 1)..] : null)
        {
            string path = Path.Combine(folder, rest);
            if (Directory.Exists(path)) return ImagesIn(path);
            if (rest.EndsWith(".txt", StringComparison.OrdinalIgnoreCase) && File.Exists(path))
            {
                var paths = new ImagePaths([folder, Path.Combine(folder, "images")]);
                return [.. File.ReadLines(path, Encoding.UTF8).Select(l => l.Trim()).Where(l => l.Length > 0)
                    .Select(l => paths.Find(l) ?? Path.Combine(folder, ImagePaths.Relative(l) ?? "image"))];
            }
        }
        return key == "test" ? [] : throw new DatasetException(yaml, $"\"{key}\" is '{place}', which is neither a folder nor a list in {folder}", "give it from the data set's folder on");
    }

    private static IEnumerable<string> ImagesIn(string folder) => Directory.Exists(folder)
        ? [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(f => ImageSuffixes.Contains(Path.GetExtension(f), StringComparer.OrdinalIgnoreCase)).Order(StringComparer.Ordinal)] : [];

    private static PartContent Content(string folder, IEnumerable<string> paths)
    {
        string[] images = [.. paths.Distinct()];
        string[] relative = [.. images.Select(p => Path.GetRelativePath(folder, p).Replace('\\', '/'))], names = ImagePaths.SampleNames(relative);
        var objects = new List<RawObject>[images.Length];
        var faults = new FileFault?[images.Length];
        var records = new ImageRecord[images.Length];
        InParallel.For(images.Length, i =>
        {
            string labels = LabelsOf(folder, relative[i]);
            records[i] = new ImageRecord(names[i], relative[i], File.Exists(images[i]) ? images[i] : null, 0, 0, labels);
            try
            {
                objects[i] = File.Exists(labels) ? ReadLines(labels, i) : [];
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                (objects[i], faults[i]) = ([], new FileFault(Severity.Error, labels, e is DatasetException known ? known.Problem : e.Message, "its objects are left out"));
            }
        });
        HashSet<string> used = [.. records.Select(r => r.Source)];
        IEnumerable<FileFault> orphans = used.Select(f => Path.GetDirectoryName(f)!).Distinct().Where(Directory.Exists)
            .SelectMany(d => Directory.EnumerateFiles(d, "*.txt")).Where(f => !used.Contains(f) && Path.GetFileName(f) is not ("classes.txt" or "train.txt" or "val.txt" or "test.txt"))
            .Order(StringComparer.Ordinal).Select(f => new FileFault(Severity.Warning, f, "the labels have no image", "add the image, or take the file out"));
        // Where a folder serves several splits, labels of another split's images are no orphans: only folders of one's own are looked at.
        bool ownFolder = relative.Select(r => Path.GetDirectoryName(r)).Distinct().All(d => ImagesIn(Path.Combine(folder, d!)).Count() <= images.Length);
        return new PartContent(records, [.. objects.SelectMany(o => o)], [.. faults.OfType<FileFault>(), .. ownFolder ? orphans : []]);
    }

    /// <summary>The labels of an image: the last folder <c>images</c> of its path is <c>labels</c> there.</summary>
    private static string LabelsOf(string folder, string image)
    {
        string[] parts = image.Split('/');
        int at = Array.LastIndexOf(parts, "images", Math.Max(0, parts.Length - 2));
        if (at >= 0) parts[at] = "labels";
        return Path.Combine([folder, .. parts[..^1], Path.ChangeExtension(parts[^1], ".txt")]);
    }

    private static List<RawObject> ReadLines(string path, int image)
    {
        if (new FileInfo(path).Length > MostBytes) throw new DatasetException(path, $"it is larger than {MostBytes >> 20} MB", null);
        var objects = new List<RawObject>();
        int number = 0;
        foreach (string line in File.ReadLines(path, Encoding.UTF8))
        {
            number++;
            if (line.AsSpan().Trim().Length > 0) objects.Add(ReadLine(line, number) with { Image = image });
        }
        return objects;
    }

    private static RawObject ReadLine(string line, int number)
    {
        const double Slack = 0.01; // of the side: tools round, and let outlines touch the border
        string[] words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        var raw = new RawObject { Id = $"line {number}", IsNormalised = true };
        double[] values = new double[words.Length];
        for (int i = 0; i < words.Length; i++)
        {
            if (!double.TryParse(words[i], NumberStyles.Float, CultureInfo.InvariantCulture, out values[i]) || !double.IsFinite(values[i]))
                return Faulty(FaultKind.NotANumber, $"'{(words[i].Length <= 20 ? words[i] : words[i][..20] + "…")}' is no number");
        }
        if (values[0] != Math.Floor(values[0]) || values[0] is < 0 or > int.MaxValue) return Faulty(FaultKind.UnknownCategory, $"its class is {words[0]}: classes are numbered from 0 on");
        raw = raw with { Category = ((int)values[0]).ToString(CultureInfo.InvariantCulture) };
        double[] shares = values[1..];
        if (shares.Any(v => v is < -Slack or > 1 + Slack))
            return Faulty(FaultKind.BadPolygon, $"it has the coordinate {words[1 + Array.FindIndex(shares, v => v is < -Slack or > 1 + Slack)]}: coordinates are shares of width and height, 0 to 1");
        if (shares.Length == 4) return raw with { Xywh = [shares[0] - (shares[2] / 2), shares[1] - (shares[3] / 2), shares[2], shares[3]] };
        return shares.Length < 4 ? Faulty(FaultKind.Unreadable, $"it has {shares.Length} numbers after the class: four for a box, six or more for an outline") : raw with { Polygons = [shares] };

        RawObject Faulty(FaultKind kind, string problem) => raw with { Faults = [new ObjectFault(kind, Severity.Error, true, problem)] };
    }
}
