using System.Numerics;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>
/// Non-maximum suppression: of boxes that overlap, the one with the highest score stays. Outside the tape: nothing flows back through the choice.
/// </summary>
public static unsafe class Nms
{
    /// <summary>Up to so many boxes torchvision tells groups apart by moving each group's boxes to a place of its own.</summary>
    private const int MovedAtMost = 1000;

    /// <summary>
    /// The boxes that stay, by falling score; of equal scores the lower index comes first. A box goes where its IoU with one that stays is larger than
    /// <paramref name="iouThreshold"/>. Boxes are 4·K floats (x1, y1, x2, y2), scores K. The same indices as <c>torchvision.ops.nms</c> on the processor.
    /// </summary>
    /// <exception cref="ShapeException">There are not four times as many floats of boxes as scores.</exception>
    public static int[] Keep(ReadOnlySpan<float> boxesXyxy, ReadOnlySpan<float> scores, double iouThreshold)
    {
        Validate(boxesXyxy, scores);
        int[] order = ByFallingScore(scores);
        fixed (float* boxes = boxesXyxy)
        {
            int stay = Suppress(boxes, order, iouThreshold);
            return order[..stay];
        }
    }

    /// <summary>
    /// The same among the boxes of each group alone: classes, or levels of a pyramid. The same boxes as <c>torchvision.ops.batched_nms</c>, also
    /// where an IoU is the threshold but for rounding: up to 1000 boxes are compared moved apart by group · (largest coordinate + 1), as there. (Of more
    /// boxes it gives those with equal scores in no particular order.)
    /// </summary>
    /// <exception cref="ShapeException">There are not four times as many floats of boxes as scores, or not as many groups.</exception>
    public static int[] KeepPerGroup(ReadOnlySpan<float> boxesXyxy, ReadOnlySpan<float> scores, ReadOnlySpan<int> groups, double iouThreshold)
    {
        Validate(boxesXyxy, scores);
        if (groups.Length != scores.Length) throw new ShapeException($"KeepPerGroup takes a group for each box, got {scores.Length} boxes and {groups.Length} groups");
        float[] boxes = Apart(boxesXyxy, groups);
        int[] order = ByFallingScore(scores);
        // Groups one behind the other, each by falling score: a group's number above, the place in the order below.
        var places = new long[order.Length];
        for (int rank = 0; rank < order.Length; rank++) places[rank] = ((long)groups[order[rank]] << 32) | (uint)rank;
        Array.Sort(places);
        var starts = new List<int>();
        for (int i = 0; i < places.Length; i++)
        {
            if (i == 0 || places[i] >> 32 != places[i - 1] >> 32) starts.Add(i);
        }
        starts.Add(places.Length);
        var stays = new bool[order.Length];
        ThreadTeam.Run(starts.Count - 1, g =>
        {
            int[] members = Array.ConvertAll(places[starts[g]..starts[g + 1]], place => order[(int)place]);
            fixed (float* first = boxes)
            {
                foreach (int box in members.AsSpan(0, Suppress(first, members, iouThreshold))) stays[box] = true;
            }
        });
        return Array.FindAll(order, box => stays[box]);
    }

    /// <summary>
    /// <see cref="Keep"/> of each group in an ONNX file. [G, K, 4] and [G, 1, K] → [S, 3], whole numbers: the group, 0, and the place in the group, group by group by
    /// falling score.
    /// </summary>
    /// <param name="boxes">[G, K, 4].</param>
    /// <param name="scores">[G, 1, K].</param>
    /// <param name="most">The most boxes of each group that remain.</param>
    /// <param name="iouThreshold">The intersection over union above which the one with the lower score goes.</param>
    /// <param name="scoreThreshold">Boxes with no larger score are left out; null keeps those of any score.</param>
    public static OnnxValue ToOnnx(OnnxValue boxes, OnnxValue scores, int most, double iouThreshold, float? scoreThreshold = null)
    {
        OnnxBuilder onnx = boxes.Builder;
        OnnxValue[] inputs = [boxes, scores, onnx.Wholes(most), onnx.Numbers(FormattableString.Invariant($"iou_{iouThreshold:R}"), [Limit(iouThreshold)], 1)];
        return onnx.Add("NonMaxSuppression", scoreThreshold is { } least ? [.. inputs, onnx.Numbers(FormattableString.Invariant($"score_{least:R}"), [least], 1)] : inputs);
    }

    /// <summary>
    /// How far <see cref="KeepPerGroup"/> moves each group of boxes from the one before, in an ONNX file: a number, 0 where there are so many boxes that it moves none.
    /// </summary>
    /// <param name="boxes">Of all groups, none of them negative.</param>
    /// <param name="count">How many boxes count, a whole number.</param>
    public static OnnxValue DistanceToOnnx(OnnxValue boxes, OnnxValue count)
    {
        OnnxBuilder onnx = boxes.Builder;
        OnnxValue largest = onnx.Concat(0, boxes.Reshape(-1), onnx.Numbers("zero", [0], 1)).Apply("ReduceMax", new OnnxAttribute("keepdims", 0)); // of none, too
        return onnx.Where(count.With(onnx.Whole(MovedAtMost), "LessOrEqual"), largest + 1f, onnx.Number(0));
    }

    /// <summary>The largest float that is not above a threshold: floats above the one are above the other.</summary>
    private static float Limit(double threshold)
    {
        float limit = (float)threshold;
        return limit > threshold ? MathF.BitDecrement(limit) : limit;
    }

    /// <summary>
    /// Goes through the boxes in order, keeps each that overlaps none of those kept so far, and moves their indices to the front. Returns how many stay.
    /// The memory grows with the boxes, not with their pairs.
    /// </summary>
    private static int Suppress(float* boxes, Span<int> order, double threshold)
    {
        float limit = Limit(threshold);
        int room = (order.Length + Vector<float>.Count - 1) / Vector<float>.Count * Vector<float>.Count;
        using Scratch scratch = Scratch.Floats(5 * room);
        var kept = new Kept(Pinned.Of(scratch), room);
        int count = 0;
        foreach (int box in order)
        {
            if (kept.Overlap(boxes + (4L * box), count, limit)) continue;
            kept.Add(boxes + (4L * box), count);
            order[count++] = box;
        }
        return count;
    }

    /// <summary>Indices by falling score, by rising index among equals; NaN counts as the highest, as in PyTorch.</summary>
    private static int[] ByFallingScore(ReadOnlySpan<float> scores)
    {
        var keys = new ulong[scores.Length];
        for (int i = 0; i < keys.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(scores[i] + 0f); // −0 becomes 0
            uint rising = float.IsNaN(scores[i]) ? uint.MaxValue : (bits >> 31) != 0 ? ~bits : bits | 0x80000000;
            keys[i] = ((ulong)~rising << 32) | (uint)i;
        }
        Array.Sort(keys);
        return Array.ConvertAll(keys, key => (int)(uint)key);
    }

    private static float[] Apart(ReadOnlySpan<float> boxes, ReadOnlySpan<int> groups)
    {
        float[] moved = boxes.ToArray();
        if (groups.Length is 0 or > MovedAtMost) return moved;
        float largest = float.NegativeInfinity;
        foreach (float coordinate in boxes) largest = coordinate > largest ? coordinate : largest;
        if (!float.IsFinite(largest)) return moved;
        for (int i = 0; i < moved.Length; i++) moved[i] += groups[i / 4] * (largest + 1);
        return moved;
    }

    private static void Validate(ReadOnlySpan<float> boxes, ReadOnlySpan<float> scores)
    {
        if (boxes.Length != 4L * scores.Length) throw new ShapeException($"Nms takes four floats of a box for each score, got {boxes.Length} floats and {scores.Length} scores");
    }

    /// <summary>The boxes that stay, coordinate by coordinate, so that a register holds the same of several boxes.</summary>
    private readonly struct Kept
    {
        private readonly float* x1;
        private readonly float* y1;
        private readonly float* x2;
        private readonly float* y2;
        private readonly float* area;

        public Kept(float* memory, int room)
        {
            x1 = memory;
            y1 = x1 + room;
            x2 = y1 + room;
            y2 = x2 + room;
            area = y2 + room;
            new Span<float>(memory, 5 * room).Fill(float.NaN); // lanes without a box compare as no overlap
        }

        public void Add(float* box, int place)
        {
            (x1[place], y1[place], x2[place], y2[place]) = (box[0], box[1], box[2], box[3]);
            area[place] = (box[2] - box[0]) * (box[3] - box[1]);
        }

        /// <summary>Whether the IoU with one of the first boxes is above the limit. NaN, as of two empty boxes, is not.</summary>
        public bool Overlap(float* box, int count, float limit)
        {
            Vector<float> left = new(box[0]), top = new(box[1]), right = new(box[2]), bottom = new(box[3]), most = new(limit), zero = Vector<float>.Zero;
            Vector<float> own = new((box[2] - box[0]) * (box[3] - box[1]));
            for (int i = 0; i < count; i += Vector<float>.Count)
            {
                Vector<float> width = Vector.MaxNative(zero, Vector.MinNative(right, Vector.Load(x2 + i)) - Vector.MaxNative(left, Vector.Load(x1 + i)));
                Vector<float> height = Vector.MaxNative(zero, Vector.MinNative(bottom, Vector.Load(y2 + i)) - Vector.MaxNative(top, Vector.Load(y1 + i)));
                Vector<float> shared = width * height;
                if (Vector.GreaterThanAny(shared / (Vector.Load(area + i) + own - shared), most)) return true;
            }
            return false;
        }
    }
}
