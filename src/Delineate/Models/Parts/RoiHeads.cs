using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>
/// What detectors do with region proposals in evaluation (torchvision's <c>RoIHeads</c>): class and box of each, the surest ones that do not overlap, and for
/// these masks and joints where the network has them.
/// </summary>
/// <param name="boxes">[K, 7, 7, C] → class logits and deltas.</param>
/// <param name="masks">[K, 14, 14, C] → mask logits, or null.</param>
/// <param name="keypoints">[K, 14, 14, C] → heatmaps, or null.</param>
internal sealed class RoiHeads(DensePart boxes, DensePart? masks, DensePart? keypoints)
{
    private const float LeastSide = 1e-2f; // pixels

    /// <summary>Offsets of an object's box from a proposal, scaled so that they are of the size of the class scores (Girshick 2015).</summary>
    public static readonly BoxCoder Coder = new(10, 10, 5, 5);

    /// <summary>The objects of each image, in pixels of the resized images. Proposals are 4·Kₙ floats for each image.</summary>
    public Detections[] Detect(RcnnMaps maps, float[][] proposals, IReadOnlyList<Size2d> sizes, DetectionOptions options, Rounding rounding)
    {
        Tensor pooled = PyramidPooling.Pool(maps.Pyramid, proposals, FasterRcnn.BoxSize);
        var found = new Detections[sizes.Count];
        if (pooled.Shape[0] == 0)
        {
            for (int n = 0; n < found.Length; n++) found[n] = new Detections { Size = sizes[n], Boxes = [], Labels = [], Scores = [] };
        }
        else
        {
            Tensor[] told = boxes.Evaluate(pooled, rounding);
            (Tensor scores, Tensor deltas) = (told[0].Softmax(), told[1]);
            for (int n = 0, row = 0; n < found.Length; row += proposals[n++].Length / 4) found[n] = Choose(scores, deltas, row, proposals[n], sizes[n], options);
        }
        float[][] boxesFound = [.. found.Select(f => f.Boxes)];
        bool isEmpty = found.All(f => f.Count == 0);
        if (masks is not null) Split(isEmpty ? [] : Probabilities(masks.Evaluate(PyramidPooling.Pool(maps.Pyramid, boxesFound, MaskRcnn.PooledSize), rounding)[0], found), found, MaskRcnn.MaskSize * MaskRcnn.MaskSize);
        if (keypoints is not null) FindJoints(isEmpty ? null : keypoints.Evaluate(PyramidPooling.Pool(maps.Pyramid, boxesFound, KeypointRcnn.PooledSize), rounding)[0], found);
        return found;
    }

    /// <summary>The objects among the proposals of one image, whose scores and deltas begin at a row.</summary>
    internal static Detections Choose(Tensor scores, Tensor deltas, int firstRow, float[] proposals, Size2d size, DetectionOptions options)
    {
        int classes = scores.Shape[1];
        var (candidates, candidateScores, labels) = (new List<float>(), new List<float>(), new List<int>());
        var moved = new float[4];
        for (int i = 0; i < proposals.Length / 4; i++)
        {
            for (int label = 1; label < classes; label++) // 0 is the background
            {
                int at = ((firstRow + i) * classes) + label;
                float score = scores.Span[at];
                if (!(score > options.ScoreThreshold)) continue;
                Coder.Decode(deltas.Span.Slice(4 * at, 4), proposals.AsSpan(4 * i, 4), moved);
                BoxOps.Clip(moved, size.Height, size.Width);
                if (BoxOps.WithoutSmall(moved, LeastSide).Length == 0) continue;
                candidates.AddRange(moved);
                candidateScores.Add(score);
                labels.Add(label);
            }
        }
        float[] all = [.. candidates];
        int[] kept = Nms.KeepPerGroup(all, candidateScores.ToArray(), labels.ToArray(), options.NmsThreshold);
        kept = kept[..Math.Min(kept.Length, options.Detections)];
        return new Detections
        {
            Size = size,
            Boxes = RegionProposals.Rows(all, kept),
            Labels = Array.ConvertAll(kept, i => labels[i]),
            Scores = Array.ConvertAll(kept, i => candidateScores[i]),
        };
    }

    /// <summary>The probabilities of each object's own class. [D, 28, 28, classes] → D·28·28.</summary>
    private static float[] Probabilities(Tensor logits, Detections[] found)
    {
        int[] labels = [.. found.SelectMany(f => f.Labels)];
        return OfClasses(logits, labels).Sigmoid().ToArray();
    }

    /// <summary>The map of one class for each region. [K, h, w, classes] and K labels → [K, h, w].</summary>
    public static Tensor OfClasses(Tensor maps, int[] labels)
    {
        int pixels = maps.Shape[1] * maps.Shape[2];
        var indices = new int[labels.Length * pixels];
        for (int i = 0; i < labels.Length; i++) indices.AsSpan(i * pixels, pixels).Fill(labels[i]);
        return maps.Gather(3, indices).Reshape([labels.Length, maps.Shape[1], maps.Shape[2]]);
    }

    private static void Split(float[] probabilities, Detections[] found, int each)
    {
        for (int n = 0, at = 0; n < found.Length; at += found[n++].Count * each)
            found[n] = found[n] with { MaskProbabilities = probabilities.AsSpan(at, found[n].Count * each).ToArray() };
    }

    private static void FindJoints(Tensor? heatmaps, Detections[] found)
    {
        for (int n = 0, at = 0; n < found.Length; at += found[n++].Count)
        {
            (float[] joints, float[] scores) = heatmaps is null ? ([], []) : KeypointDecoding.Decode(heatmaps.Slice(0, at, found[n].Count), found[n].Boxes);
            found[n] = found[n] with { Keypoints = joints, KeypointScores = scores };
        }
    }
}
