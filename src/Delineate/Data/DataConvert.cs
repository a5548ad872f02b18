using Delineate.Data.Objects;
using Delineate.Data.Sets;
using Delineate.Data.Writing;

namespace Delineate.Data;

/// <summary>Writes a data set in another format, then reads it back and compares every object.</summary>
public static class DataConvert
{
    private const int Chunk = 64; // samples that are prepared at once before their parts are appended in order

    /// <summary>
    /// Converts all splits of <paramref name="from"/> into the folder <paramref name="to"/>; <paramref name="progress"/> gets (steps done, steps in all),
    /// two steps for each sample: written, and read back.
    /// </summary>
    /// <exception cref="DatasetException">The source cannot be read, the folder is not empty or lies inside the source, or the format cannot hold a
    /// sample.</exception>
    /// <exception cref="OperationCanceledException">Cancellation was asked for.</exception>
    public static ConvertReport Run(
        string from, string to, ConvertOptions options, IProgress<(int Done, int Total)>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        Refuse(from, to, options);
        IReadOnlyList<ConvertItem> items = Items(from, options, out List<string> notes);
        ImageFileDataset first = items[0].Source;
        Directory.CreateDirectory(to);
        int done = 0, copied = 0;
        using var writer = DatasetWriter.For(options, Path.GetFullPath(to), first);
        foreach (ConvertItem[] chunk in items.Chunk(Chunk))
        {
            var parts = new (int Height, int Width, byte[] Part)[chunk.Length];
            string[] folders = [.. chunk.Select(i => writer.ImageFolder(i.Split))];
            InParallel.For(chunk.Length, i =>
            {
                (int height, int width, Annotation truth) = chunk[i].Source.LoadAnnotation(chunk[i].Index);
                parts[i] = (height, width, writer.Write(chunk[i], height, width, truth));
                if (!Transfer(chunk[i], folders[i], options)) Interlocked.Increment(ref copied);
                progress?.Report((Interlocked.Increment(ref done), 2 * items.Count));
            }, cancellation);
            for (int i = 0; i < chunk.Length; i++) writer.Append(chunk[i], parts[i].Height, parts[i].Width, parts[i].Part);
        }
        writer.Finish(items);
        if (copied > 0) notes.Add($"{copied} images could not be linked here and were copied");
        RoundTrip result = Compare(items, to, () => progress?.Report((Interlocked.Increment(ref done), 2 * items.Count)), cancellation);
        return new ConvertReport(
            to, [.. items.GroupBy(i => i.Split).Select(g => (g.Key, g.Count()))], result.Objects, result.Lost, result.MinIou, result.MeanIou, result.Worst,
            result.ChangedPixels, [.. notes, .. writer.Losses]);
    }

    private static void Refuse(string from, string to, ConvertOptions options)
    {
        if (options.Tolerance is { } tolerance && !(tolerance is >= 0 and <= 100)) throw new ArgumentException($"a tolerance of {tolerance} pixels: 0 to 100", nameof(options));
        string source = Path.TrimEndingDirectorySeparator(Path.GetFullPath(from)), target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(to));
        if (File.Exists(target)) throw new DatasetException(to, "this is a file", "a data set needs a folder");
        if (target == source || target.StartsWith(source + Path.DirectorySeparatorChar, StringComparison.Ordinal) || source.StartsWith(target + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw new DatasetException(to, $"the folder lies inside of {from}, or around it", "choose one beside it");
        if (!options.Overwrite && Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
            throw new DatasetException(to, "the folder is not empty", "choose another, or allow overwriting");
    }

    /// <summary>Every sample of every split, with its name in the new data set.</summary>
    private static List<ConvertItem> Items(string from, ConvertOptions options, out List<string> notes)
    {
        string[] splits = DatasetCatalog.ReadObjects(from, options.Variant) is { } set ? [.. set.Parts.Select(p => p.Split)]
            : [.. DatasetCatalog.Scan(from).Splits.Where(s => !s.IsUnion && s.Names.Count > 0).Select(s => s.Name)];
        if (splits.Length == 0) splits = ["all"];
        var datasets = new List<(string Split, ImageFileDataset Set)>();
        notes = [];
        foreach (string split in splits)
        {
            try
            {
                datasets.Add((SplitNames.Plain(split) is { Length: > 0 } plain ? plain : "all", DatasetCatalog.OpenFiles(from, split, options.Variant)));
            }
            catch (DatasetException e) when (e.Problem.StartsWith($"the split '{split}' is empty", StringComparison.Ordinal))
            {
                notes.Add($"the split '{split}' is empty, and left out");
            }
        }
        if (datasets.Count == 0) throw new DatasetException(from, "all its splits are empty", null);
        notes.AddRange(datasets.SelectMany(d => d.Set.Notes).Distinct());
        // A name becomes a file's: its folders are part of it; of two that are then alike in one folder, the later gets its split and a number.
        bool ownFolders = options.To is DatasetFormat.Coco or DatasetFormat.Yolo;
        var items = new List<ConvertItem>();
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        int renamed = 0;
        foreach ((string split, ImageFileDataset data) in datasets)
        {
            for (int i = 0; i < data.Count; i++)
            {
                string name = Plain(data.Names[i]), unique = name;
                for (int n = 1; !taken.Add(ownFolders ? $"{split}/{unique}" : unique); n++) unique = n == 1 ? $"{name}_{split}" : $"{name}_{split}{n}";
                if (unique != name) renamed++;
                items.Add(new ConvertItem(data, i, split, unique));
            }
        }
        if (renamed > 0) notes.Add($"{renamed} images have the name of another: they are renamed after their split");
        return items;

        static string Plain(string name) => string.Concat(name.Select(c => c is '/' or '\\' or ':' or '*' or '?' or '"' or '<' or '>' or '|' || char.IsControl(c) ? '_' : c));
    }

    /// <summary>Puts an image into the new data set; false where it was to be linked and could only be copied.</summary>
    private static bool Transfer(ConvertItem item, string folder, ConvertOptions options)
    {
        string source = Path.GetFullPath(item.Source.ImagePath(item.Index)), target = Path.Combine(folder, item.ImageName);
        if (options.Images == ImageTransfer.Link)
        {
            if (options.Overwrite) File.Delete(target);
            if (HardLink.TryCreate(target, source)) return true;
        }
        File.Copy(source, target, options.Overwrite);
        File.SetAttributes(target, FileAttributes.Normal); // a source that may not be written to must not make copies that cannot be deleted
        return options.Images == ImageTransfer.Copy;
    }

    private static RoundTrip Compare(IReadOnlyList<ConvertItem> items, string to, Action report, CancellationToken cancellation)
    {
        var result = new RoundTrip();
        foreach (IGrouping<string, ConvertItem> split in items.GroupBy(i => i.Split))
        {
            // Joints are asked for as they were written.
            DatasetVariant? variant = items[0].Source.KeypointNames.Count > 0 ? DatasetVariant.Keypoints : null;
            ImageFileDataset back = DatasetCatalog.OpenFiles(to, split.Key, variant);
            var places = back.Names.Select((n, i) => (n, i)).ToDictionary(p => p.n, p => p.i, StringComparer.Ordinal);
            ConvertItem[] all = [.. split];
            InParallel.For(all.Length, i =>
            {
                if (!places.TryGetValue(all[i].Name, out int place)) throw new DatasetException(to, $"image {all[i].ImageName} is not found in what was written", null);
                (_, _, Annotation before) = all[i].Source.LoadAnnotation(all[i].Index);
                (_, _, Annotation after) = back.LoadAnnotation(place);
                bool pixels = !all[i].Source.SemanticIsFromObjects && !back.SemanticIsFromObjects;
                result.Add(all[i].Name, before, all[i].Source.Classes, after, back.Classes, pixels);
                report();
            }, cancellation);
        }
        return result;
    }
}
