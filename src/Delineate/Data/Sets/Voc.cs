namespace Delineate.Data.Sets;

/// <summary>
/// The layout of PASCAL VOC's segmentation task: <c>JPEGImages/NAME.jpg</c>, <c>SegmentationClass/NAME.png</c>,
/// <c>ImageSets/Segmentation/SPLIT.txt</c>, and optionally <c>SegmentationObject/NAME.png</c>, which numbers the objects, and
/// <c>class_names.txt</c>, one class a line. Source: Everingham et al., The PASCAL Visual Object Classes Challenge 2012 development kit.
/// </summary>
public static class Voc
{
    /// <summary>The 21 classes of PASCAL VOC, background first.</summary>
    public static IReadOnlyList<string> ClassNames { get; } =
    [
        "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse", "motorbike", "person",
        "pottedplant", "sheep", "sofa", "train", "tvmonitor",
    ];

    internal const string Expected = "JPEGImages/ and SegmentationClass/ (VOC)";

    internal static bool Recognises(string folder) =>
        Directory.Exists(Path.Combine(folder, "JPEGImages")) && Directory.Exists(Path.Combine(folder, "SegmentationClass"));

    internal static DatasetFiles Scan(string folder, DatasetManifest manifest) => DatasetFiles.Scan(
        folder,
        DatasetLayout.Voc,
        manifest,
        imageFolder: Path.Combine(folder, "JPEGImages"),
        maskFolder: Path.Combine(folder, "SegmentationClass"),
        splitFiles: SplitFiles(Path.Combine(folder, "ImageSets", "Segmentation")),
        objectFolder: Path.Combine(folder, "SegmentationObject"));

    private static IEnumerable<string> SplitFiles(string folder) =>
        Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*.txt").Order(StringComparer.Ordinal) : [];
}
