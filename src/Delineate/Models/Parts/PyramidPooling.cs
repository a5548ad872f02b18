using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>
/// Regions of a pyramid as maps of one size: each is pooled (RoIAlign; He et al. 2017) from the map that suits its own size (Lin et al. 2017, equation 1), from
/// stride 4 for the smallest to stride 32 for those of 448 pixels a side and more.
/// </summary>
internal static class PyramidPooling
{
    private const int FirstStride = 4, Levels = 4, Samples = 2; // of each bin, a side
    private const float CanonicalSide = 224; // a box of this size belongs to the map of stride 16: an ImageNet network's input
    private const int CanonicalLevel = 4, FirstLevel = 2;
    private const float Margin = 1e-6f; // for boxes that lie on a border but for rounding

    /// <summary>The regions of all images, one image after the other. [N, h, w, C] maps and 4·Kₙ floats of boxes each → [ΣKₙ, size, size, C].</summary>
    public static Tensor Pool(IReadOnlyList<Tensor> pyramid, IReadOnlyList<float[]> boxes, int size)
    {
        int count = boxes.Sum(b => b.Length / 4), row = 0;
        var members = new List<int>[Levels];
        var regions = new List<float>[Levels];
        for (int level = 0; level < Levels; level++) (members[level], regions[level]) = ([], []);
        for (int image = 0; image < boxes.Count; image++)
        {
            for (int i = 0; i < boxes[image].Length; i += 4, row++)
            {
                ReadOnlySpan<float> box = boxes[image].AsSpan(i, 4);
                int level = Level(box);
                members[level].Add(row);
                regions[level].Add(image);
                regions[level].AddRange(box);
            }
        }
        var (parts, places) = (new List<Tensor>(), new int[count]);
        int at = 0;
        for (int level = 0; level < Levels; level++)
        {
            if (members[level].Count == 0) continue;
            Tensor rois = Tensor.From(regions[level].ToArray(), [members[level].Count, 5]);
            parts.Add(pyramid[level].RoiAlign(rois, size, 1f / (FirstStride << level), Samples));
            foreach (int member in members[level]) places[member] = at++;
        }
        if (parts.Count == 0) return Tensor.Empty([0, size, size, pyramid[0].Shape[3]]);
        if (parts.Count == 1) return parts[0];
        Tensor byLevel = Tensor.Concat(parts.ToArray(), 0);
        foreach (Tensor part in parts) part.GiveBack();
        Tensor pooled = byLevel.IndexSelect(0, places);
        byLevel.GiveBack();
        return pooled;
    }

    /// <summary>The regions of one image in an ONNX file. Maps [1, C, h, w], the largest first, and boxes [K, 4] → [K, C, size, size].</summary>
    public static OnnxValue ToOnnx(OnnxBuilder onnx, IReadOnlyList<OnnxValue> pyramid, OnnxValue boxes, int size)
    {
        OnnxValue sides = boxes.Slice(1, 2, 4) - boxes.Slice(1, 0, 2);
        OnnxValue side = (sides.Column(0) * sides.Column(1)).Apply("Sqrt");
        OnnxValue octaves = (side / CanonicalSide).Apply("Log") / MathF.Log(2);
        OnnxValue levels = (octaves + (float)CanonicalLevel + Margin).Apply("Floor").Maximum(onnx.Number(FirstLevel)).Minimum(onnx.Number(FirstLevel + Levels - 1));
        var (parts, members) = (new OnnxValue[Levels], new OnnxValue[Levels]);
        for (int level = 0; level < Levels; level++)
        {
            members[level] = levels.With(onnx.Number(FirstLevel + level), "Equal").Places();
            parts[level] = onnx.Add(
                "RoiAlign", [pyramid[level], boxes.Gather(members[level]), members[level] * 0],
                new("mode", "avg"), new("output_height", size), new("output_width", size), new("sampling_ratio", Samples), new("spatial_scale", 1f / (FirstStride << level)),
                new("coordinate_transformation_mode", "output_half_pixel"));
        }
        OnnxValue order = onnx.Concat(0, members);
        (_, OnnxValue places) = order.Top(order.Sizes(0, 1), largest: false); // where each box went
        return onnx.Concat(0, parts).Gather(places);
    }

    private static int Level(ReadOnlySpan<float> box)
    {
        float side = MathF.Sqrt((box[2] - box[0]) * (box[3] - box[1]));
        float level = MathF.Floor(CanonicalLevel + MathF.Log2(side / CanonicalSide) + Margin);
        return Math.Clamp((int)level, FirstLevel, FirstLevel + Levels - 1) - FirstLevel;
    }
}
