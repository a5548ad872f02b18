using Delineate.Tensors.Kernels;

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

/// <summary>How the ops that this thread runs may compute.</summary>
public static class RoundingPolicy
{
    /// <summary>What is allowed now; <see cref="Rounding.Fast"/> at first.</summary>
    public static Rounding Current => Convolution.Rounding;

    /// <summary>Until the result is disposed, convolutions on this thread round no more than this.</summary>
    public static RoundingScope Use(Rounding rounding)
    {
        var scope = new RoundingScope(Convolution.Rounding);
        Convolution.Rounding = rounding;
        return scope;
    }

    /// <summary>Ends the <see cref="Use"/> it came from.</summary>
    public readonly struct RoundingScope : IDisposable
    {
        private readonly Rounding before;

        internal RoundingScope(Rounding before) => this.before = before;

        public void Dispose() => Convolution.Rounding = before;
    }
}
