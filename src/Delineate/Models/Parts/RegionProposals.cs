using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>
/// The boxes of an image that a detector follows up (Ren et al. 2015, section 3.1): of each map of the pyramid the likeliest anchors, moved by their deltas and
/// clipped to the image, without those that overlap a likelier one. Nothing flows back through the choice.
/// </summary>
/// <param name="beforeNms">The likeliest anchors of each map that are looked at.</param>
/// <param name="afterNms">The most boxes that remain.</param>
/// <param name="nmsThreshold">The intersection over union above which the less likely of two boxes of one map goes.</param>
internal sealed class RegionProposals(int beforeNms, int afterNms, double nmsThreshold)
{
    private const float LeastSide = 1e-3f; // pixels

    /// <summary>Offsets of a box from its anchor, in the anchor's widths and heights.</summary>
    public static readonly BoxCoder Coder = new(1, 1, 1, 1);

    public static RegionProposals InEvaluation(DetectionOptions options) => new(options.ProposalsBeforeNms, options.ProposalsAfterNms, options.ProposalNmsThreshold);

    public static RegionProposals InTraining(DetectionOptions options) => new(options.TrainingProposalsBeforeNms, options.TrainingProposalsAfterNms, options.ProposalNmsThreshold);

    /// <summary>The boxes of each image, likeliest first, left, top, right and bottom one after the other, in pixels of the resized image.</summary>
    public float[][] Choose(RcnnMaps maps, DetectorInput input)
    {
        Anchors anchors = Anchors.For(input.Images, maps.Pyramid);
        return [.. input.Sizes.Select((size, image) => Choose(maps, anchors, image, size))];
    }

    private float[] Choose(RcnnMaps maps, Anchors anchors, int image, Size2d size)
    {
        (float[] boxes, float[] scores, int[] levels) = Candidates(maps, anchors, image, size);
        int[] kept = Nms.KeepPerGroup(boxes, scores, levels, nmsThreshold);
        return Rows(boxes, kept.AsSpan(0, Math.Min(kept.Length, afterNms)));
    }

    /// <summary>What the choice is made from in one image: of each map the likeliest anchors, moved and clipped, those of one map behind those of another.</summary>
    internal (float[] Boxes, float[] Scores, int[] Levels) Candidates(RcnnMaps maps, Anchors anchors, int image, Size2d size)
    {
        var (boxes, scores, levels) = (new List<float>(), new List<float>(), new List<int>());
        for (int level = 0; level < maps.Objectness.Count; level++)
        {
            int count = anchors.Starts[level + 1] - anchors.Starts[level];
            ReadOnlySpan<float> logits = maps.Objectness[level].Span.Slice(image * count, count), moves = maps.Deltas[level].Span.Slice(4 * image * count, 4 * count);
            int[] likeliest = Largest(logits, beforeNms);
            float[] moved = Coder.Decode(Rows(moves, likeliest), Rows(anchors.Boxes.AsSpan(4 * anchors.Starts[level]), likeliest));
            BoxOps.Clip(moved, size.Height, size.Width);
            foreach (int i in BoxOps.WithoutSmall(moved, LeastSide))
            {
                boxes.AddRange(moved.AsSpan(4 * i, 4));
                scores.Add(Sigmoid(logits[likeliest[i]]));
                levels.Add(level);
            }
        }
        return ([.. boxes], [.. scores], [.. levels]);
    }

    /// <summary>
    /// The choice in an ONNX file, for one image. Objectness [1, A, h, w] and deltas [1, 4·A, h, w] of each map, height and width of the network's input and of the
    /// image in it → [P, 4].
    /// </summary>
    public OnnxValue ToOnnx(OnnxBuilder onnx, IReadOnlyList<OnnxValue> objectness, IReadOnlyList<OnnxValue> deltas, OnnxValue input, OnnxValue size)
    {
        var levels = new (OnnxValue Boxes, OnnxValue Scores)[objectness.Count];
        for (int level = 0; level < levels.Length; level++)
        {
            OnnxValue logits = objectness[level].Transpose(0, 2, 3, 1).Reshape(-1), moves = deltas[level].Transpose(0, 2, 3, 1).Reshape(-1, 4);
            (OnnxValue values, OnnxValue likeliest) = logits.Top(logits.Sizes(0, 1).Minimum(onnx.Wholes(beforeNms)));
            OnnxValue anchors = Anchors.ToOnnx(onnx, level, input, objectness[level].Sizes(2, 4), likeliest);
            OnnxValue moved = BoxOps.ClipToOnnx(onnx, Coder.ToOnnx(onnx, moves.Gather(likeliest), anchors), size);
            OnnxValue stay = BoxOps.AreLargeToOnnx(onnx, moved, LeastSide).Places();
            levels[level] = (moved.Gather(stay), values.Gather(stay).Apply("Sigmoid"));
        }
        OnnxValue all = onnx.Concat(0, [.. levels.Select(l => l.Boxes)]);
        OnnxValue apart = Nms.DistanceToOnnx(all, all.Count());
        for (int level = 0; level < levels.Length; level++)
        {
            (OnnxValue boxes, OnnxValue scores) = levels[level];
            OnnxValue kept = Nms.ToOnnx((boxes + (apart * (float)level)).Unsqueeze(0), scores.Unsqueeze(0, 1), afterNms, nmsThreshold).Column(2);
            levels[level] = (boxes.Gather(kept), scores.Gather(kept));
        }
        OnnxValue likely = onnx.Concat(0, [.. levels.Select(l => l.Scores)]);
        (_, OnnxValue best) = likely.Top(likely.Sizes(0, 1).Minimum(onnx.Wholes(afterNms)));
        return onnx.Concat(0, [.. levels.Select(l => l.Boxes)]).Gather(best);
    }

    /// <summary>The rows of four of the given numbers, in their order.</summary>
    public static float[] Rows(ReadOnlySpan<float> rows, ReadOnlySpan<int> chosen)
    {
        var result = new float[4 * chosen.Length];
        for (int i = 0; i < chosen.Length; i++) rows.Slice(4 * chosen[i], 4).CopyTo(result.AsSpan(4 * i));
        return result;
    }

    /// <summary>Where the largest values are, the largest first, of equal ones the first.</summary>
    internal static int[] Largest(ReadOnlySpan<float> values, int count)
    {
        // A heap of the best so far, the worst of them on top: nearly all of the others end at one comparison.
        var best = new PriorityQueue<int, (float Value, int Index)>(Comparer<(float Value, int Index)>.Create(static (a, b) =>
            a.Value != b.Value ? a.Value.CompareTo(b.Value) : b.Index.CompareTo(a.Index)));
        float least = float.NegativeInfinity;
        for (int i = 0; i < values.Length; i++)
        {
            if (best.Count < count) best.Enqueue(i, (values[i], i));
            else if (values[i] > least) best.DequeueEnqueue(i, (values[i], i));
            else continue;
            if (best.Count == count && best.TryPeek(out _, out (float Value, int Index) worst)) least = worst.Value;
        }
        var result = new int[best.Count];
        for (int i = result.Length - 1; i >= 0; i--) result[i] = best.Dequeue();
        return result;
    }

    private static float Sigmoid(float x) => 1 / (1 + MathF.Exp(-x));
}
