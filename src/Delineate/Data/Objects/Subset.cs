using Delineate.Data.Sets;

namespace Delineate.Data.Objects;

/// <summary>Some images of a part that is no split itself, with their objects.</summary>
internal sealed class Subset : ObjectPart
{
    private readonly ObjectPart whole;
    private readonly bool first;
    private readonly List<ImageRecord> images = [];
    private readonly int[] placeOf; // in the subset, of each image of the whole; −1: it is not in it

    private Subset(ObjectPart whole, Func<ImageRecord, bool> takes, bool first)
    {
        (this.whole, this.first) = (whole, first);
        placeOf = new int[whole.Images.Count];
        for (int i = 0; i < placeOf.Length; i++)
        {
            placeOf[i] = takes(whole.Images[i]) ? images.Count : -1;
            if (placeOf[i] >= 0) images.Add(whole.Images[i]);
        }
        Labels = whole.Labels;
    }

    public override IReadOnlyList<ImageRecord> Images => images;

    /// <summary>As many as the whole has: those of other images are nobody's (see <see cref="Read"/>).</summary>
    public override int ObjectCount => whole.ObjectCount;

    /// <summary>The first subset answers for the file and for objects of images that are not listed.</summary>
    public override IReadOnlyList<FileFault> Faults => first ? whole.Faults : [];

    public override RawObject Read(int index)
    {
        RawObject raw = whole.Read(index);
        int place = raw.Image < 0 ? -1 : placeOf[raw.Image];
        return raw with { Image = place, IsElsewhere = place < 0 && (raw.Image >= 0 || !first) };
    }

    /// <summary>
    /// The splits of a part: those that lists beside it name (<c>train.txt</c>, <c>val.txt</c>, …: one image a line), else a share held out by the
    /// names' hash.
    /// </summary>
    public static IReadOnlyList<ObjectPart> Divide(string folder, DatasetManifest manifest, ObjectPart whole, out IEnumerable<string> notes)
    {
        string[] lists = [.. ((string[])["train", "val", "trainval", "test"]).Select(n => Path.Combine(folder, n + ".txt")).Where(System.IO.File.Exists)];
        List<SplitList> splits = [.. lists.Select(f => new SplitList(Path.GetFileNameWithoutExtension(f), f, DatasetFiles.ReadNames(f)))];
        notes = [];
        if (splits.Count == 0)
        {
            splits = DatasetFiles.SplitByHash([.. whole.Images.Select(i => i.Name)], manifest.Validation);
            notes = [$"there are no split files: {splits[1].Names.Count} of {whole.Images.Count} images are held out as 'val', chosen by a hash of their names "
                + $"(share {manifest.Validation:0.##})"];
        }
        return [.. splits.Select((split, i) => Part(split, i == 0))];

        ObjectPart Part(SplitList split, bool first)
        {
            HashSet<string> names = [.. split.Names];
            HashSet<string> known = [.. whole.Images.Select(OwnName)];
            string[] missing = split.File is null ? [] : [.. split.Names.Where(n => !known.Contains(n))];
            if (missing.Length > 0)
            {
                throw new DatasetException(split.File!, $"{missing.Length} of {split.Names.Count} samples of '{split.Name}' are not in {Path.GetFileName(whole.File)}: "
                    + FileDataset.FirstOf(missing), "list one image name a line");
            }
            return new Subset(whole, image => names.Contains(split.File is null ? image.Name : OwnName(image)), first) { Split = split.Name, File = whole.File };
        }

        static string OwnName(ImageRecord image) => image.Name[(image.Name.LastIndexOf('/') + 1)..];
    }
}
