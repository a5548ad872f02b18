namespace Delineate.Tensors;

/// <summary>How much rounding a convolution may add to be faster.</summary>
public enum Rounding
{
    /// <summary>Winograd's F(4×4) where it is faster: some five times a direct sum's rounding, about 2e-6 of the values.</summary>
    Fast,

    /// <summary>Winograd's F(2×2) at most: about a direct sum's rounding.</summary>
    Strict,

    /// <summary>Direct sums only: to compare with, and to measure.</summary>
    Direct,
}
