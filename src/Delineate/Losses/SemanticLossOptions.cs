namespace Delineate.Losses;

/// <summary>How the loss of a semantic network is put together: cross-entropy + dice, and the same for the auxiliary head at a weight.</summary>
public sealed record SemanticLossOptions
{
    /// <summary>Weight of the auxiliary head's loss: 0.5 as in torchvision's recipe (PSPNet, Zhao et al. 2017, uses 0.4).</summary>
    public float AuxWeight { get; init; } = 0.5f;

    /// <summary>Weight of the soft Dice loss beside the cross-entropy; 0 leaves it out. Helps where the foreground is small.</summary>
    public float DiceWeight { get; init; }

    /// <summary>
    /// The cross-entropy is the sum over all counted pixels of the batch, not their mean: the "un-normalised" loss of the first FCNs (Long et al. 2015), whose
    /// gradient, and with it the learning rate, depends on the size of the images.
    /// </summary>
    public bool Summed { get; init; }

    /// <summary>Weight of each class in the cross-entropy, or null for 1 each.</summary>
    public IReadOnlyList<float>? ClassWeights { get; init; }

    /// <summary>Share of the target spread over all classes.</summary>
    public float LabelSmoothing { get; init; }
}
