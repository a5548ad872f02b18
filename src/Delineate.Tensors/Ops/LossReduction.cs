namespace Delineate.Tensors;

/// <summary>How the losses of single elements become the loss.</summary>
public enum LossReduction
{
    /// <summary>Their mean: for weighted losses the weighted mean.</summary>
    Mean,

    /// <summary>Their sum.</summary>
    Sum,

    /// <summary>They stay as they are.</summary>
    None,
}
