using System.Collections.Concurrent;
using System.Security.Cryptography;
using Delineate.Data.Sets;
using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>How bad a <see cref="Finding"/> is.</summary>
public enum Severity
{
    /// <summary>Worth knowing.</summary>
    Note,

    /// <summary>Training runs, but perhaps not on what was meant.</summary>
    Warning,

    /// <summary>Training or evaluation would fail or be wrong.</summary>
    Error,
}

/// <summary>Something found in a data set: the file or folder, what is the matter, and what would mend it.</summary>
public sealed record Finding(Severity Severity, string File, string Message, string? Remedy = null);

/// <summary>What a data check looks at.</summary>
public sealed record DataCheckOptions
{
    /// <summary>Masks that are decoded, spread over the set; null for all. Headers are read of all files in either case.</summary>
    public int? Masks { get; init; }

    /// <summary>Whether images are decoded, and compared by their content, rather than judged by their headers.</summary>
    public bool DecodeImages { get; init; } = true;

    /// <summary>The form that runs before training: headers of all files, and 16 masks.</summary>
    public static DataCheckOptions Short { get; } = new() { Masks = 16, DecodeImages = false };
}

/// <summary>What a data check found, worst first, and how many pixels each class has in each split.</summary>
public sealed record DataReport(
    string Folder, ClassTable? Classes, IReadOnlyList<Finding> Findings, IReadOnlyList<SplitCensus> Splits, int ImagesChecked, int MasksDecoded)
{
    /// <summary>Findings that must be mended.</summary>
    public int Errors => Findings.Count(f => f.Severity == Severity.Error);

    /// <summary>Findings that should be looked at.</summary>
    public int Warnings => Findings.Count(f => f.Severity == Severity.Warning);
}

/// <summary>Looks for the faults that make a training fail or learn the wrong thing, before it starts.</summary>
public static class DataCheck
{
    /// <summary>Checks a data set. Files are read in parallel; <paramref name="progress"/> gets (files done, files in all).</summary>
    /// <exception cref="DatasetException">The folder is missing or its layout is not recognised. All other faults are findings.</exception>
    /// <exception cref="OperationCanceledException">Cancellation was asked for.</exception>
    public static DataReport Run(string folder, DataCheckOptions? options = null, IProgress<(int Done, int Total)>? progress = null, CancellationToken cancellation = default)
    {
        options ??= new DataCheckOptions();
        var findings = new ConcurrentBag<Finding>();
        DatasetFiles files;
        try
        {
            files = DatasetCatalog.Scan(folder);
        }
        catch (DatasetException e) when (Path.GetFileName(e.File) == DatasetManifest.FileName)
        {
            return new DataReport(folder, null, [new Finding(Severity.Error, e.File!, e.Problem, e.Remedy)], [], 0, 0);
        }
        MaskReader? masks = null;
        try
        {
            masks = MaskReader.For(files);
            foreach (string note in masks.Notes) findings.Add(new Finding(Severity.Note, files.MaskFolder, note));
        }
        catch (DatasetException e)
        {
            findings.Add(new Finding(Severity.Error, e.File ?? folder, e.Problem, e.Remedy));
        }
        CheckNames(files, findings);
        var content = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        var census = new ConcurrentDictionary<string, long[]>(StringComparer.Ordinal);
        string[] names = [.. files.Images.Keys.Union(files.Masks.Keys).Order(StringComparer.Ordinal)];
        HashSet<string> decoded = [.. Spread([.. files.Pairs], options.Masks ?? int.MaxValue)];
        int done = 0;
        Parallel.ForEach(names, new ParallelOptions { CancellationToken = cancellation }, name =>
        {
            (int, int)? size = files.Images.TryGetValue(name, out string? image) ? CheckImage(image, options, findings, content, name) : null;
            if (files.Masks.TryGetValue(name, out string? mask) && image is not null)
            {
                if (masks is not null && decoded.Contains(name))
                {
                    if (CheckMask(mask, size, masks, findings) is { } counts) census[name] = counts;
                }
                else
                {
                    CheckMaskHeader(mask, size, masks, findings);
                }
            }
            progress?.Report((Interlocked.Increment(ref done), names.Length));
        });
        CheckContent(files, content, findings);
        IReadOnlyList<SplitCensus> splits = [.. files.Splits.Select(s => SplitCensus.Of(s, census))];
        if (masks is not null) CheckClasses(files, masks, splits, complete: options.Masks is null, findings);
        Finding[] sorted = [.. findings.OrderByDescending(f => f.Severity).ThenBy(f => f.File, StringComparer.Ordinal).ThenBy(f => f.Message, StringComparer.Ordinal)];
        return new DataReport(folder, masks?.Classes, sorted, splits, files.Images.Count, census.Count);
    }

    /// <summary>Pairs, split lists and left-out files: all that names alone tell.</summary>
    private static void CheckNames(DatasetFiles files, ConcurrentBag<Finding> findings)
    {
        void Add(Severity severity, string file, string message, string? remedy = null) => findings.Add(new Finding(severity, file, message, remedy));
        HashSet<string> listed = [.. files.Splits.Where(s => s.File is not null).SelectMany(s => s.Names)];
        foreach ((string name, string path) in files.Images)
        {
            if (files.Masks.ContainsKey(name)) continue;
            Severity severity = listed.Contains(name) ? Severity.Error : Severity.Warning;
            Add(severity, path, "the image has no mask", $"expected {Path.Combine(files.MaskFolder, name + files.Manifest.MaskSuffix + ".png")}: add it, or take the image out");
        }
        foreach ((string name, string path) in files.Masks)
            if (!files.Images.ContainsKey(name)) Add(Severity.Warning, path, "the mask has no image", $"expected an image named {name} (.jpg, .jpeg or .png): add it, or take the mask out");
        foreach ((string file, string reason) in files.LeftOut)
            Add(Path.GetDirectoryName(file) == files.MaskFolder ? Severity.Warning : Severity.Note, file, $"the file is left out: {reason}", "convert it, rename it or move it away");
        var owners = new Dictionary<string, SplitList>(StringComparer.Ordinal);
        foreach (SplitList split in files.Splits)
        {
            string place = split.File ?? files.Folder;
            if (split.Names.Count == 0) Add(Severity.Error, place, $"the split '{split.Name}' is empty", "list one image name a line");
            foreach (string name in split.Names.Distinct().Where(n => !files.Images.ContainsKey(n) && !files.Masks.ContainsKey(n)))
                Add(Severity.Error, place, $"the split '{split.Name}' lists '{name}', but there is no such file", NearNames.Suggest(name, [.. files.Images.Keys.Where(k => Math.Abs(k.Length - name.Length) < 3).Take(2000)]));
            foreach (string name in split.Names.Distinct().Where(n => !files.Images.ContainsKey(n) && files.Masks.ContainsKey(n)))
                Add(Severity.Error, place, $"the split '{split.Name}' lists '{name}', which has a mask but no image", "add the image or take the name out");
            foreach (IGrouping<string, string> twice in split.Names.GroupBy(n => n).Where(g => g.Count() > 1))
                Add(Severity.Warning, place, $"the split '{split.Name}' lists '{twice.Key}' {twice.Count()} times", "list each image once");
            if (split.IsUnion) continue;
            foreach (string name in split.Names.Distinct())
            {
                if (owners.TryAdd(name, split)) continue;
                Add(Severity.Error, place, $"'{name}' is in the split '{split.Name}' and in '{owners[name].Name}'", "scores on images that were trained on mean nothing: take it out of one");
            }
        }
        if (listed.Count == 0) return;
        string[] unlisted = [.. files.Pairs.Where(n => !listed.Contains(n))];
        if (unlisted.Length > 0) Add(Severity.Note, files.Folder, $"{unlisted.Length} images with a mask are in no split: {FileDataset.FirstOf(unlisted)}");
    }

    /// <summary>The image's size, or null where it cannot be read.</summary>
    private static (int Height, int Width)? CheckImage(string path, DataCheckOptions options, ConcurrentBag<Finding> findings, ConcurrentDictionary<string, string> content, string name)
    {
        try
        {
            if (!options.DecodeImages)
            {
                ImageHeader header = ImageFile.ReadHeader(path);
                return (header.Height, header.Width);
            }
            Image image = FileDataset.ReadImage(path);
            content[name] = $"{image.Height}×{image.Width} {Convert.ToHexString(SHA256.HashData(image.Pixels))}";
            return (image.Height, image.Width);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            findings.Add(Fault(path, "the image cannot be read", e));
            return null;
        }
    }

    private static void CheckMaskHeader(string path, (int Height, int Width)? size, MaskReader? masks, ConcurrentBag<Finding> findings)
    {
        try
        {
            ImageHeader header = ImageFile.ReadHeader(path);
            CheckSize(path, (header.Height, header.Width), size, findings);
            if (header.Format != ImageFormat.Png)
                findings.Add(new Finding(Severity.Error, path, $"the mask is a {header.Format} file, which does not keep labels exactly", "save masks as PNG"));
            else if (header.Channels >= 3 && masks?.Coding is MaskCoding.Labels or MaskCoding.Binary or MaskCoding.Instances)
                findings.Add(new Finding(Severity.Warning, path, "the mask is a picture in colours, not one label a pixel", "if its colours stand for classes, list \"colors\" in dataset.json"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            findings.Add(Fault(path, "the mask cannot be read", e));
        }
    }

    /// <summary>Pixels of each label, or null where the mask cannot be used.</summary>
    private static long[]? CheckMask(string path, (int Height, int Width)? size, MaskReader masks, ConcurrentBag<Finding> findings)
    {
        LabelMap labels;
        try
        {
            labels = masks.Read(path);
        }
        catch (DatasetException e)
        {
            findings.Add(Fault(path, "the mask cannot be used", e));
            return null;
        }
        CheckSize(path, (labels.Height, labels.Width), size, findings);
        long[] counts = SplitCensus.Count(labels);
        if (counts[masks.Classes.IgnoreIndex] == labels.Labels.Length)
            findings.Add(new Finding(Severity.Warning, path, "every pixel of the mask is ignored", "the image teaches nothing: label it, or take it out"));
        return counts;
    }

    private static void CheckSize(string path, (int Height, int Width) mask, (int Height, int Width)? image, ConcurrentBag<Finding> findings)
    {
        if (image is (int height, int width) && (height, width) != mask)
            findings.Add(new Finding(Severity.Error, path, $"the mask is {mask.Height}×{mask.Width} but its image is {height}×{width}", "export the mask at the size of its image"));
    }

    /// <summary>Images that are the same pixel for pixel under different names.</summary>
    private static void CheckContent(DatasetFiles files, ConcurrentDictionary<string, string> content, ConcurrentBag<Finding> findings)
    {
        Dictionary<string, string> splitOf = new(StringComparer.Ordinal);
        List<string> splitOrder = [.. files.Splits.Select(s => s.Name)];
        foreach (SplitList split in files.Splits.Where(s => !s.IsUnion))
            foreach (string name in split.Names) splitOf.TryAdd(name, split.Name);
        foreach (IGrouping<string, string> group in content.GroupBy(c => c.Value, c => c.Key).Where(g => g.Count() > 1))
        {
            // The copy is the one in the later split (train before val), then the one later by name; images of no split are copies of those in one.
            string[] same = [.. group.OrderBy(n => splitOf.TryGetValue(n, out string? s) ? splitOrder.IndexOf(s) : int.MaxValue).ThenBy(n => n, StringComparer.Ordinal)];
            bool across = same.Select(n => splitOf.GetValueOrDefault(n, "")).Where(s => s.Length > 0).Distinct().Count() > 1;
            for (int i = 1; i < same.Length; i++)
            {
                string where = across ? $" ('{splitOf.GetValueOrDefault(same[i], "no split")}' and '{splitOf.GetValueOrDefault(same[0], "no split")}')" : "";
                findings.Add(new Finding(across ? Severity.Error : Severity.Warning, files.Images[same[i]], $"the image has the same pixels as {Path.GetFileName(files.Images[same[0]])}{where}",
                    across ? "scores on images that were trained on mean nothing: take one out" : "take one out, unless it is meant to count twice"));
            }
        }
    }

    private static void CheckClasses(DatasetFiles files, MaskReader masks, IReadOnlyList<SplitCensus> splits, bool complete, ConcurrentBag<Finding> findings)
    {
        string place = files.Manifest.Path ?? files.MaskFolder;
        if (masks.Coding == MaskCoding.Labels && files.Pairs.Any() && splits.Any(s => s.MasksCounted > 0)
            && splits.All(s => Enumerable.Range(1, masks.Classes.Count - 1).All(c => s.Pixels[c] == 0) && s.Pixels[masks.Classes.IgnoreIndex] > 0) && masks.Classes.IgnoreIndex == 255)
        {
            findings.Add(new Finding(Severity.Warning, files.MaskFolder, "the masks hold only 0 and 255, and 255 is ignored here",
                "if 255 marks the class, set \"masks\": { \"coding\": \"binary\" } in dataset.json"));
        }
        if (!complete) return;
        SplitCensus[] counted = [.. splits.Where(s => s.MasksCounted > 0)];
        int[] nowhere = [.. Enumerable.Range(0, masks.Classes.Count).Where(label => counted.Length > 0 && counted.All(s => s.Pixels[label] == 0))];
        if (nowhere.Length > 0) findings.Add(new Finding(Severity.Warning, place, Absent(nowhere, "no mask"), "take them out of the class table, or check the labels"));
        foreach (SplitCensus split in counted)
        {
            int[] missing = [.. Enumerable.Range(0, masks.Classes.Count).Where(label => split.Pixels[label] == 0 && !nowhere.Contains(label))];
            if (missing.Length > 0) findings.Add(new Finding(Severity.Note, split.File ?? files.Folder, Absent(missing, $"no mask of the split '{split.Name}'")));
        }

        string Absent(int[] labels, string where)
        {
            string[] names = [.. labels.Select(label => $"'{masks.Classes.Names[label]}' (label {label})")];
            return labels.Length == 1 ? $"the class {names[0]} occurs in {where}" : $"{labels.Length} classes occur in {where}: {FileDataset.FirstOf(names)}";
        }
    }

    private static Finding Fault(string path, string message, Exception e)
    {
        DatasetException fault = e as DatasetException ?? FileDataset.Unreadable(path, e);
        return new Finding(Severity.Error, path, $"{message}: {fault.Problem}", fault.Remedy);
    }

    private static string[] Spread(string[] names, int count) =>
        names.Length <= count ? names : [.. Enumerable.Range(0, count).Select(i => names[(int)((long)i * names.Length / count)])];
}
