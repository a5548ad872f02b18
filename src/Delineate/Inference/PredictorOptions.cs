using Delineate.Tensors;

namespace Delineate.Inference;

/// <summary>How a <see cref="Predictor"/> looks at an image.</summary>
public sealed record PredictorOptions
{
    internal const int MostContext = 4096;

    /// <summary>
    /// The part of an image that is worked on at once, in pixels of the size at which the network sees the image: images of any size take the memory of a few
    /// windows. Null: the whole image.
    /// </summary>
    public Size2d? Window { get; init; }

    /// <summary>
    /// The share of a window, at least, that it has in common with its neighbour, 0 to 0.9. In the middle of what they share their scores pass smoothly from one to
    /// the other; the rest is seen and does not count.
    /// </summary>
    public double Overlap { get; init; } = 0.25;

    /// <summary>
    /// Pixels that the network sees at least around those at which a window counts, where the image has them: what the overlap does not give is seen around the
    /// window. Labels through windows are those of the whole image as far as a network needs no more of a pixel's surroundings: 96 pixels are all that
    /// a U-Net of the usual depth sees, and nearly all that counts in a dilated residual network.
    /// </summary>
    public int Context { get; init; } = 96;

    /// <summary>
    /// Images are seen at their own size, whatever short side the model's preprocessing asks for: for details that are lost where a large picture is reduced.
    /// </summary>
    public bool OwnSize { get; init; }

    /// <summary>Sizes at which the network sees each image or window, as multiples of its usual size; probabilities are averaged over them.</summary>
    public IReadOnlyList<double> Scales { get; init; } = [1];

    /// <summary>The network sees each image or window mirrored as well; probabilities are averaged over both.</summary>
    public bool Flip { get; init; }

    /// <summary>Windows that the network sees at once.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>True where the network sees the whole image once, as the preprocessing says.</summary>
    internal bool IsPlain => Window is null && !OwnSize && !Flip && Scales is [1.0];

    /// <summary>True where nothing is averaged.</summary>
    internal bool HasOneView => Scales.Count == 1 && !Flip;

    /// <summary>The least number of pixels that is a whole number of pixels at every scale; 1 where none up to eight is.</summary>
    internal int StepsToWhole() => Enumerable.Range(1, 8).FirstOrDefault(q => Scales.All(s => Math.Abs((s * q) - Math.Round(s * q)) < 1e-6), 1);

    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    internal PredictorOptions Checked()
    {
        const int LeastWindow = 32;
        if (Window is { } window && (window.Height < LeastWindow || window.Width < LeastWindow))
            throw new ArgumentOutOfRangeException(nameof(Window), $"a window has at least {LeastWindow}×{LeastWindow} pixels, not {window}");
        if (Overlap is not (>= 0 and <= 0.9)) throw new ArgumentOutOfRangeException(nameof(Overlap), $"the overlap is a share of a window from 0 to 0.9, not {Overlap}");
        if (Scales is null or [] || !Scales.All(s => s is >= 0.1 and <= 8)) throw new ArgumentOutOfRangeException(nameof(Scales), "the scales are one number or more from 0.1 to 8");
        if (Context is < 0 or > MostContext) throw new ArgumentOutOfRangeException(nameof(Context), $"the context is 0 to {MostContext} pixels, not {Context}");
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1, nameof(BatchSize));
        return this;
    }
}
