using Delineate.Data;
using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>The objects of an image at the size that a detector sees it, G of them; crowds are left out, as nobody asks a detector to find them.</summary>
/// <param name="Name">The sample's, for messages.</param>
/// <param name="Size">The image's size after resizing, before padding.</param>
/// <param name="Original">Its size before.</param>
/// <param name="Objects">The annotations, at the original size.</param>
/// <param name="Boxes">Left, top, right and bottom of each after resizing. [4·G].</param>
internal sealed record DetectorTruth(string Name, Size2d Size, Size2d Original, IReadOnlyList<Instance> Objects, float[] Boxes)
{
    /// <exception cref="DatasetException">The sample has no list of objects, or one of them has no class of the model's or no extent.</exception>
    public static DetectorTruth Of(string name, Annotation annotation, Size2d original, Size2d size, int classes)
    {
        IReadOnlyList<Instance> all = annotation.Instances ?? throw new DatasetException($"{name} has no list of objects: a detector cannot be trained on it");
        Instance[] objects = [.. all.Where(o => !o.IsCrowd)];
        float down = (float)size.Height / original.Height, right = (float)size.Width / original.Width;
        var boxes = new float[4 * objects.Length];
        for (int i = 0; i < objects.Length; i++)
        {
            (Box box, int label) = (objects[i].Box, objects[i].Label);
            if (label < 1 || label >= classes) throw new DatasetException($"an object of {name} has class {label}: a detector of {classes} classes, the background first, tells 1 to {classes - 1} apart");
            (boxes[4 * i], boxes[(4 * i) + 1], boxes[(4 * i) + 2], boxes[(4 * i) + 3]) = ((float)box.X1 * right, (float)box.Y1 * down, (float)box.X2 * right, (float)box.Y2 * down);
            if (!(boxes[4 * i] < boxes[(4 * i) + 2] && boxes[(4 * i) + 1] < boxes[(4 * i) + 3] && boxes.AsSpan(4 * i, 4).ToArray().All(float.IsFinite)))
                throw new DatasetException(FormattableString.Invariant($"an object of {name} has a box without extent, ({box.X1}, {box.Y1}) to ({box.X2}, {box.Y2}): leave it out"));
        }
        return new DetectorTruth(name, size, original, objects, boxes);
    }

    /// <summary>An object's mask after resizing, 0 or 1. [1, h, w, 1].</summary>
    /// <exception cref="DatasetException">It has none, or one of another size than the image's.</exception>
    public Tensor Mask(int i)
    {
        Rle mask = Objects[i].Mask ?? throw new DatasetException($"an object of {Name} has no mask: a network that draws masks cannot be trained on it");
        if ((mask.Height, mask.Width) != Original) throw new DatasetException($"the image of {Name} is {Original}, the mask of an object {mask.Height}×{mask.Width}");
        Tensor pixels = Tensor.Zeros([1, mask.Height, mask.Width, 1]);
        mask.Paint(pixels.Span, 1f);
        return Size == Original ? pixels : pixels.ResizeNearest(Size.Height, Size.Width);
    }

    /// <summary>A joint of an object after resizing; one that is not labelled where the annotation has none.</summary>
    public Keypoint Joint(int i, int joint)
    {
        if (Objects[i].Keypoints is not { } joints) return default;
        (float x, float y, float score) = joints[joint];
        return new Keypoint(x * ((float)Size.Width / Original.Width), y * ((float)Size.Height / Original.Height), score);
    }
}
