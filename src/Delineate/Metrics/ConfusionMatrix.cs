using Delineate.Data;
using Delineate.Imaging;

namespace Delineate.Metrics;

/// <summary>
/// Counts of (truth, prediction) over all pixels of a data set: entry [t, p] is the number of pixels of class t that were taken for class p.
/// Metrics are computed from the sums over the whole set, never averaged over images or batches (Long et al. 2015, section 4.1).
/// </summary>
public sealed class ConfusionMatrix
{
    private readonly long[] counts;

    /// <summary>An empty matrix of <paramref name="classes"/> × <paramref name="classes"/>; pixels whose truth is <paramref name="ignoreIndex"/> are left out.</summary>
    public ConfusionMatrix(int classes, int ignoreIndex = 255)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(classes, 256);
        (Classes, IgnoreIndex) = (classes, ignoreIndex);
        counts = new long[classes * classes];
    }

    /// <summary>The number of classes.</summary>
    public int Classes { get; }

    /// <summary>The truth that does not count.</summary>
    public int IgnoreIndex { get; }

    /// <summary>Pixels counted.</summary>
    public long Total => counts.Sum();

    /// <summary>Pixels left out because their truth is <see cref="IgnoreIndex"/>.</summary>
    public long Ignored { get; private set; }

    /// <summary>Pixels of class <paramref name="truth"/> that were taken for class <paramref name="prediction"/>.</summary>
    public long this[int truth, int prediction] => counts[(truth * Classes) + prediction];

    /// <summary>Where a pixel falls: classes·truth + prediction, the index into the flattened matrix.</summary>
    public int Position(int truth, int prediction) => (Classes * truth) + prediction;

    /// <summary>Counts the pixels of one image.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    /// <exception cref="DatasetException">A label is neither a class nor the ignore index; the message names the pixel.</exception>
    public void Add(LabelMap truth, LabelMap prediction)
    {
        ArgumentNullException.ThrowIfNull(truth);
        ArgumentNullException.ThrowIfNull(prediction);
        if (truth.Height != prediction.Height || truth.Width != prediction.Width)
            throw new ArgumentException($"the truth is {truth.Height}×{truth.Width}, the prediction {prediction.Height}×{prediction.Width}: compare them at one size", nameof(prediction));
        Span<long> image = new long[256 * 256];
        ReadOnlySpan<byte> t = truth.Labels, p = prediction.Labels;
        for (int i = 0; i < t.Length; i++) image[(t[i] << 8) | p[i]]++;
        for (int i = 0; i < image.Length; i++)
        {
            if (image[i] == 0) continue;
            (int label, int guess) = (i >> 8, i & 255);
            if (label == IgnoreIndex) Ignored += image[i];
            else if (label >= Classes) throw OutOfRange("truth", truth, label);
            else if (guess >= Classes) throw OutOfRange("prediction", prediction, guess);
            else counts[Position(label, guess)] += image[i];
        }
    }

    /// <summary>Adds the counts of another matrix of the same classes: sums over parts of a data set.</summary>
    public void Add(ConfusionMatrix other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Classes != Classes) throw new ArgumentException($"a matrix of {other.Classes} classes cannot be added to one of {Classes}", nameof(other));
        for (int i = 0; i < counts.Length; i++) counts[i] += other.counts[i];
        Ignored += other.Ignored;
    }

    /// <summary>The figures computed from the counts so far.</summary>
    public SegmentationScores Scores(IReadOnlyList<string>? classNames = null) => SegmentationScores.Of(this, classNames);

    private DatasetException OutOfRange(string what, LabelMap map, int value)
    {
        int at = map.Labels.AsSpan().IndexOf((byte)value);
        return new DatasetException($"the {what} has label {value} at pixel (y {at / map.Width}, x {at % map.Width}), but there are {Classes} classes (0…{Classes - 1}{(IgnoreIndex < 256 ? $", {IgnoreIndex} ignored" : "")}): map the label to a class in dataset.json");
    }
}
