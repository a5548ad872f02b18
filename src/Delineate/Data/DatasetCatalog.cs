using Delineate.Data.Objects;
using Delineate.Data.Sets;

namespace Delineate.Data;

/// <summary>Which annotations a data set is opened with, where it has several kinds.</summary>
public enum DatasetVariant
{
    /// <summary>Objects with their masks, of all categories, and the classes of pixels that follow from them.</summary>
    Instances,

    /// <summary>Objects with joints: COCO's <c>person_keypoints_*.json</c>.</summary>
    Keypoints,

    /// <summary>
    /// COCO's objects as the 20 classes of PASCAL VOC, others left out; training takes images whose objects have more than 1000 square pixels: the data
    /// on which torchvision trained its semantic networks.
    /// </summary>
    VocClasses,
}

/// <summary>Opens a data set from its folder, whichever layout it has.</summary>
public static class DatasetCatalog
{
    /// <summary>
    /// The samples of one split (<c>train</c>, <c>val</c>, …; <c>all</c> is every image with a mask). Classes, palette and the coding of
    /// the masks come from
    /// <c>dataset.json</c>, else from <c>class_names.txt</c>, else from the files; what was assumed is in <see cref="Dataset.Notes"/>.
    /// Where a data set has several kinds of annotations, <paramref name="variant"/> chooses, else <c>dataset.json</c>.
    /// </summary>
    /// <exception cref="DatasetException">The layout is not recognised, the split is unknown or empty, or names files that are not
    /// there, or the annotations do not tell what <paramref name="variant"/> asks for.</exception>
    public static Dataset Open(string folder, string split = "train", DatasetVariant? variant = null) => OpenFiles(folder, split, variant);

    /// <summary>Lists a data set's files and splits, faults included.</summary>
    /// <exception cref="DatasetException">The folder is missing, its layout is not recognised, or its <c>dataset.json</c> or annotation file is
    /// faulty.</exception>
    public static DatasetFiles Scan(string folder)
    {
        (DatasetManifest manifest, DatasetLayout layout) = Look(folder);
        return ReadObjects(folder, manifest, layout, null)?.Files() ?? ScanMasks(folder, manifest, layout);
    }

    internal static ImageFileDataset OpenFiles(string folder, string split, DatasetVariant? variant = null)
    {
        (DatasetManifest manifest, DatasetLayout layout) = Look(folder);
        if (ReadObjects(folder, manifest, layout, variant) is { } objects)
            return variant != DatasetVariant.Keypoints || objects.KeypointNames.Count > 0 ? new ObjectDataset(objects, split) : throw NoJoints(folder);
        if (variant == DatasetVariant.Keypoints) throw NoJoints(folder);
        DatasetFiles files = ScanMasks(folder, manifest, layout);
        var set = new FileDataset(files, MaskReader.For(files), files.Split(split));
        if (variant == DatasetVariant.Instances) set.NeedObjects();
        return set;
    }

    /// <summary>The splits of a data set whose objects are written in annotation files; null where masks are pictures.</summary>
    internal static ObjectSet? ReadObjects(string folder, DatasetVariant? variant = null)
    {
        (DatasetManifest manifest, DatasetLayout layout) = Look(folder);
        return ReadObjects(folder, manifest, layout, variant);
    }

    private static (DatasetManifest Manifest, DatasetLayout Layout) Look(string folder)
    {
        if (!Directory.Exists(folder)) throw new DatasetException(folder, "there is no such folder", null);
        var manifest = DatasetManifest.Read(folder);
        return (manifest, manifest.Layout ?? Recognise(folder));
    }

    private static ObjectSet? ReadObjects(string folder, DatasetManifest manifest, DatasetLayout layout, DatasetVariant? variant) => layout switch
    {
        DatasetLayout.Coco => Coco.Read(folder, manifest, variant),
        DatasetLayout.Yolo => Yolo.Read(folder, manifest),
        DatasetLayout.Labelme => Labelme.Read(folder, manifest),
        DatasetLayout.Cvat => Cvat.Read(folder, manifest),
        _ => null,
    };

    private static DatasetFiles ScanMasks(string folder, DatasetManifest manifest, DatasetLayout layout) => layout switch
    {
        DatasetLayout.Voc => Voc.Scan(folder, manifest),
        DatasetLayout.Folder => Folder.Scan(folder, manifest),
        _ => throw new ArgumentOutOfRangeException(nameof(layout), layout, "unknown layout"),
    };

    private static DatasetException NoJoints(string folder) => new(folder, "its objects have no joints", "annotations/person_keypoints_SPLIT.json in COCO's layout tells some");

    private static string[] Expected => [Voc.Expected, Folder.Expected, Coco.Expected, Cvat.Expected, Yolo.Expected, Labelme.Expected];

    private static DatasetLayout Recognise(string folder)
    {
        if (Voc.Recognises(folder)) return DatasetLayout.Voc;
        if (Folder.Recognises(folder)) return DatasetLayout.Folder;
        if (Coco.Recognises(folder)) return DatasetLayout.Coco;
        if (Cvat.Recognises(folder)) return DatasetLayout.Cvat;
        if (Yolo.Recognises(folder)) return DatasetLayout.Yolo;
        if (Labelme.Recognises(folder)) return DatasetLayout.Labelme;
        string[] inside = [.. Directory.EnumerateFileSystemEntries(folder).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal)];
        string seen = inside.Length == 0 ? "nothing" : FileDataset.FirstOf(inside);
        throw new DatasetException(folder, "this is no data set that is known here",
            $"looked for {string.Join("; ", Expected)}; found {seen}");
    }
}
