using Delineate.Tensors;

namespace Delineate.Inference;

/// <summary>How a <see cref="Predictor"/> looks at an image.</summary>
public sealed record PredictorOptions
{
    /// <summary>
    /// The part of an image that the network sees at once, in the image's own pixels: images of any size take the memory of a few windows. Null: the whole
    /// image, at the size that the model's preprocessing asks for.
    /// </summary>
    public Size2d? Window { get; init; }

    /// <summary>The share of a window that it has in common with its neighbour, 0 to 0.9; scores pass smoothly from one to the other in it.</summary>
    public double Overlap { get; init; } = 0.25;

    /// <summary>Sizes at which the network sees each image or window, as multiples of its usual size; probabilities are averaged over them.</summary>
    public IReadOnlyList<double> Scales { get; init; } = [1];

    /// <summary>The network sees each image or window mirrored as well; probabilities are averaged over both.</summary>
    public bool Flip { get; init; }

    /// <summary>Windows that the network sees at once.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>True where the network sees the whole image once, as it is.</summary>
    internal bool IsPlain => Window is null && !Flip && Scales is [1.0];

    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    internal PredictorOptions Checked()
    {
        const int LeastWindow = 32;
        if (Window is { } window && (window.Height < LeastWindow || window.Width < LeastWindow))
            throw new ArgumentOutOfRangeException(nameof(Window), $"a window has at least {LeastWindow}×{LeastWindow} pixels, not {window}");
        if (Overlap is not (>= 0 and <= 0.9)) throw new ArgumentOutOfRangeException(nameof(Overlap), $"the overlap is a share of a window from 0 to 0.9, not {Overlap}");
        if (Scales is null or [] || !Scales.All(s => s is >= 0.1 and <= 8)) throw new ArgumentOutOfRangeException(nameof(Scales), "the scales are one number or more from 0.1 to 8");
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1, nameof(BatchSize));
        return this;
    }
}
