using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>What is true of one image.</summary>
public sealed record Annotation
{
    /// <summary>The class of every pixel, or null where the data set does not tell. Same size as the image.</summary>
    public LabelMap? Semantic { get; init; }

    /// <summary>The objects, or null where the data set does not tell; an image without any has an empty list.</summary>
    public IReadOnlyList<Instance>? Instances { get; init; }

    /// <summary>Objects that a transform took away because nothing, or too little, of them was left.</summary>
    public int DroppedObjects { get; init; }
}
