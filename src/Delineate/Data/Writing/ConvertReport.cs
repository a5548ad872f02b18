namespace Delineate.Data;

/// <summary>Formats that data sets are written in.</summary>
public enum DatasetFormat
{
    /// <summary>COCO's JSON with run-length masks: holds everything, joints and crowds too.</summary>
    Coco,

    /// <summary>PASCAL VOC's pictures of classes and objects: one object to a pixel, 254 to an image.</summary>
    Voc,

    /// <summary>YOLO's text files: one outline to an object, no crowds.</summary>
    Yolo,

    /// <summary>A plain folder of <c>images/</c>, <c>instances/</c> and, where there are several classes, <c>masks/</c>: one object to a pixel.</summary>
    Masks,

    /// <summary>labelme's JSON beside each image, to go on drawing.</summary>
    Labelme,
}

/// <summary>How images get into a new data set.</summary>
public enum ImageTransfer
{
    /// <summary>They are copied.</summary>
    Copy,

    /// <summary>The same file gets a second name, where the file system can; else it is copied.</summary>
    Link,
}

/// <summary>How a data set is converted.</summary>
public sealed record ConvertOptions
{
    /// <summary>The format to write.</summary>
    public required DatasetFormat To { get; init; }

    /// <summary>Whether images are copied or linked.</summary>
    public ImageTransfer Images { get; init; }

    /// <summary>Whether a folder that is not empty may be written into; files of the same names are replaced, others stay.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Which annotations of the source are taken, where it has several kinds.</summary>
    public DatasetVariant? Variant { get; init; }

    /// <summary>
    /// Pixels by which outlines may leave a mask's edge for the sake of fewer corners: COCO's, YOLO's and labelme's. Null: none, and COCO gets run lengths.
    /// </summary>
    public double? Tolerance { get; init; }
}

/// <summary>What a conversion wrote, and what was found when it was read back.</summary>
/// <param name="Folder">The new data set.</param>
/// <param name="Splits">Its splits, with the images of each.</param>
/// <param name="Objects">Objects of the source.</param>
/// <param name="Lost">Objects that the format could not hold: no object read back has a pixel of them and their class.</param>
/// <param name="MinIou">The least intersection over union of an object and the one read back; 1 where there are none.</param>
/// <param name="MeanIou">The mean of them.</param>
/// <param name="WorstObject">The object with the least, by its image and name; null where all are as they were.</param>
/// <param name="ChangedPixels">Pixels whose class is another, where both sets tell classes by pictures.</param>
/// <param name="Notes">What could not be held, and what was decided.</param>
public sealed record ConvertReport(
    string Folder, IReadOnlyList<(string Name, int Images)> Splits, int Objects, int Lost, double MinIou, double MeanIou, string? WorstObject, long ChangedPixels, IReadOnlyList<string> Notes);
