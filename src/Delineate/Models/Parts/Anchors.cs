using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>
/// The boxes that a region proposal network starts from (Ren et al. 2015): at every place of every map of a pyramid three of one size, 32 pixels a side on
/// the largest map and twice as many on each further one, half as high as wide, square, twice as high as wide.
/// </summary>
internal sealed class Anchors
{
    /// <summary>Boxes at each place of a map.</summary>
    public const int PerPlace = 3;

    private const float FirstSide = 32;
    private static readonly float[] HeightsOverWidths = [0.5f, 1, 2];

    private Anchors(float[] boxes, int[] starts) => (Boxes, Starts) = (boxes, starts);

    /// <summary>Left, top, right and bottom of each, in pixels of the network's input: map by map, row by row, place by place. [4 · count].</summary>
    public float[] Boxes { get; }

    /// <summary>The first box of each map, and last the number of all.</summary>
    public IReadOnlyList<int> Starts { get; }

    /// <summary>The number of all boxes.</summary>
    public int Count => Boxes.Length / 4;

    /// <summary>The anchors of an input, [N, H, W, 3], on its maps, [N, h, w, C] each: the same for all images.</summary>
    public static Anchors For(Tensor input, IReadOnlyList<Tensor> maps)
    {
        var starts = new int[maps.Count + 1];
        for (int i = 0; i < maps.Count; i++) starts[i + 1] = starts[i] + (maps[i].Shape[1] * maps[i].Shape[2] * PerPlace);
        var boxes = new float[4 * starts[^1]];
        int at = 0;
        for (int i = 0; i < maps.Count; i++)
        {
            (int rows, int columns) = (maps[i].Shape[1], maps[i].Shape[2]);
            (int down, int right) = (input.Shape[1] / rows, input.Shape[2] / columns); // whole pixels, as in torchvision: 224 rows on 4 are 56 apart, not 64
            (float X, float Y)[] halves = Halves(FirstSide * (1 << i));
            for (int y = 0; y < rows; y++)
            {
                for (int x = 0; x < columns; x++)
                {
                    foreach ((float halfX, float halfY) in halves)
                    {
                        boxes[at++] = (x * right) - halfX;
                        boxes[at++] = (y * down) - halfY;
                        boxes[at++] = (x * right) + halfX;
                        boxes[at++] = (y * down) + halfY;
                    }
                }
            }
        }
        return new Anchors(boxes, starts);
    }

    /// <summary>
    /// Some of the anchors of one map in an ONNX file: those whose places in <see cref="Boxes"/>, counted from the map's first, are given.
    /// </summary>
    /// <param name="onnx">The file.</param>
    /// <param name="level">The map's place in the pyramid, 0 … 4.</param>
    /// <param name="input">Height and width of the network's input.</param>
    /// <param name="map">Height and width of the map.</param>
    /// <param name="chosen">[K].</param>
    /// <returns>[K, 4].</returns>
    public static OnnxValue ToOnnx(OnnxBuilder onnx, int level, OnnxValue input, OnnxValue map, OnnxValue chosen)
    {
        float[] shapes = [.. Halves(FirstSide * (1 << level)).SelectMany(half => new[] { -half.X, -half.Y, half.X, half.Y })];
        OnnxValue place = (chosen / PerPlace).Unsqueeze(1), columns = map.Slice(0, 1, 2); // [K, 1], [1]
        OnnxValue rowAndColumn = onnx.Concat(1, place / columns, place % columns);
        OnnxValue corner = (rowAndColumn * (input / map)).Cast(OnnxType.Float); // y and x
        OnnxValue shape = onnx.Numbers($"{onnx.Path}.anchors.{level}", shapes, PerPlace, 4).Gather(chosen % PerPlace);
        return shape + corner.With(onnx.Wholes(1, 0, 1, 0), "Gather", new OnnxAttribute("axis", 1));
    }

    /// <summary>Half the width and height of each shape, rounded to whole pixels.</summary>
    private static (float X, float Y)[] Halves(float side) => Array.ConvertAll(HeightsOverWidths, ratio =>
    {
        float height = MathF.Sqrt(ratio), width = 1 / height;
        return (MathF.Round(width * side / 2), MathF.Round(height * side / 2));
    });
}
