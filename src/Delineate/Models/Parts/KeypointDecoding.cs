using System.Buffers;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;

namespace Delineate.Models.Parts;

/// <summary>Joints to places of heatmaps, and heatmaps to joints.</summary>
internal static class KeypointDecoding
{
    private const int Taps = 4; // of a cubic
    private const float Sharpness = -0.75f; // of Keys' cubic, as PyTorch takes it

    /// <summary>
    /// The place of a joint in the heatmap of a box, row by row, or −1 where it does not lie in the box. <paramref name="box"/> is left, top, right, bottom.
    /// </summary>
    public static int Place(float x, float y, ReadOnlySpan<float> box, int size)
    {
        // What lies on the right or lower edge belongs to the last cell.
        float column = x == box[2] ? size - 1 : MathF.Floor((x - box[0]) * (size / (box[2] - box[0])));
        float row = y == box[3] ? size - 1 : MathF.Floor((y - box[1]) * (size / (box[3] - box[1])));
        return column >= 0 && row >= 0 && column < size && row < size ? ((int)row * size) + (int)column : -1;
    }

    /// <summary>
    /// The likeliest place of each joint: the largest value of its heatmap, enlarged bicubically to the box's whole pixels. [D, S, S, joints] and [4·D] boxes →
    /// [D, joints, 3] with x, y and 1, and [D, joints] logits.
    /// </summary>
    public static (float[] Keypoints, float[] Scores) Decode(Tensor heatmaps, float[] boxes)
    {
        (int size, int joints) = (heatmaps.Shape[1], heatmaps.Shape[3]);
        var keypoints = new float[heatmaps.Shape[0] * joints * 3];
        var scores = new float[heatmaps.Shape[0] * joints];
        ThreadTeam.Run(scores.Length, i =>
        {
            (int d, int joint) = Math.DivRem(i, joints);
            ReadOnlySpan<float> box = boxes.AsSpan(4 * d, 4);
            float width = Math.Max(box[2] - box[0], 1), height = Math.Max(box[3] - box[1], 1);
            (int columns, int rows) = ((int)MathF.Ceiling(width), (int)MathF.Ceiling(height));
            (int x, int y, scores[i]) = Largest(heatmaps.Span.Slice(d * size * size * joints, size * size * joints)[joint..], size, joints, rows, columns);
            keypoints[3 * i] = ((x + 0.5f) * (width / columns)) + box[0];
            keypoints[(3 * i) + 1] = ((y + 0.5f) * (height / rows)) + box[1];
            keypoints[(3 * i) + 2] = 1;
        });
        return (keypoints, scores);
    }

    /// <summary>
    /// The same in an ONNX file, body by body, as each is enlarged to a size of its own. Heatmaps [D, joints, S, S] and boxes [D, 4] → [D, joints, 2] with x and y,
    /// and [D, joints] logits.
    /// </summary>
    public static (OnnxValue Places, OnnxValue Scores) ToOnnx(OnnxBuilder onnx, OnnxValue heatmaps, int joints, int size, OnnxValue boxes)
    {
        OnnxValue low = boxes.Slice(1, 0, 2), sides = (boxes.Slice(1, 2, 4) - low).Maximum(onnx.Number(1)); // [D, 2], x first
        OnnxValue cells = sides.Apply("Ceil"), counts = cells.Cast(OnnxType.Int64);
        OnnxValue[] found = onnx.ForEach(boxes.Count(), Largest, (OnnxType.Int64, [joints]), (OnnxType.Float, [joints]));
        OnnxValue columns = counts.Slice(1, 0, 1); // [D, 1]
        OnnxValue places = onnx.Concat(2, (found[0] % columns).Unsqueeze(2), (found[0] / columns).Unsqueeze(2)).Cast(OnnxType.Float);
        return (((places + 0.5f) * (sides / cells).Unsqueeze(1)) + low.Unsqueeze(1), found[1]);

        // Where the largest value of each joint lies, row by row, and the value: a product with the weights of both axes enlarges the maps.
        OnnxValue[] Largest(OnnxValue body)
        {
            OnnxValue count = counts.Gather(body), wide = heatmaps.Gather(body).With(CubicToOnnx(onnx, count.Column(0), size).Transpose(1, 0), "MatMul");
            OnnxValue values = CubicToOnnx(onnx, count.Column(1), size).With(wide, "MatMul").Apply("Flatten", new OnnxAttribute("axis", 1));
            return
            [
                values.Apply("ArgMax", new("axis", 1), new("keepdims", 0)),
                values.Apply("ReduceMax", new("axes", [1]), new("keepdims", 0)),
            ];
        }
    }

    /// <summary>The largest value, the first of several, of a map enlarged to <paramref name="rows"/> × <paramref name="columns"/>. Its values lie <paramref name="step"/> apart.</summary>
    private static (int X, int Y, float Value) Largest(ReadOnlySpan<float> map, int size, int step, int rows, int columns)
    {
        float[] rented = ArrayPool<float>.Shared.Rent((size * columns) + columns);
        Span<float> wide = rented.AsSpan(0, size * columns), line = rented.AsSpan(size * columns, columns);
        Span<int> places = stackalloc int[Taps];
        Span<float> weights = stackalloc float[Taps];
        for (int x = 0; x < columns; x++)
        {
            Cubic(x, size, columns, places, weights);
            for (int y = 0; y < size; y++)
            {
                ReadOnlySpan<float> row = map[(y * size * step)..];
                float value = row[places[0] * step] * weights[0];
                for (int k = 1; k < Taps; k++) value += row[places[k] * step] * weights[k];
                wide[(y * columns) + x] = value;
            }
        }
        (int X, int Y, float Value) best = (0, 0, float.NegativeInfinity);
        for (int y = 0; y < rows; y++)
        {
            Cubic(y, size, rows, places, weights);
            ReadOnlySpan<float> a = wide.Slice(places[0] * columns, columns), b = wide.Slice(places[1] * columns, columns);
            ReadOnlySpan<float> c = wide.Slice(places[2] * columns, columns), d = wide.Slice(places[3] * columns, columns);
            for (int x = 0; x < columns; x++) line[x] = (a[x] * weights[0]) + (b[x] * weights[1]) + (c[x] * weights[2]) + (d[x] * weights[3]);
            for (int x = 0; x < columns; x++)
            {
                if (line[x] > best.Value) best = (x, y, line[x]);
            }
        }
        ArrayPool<float>.Shared.Return(rented);
        return best;
    }

    /// <summary>How much each input counts in each output of a resized axis, in an ONNX file: the weights of <see cref="Cubic"/>. [outputs, inputs].</summary>
    private static OnnxValue CubicToOnnx(OnnxBuilder onnx, OnnxValue outputs, int inputs)
    {
        OnnxValue places = (((float)inputs / outputs.Cast(OnnxType.Float)) * (onnx.Range(outputs).Cast(OnnxType.Float) + 0.5f)) - 0.5f;
        OnnxValue floor = places.Apply("Floor"), t = (places - floor).Unsqueeze(1); // [outputs, 1]
        OnnxValue weights = onnx.Concat(1, Far(t + 1f), Near(t), Near(1f - t), Far(2f - t));
        OnnxValue taps = floor.Unsqueeze(1) + onnx.Numbers("taps", [-1, 0, 1, 2], Taps);
        taps = taps.Maximum(onnx.Number(0)).Minimum(onnx.Number(inputs - 1));
        OnnxValue cells = onnx.Numbers($"cells_{inputs}", [.. Enumerable.Range(0, inputs).Select(i => (float)i)], inputs);
        return onnx.Where(taps.Unsqueeze(2).With(cells, "Equal"), weights.Unsqueeze(2), onnx.Number(0)).Sum(1);

        static OnnxValue Near(OnnxValue x) => (((x * (Sharpness + 2)) - (Sharpness + 3)) * x * x) + 1f;

        static OnnxValue Far(OnnxValue x) => (((((x * Sharpness) - (5 * Sharpness)) * x) + (8 * Sharpness)) * x) - (4 * Sharpness);
    }

    /// <summary>The four inputs that an output of a resized axis lies between, and their shares (Keys 1981), in float as in PyTorch.</summary>
    private static void Cubic(int output, int inputs, int outputs, Span<int> places, Span<float> weights)
    {
        float place = ((float)inputs / outputs * (output + 0.5f)) - 0.5f;
        float floor = MathF.Floor(place), t = place - floor;
        for (int k = 0; k < Taps; k++) places[k] = Math.Clamp((int)floor - 1 + k, 0, inputs - 1);
        (weights[0], weights[1], weights[2], weights[3]) = (Far(t + 1), Near(t), Near(1 - t), Far(2 - t));

        static float Near(float x) => ((((Sharpness + 2) * x) - (Sharpness + 3)) * x * x) + 1;

        static float Far(float x) => (((((Sharpness * x) - (5 * Sharpness)) * x) + (8 * Sharpness)) * x) - (4 * Sharpness);
    }
}
