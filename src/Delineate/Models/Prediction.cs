using Delineate.Data;
using Delineate.Imaging;

namespace Delineate.Models;

/// <summary>What a model says of one image.</summary>
public sealed record Prediction
{
    /// <summary>The likeliest class of every pixel, at the size of the image that was given; null from models that do not tell.</summary>
    public LabelMap? Semantic { get; init; }

    /// <summary>The objects that were found, the surest first, in pixels of the image that was given; null from models that do not tell.</summary>
    public IReadOnlyList<Instance>? Instances { get; init; }
}
