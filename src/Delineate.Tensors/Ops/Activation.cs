namespace Delineate.Tensors;

/// <summary>What an op applies to its result in the pass that writes it.</summary>
public enum Activation
{
    /// <summary>The result as it is.</summary>
    None,

    /// <summary>max(0, x); NaN stays NaN.</summary>
    Relu,
}
