namespace Delineate.Data.Objects;

/// <summary>An image of an annotation file.</summary>
/// <param name="Name">Its sample's name.</param>
/// <param name="FileName">Its file as the annotations name it.</param>
/// <param name="Path">Where the file lies; null where it was not found.</param>
/// <param name="Height">Rows as the annotations say; 0 where they do not.</param>
/// <param name="Width">Columns likewise.</param>
/// <param name="Source">The file that holds its annotations.</param>
/// <param name="Id">Its id there, where it has one.</param>
internal sealed record ImageRecord(string Name, string FileName, string? Path, int Height, int Width, string Source, string? Id = null);

/// <summary>Something wrong with an annotation file that is no single object's fault.</summary>
internal sealed record FileFault(Severity Severity, string File, string Message, string? Remedy = null);

/// <summary>The images of one split with their objects, read but not judged. Objects may be read by several threads at once.</summary>
internal abstract class ObjectPart
{
    /// <summary>The split's name.</summary>
    public required string Split { get; init; }

    /// <summary>The annotation file or the list of the split, for messages.</summary>
    public required string File { get; init; }

    /// <summary>The images in the file's order.</summary>
    public abstract IReadOnlyList<ImageRecord> Images { get; }

    /// <summary>The number of objects, faulty ones included.</summary>
    public abstract int ObjectCount { get; }

    /// <summary>The object at a place of the file's order.</summary>
    /// <exception cref="DatasetException">The file was changed or cannot be read any more.</exception>
    public abstract RawObject Read(int index);

    /// <summary>What is wrong with the file itself: entries that are there twice, images without a size.</summary>
    public virtual IReadOnlyList<FileFault> Faults => [];

    /// <summary>Label of each category as objects name it; −1: left out because it was not asked for.</summary>
    public IReadOnlyDictionary<string, int> Labels { get; set; } = new Dictionary<string, int>();
}

/// <summary>What a <see cref="HeldPart"/> holds.</summary>
internal sealed record PartContent(IReadOnlyList<ImageRecord> Images, IReadOnlyList<RawObject> Objects, IReadOnlyList<FileFault> Faults);

/// <summary>A part whose objects are few enough to be held; they are read when they are first asked for.</summary>
internal sealed class HeldPart(Func<PartContent> read) : ObjectPart
{
    private readonly Lazy<PartContent> content = new(read);

    public override IReadOnlyList<ImageRecord> Images => content.Value.Images;

    public override int ObjectCount => content.Value.Objects.Count;

    public override IReadOnlyList<FileFault> Faults => content.Value.Faults;

    public override RawObject Read(int index) => content.Value.Objects[index];
}

/// <summary>A data set whose objects are written in annotation files: its classes and splits.</summary>
internal sealed record ObjectSet
{
    public required string Folder { get; init; }

    public required Sets.DatasetLayout Layout { get; init; }

    public required DatasetManifest Manifest { get; init; }

    public required ClassTable Classes { get; init; }

    /// <summary>The splits, <c>all</c> excepted.</summary>
    public required IReadOnlyList<ObjectPart> Parts { get; init; }

    /// <summary>The names of joints, where objects have some.</summary>
    public IReadOnlyList<string> KeypointNames { get; init; } = [];

    /// <summary>What was found out or assumed.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>What is wrong with the classes.</summary>
    public IReadOnlyList<FileFault> Faults { get; init; } = [];

    /// <summary>Training takes only images whose objects have more square pixels than this in all, as torchvision's semantic training on COCO does.</summary>
    public double? TrainingNeedsArea { get; init; }

    /// <summary>The parts of a split: one, or all for <c>all</c>. A split's year, <c>valid</c> for <c>val</c> and the like are no difference.</summary>
    /// <exception cref="DatasetException">There is no such split.</exception>
    public IReadOnlyList<ObjectPart> Find(string split)
    {
        if (Parts.FirstOrDefault(p => p.Split == split) is { } exact) return [exact];
        if (split == "all") return Parts;
        ObjectPart[] alike = [.. Parts.Where(p => SplitNames.Plain(p.Split) == SplitNames.Plain(split))];
        if (alike.Length == 1) return alike;
        string known = string.Join(", ", Parts.Select(p => p.Split).Append("all"));
        throw new DatasetException(Folder, $"there is no split '{split}'", $"there are: {known}");
    }

    /// <summary>The set as a list of files, without masks.</summary>
    public Sets.DatasetFiles Files()
    {
        var images = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (ImageRecord image in Parts.SelectMany(p => p.Images))
            if (image.Path is not null) images.TryAdd(image.Name, image.Path);
        return new Sets.DatasetFiles
        {
            Folder = Folder,
            Layout = Layout,
            Manifest = Manifest,
            MaskFolder = Parts.Count > 0 ? Parts[0].File : Folder,
            Images = images,
            Masks = new SortedDictionary<string, string>(StringComparer.Ordinal),
            Splits = [.. Parts.Select(p => new Sets.SplitList(p.Split, p.File, [.. p.Images.Select(i => i.Name)]))],
            LeftOut = [],
        };
    }
}

/// <summary>The names that splits have in different tools.</summary>
internal static class SplitNames
{
    /// <summary>A split's name in lower case, without the year of COCO's, with <c>val</c> for validation and <c>train</c> for training.</summary>
    public static string Plain(string split)
    {
        string plain = split.ToLowerInvariant();
        if (plain.Length > 4 && plain[^4..].All(char.IsAsciiDigit)) plain = plain[..^4].TrimEnd('_', '-');
        return plain switch { "valid" or "validation" => "val", "training" => "train", "testing" => "test", _ => plain };
    }
}
