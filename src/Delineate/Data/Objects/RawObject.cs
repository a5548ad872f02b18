namespace Delineate.Data.Objects;

/// <summary>One object as its annotation file writes it: read, and nothing judged yet.</summary>
internal sealed record RawObject
{
    /// <summary>What the file calls it: "annotation 17", "line 3".</summary>
    public required string Id { get; init; }

    /// <summary>Place of its image in the part's list; −1 where the file names none that it lists.</summary>
    public int Image { get; init; } = -1;

    /// <summary>True for an object of an image that belongs to another split of the same file: it is none of this one's.</summary>
    public bool IsElsewhere { get; init; }

    /// <summary>The image as the object names it.</summary>
    public string? ImageKey { get; init; }

    /// <summary>The class as the object names it: an id or a name, whichever the format has; null where it has none.</summary>
    public string? Category { get; init; }

    /// <summary>x, y, width and height in pixels, as written; null where it has none.</summary>
    public double[]? Xywh { get; init; }

    /// <summary>Whether box and outlines are shares of the image's width and height instead of pixels.</summary>
    public bool IsNormalised { get; init; }

    /// <summary>Outlines [x0, y0, x1, y1, …] in pixels; their union is the object. Null where the file has no outline, empty where it has an empty list.</summary>
    public IReadOnlyList<double[]>? Polygons { get; init; }

    /// <summary>Run lengths, in place of outlines.</summary>
    public RawRuns? Runs { get; init; }

    /// <summary>x, y and visibility of each joint, one after the other.</summary>
    public double[]? Keypoints { get; init; }

    /// <summary>How many joints the file says are labelled.</summary>
    public double? LabelledKeypoints { get; init; }

    public bool IsCrowd { get; init; }

    /// <summary>Square pixels as written.</summary>
    public double? Area { get; init; }

    /// <summary>What could not be read of it.</summary>
    public IReadOnlyList<ObjectFault> Faults { get; init; } = [];

    /// <summary>The object in pixels of an image.</summary>
    public RawObject InPixels(int height, int width) => !IsNormalised ? this : this with
    {
        IsNormalised = false,
        Xywh = Xywh is { } box ? [box[0] * width, box[1] * height, box[2] * width, box[3] * height] : null,
        Polygons = Polygons?.Select(p => p.Select((v, i) => v * (i % 2 == 0 ? width : height)).ToArray()).ToArray(),
    };
}

/// <summary>A run-length mask as written: the size it says it has, and its runs as numbers or as COCO's compressed text.</summary>
internal sealed record RawRuns(double Height, double Width, double[]? Counts, string? Compressed)
{
    /// <summary>A mask that a reader has made already, of formats whose runs are not COCO's.</summary>
    public Rle? Ready { get; init; }
}

/// <summary>The kinds of what may be wrong with an object, by which faults are counted.</summary>
internal enum FaultKind
{
    Unreadable,
    UnknownImage,
    UnknownCategory,
    BackgroundCategory,
    Id,
    NotANumber,
    BadPolygon,
    RunsOfAnotherSize,
    BadRuns,
    EmptyMask,
    NoShape,
    DegenerateBox,
    BoxOutside,
    BoxDiffersFromMask,
    OutlineOutside,
    Area,
    AreaDiffersFromMask,
    CrowdFlag,
    KeypointCount,
    KeypointVisibility,
    KeypointOutside,
    LabelledKeypoints,
    OtherShape,
}

/// <summary>One thing wrong with an object. <paramref name="Skips"/>: the object cannot be used for it.</summary>
internal sealed record ObjectFault(FaultKind Kind, Severity Severity, bool Skips, string Message, string? Remedy = null)
{
    /// <summary>Why objects with such faults are left out, after "12 objects ".</summary>
    public static string Phrase(FaultKind kind) => kind switch
    {
        FaultKind.UnknownImage => "of images that are not listed",
        FaultKind.UnknownCategory => "of an unknown category",
        FaultKind.BackgroundCategory => "of the background",
        FaultKind.NotANumber => "with a coordinate that is no number",
        FaultKind.BadPolygon => "whose outline is none",
        FaultKind.RunsOfAnotherSize => "whose mask is of another size than the image",
        FaultKind.BadRuns => "with damaged run lengths",
        FaultKind.EmptyMask => "without a pixel",
        FaultKind.NoShape => "with neither box nor mask",
        FaultKind.DegenerateBox => "with an empty box",
        FaultKind.BoxOutside => "outside their image",
        FaultKind.KeypointCount => "with the wrong number of keypoints",
        FaultKind.KeypointVisibility => "whose keypoints have an unknown visibility",
        FaultKind.OtherShape => "of shapes without an area",
        _ => "that cannot be read",
    };

    /// <summary>What is not as it is written of objects with such faults that are used, after "12 objects ".</summary>
    public static string UsedPhrase(FaultKind kind) => kind switch
    {
        FaultKind.BadPolygon => "without one of their outlines",
        FaultKind.CrowdFlag => "whose crowd flag is neither 0 nor 1",
        FaultKind.Area or FaultKind.NotANumber => "whose area is none",
        _ => "with faults",
    };
}
