namespace Delineate.Models;

/// <summary>What the constructors of the catalog's networks take, beside their names and classes. Saved in the model file.</summary>
public sealed record ModelOptions
{
    /// <summary>FCN: the ratio of the input's size to the features', 8, 16 or 32; the backbone's last strides become dilation.</summary>
    public int OutputStride { get; init; } = 8;

    /// <summary>FCN: an auxiliary head on the third stage.</summary>
    public bool AuxiliaryHead { get; init; } = true;

    /// <summary>U-Net: channels of the first level; each level below has twice as many.</summary>
    public int Channels { get; init; } = 64;

    /// <summary>U-Net: how many times the image is halved.</summary>
    public int Depth { get; init; } = 4;

    /// <summary>U-Net: the decoder interpolates instead of learning transposed convolutions.</summary>
    public bool Bilinear { get; init; }
}
