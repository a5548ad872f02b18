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
    private const int MostBoxes = int.MaxValue; // of one class: all

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

    /// <summary>
    /// The choice in an ONNX file. Logits [K, classes], deltas [K, 4·classes], proposals [K, 4], height and width of the image in the network's input → boxes [D, 4],
    /// labels [D] (whole numbers) and scores [D].
    /// </summary>
    public static (OnnxValue Boxes, OnnxValue Labels, OnnxValue Scores) ChooseToOnnx(
        OnnxBuilder onnx, OnnxValue logits, OnnxValue deltas, int classes, OnnxValue proposals, OnnxValue size, DetectionOptions options)
    {
        int things = classes - 1; // without the background, the first
        OnnxValue scores = logits.Apply("Softmax", new OnnxAttribute("axis", 1)).Slice(1, 1, classes);
        OnnxValue moved = Coder.ToOnnx(onnx, deltas.Reshape(-1, classes, 4).Slice(1, 1, classes), proposals.Unsqueeze(1));
        OnnxValue boxes = BoxOps.ClipToOnnx(onnx, moved, size);
        OnnxValue areCandidates = scores.With(onnx.Number(options.ScoreThreshold), "Greater") & BoxOps.AreLargeToOnnx(onnx, boxes, LeastSide);
        OnnxValue sure = onnx.Where(areCandidates, scores, onnx.Number(-1)); // below every threshold

        OnnxValue candidates = onnx.Where(areCandidates.Unsqueeze(-1), boxes, onnx.Number(0)), count = areCandidates.Reshape(-1).Cast(OnnxType.Int64).Sum(0);
        OnnxValue labels = onnx.Numbers($"{onnx.Path}.labels", [.. Enumerable.Range(1, things).Select(label => (float)label)], things, 1, 1);
        OnnxValue apart = candidates.Transpose(1, 0, 2) + (Nms.DistanceToOnnx(candidates, count) * labels);
        OnnxValue kept = Nms.ToOnnx(apart, sure.Transpose(1, 0).Unsqueeze(1), MostBoxes, options.NmsThreshold, options.ScoreThreshold);

        // By proposal and class first, so that of equal scores the first comes first, then by score.
        OnnxValue keys = (kept.Column(2) * (long)things) + kept.Column(0);
        (keys, _) = keys.Top(keys.Sizes(0, 1), largest: false);
        (OnnxValue best, OnnxValue places) = sure.Reshape(-1).Gather(keys).Top(keys.Sizes(0, 1).Minimum(onnx.Wholes(options.Detections)));
        keys = keys.Gather(places);
        return (boxes.Reshape(-1, 4).Gather(keys), (keys % (long)things) + 1L, best);
    }

    /// <summary>The probabilities of each object's own class in an ONNX file. Logits [D, classes, 28, 28] and labels [D] → [D, 28, 28].</summary>
    public static OnnxValue ProbabilitiesToOnnx(OnnxBuilder onnx, OnnxValue logits, int classes, OnnxValue labels)
    {
        OnnxValue own = (onnx.Range(labels.Count()) * (long)classes) + labels;
        return logits.Reshape(-1, MaskRcnn.MaskSize, MaskRcnn.MaskSize).Gather(own).Apply("Sigmoid");
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
