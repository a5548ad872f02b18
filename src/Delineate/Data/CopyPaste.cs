using System.Runtime.InteropServices;
using Delineate.Imaging;
using Delineate.Tensors;

namespace Delineate.Data;

/// <summary>
/// Lays objects of another training image over this one, both changed by the same <see cref="TrainTransform"/> before: many more scenes from few
/// annotated ones. What is covered loses those pixels; what is covered in full is dropped and counted. Source: Ghiasi et al. 2021, Simple Copy-Paste is
/// a Strong Data Augmentation Method for Instance Segmentation, without its blurred edges, which it found to change nothing.
/// </summary>
/// <param name="Source">Where the other images come from: the training set.</param>
/// <param name="Transform">What happens to both images first; its crop size makes them fit.</param>
public sealed record CopyPaste(Dataset Source, TrainTransform Transform)
{
    /// <summary>The share of the samples that get objects of another.</summary>
    public double Probability { get; init; } = 0.5;

    /// <summary>The sample changed as the generator's numbers say.</summary>
    /// <exception cref="DatasetException">The data set has no masks of objects, or the other image cannot be read.</exception>
    public Sample Apply(Sample sample, Philox random)
    {
        ArgumentNullException.ThrowIfNull(random);
        Sample onto = Transform.Apply(sample, random);
        if (random.NextDouble() >= Probability) return onto;
        Sample from = Transform.Apply(Source.Load(random.NextInt(Source.Count)), random);
        if (onto.Annotation.Instances is null || from.Annotation.Instances is not { } there)
            throw new DatasetException($"the data set does not tell objects apart ('{from.Name}'), so that none can be copied", null);
        Instance[] movable = [.. there.Where(o => o is { Mask: not null, IsCrowd: false })];
        // As many draws as there are objects, with repeats: some two thirds of them.
        HashSet<int> chosen = [.. movable.Select(_ => random.NextInt(movable.Length))];
        return Paste(onto, from, [.. chosen.Order().Select(i => movable[i])], Transform.MinObjectSide);
    }

    /// <summary>
    /// A sample with given objects of another laid over it at their places. Where the other image is smaller or larger, the top left corners meet.
    /// Objects of which less than <paramref name="minSide"/> pixels stay in sight, either way, are dropped.
    /// </summary>
    public static Sample Paste(Sample onto, Sample from, IReadOnlyList<Instance> objects, double minSide = 1)
    {
        ArgumentNullException.ThrowIfNull(onto);
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(objects);
        (int height, int width) = (onto.Image.Height, onto.Image.Width);
        Instance[] pasted = [.. objects.Select(o => Fitted(o, from.Image, height, width)).OfType<Instance>().Where(o => o.Mask is not null)];
        if (pasted.Length == 0) return onto;
        Rle cover = Rle.Merge([.. pasted.Select(o => o.Mask!)]);

        Image image = onto.Image.Clone();
        LabelMap? labels = onto.Annotation.Semantic?.Clone();
        Span<Rgb> colors = MemoryMarshal.Cast<byte, Rgb>(image.Pixels.AsSpan());
        ReadOnlySpan<Rgb> source = MemoryMarshal.Cast<byte, Rgb>(from.Image.Pixels.AsSpan());
        foreach (Instance thing in pasted)
            if (labels is not null) thing.Mask!.Paint<byte>(labels.Labels, (byte)thing.Label);
        foreach ((int start, int length) in cover.Runs())
        {
            for (int place = start; place < start + length; place++)
            {
                (int x, int y) = Math.DivRem(place, height);
                (int to, int at) = ((y * width) + x, (y * from.Image.Width) + x);
                colors[to] = source[at];
                if (labels is not null && from.Annotation.Semantic is { } other) labels.Labels[to] = other.Labels[at];
            }
        }
        Instance[] below = [.. onto.Annotation.Instances ?? []];
        Instance[] left = [.. below.Select(o => Uncovered(o, cover)).OfType<Instance>().Where(o => o.Box.Width >= minSide && o.Box.Height >= minSide)];
        Annotation joined = onto.Annotation with
        {
            Semantic = labels,
            Instances = [.. left, .. pasted],
            DroppedObjects = onto.Annotation.DroppedObjects + below.Length - left.Length,
        };
        return onto with { Image = image, Annotation = joined };
    }

    private static Instance? Fitted(Instance thing, Image from, int height, int width)
    {
        Instance? cut = thing.Crop(0, 0, Math.Min(height, from.Height), Math.Min(width, from.Width));
        return cut?.Pad(0, 0, Math.Max(0, height - from.Height), Math.Max(0, width - from.Width));
    }

    private static Instance? Uncovered(Instance thing, Rle cover)
    {
        if (thing.Mask is not { } whole) return thing;
        Rle mask = whole.Without(cover);
        if (mask.Equals(whole)) return thing;
        if (mask.Area == 0) return null;
        byte[]? hidden = thing.Keypoints is null ? null : cover.Decode();
        return thing with
        {
            Mask = mask,
            Box = mask.Box,
            AnnotatedArea = null,
            Keypoints = thing.Keypoints?.Select(k => k.Score > 1 && hidden![PixelOf(k, cover)] == 1 ? k with { Score = 1 } : k).ToArray(),
        };
    }

    private static int PixelOf(Keypoint joint, Rle mask) =>
        (Math.Clamp((int)joint.Y, 0, mask.Height - 1) * mask.Width) + Math.Clamp((int)joint.X, 0, mask.Width - 1);
}
