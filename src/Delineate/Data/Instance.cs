namespace Delineate.Data;

/// <summary>One object of an image: as annotated, or as a model found it.</summary>
public sealed record Instance
{
    /// <summary>Its class, a place in the <see cref="ClassTable"/>; the background's is never an object's.</summary>
    public required int Label { get; init; }

    /// <summary>Where it lies.</summary>
    public required Box Box { get; init; }

    /// <summary>Its pixels, a mask of the image's size; null where only the box is known.</summary>
    public Rle? Mask { get; init; }

    /// <summary>Its joints in the order of the data set, or null.</summary>
    public IReadOnlyList<Keypoint>? Keypoints { get; init; }

    /// <summary>
    /// An area of many objects that nobody told apart: no model is asked to find it, and what is found inside it is no mistake.
    /// </summary>
    public bool IsCrowd { get; init; }

    /// <summary>How sure a model is, 0…1; annotations are sure.</summary>
    public float Score { get; init; } = 1;

    /// <summary>Square pixels as the annotation gives them, by which COCO's evaluation sorts small from large; null: the mask's, else the box's.</summary>
    public double? AnnotatedArea { get; init; }

    /// <summary>The annotation's own name for it, for messages; null where it has none.</summary>
    public string? Id { get; init; }

    /// <summary>Square pixels: as annotated, else of the mask, else of the box.</summary>
    public double Area => AnnotatedArea ?? Mask?.Area ?? Box.Area;
}

/// <summary>A joint of a body, in pixels of the image.</summary>
/// <param name="X">From the left edge.</param>
/// <param name="Y">From the top edge.</param>
/// <param name="Score">In an annotation 0: not labelled, 1: labelled but hidden, 2: visible (COCO's <c>v</c>); from a model, how sure it is.</param>
public readonly record struct Keypoint(float X, float Y, float Score);
