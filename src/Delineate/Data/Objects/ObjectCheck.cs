using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Delineate.Data.Sets;
using Delineate.Imaging;

namespace Delineate.Data.Objects;

/// <summary>The check of a data set whose objects are written in annotation files: files, images, and every object by the rules that reading follows.</summary>
internal sealed class ObjectCheck
{
    private const int ShortObjects = 2000; // objects that the short form looks at, spread over each split

    private readonly ObjectSet set;
    private readonly DataCheckOptions options;
    private readonly Findings findings = new();
    private readonly Repeated repeated;
    private readonly ConcurrentDictionary<string, (string Split, string Content)> content = new(StringComparer.Ordinal); // image path → where it is, and its pixels
    private int imagesChecked, objectsChecked;

    private ObjectCheck(ObjectSet set, DataCheckOptions options) => (this.set, this.options, repeated) = (set, options, new Repeated(findings));

    public static DataReport Run(ObjectSet set, DataCheckOptions options, IProgress<(int Done, int Total)>? progress, CancellationToken cancellation) =>
        new ObjectCheck(set, options).Report(progress, cancellation);

    private DataReport Report(IProgress<(int Done, int Total)>? progress, CancellationToken cancellation)
    {
        foreach (string note in set.Notes) findings.Note(set.Folder, note);
        foreach (FileFault fault in set.Faults) findings.Add(fault);
        ObjectPart[] parts = [.. set.Parts.Where(Readable)];
        int total = parts.Sum(p => p.Images.Count + p.ObjectCount), done = 0;
        var censuses = new List<SplitCensus>();
        foreach (ObjectPart part in parts)
        {
            foreach (FileFault fault in part.Faults) repeated.Add($"file {fault.Severity}", censuses.Count, new Finding(fault.Severity, fault.File, fault.Message, fault.Remedy));
            if (part.Images.Count == 0) findings.Error(part.File, $"the split '{part.Split}' is empty", "there must be images in it");
            CheckNames(part);
            var sizes = new ConcurrentDictionary<int, (int Height, int Width)>();
            InParallel.For(part.Images.Count, i =>
            {
                CheckImage(part, i, sizes);
                progress?.Report((Interlocked.Increment(ref done), total));
            }, cancellation);
            censuses.Add(CheckObjects(part, sizes, () => progress?.Report((Interlocked.Increment(ref done), total)), cancellation));
        }
        CheckSplits(parts);
        CopyCheck.Run([.. content.Select(c => (c.Key, (string?)c.Value.Split, c.Value.Content))], [.. parts.Select(p => p.Split)], findings);
        CheckClasses(censuses);
        repeated.Finish();
        return new DataReport(set.Folder, set.Classes, findings.Sorted, censuses, imagesChecked, 0) { ObjectsChecked = objectsChecked };
    }

    private bool Readable(ObjectPart part)
    {
        try
        {
            return part.Images.Count >= 0;
        }
        catch (DatasetException e)
        {
            findings.Error(e.File ?? part.File, e.Problem, e.Remedy);
            return false;
        }
    }

    private void CheckNames(ObjectPart part)
    {
        var places = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < part.Images.Count; i++)
        {
            ImageRecord image = part.Images[i];
            if (image.Path is null)
                repeated.Add("missing image", i, new Finding(Severity.Error, image.Source, $"image {image.FileName} of '{part.Split}' is not there", "add the file, or take the image out"));
            else if (!places.TryAdd(image.Path, image.FileName))
                repeated.Add("image twice", i, new Finding(Severity.Error, image.Source, $"image {image.FileName} is listed twice, once as {places[image.Path]}", "join the two: each has only some of the objects"));
        }
    }

    private void CheckImage(ObjectPart part, int index, ConcurrentDictionary<int, (int Height, int Width)> sizes)
    {
        ImageRecord image = part.Images[index];
        (int Height, int Width)? written = image is { Height: > 0, Width: > 0 } ? (image.Height, image.Width) : null;
        if (written is { } known) sizes[index] = known;
        if (image.Path is null) return;
        Interlocked.Increment(ref imagesChecked);
        (int Height, int Width) size;
        try
        {
            if (options.DecodeImages)
            {
                Image pixels = FileDataset.ReadImage(image.Path);
                size = (pixels.Height, pixels.Width);
                content[image.Path] = (part.Split, CopyCheck.ContentOf(pixels));
            }
            else
            {
                ImageHeader header = ImageFile.ReadHeader(image.Path);
                size = (header.Height, header.Width);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            findings.Unreadable(image.Path, "the image cannot be read", e);
            return;
        }
        if (written is null) sizes[index] = size;
        else if (written != size)
            repeated.Add("size", index, new Finding(Severity.Error, image.Path, ObjectDataset.WrongSize(image, size.Height, size.Width), "annotate the image as it is, or put the annotated one in its place"));
    }

    private SplitCensus CheckObjects(ObjectPart part, ConcurrentDictionary<int, (int Height, int Width)> sizes, Action report, CancellationToken cancellation)
    {
        var rules = new ObjectRules(part.Labels, set.KeypointNames.Count);
        int count = part.ObjectCount, looked = options.Masks is null ? count : Math.Min(count, ShortObjects);
        int[] objects = new int[256];
        var found = new ConcurrentDictionary<(int Image, int Label), bool>();
        var ids = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        var shapes = new ConcurrentDictionary<UInt128, (int Place, string Id)>();
        int[] withObjects = new int[part.Images.Count];
        InParallel.For(looked, k =>
        {
            int i = (int)((long)k * count / Math.Max(1, looked));
            RawObject raw = part.Read(i);
            report();
            if (raw.IsElsewhere) return;
            Interlocked.Increment(ref objectsChecked);
            Verdict verdict = rules.Judge(raw, raw.Image >= 0 && sizes.TryGetValue(raw.Image, out (int Height, int Width) size) ? size : null, Scrutiny.All);
            string where = raw.Image >= 0 ? part.Images[raw.Image].FileName : raw.ImageKey ?? "?";
            string source = raw.Image >= 0 ? part.Images[raw.Image].Source : part.File;
            foreach (ObjectFault fault in verdict.Faults)
                repeated.Add($"{fault.Kind} {fault.Severity}", i, new Finding(fault.Severity, source, $"{raw.Id} of image {where}: {fault.Message}", fault.Remedy));
            if (raw.Image >= 0) Interlocked.Increment(ref withObjects[raw.Image]);
            if (set.Layout == DatasetLayout.Coco && ids.GetOrAdd(raw.Id, i) is var other && other != i)
            {
                RawObject later = i > other ? raw : part.Read(other);
                string its = later.Image >= 0 ? part.Images[later.Image].FileName : later.ImageKey ?? "?";
                repeated.Add("id twice", Math.Max(i, other), new Finding(Severity.Error, source, $"{later.Id} of image {its}: another annotation has the same id", "tools that look annotations up by id lose one of them"));
            }
            if (verdict.Instance is not { } instance || instance.Label == set.Classes.IgnoreIndex) return;
            Interlocked.Increment(ref objects[instance.Label]);
            found.TryAdd((raw.Image, instance.Label), true);
            (int Place, string Id) twin = shapes.GetOrAdd(ShapeOf(raw, instance), (i, raw.Id));
            if (twin.Place != i)
                repeated.Add("object twice", Math.Max(i, twin.Place), new Finding(Severity.Warning, source, $"{(i > twin.Place ? raw.Id : twin.Id)} of image {where}: it is the same as {(i > twin.Place ? twin.Id : raw.Id)}", "take one out"));
        }, cancellation);
        int empty = withObjects.Count(n => n == 0);
        if (looked == count && empty > 0) findings.Note(part.File, $"{empty} of {part.Images.Count} images of '{part.Split}' have no object: they teach what is background");
        int[] images = new int[256];
        foreach ((_, int label) in found.Keys) images[label]++;
        return new SplitCensus(part.Split, part.File, part.Images.Count, 0, new long[256], images) { Objects = objects };
    }

    /// <summary>What makes two objects of an image the same: class, box and mask.</summary>
    private static UInt128 ShapeOf(RawObject raw, Instance instance)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(MemoryMarshal.AsBytes<double>([raw.Image, instance.Label, instance.Box.X1, instance.Box.Y1, instance.Box.X2, instance.Box.Y2]));
        if (instance.Mask is { } mask) hash.AppendData(MemoryMarshal.AsBytes(mask.Counts));
        foreach (Keypoint joint in instance.Keypoints ?? []) hash.AppendData(MemoryMarshal.AsBytes<float>([joint.X, joint.Y, joint.Score]));
        return MemoryMarshal.Read<UInt128>(hash.GetHashAndReset());
    }

    private void CheckSplits(ObjectPart[] parts)
    {
        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (ObjectPart part in parts.Where(p => p.Split is not ("trainval" or "all")))
        {
            for (int i = 0; i < part.Images.Count; i++)
            {
                if (part.Images[i].Path is not { } path || owners.TryAdd(path, part.Split) || owners[path] == part.Split) continue;
                repeated.Add("split", i, new Finding(Severity.Error, part.File, $"image {part.Images[i].FileName} is in the split '{part.Split}' and in '{owners[path]}'", NameCheck.SplitsMustDiffer));
            }
        }
    }

    private void CheckClasses(List<SplitCensus> splits)
    {
        if (options.Masks is not null || splits.Count == 0) return;
        string[] nowhere = [.. Enumerable.Range(1, set.Classes.Count - 1).Where(c => !set.Classes.Names[c].StartsWith("N/A", StringComparison.Ordinal) && splits.All(s => s.Objects[c] == 0))
            .Select(c => $"'{set.Classes.Names[c]}'")];
        if (nowhere.Length > 0)
        {
            findings.Add(new FileFault(nowhere.Length == set.Classes.Count - 1 ? Severity.Error : Severity.Warning, set.Manifest.Path ?? splits[0].File ?? set.Folder,
                $"{nowhere.Length} of {set.Classes.Count - 1} classes have no object in any split: {FileDataset.FirstOf(nowhere)}", "leave them out with \"classes\" in dataset.json, or check the annotations"));
        }
    }
}

/// <summary>Findings of which there may be very many: the first of each kind, and how many more.</summary>
internal sealed class Repeated(Findings findings)
{
    private const int Shown = 20;

    private readonly Dictionary<string, (SortedList<(int Place, int Order), Finding> First, int Count)> kinds = new(StringComparer.Ordinal);

    public void Add(string kind, int place, Finding finding)
    {
        lock (kinds)
        {
            (SortedList<(int Place, int Order), Finding> first, int count) = kinds.TryGetValue(kind, out var known) ? known : ([], 0);
            int order = 0;
            while (first.ContainsKey((place, order))) order++;
            first.Add((place, order), finding);
            if (first.Count > Shown) first.RemoveAt(Shown);
            kinds[kind] = (first, count + 1);
        }
    }

    public void Finish()
    {
        foreach ((SortedList<(int Place, int Order), Finding> first, int count) in kinds.Values)
        {
            foreach (Finding finding in first.Values) findings.Add(finding);
            if (count <= Shown) continue;
            Finding last = first.Values[^1];
            findings.Add(last with { Message = $"and {count - Shown} more like this: {last.Message}" });
        }
    }
}
