using System.Collections.Concurrent;
using Delineate.Data.Sets;
using Delineate.Imaging;

namespace Delineate.Data.Objects;

/// <summary>
/// One split of a data set whose objects are written in annotation files. Opening it judges every object once, so that what is left out is known and
/// said; masks are filled, and images read, when a sample is asked for.
/// </summary>
internal sealed class ObjectDataset : ImageFileDataset
{
    private readonly ObjectSet set;
    private readonly List<(ObjectPart Part, ImageRecord Image, int[] Objects)> samples = [];
    private readonly Dictionary<ObjectPart, ObjectRules> rules;
    private readonly string[] names;
    private readonly List<string> notes;

    /// <exception cref="DatasetException">There is no such split, it is empty, or images of it are missing (all are counted, the first named).</exception>
    public ObjectDataset(ObjectSet set, string split)
    {
        this.set = set;
        IReadOnlyList<ObjectPart> parts = set.Find(split);
        rules = set.Parts.ToDictionary(p => p, p => new ObjectRules(p.Labels, set.KeypointNames.Count));
        var tally = new Tally();
        int small = 0;
        foreach (ObjectPart part in parts)
        {
            Refuse(part);
            (int[][] usable, double[] areas) = Sort(part, tally);
            bool filtered = set.TrainingNeedsArea is not null && SplitNames.Plain(part.Split) == "train";
            for (int i = 0; i < part.Images.Count; i++)
            {
                if (filtered && !(areas[i] > set.TrainingNeedsArea)) small++;
                else samples.Add((part, part.Images[i], usable[i]));
            }
        }
        if (samples.Count == 0)
        {
            string why = small > 0 ? $": all its {small} images have objects of {set.TrainingNeedsArea:0} square pixels or less" : "";
            throw new DatasetException(parts.Count > 0 ? parts[0].File : set.Folder, $"the split '{split}' is empty{why}", "there must be images in it");
        }
        bool ambiguous = samples.Select(s => s.Image.Name).Distinct().Count() < samples.Count;
        names = [.. samples.Select(s => ambiguous ? $"{s.Part.Split}/{s.Image.Name}" : s.Image.Name)];
        notes = [.. set.Notes, .. parts.SelectMany(p => p.Faults).GroupBy(f => f.Severity).Where(g => g.Key == Severity.Error).Select(Summary), .. tally.Notes()];
        if (small > 0) notes.Add($"left out: {small} images whose objects have {set.TrainingNeedsArea:0} square pixels or less in all, as torchvision does");
        int empty = samples.Count(s => s.Objects.Length == 0);
        if (empty > 0) notes.Add($"{empty} of {samples.Count} images have no object");
    }

    public override ClassTable Classes => set.Classes;

    public override IReadOnlyList<string> Names => names;

    public override IReadOnlyList<string> KeypointNames => set.KeypointNames;

    public override IReadOnlyList<string> Notes => notes;

    public override bool SemanticIsFromObjects => true;

    public override string ImagePath(int index) => samples[index].Image.Path!;

    public override string? ImageId(int index) => samples[index].Image.Id;

    public override int? LabelOf(int index, string category) => set.Layout != DatasetLayout.Coco ? base.LabelOf(index, category)
        : samples[index].Part.Labels.TryGetValue(category, out int label) && label > 0 ? label : null;

    public override Annotation Annotate(int index, int height, int width)
    {
        (ObjectPart part, ImageRecord image, int[] objects) = samples[index];
        if (image.Height > 0 && image.Width > 0 && (image.Height, image.Width) != (height, width))
            throw new DatasetException(image.Path!, WrongSize(image, height, width), "annotate the image as it is, or put the annotated one in its place");
        var instances = new List<Instance>();
        foreach (int place in objects)
        {
            if (rules[part].Judge(part.Read(place), (height, width), Scrutiny.Make).Instance is { } instance) instances.Add(instance);
        }
        int made = instances.Count;
        LabelMap labels = instances.ToLabels(height, width, Classes.IgnoreIndex);
        instances.RemoveAll(o => o.Label == Classes.IgnoreIndex); // areas to leave out are no objects
        return new Annotation
        {
            Instances = instances,
            Semantic = labels,
            DroppedObjects = objects.Length - made, // an outline that goes round twice fills nothing: known only when it is filled
        };
    }

    /// <summary>The complaint about an image of another size than its annotations say; turned ones are common, since viewers obey Exif and tools often do not.</summary>
    internal static string WrongSize(ImageRecord image, int height, int width)
    {
        string turned = image.Height == width && image.Width == height ? ": one of the two was turned by a quarter" : "";
        return $"the image is {height}×{width}, but its annotations in {Path.GetFileName(image.Source)} are of {image.Height}×{image.Width}{turned}";
    }

    private static void Refuse(ObjectPart part)
    {
        string[] missing = [.. part.Images.Where(i => i.Path is null).Select(i => i.FileName)];
        if (missing.Length == 0) return;
        throw new DatasetException(part.File, $"{missing.Length} of {part.Images.Count} images of '{part.Split}' are not there: {FileDataset.FirstOf(missing)}",
            "run 'delineate data check' for the whole list");
    }

    private static string Summary(IGrouping<Severity, FileFault> faults)
    {
        FileFault first = faults.First();
        return faults.Count() == 1 ? $"{Path.GetFileName(first.File)}: {first.Message}"
            : $"{Path.GetFileName(first.File)}: {first.Message}, and {faults.Count() - 1} faults more ('delineate data check' lists them)";
    }

    /// <summary>The usable objects of each image, and the square pixels that they have by their annotations.</summary>
    private (int[][] Usable, double[] Areas) Sort(ObjectPart part, Tally tally)
    {
        int[] imageOf = new int[part.ObjectCount];
        double[] areaOf = new double[part.ObjectCount], areas = new double[part.Images.Count];
        var sizes = new ImageSizes(part);
        ObjectRules judge = rules[part];
        InParallel.For(imageOf.Length, i =>
        {
            imageOf[i] = -1;
            RawObject raw = part.Read(i);
            if (raw.IsElsewhere) return;
            Verdict verdict = judge.Judge(raw, raw.Image < 0 ? null : sizes[raw.Image], Scrutiny.Usable);
            if (verdict.Usable) (imageOf[i], areaOf[i]) = (raw.Image, raw.Area is { } area && double.IsFinite(area) ? area : 0);
            tally.Add(raw, raw.Image < 0 ? null : part.Images[raw.Image], verdict, i);
        });
        var usable = new List<int>[part.Images.Count];
        for (int i = 0; i < imageOf.Length; i++)
        {
            if (imageOf[i] < 0) continue;
            (usable[imageOf[i]] ??= []).Add(i);
            areas[imageOf[i]] += areaOf[i];
        }
        return ([.. usable.Select(u => u?.ToArray() ?? [])], areas);
    }

    /// <summary>Counts what is left out, and what is used although something is wrong with it, by reason, with the first of each in the file's order.</summary>
    private sealed class Tally
    {
        private readonly ConcurrentDictionary<(bool IsUsed, FaultKind Kind), (int Count, int Place, string Example)> reasons = new();
        private int notAsked;

        public void Add(RawObject raw, ImageRecord? image, Verdict verdict, int place)
        {
            if (verdict.NotAsked)
            {
                Interlocked.Increment(ref notAsked);
                return;
            }
            ObjectFault? fault = verdict.Usable ? verdict.Faults.FirstOrDefault(f => f.Severity == Severity.Error || f.Kind == FaultKind.BadPolygon)
                : verdict.Faults.FirstOrDefault(f => f.Skips) ?? new ObjectFault(FaultKind.Unreadable, Severity.Error, true, "its image cannot be read");
            if (fault is null) return;
            string example = $"{raw.Id} of image {image?.FileName ?? raw.ImageKey ?? "?"}: {fault.Message}";
            reasons.AddOrUpdate((verdict.Usable, fault.Kind), (1, place, example),
                (_, known) => known.Place <= place ? (known.Count + 1, known.Place, known.Example) : (known.Count + 1, place, example));
        }

        public IEnumerable<string> Notes()
        {
            if (notAsked > 0) yield return $"left out: {notAsked} objects of categories that are not asked for";
            foreach (((bool isUsed, FaultKind kind), (int count, _, string example)) in reasons.OrderBy(r => r.Key))
            {
                string what = isUsed ? "used all the same" : "left out", why = isUsed ? ObjectFault.UsedPhrase(kind) : ObjectFault.Phrase(kind);
                yield return $"{what}: {count} object{(count == 1 ? "" : "s")} {why} ({(count == 1 ? "" : "the first is ")}{example})";
            }
        }
    }
}

/// <summary>Sizes of a part's images: as the annotations say, else by the files' headers, each read once.</summary>
internal sealed class ImageSizes(ObjectPart part)
{
    private readonly ConcurrentDictionary<int, (int Height, int Width)?> read = new();

    /// <summary>(height, width); null where neither tells.</summary>
    public (int Height, int Width)? this[int image] => part.Images[image] is { Height: > 0 and var height, Width: > 0 and var width } ? (height, width)
        : read.GetOrAdd(image, Header);

    private (int Height, int Width)? Header(int image)
    {
        try
        {
            if (part.Images[image].Path is not { } path) return null;
            ImageHeader header = ImageFile.ReadHeader(path);
            return (header.Height, header.Width);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
