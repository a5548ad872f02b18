using Delineate.Imaging;
using Delineate.Tensors;

namespace Delineate.Data;

/// <summary>
/// The random changes of a training sample, in this order: resize so that the short side becomes a random whole number of pixels, flip, cut
/// out a random rectangle, jitter the colours, pad on the right and at the bottom. Image and mask always move together; masks are scaled by
/// nearest neighbour. [h, w] → <see cref="CropSize"/>. Source: torchvision's reference training of segmentation networks
/// (<c>references/segmentation/presets.py</c>), whose defaults these are.
/// </summary>
public sealed record TrainTransform
{
    /// <summary>The short side in pixels at scale 1; null leaves images at their size (small images that are cropped anyway).</summary>
    public int? BaseSize { get; init; } = 520;

    /// <summary>The smallest scale of the short side.</summary>
    public double MinScale { get; init; } = 0.5;

    /// <summary>The largest scale of the short side.</summary>
    public double MaxScale { get; init; } = 2.0;

    /// <summary>The probability of exchanging left and right.</summary>
    public double FlipProbability { get; init; } = 0.5;

    /// <summary>
    /// The probability of exchanging top and bottom: 0.5 suits views from above (microscopes, satellites), 0 everything with a sky.
    /// </summary>
    public double VerticalFlipProbability { get; init; }

    /// <summary>The size that leaves; null leaves images at their size.</summary>
    public (int Height, int Width)? CropSize { get; init; } = (480, 480);

    /// <summary>Random colours; null leaves them.</summary>
    public ColorJitter? Jitter { get; init; }

    /// <summary>The label of padding.</summary>
    public byte IgnoreIndex { get; init; } = 255;

    /// <summary>The least and the most pixels that the short side may get, both included.</summary>
    /// <exception cref="ArgumentException">An option makes no sense.</exception>
    public (int Least, int Most) ShortSides()
    {
        if (BaseSize is not int size) return (0, 0);
        if (!(MinScale > 0) || !(MaxScale >= MinScale) || double.IsInfinity(MaxScale))
            throw new ArgumentException($"the scales {MinScale} to {MaxScale} are no range above 0");
        (int least, int most) = ((int)(MinScale * size), (int)(MaxScale * size));
        return least >= 1 ? (least, most) : throw new ArgumentException($"a base size of {size} scaled by {MinScale} leaves no pixel");
    }

    /// <summary>The sample changed as the generator's numbers say.</summary>
    public Sample Apply(Sample sample, Philox random)
    {
        ArgumentNullException.ThrowIfNull(sample);
        ArgumentNullException.ThrowIfNull(random);
        (Image image, LabelMap? labels) = (sample.Image, sample.Annotation.Semantic);
        if (BaseSize is not null)
        {
            (int least, int most) = ShortSides();
            (int height, int width) = EvalTransform.ShortSideSize(image.Height, image.Width, least + random.NextInt(most - least + 1));
            (image, labels) = (image.Resize(height, width), labels?.Resize(height, width));
        }
        if (random.NextDouble() < FlipProbability) (image, labels) = (image.FlipHorizontal(), labels?.FlipHorizontal());
        if (VerticalFlipProbability > 0 && random.NextDouble() < VerticalFlipProbability)
            (image, labels) = (image.FlipVertical(), labels?.FlipVertical());
        if (CropSize is (int cropHeight, int cropWidth))
        {
            // Padding goes to the right and the bottom only, so that cutting before it gives the same pixels and costs less.
            int top = random.NextInt(Math.Max(image.Height - cropHeight, 0) + 1), left = random.NextInt(Math.Max(image.Width - cropWidth, 0) + 1);
            int height = Math.Min(cropHeight, image.Height), width = Math.Min(cropWidth, image.Width);
            if ((height, width) != (image.Height, image.Width))
                (image, labels) = (image.Crop(top, left, height, width), labels?.Crop(top, left, height, width));
        }
        if (Jitter is not null) image = Jitter.Apply(image, random);
        if (CropSize is (int fullHeight, int fullWidth) && (fullHeight, fullWidth) != (image.Height, image.Width))
        {
            (int bottom, int right) = (fullHeight - image.Height, fullWidth - image.Width);
            (image, labels) = (image.Pad(0, 0, bottom, right), labels?.Pad(0, 0, bottom, right, IgnoreIndex));
        }
        return sample with { Image = image, Annotation = sample.Annotation with { Semantic = labels } };
    }
}
