using Delineate.Data;
using Delineate.Models.Parts;
using Delineate.Tensors;

namespace Delineate.Models;

/// <summary>The objects that a detector found in one image, the surest first, D of them, in pixels of that image. Values as torchvision returns them.</summary>
public sealed record Detections
{
    /// <summary>Pixels that are likelier inside than this belong to an object's mask.</summary>
    public const float MaskThreshold = 0.5f;

    /// <summary>The image's height and width.</summary>
    public required Size2d Size { get; init; }

    /// <summary>Left, top, right and bottom of each, one after the other. [4·D].</summary>
    public required float[] Boxes { get; init; }

    /// <summary>The class of each. [D].</summary>
    public required int[] Labels { get; init; }

    /// <summary>How sure each is, 0…1. [D].</summary>
    public required float[] Scores { get; init; }

    /// <summary>How likely each place of an object's box is inside it, 0…1, [D, 28, 28] row by row; null from a network that draws no masks.</summary>
    public float[]? MaskProbabilities { get; init; }

    /// <summary>Each object's joints, [D, joints, 3]: x, y and 1; null from a network that finds none.</summary>
    public float[]? Keypoints { get; init; }

    /// <summary>How sure each joint is, a logit. [D, joints].</summary>
    public float[]? KeypointScores { get; init; }

    /// <summary>The number of objects, D.</summary>
    public int Count => Labels.Length;

    /// <summary>How likely each pixel of the image is inside of each object; null from a network that draws no masks. [D, H, W].</summary>
    /// <exception cref="ShapeException">All of them together have more pixels than a tensor can hold: ask for <see cref="ToInstances"/>.</exception>
    public Tensor? PastedMasks()
    {
        if (MaskProbabilities is null) return null;
        Tensor masks = Tensor.Zeros([Count, Size.Height, Size.Width]);
        int pixels = Size.Height * Size.Width;
        for (int i = 0; i < Count; i++) MaskPasting.Paste(MaskOf(i), BoxOf(i), Size, masks.Span.Slice(i * pixels, pixels));
        return masks;
    }

    /// <summary>The same as a prediction's objects, with masks of the image's size.</summary>
    public IReadOnlyList<Instance> ToInstances() => [.. Enumerable.Range(0, Count).Select(i => new Instance
    {
        Label = Labels[i],
        Score = Scores[i],
        Box = new Box(Boxes[4 * i], Boxes[(4 * i) + 1], Boxes[(4 * i) + 2], Boxes[(4 * i) + 3]),
        Mask = MaskProbabilities is null ? null : MaskPasting.ToRle(MaskOf(i), BoxOf(i), Size, MaskThreshold),
        Keypoints = Keypoints is null ? null : KeypointsOf(i),
    })];

    /// <summary>The same in pixels of the image at another size.</summary>
    internal Detections At(Size2d size)
    {
        float right = (float)size.Width / Size.Width, down = (float)size.Height / Size.Height;
        return this with
        {
            Size = size,
            Boxes = [.. Boxes.Select((v, i) => v * (i % 2 == 0 ? right : down))],
            Keypoints = Keypoints is null ? null : [.. Keypoints.Select((v, i) => i % 3 == 0 ? v * right : i % 3 == 1 ? v * down : v)],
        };
    }

    private ReadOnlySpan<float> BoxOf(int i) => Boxes.AsSpan(4 * i, 4);

    private ReadOnlySpan<float> MaskOf(int i) => MaskProbabilities.AsSpan(i * MaskRcnn.MaskSize * MaskRcnn.MaskSize, MaskRcnn.MaskSize * MaskRcnn.MaskSize);

    private Keypoint[] KeypointsOf(int i)
    {
        int joints = KeypointScores!.Length / Count;
        return [.. Enumerable.Range(i * joints, joints).Select(k => new Keypoint(Keypoints![3 * k], Keypoints[(3 * k) + 1], KeypointScores[k]))];
    }
}
