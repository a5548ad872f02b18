using System.Collections.Concurrent;
using Delineate.Data.Objects;
using Delineate.Data.Sets;
using Delineate.Imaging;

namespace Delineate.Data;

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

/// <summary>Looks for the faults that make a training fail or learn the wrong thing, before it starts.</summary>
public sealed class DataCheck
{
    private readonly DatasetFiles files;
    private readonly MaskReader? masks;
    private readonly DataCheckOptions options;
    private readonly Findings findings = new();
    private readonly ConcurrentDictionary<string, string> content = new(StringComparer.Ordinal); // name → size and hash of the pixels
    private readonly ConcurrentDictionary<string, long[]> census = new(StringComparer.Ordinal); // name → pixels of each label
    private readonly ConcurrentDictionary<string, int[]> objects = new(StringComparer.Ordinal); // name → objects of each label

    private DataCheck(DatasetFiles files, DataCheckOptions options)
    {
        (this.files, this.options) = (files, options);
        try
        {
            masks = MaskReader.For(files);
            foreach (string note in masks.Notes) findings.Note(files.MaskFolder, note);
        }
        catch (DatasetException e)
        {
            findings.Error(e.File ?? files.Folder, e.Problem, e.Remedy);
        }
    }

    /// <summary>Checks a data set. Files are read in parallel; <paramref name="progress"/> gets (files done, files in all).</summary>
    /// <exception cref="DatasetException">The folder is missing or its layout is not recognised. All other faults are findings.</exception>
    /// <exception cref="OperationCanceledException">Cancellation was asked for.</exception>
    public static DataReport Run(
        string folder, DataCheckOptions? options = null, IProgress<(int Done, int Total)>? progress = null, CancellationToken cancellation = default)
    {
        DatasetFiles files;
        try
        {
            if (DatasetCatalog.ReadObjects(folder) is { } set) return ObjectCheck.Run(set, options ?? new DataCheckOptions(), progress, cancellation);
            files = DatasetCatalog.Scan(folder);
        }
        catch (DatasetException e) when (e.File is not null && e.File != folder && File.Exists(e.File))
        {
            return new DataReport(folder, null, [new Finding(Severity.Error, e.File, e.Problem, e.Remedy)], [], 0, 0);
        }
        var check = new DataCheck(files, options ?? new DataCheckOptions());
        return check.Report(progress, cancellation);
    }

    private DataReport Report(IProgress<(int Done, int Total)>? progress, CancellationToken cancellation)
    {
        NameCheck.Run(files, findings);
        string[] names = [.. files.Images.Keys.Union(files.Masks.Keys).Order(StringComparer.Ordinal)];
        HashSet<string> decoded = [.. MaskDetection.Spread([.. files.Pairs], options.Masks ?? int.MaxValue)];
        int done = 0;
        Parallel.ForEach(names, new ParallelOptions { CancellationToken = cancellation }, name =>
        {
            CheckFiles(name, decoded.Contains(name));
            progress?.Report((Interlocked.Increment(ref done), names.Length));
        });
        CheckCopies();
        IReadOnlyList<SplitCensus> splits = [.. files.Splits.Select(s => SplitCensus.Of(s, census, objects))];
        if (masks is not null) CheckClasses(masks, splits);
        return new DataReport(files.Folder, masks?.Classes, findings.Sorted, splits, files.Images.Count, census.Count) { ObjectsChecked = objects.Values.Sum(o => o.Sum()) };
    }

    private void CheckFiles(string name, bool decodeMask)
    {
        if (!files.Images.TryGetValue(name, out string? image)) return;
        (int Height, int Width)? imageSize = CheckImage(name, image), maskSize;
        if (!files.Masks.TryGetValue(name, out string? mask)) return;
        maskSize = decodeMask && masks is not null ? CheckMask(name, mask, masks) : CheckMaskHeader(mask);
        if (imageSize is not (int height, int width) || maskSize is not (int maskHeight, int maskWidth) || imageSize == maskSize) return;
        findings.Error(mask, $"the mask is {maskHeight}×{maskWidth} but its image is {height}×{width}", "export the mask at the size of its image");
    }

    /// <summary>The image's size, or null where it cannot be read.</summary>
    private (int Height, int Width)? CheckImage(string name, string path)
    {
        try
        {
            if (!options.DecodeImages)
            {
                ImageHeader header = ImageFile.ReadHeader(path);
                return (header.Height, header.Width);
            }
            Image image = FileDataset.ReadImage(path);
            content[name] = CopyCheck.ContentOf(image);
            return (image.Height, image.Width);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            findings.Unreadable(path, "the image cannot be read", e);
            return null;
        }
    }

    /// <summary>The mask's size by its header, or null where it cannot be read.</summary>
    private (int Height, int Width)? CheckMaskHeader(string path)
    {
        try
        {
            ImageHeader header = ImageFile.ReadHeader(path);
            if (header.Format != ImageFormat.Png)
                findings.Error(path, $"the mask is a {header.Format} file, which does not keep labels exactly", "save masks as PNG");
            else if (header.Channels >= 3 && masks is { Coding: not MaskCoding.Colors })
                findings.Warning(path, "the mask is a picture in colours, not one label a pixel",
                    "if its colours stand for classes, list \"colors\" in dataset.json");
            return (header.Height, header.Width);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            findings.Unreadable(path, "the mask cannot be read", e);
            return null;
        }
    }

    /// <summary>Counts the mask's labels. Its size, or null where it cannot be used.</summary>
    private (int Height, int Width)? CheckMask(string name, string path, MaskReader reader)
    {
        LabelMap labels;
        try
        {
            labels = reader.Read(path);
        }
        catch (DatasetException e)
        {
            findings.Unreadable(path, "the mask cannot be used", e);
            return null;
        }
        long[] counts = census[name] = SplitCensus.Count(labels);
        if (counts[reader.Classes.IgnoreIndex] == labels.Labels.Length)
            findings.Warning(path, "every pixel of the mask is ignored", "the image teaches nothing: label it, or take it out");
        CheckObjects(name, labels, reader);
        return (labels.Height, labels.Width);
    }

    private void CheckObjects(string name, LabelMap labels, MaskReader reader)
    {
        if (files.ObjectMask(name, reader.Coding) is not { } path) return;
        try
        {
            (IReadOnlyList<Instance> things, IReadOnlyList<int> classless) =
                ObjectMasks.Read(path, labels.Height, labels.Width, reader.Coding == MaskCoding.Instances ? null : labels, reader.Classes, files.Layout);
            objects[name] = SplitCensus.Count(things);
            if (classless.Count > 0)
            {
                findings.Error(path, $"{classless.Count} objects lie where the mask of classes has background or ignored pixels alone: "
                    + FileDataset.FirstOf([.. classless.Select(id => id.ToString(System.Globalization.CultureInfo.InvariantCulture))]), "give their pixels a class, or take them out");
            }
        }
        catch (DatasetException e)
        {
            findings.Unreadable(path, "the mask of objects cannot be used", e);
        }
    }

    private void CheckCopies()
    {
        var splitOf = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (SplitList split in files.Splits.Where(s => !s.IsUnion))
            foreach (string name in split.Names) splitOf.TryAdd(name, split.Name);
        CopyCheck.Run([.. content.Select(c => (files.Images[c.Key], splitOf.GetValueOrDefault(c.Key), c.Value))], [.. files.Splits.Select(s => s.Name)], findings);
    }

    private void CheckClasses(MaskReader reader, IReadOnlyList<SplitCensus> splits)
    {
        ClassTable classes = reader.Classes;
        SplitCensus[] counted = [.. splits.Where(s => s.MasksCounted > 0)];
        if (counted.Length == 0) return;
        if (reader.Coding == MaskCoding.Labels && classes.IgnoreIndex == 255
            && counted.All(s => s.Pixels[255] > 0 && Enumerable.Range(1, classes.Count - 1).All(label => s.Pixels[label] == 0)))
        {
            findings.Warning(files.MaskFolder, "the masks hold only 0 and 255, and 255 is ignored here",
                "if 255 marks the class, set \"masks\": { \"coding\": \"binary\" } in dataset.json");
        }
        if (options.Masks is not null) return; // a few masks do not tell what is missing from all
        int[] nowhere = [.. Enumerable.Range(0, classes.Count).Where(label => counted.All(s => s.Pixels[label] == 0))];
        if (nowhere.Length > 0)
        {
            string place = files.Manifest.Path ?? files.MaskFolder;
            findings.Warning(place, Absent(nowhere, "no mask"), "take them out of the class table, or check the labels");
        }
        foreach (SplitCensus split in counted)
        {
            int[] missing = [.. Enumerable.Range(0, classes.Count).Where(label => split.Pixels[label] == 0 && !nowhere.Contains(label))];
            if (missing.Length > 0) findings.Note(split.File ?? files.Folder, Absent(missing, $"no mask of the split '{split.Name}'"));
        }

        string Absent(int[] labels, string where)
        {
            string[] names = [.. labels.Select(label => $"'{classes.Names[label]}' (label {label})")];
            return labels.Length == 1
                ? $"the class {names[0]} occurs in {where}"
                : $"{labels.Length} classes occur in {where}: {FileDataset.FirstOf(names)}";
        }
    }
}
