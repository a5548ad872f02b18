using Delineate.Data.Objects;
using Delineate.Imaging;

namespace Delineate.Data.Sets;

/// <summary>One split of a data set whose images and masks are files of equal names.</summary>
internal sealed class FileDataset : ImageFileDataset
{
    private readonly DatasetFiles files;
    private readonly MaskReader masks;
    private readonly (string Name, string Image, string Mask)[] samples;
    private readonly List<string> notes;

    /// <exception cref="DatasetException">The split is empty, or names samples without an image or a mask (all are counted, the first
    /// named).</exception>
    public FileDataset(DatasetFiles files, MaskReader masks, SplitList split)
    {
        (this.files, this.masks) = (files, masks);
        string place = split.File ?? files.Folder;
        if (split.Names.Count == 0)
        {
            throw new DatasetException(place, $"the split '{split.Name}' is empty",
                split.File is null ? $"there must be images with a mask of the same name in {files.MaskFolder}" : "list one image name a line");
        }
        Refuse([.. split.Names.Where(n => !files.Images.ContainsKey(n))], "image");
        Refuse([.. split.Names.Where(n => !files.Masks.ContainsKey(n))], "mask");
        samples = [.. split.Names.Select(n => (n, files.Images[n], files.Masks[n]))];
        Names = [.. split.Names];
        notes = [.. masks.Notes, .. NotesOf(files, split)];

        void Refuse(IReadOnlyList<string> names, string what)
        {
            if (names.Count == 0) return;
            throw new DatasetException(place, $"{names.Count} of {split.Names.Count} samples of '{split.Name}' have no {what}: {FirstOf(names)}",
                "run 'delineate data check' for the whole list");
        }
    }

    public override ClassTable Classes => masks.Classes;

    public override IReadOnlyList<string> Names { get; }

    public override IReadOnlyList<string> Notes => notes;

    public override string ImagePath(int index) => samples[index].Image;

    public override Annotation Annotate(int index, int height, int width)
    {
        (string name, _, string maskPath) = samples[index];
        LabelMap labels = masks.Read(maskPath);
        if ((labels.Height, labels.Width) != (height, width))
        {
            throw new DatasetException(maskPath, $"the mask is {labels.Height}×{labels.Width} but its image is {height}×{width}",
                "export the mask at the size of its image");
        }
        if (files.ObjectMask(name, masks.Coding) is not { } objectPath) return new Annotation { Semantic = labels };
        LabelMap? classes = masks.Coding == MaskCoding.Instances ? null : labels;
        (IReadOnlyList<Instance> objects, IReadOnlyList<int> classless) = ObjectMasks.Read(objectPath, height, width, classes, masks.Classes, files.Layout);
        return new Annotation { Semantic = labels, Instances = objects, DroppedObjects = classless.Count };
    }

    /// <summary>Refuses a set whose masks do not tell one object from another.</summary>
    /// <exception cref="DatasetException">They do not, or not for every image.</exception>
    internal void NeedObjects()
    {
        string[] without = [.. Names.Where(n => files.ObjectMask(n, masks.Coding) is null)];
        if (without.Length == 0) return;
        throw new DatasetException(files.Folder,
            without.Length == Count ? "its masks tell the classes of pixels, not one object from another" : $"{without.Length} of {Count} images have no mask of objects: {FirstOf(without)}",
            files.Layout == DatasetLayout.Voc ? "add SegmentationObject/NAME.png, which number the objects" : "add instances/NAME.png, which number the objects");
    }

    /// <summary>Reads a picture, with every failure turned into one that names the file.</summary>
    internal static Image ReadImage(string path)
    {
        try
        {
            return ImageFile.Load(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    /// <summary>The exception of a file that could not be read: its path comes first, once.</summary>
    internal static DatasetException Unreadable(string path, Exception e)
    {
        string reason = e.Message.StartsWith(path + ": ", StringComparison.Ordinal) ? e.Message[(path.Length + 2)..] : e.Message;
        return new DatasetException(path, reason, null, e);
    }

    /// <summary>Up to five names, and how many more there are.</summary>
    internal static string FirstOf(IReadOnlyList<string> names) =>
        string.Join(", ", names.Take(5)) + (names.Count > 5 ? $" and {names.Count - 5} more" : "");

    private static IEnumerable<string> NotesOf(DatasetFiles files, SplitList split)
    {
        if (files.Splits.Any(s => s.File is null))
        {
            int held = files.Splits[^1].Names.Count;
            yield return $"there are no split files: {held} of {files.Pairs.Count()} images are held out as 'val', "
                + $"chosen by a hash of their names (share {files.Manifest.Validation:0.##})";
        }
        int told = split.Names.Count(files.ObjectMasks.ContainsKey);
        if (told > 0 && told < split.Names.Count)
            yield return $"{split.Names.Count - told} of {split.Names.Count} images of '{split.Name}' have classes, but no mask of objects";
        if (split.File is not null) yield break;
        string[] single = [.. files.Images.Keys.Where(n => !files.Masks.ContainsKey(n))];
        if (single.Length > 0) yield return $"left out: {single.Length} images without a mask ({FirstOf(single)})";
    }
}
