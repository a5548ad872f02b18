using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>Images with their truth that a training step takes together. Sizes may differ: the model pads on the right and at the bottom.</summary>
public sealed record Batch(IReadOnlyList<Sample> Samples)
{
    /// <summary>The images alone.</summary>
    public ImageBatch Images => new([.. Samples.Select(s => s.Image)]);
}

/// <summary>Images that a prediction takes together. Sizes may differ.</summary>
public sealed record ImageBatch(IReadOnlyList<Image> Images);
