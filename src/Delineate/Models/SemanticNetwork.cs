using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>A network that gives every pixel of an image one score per class.</summary>
public abstract class SemanticNetwork : Module
{
    /// <summary>The smallest height and width that the network can take; smaller images are padded to it.</summary>
    public abstract int MinimumSize { get; }

    /// <summary>Class scores of every pixel, and those of the auxiliary head while training where there is one. [N, H, W, 3] → [N, H, W, classes].</summary>
    public abstract SemanticLogits Forward(Tensor images);
}

/// <summary>Unnormalised class scores, [N, H, W, classes], at the size of the input.</summary>
/// <param name="Out">The main head's.</param>
/// <param name="Aux">The auxiliary head's, or null where there is none.</param>
public sealed record SemanticLogits(Tensor Out, Tensor? Aux = null);
