using Delineate.Imaging;
using Delineate.Tensors;

namespace Delineate.Data;

/// <summary>
/// What happens to samples that are evaluated: image, mask and objects are resized to a short side, or left alone where <paramref name="ShortSide"/>
/// is null.
/// </summary>
public sealed record EvalTransform(int? ShortSide = null)
{
    /// <summary>The sample at the size to evaluate; the generator is not used.</summary>
    public Sample Apply(Sample sample, Philox? random = null)
    {
        ArgumentNullException.ThrowIfNull(sample);
        if (ShortSide is not int side) return sample;
        (int height, int width) = ShortSideSize(sample.Image.Height, sample.Image.Width, side);
        return sample with
        {
            Image = sample.Image.Resize(height, width),
            Annotation = sample.Annotation with
            {
                Semantic = sample.Annotation.Semantic?.Resize(height, width),
                Instances = sample.Annotation.Instances?.Select(o => o.Resize((sample.Image.Height, sample.Image.Width), (height, width), centers: true)).ToArray(),
            },
        };
    }

    /// <summary>
    /// The size whose short side is <paramref name="shortSide"/> and whose long side keeps the proportions, rounded down as torchvision
    /// does.
    /// </summary>
    public static (int Height, int Width) ShortSideSize(int height, int width, int shortSide)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shortSide, 1);
        return height <= width
            ? (shortSide, checked((int)((long)shortSide * width / height)))
            : (checked((int)((long)shortSide * height / width)), shortSide);
    }
}
