using Delineate.Imaging;
using Delineate.Tensors;

namespace Delineate.Data;

/// <summary>
/// The random changes of a training sample, in this order: resize so that the short side becomes a random whole number of pixels, flip, cut
/// out a random rectangle, jitter the colours, pad on the right and at the bottom. Image, mask and objects always move together; masks are scaled
/// by nearest neighbour. [h, w] → <see cref="CropSize"/>. Objects of which nothing or too little is left are dropped and counted in
/// <see cref="Annotation.DroppedObjects"/>. Source: torchvision's reference training of segmentation networks
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

    /// <summary>Objects whose box has a side below so many pixels in the end are dropped.</summary>
    public double MinObjectSide { get; init; } = 1;

    /// <summary>The joints' names, by which a flip exchanges left and right; those of a data set are its <see cref="Dataset.KeypointNames"/>.</summary>
    public IReadOnlyList<string> KeypointNames { get; init; } = Data.KeypointNames.Coco;

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
    /// <exception cref="ArgumentException">An object has another number of joints than <see cref="KeypointNames"/>.</exception>
    public Sample Apply(Sample sample, Philox random)
    {
        ArgumentNullException.ThrowIfNull(sample);
        ArgumentNullException.ThrowIfNull(random);
        (Image image, LabelMap? labels) = (sample.Image, sample.Annotation.Semantic);
        var objects = new MovedObjects(sample.Annotation.Instances, KeypointNames);
        if (BaseSize is not null)
        {
            (int least, int most) = ShortSides();
            (int height, int width) = EvalTransform.ShortSideSize(image.Height, image.Width, least + random.NextInt(most - least + 1));
            objects.Move(o => o.Resize((image.Height, image.Width), (height, width), centers: true));
            (image, labels) = (image.Resize(height, width), labels?.Resize(height, width));
        }
        if (random.NextDouble() < FlipProbability)
        {
            objects.Move(o => o.FlipHorizontal(image.Width, objects.MirrorOrder));
            (image, labels) = (image.FlipHorizontal(), labels?.FlipHorizontal());
        }
        if (VerticalFlipProbability > 0 && random.NextDouble() < VerticalFlipProbability)
        {
            objects.Move(o => o.FlipVertical(image.Height, objects.MirrorOrder));
            (image, labels) = (image.FlipVertical(), labels?.FlipVertical());
        }
        if (CropSize is (int cropHeight, int cropWidth))
        {
            // Padding goes to the right and the bottom only, so that cutting before it gives the same pixels and costs less.
            int top = random.NextInt(Math.Max(image.Height - cropHeight, 0) + 1), left = random.NextInt(Math.Max(image.Width - cropWidth, 0) + 1);
            int height = Math.Min(cropHeight, image.Height), width = Math.Min(cropWidth, image.Width);
            if ((height, width) != (image.Height, image.Width))
            {
                objects.Move(o => o.Crop(top, left, height, width));
                (image, labels) = (image.Crop(top, left, height, width), labels?.Crop(top, left, height, width));
            }
        }
        if (Jitter is not null) image = Jitter.Apply(image, random);
        if (CropSize is (int fullHeight, int fullWidth) && (fullHeight, fullWidth) != (image.Height, image.Width))
        {
            (int bottom, int right) = (fullHeight - image.Height, fullWidth - image.Width);
            objects.Move(o => o.Pad(0, 0, bottom, right));
            (image, labels) = (image.Pad(0, 0, bottom, right), labels?.Pad(0, 0, bottom, right, IgnoreIndex));
        }
        objects.Move(o => o.Box.Width < MinObjectSide || o.Box.Height < MinObjectSide || o.Mask?.Area == 0 ? null : o);
        Annotation moved = sample.Annotation with
        {
            Semantic = labels,
            Instances = objects.All,
            DroppedObjects = sample.Annotation.DroppedObjects + objects.Dropped,
        };
        return sample with { Image = image, Annotation = moved };
    }

    /// <summary>A sample's objects on their way: none where the data set tells of none.</summary>
    private sealed class MovedObjects(IReadOnlyList<Instance>? objects, IReadOnlyList<string> names)
    {
        private List<Instance>? all = objects?.ToList();

        public IReadOnlyList<Instance>? All => all;

        public int Dropped => (objects?.Count ?? 0) - (all?.Count ?? 0);

        /// <summary>Which joint each one becomes in a mirror.</summary>
        public int[] MirrorOrder { get; } = objects is { Count: > 0 } ? Data.KeypointNames.MirrorOrder(names) : [];

        public void Move(Func<Instance, Instance?> move) => all = all?.Select(move).OfType<Instance>().ToList();
    }
}
