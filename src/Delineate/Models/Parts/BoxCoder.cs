using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>
/// Boxes as offsets from others, as detectors learn them (Girshick et al. 2014): the way between the centres in widths and heights of the other box, and
/// the logarithms of the ratios of widths and heights, each times a weight. Boxes are rows of four floats, x1, y1, x2, y2; all arithmetic is torchvision's.
/// </summary>
public sealed class BoxCoder(float wx, float wy, float ww, float wh)
{
    /// <summary>Larger logarithms of a ratio count as this one when they are decoded: a box grows to 1000/16 of its size at most.</summary>
    public static readonly float LargestGrowth = (float)Math.Log(1000.0 / 16);

    /// <summary>The offsets of reference boxes from proposals, one each. [K, 4], [K, 4] → [K, 4].</summary>
    /// <exception cref="ShapeException">There are not as many references as proposals, or the floats are no rows of four.</exception>
    public float[] Encode(ReadOnlySpan<float> references, ReadOnlySpan<float> proposals)
    {
        var deltas = new float[proposals.Length];
        Encode(references, proposals, deltas);
        return deltas;
    }

    /// <summary>The same into memory that the caller has.</summary>
    /// <exception cref="ShapeException">The lengths differ, or the floats are no rows of four.</exception>
    public void Encode(ReadOnlySpan<float> references, ReadOnlySpan<float> proposals, Span<float> deltas)
    {
        if (references.Length != proposals.Length || deltas.Length != proposals.Length || proposals.Length % 4 != 0)
            throw new ShapeException($"Encode takes a reference for each proposal, four floats each, got {references.Length} and {proposals.Length} and room for {deltas.Length}");
        for (int i = 0; i < proposals.Length; i += 4)
        {
            Centred from = Centred.Of(proposals[i..]), to = Centred.Of(references[i..]);
            deltas[i] = wx * (to.X - from.X) / from.Width;
            deltas[i + 1] = wy * (to.Y - from.Y) / from.Height;
            deltas[i + 2] = ww * MathF.Log(to.Width / from.Width);
            deltas[i + 3] = wh * MathF.Log(to.Height / from.Height);
        }
    }

    /// <summary>The boxes at offsets from others, several for each: one a class. [K, 4 · classes], [K, 4] → [K, 4 · classes].</summary>
    /// <exception cref="ShapeException">The offsets are no multiple of the boxes, or the floats are no rows of four.</exception>
    public float[] Decode(ReadOnlySpan<float> deltas, ReadOnlySpan<float> boxes)
    {
        var decoded = new float[deltas.Length];
        Decode(deltas, boxes, decoded);
        return decoded;
    }

    /// <summary>The same into memory that the caller has; it may be that of the offsets.</summary>
    /// <exception cref="ShapeException">The offsets are no multiple of the boxes, the floats are no rows of four, or there is not the room for the result.</exception>
    public void Decode(ReadOnlySpan<float> deltas, ReadOnlySpan<float> boxes, Span<float> decoded)
    {
        if (boxes.Length % 4 != 0 || decoded.Length != deltas.Length || (boxes.Length == 0 ? deltas.Length != 0 : deltas.Length % boxes.Length != 0))
            throw new ShapeException($"Decode takes four offsets for each class and box, got {deltas.Length} for {boxes.Length} floats of boxes and room for {decoded.Length}");
        int each = boxes.Length == 0 ? 0 : deltas.Length / boxes.Length * 4;
        for (int box = 0, i = 0; box < boxes.Length; box += 4)
        {
            Centred from = Centred.Of(boxes[box..]);
            for (int end = i + each; i < end; i += 4)
            {
                float x = (deltas[i] / wx * from.Width) + from.X, y = (deltas[i + 1] / wy * from.Height) + from.Y;
                float halfWidth = 0.5f * (MathF.Exp(MathF.Min(deltas[i + 2] / ww, LargestGrowth)) * from.Width);
                float halfHeight = 0.5f * (MathF.Exp(MathF.Min(deltas[i + 3] / wh, LargestGrowth)) * from.Height);
                (decoded[i], decoded[i + 1], decoded[i + 2], decoded[i + 3]) = (x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight);
            }
        }
    }

    /// <summary>Decoding in an ONNX file. [..., 4] deltas and boxes, which broadcast → [..., 4].</summary>
    internal OnnxValue ToOnnx(OnnxBuilder onnx, OnnxValue deltas, OnnxValue boxes)
    {
        OnnxValue low = boxes.Slice(-1, 0, 2), size = boxes.Slice(-1, 2, 4) - low;
        OnnxValue centre = (deltas.Slice(-1, 0, 2) / onnx.Numbers(FormattableString.Invariant($"weights_{wx:R}_{wy:R}"), [wx, wy], 2) * size) + (low + (size * 0.5f));
        OnnxValue growth = (deltas.Slice(-1, 2, 4) / onnx.Numbers(FormattableString.Invariant($"weights_{ww:R}_{wh:R}"), [ww, wh], 2)).Minimum(onnx.Number(LargestGrowth));
        OnnxValue half = growth.Apply("Exp") * size * 0.5f;
        return onnx.Concat(-1, centre - half, centre + half);
    }

    private readonly record struct Centred(float X, float Y, float Width, float Height)
    {
        public static Centred Of(ReadOnlySpan<float> box)
        {
            float width = box[2] - box[0], height = box[3] - box[1];
            return new Centred(box[0] + (0.5f * width), box[1] + (0.5f * height), width, height);
        }
    }
}
