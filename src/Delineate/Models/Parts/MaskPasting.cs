using Delineate.Data;
using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>
/// Puts the small mask of a box where the box lies in the image, as torchvision's <c>paste_masks_in_image</c>: the mask with a border of zeros, stretched
/// bilinearly over the box that has grown by as much, whose corners are cut to whole pixels.
/// </summary>
internal static class MaskPasting
{
    private const int Border = 1;

    /// <summary>Writes a mask's values into a picture of the image's size, row by row; pixels that it does not cover stay as they are.</summary>
    /// <param name="mask">[M, M] row by row.</param>
    /// <param name="box">Left, top, right, bottom.</param>
    /// <param name="image">The picture's size.</param>
    /// <param name="picture">[H, W].</param>
    public static void Paste(ReadOnlySpan<float> mask, ReadOnlySpan<float> box, Size2d image, Span<float> picture)
    {
        var canvas = new Canvas(mask, box, image);
        for (int x = canvas.Left; x < canvas.Right; x++)
        {
            ReadOnlySpan<float> column = canvas.Column(x);
            for (int i = 0; i < column.Length; i++) picture[((canvas.Top + i) * image.Width) + x] = column[i];
        }
    }

    /// <summary>The pixels whose value is above a threshold. The parameters are those of <see cref="Paste"/>.</summary>
    public static Rle ToRle(ReadOnlySpan<float> mask, ReadOnlySpan<float> box, Size2d image, float threshold)
    {
        var canvas = new Canvas(mask, box, image);
        var runs = new Rle.RunList(image.Height, image.Width);
        int done = 0; // pixels, counted down the columns
        for (int x = canvas.Left; x < canvas.Right; x++)
        {
            ReadOnlySpan<float> column = canvas.Column(x);
            int start = (x * image.Height) + canvas.Top;
            runs.Add(start - done, false);
            foreach (float value in column) runs.Add(1, value > threshold);
            done = start + column.Length;
        }
        runs.Add((image.Height * image.Width) - done, false);
        return runs.ToRle();
    }

    /// <summary>
    /// Pasting in an ONNX file, as products with the weights of both axes: no more than two of an axis' weights are not 0. Masks [D, M, M], boxes [D, 4] and the
    /// picture's height and width → [D, H, W].
    /// </summary>
    public static OnnxValue ToOnnx(OnnxBuilder onnx, OnnxValue masks, int inner, OnnxValue boxes, OnnxValue image)
    {
        OnnxValue rows = Weights(1), columns = Weights(0);
        return rows.With(masks, "MatMul").With(columns.Transpose(0, 2, 1), "MatMul");

        // [D, length, M]: pixel o of a stretched axis lies at step · (o + ½) − ½ of the bordered mask, which gives 1 − its distance from there.
        OnnxValue Weights(int axis)
        {
            int side = inner + (2 * Border);
            OnnxValue low = boxes.Column(axis), high = boxes.Column(axis + 2);
            OnnxValue half = (high - low) * 0.5f * (float)((double)side / inner), centre = (high + low) * 0.5f;
            OnnxValue first = Whole(centre - half), length = (Whole(centre + half) - first + 1f).Maximum(onnx.Number(1));
            OnnxValue pixels = onnx.Range(image.Column(1 - axis)).Cast(OnnxType.Float).Unsqueeze(0, 2); // [1, length, 1]
            OnnxValue places = ((pixels - first.Unsqueeze(1, 2) + 0.5f) * ((float)side / length.Unsqueeze(1, 2))) - 0.5f;
            OnnxValue values = onnx.Numbers($"{onnx.Path}.places", [.. Enumerable.Range(Border, inner).Select(i => (float)i)], inner);
            return (1f - (places - values).Apply("Abs")).Apply("Relu");
        }

        static OnnxValue Whole(OnnxValue x) => x.Cast(OnnxType.Int64).Cast(OnnxType.Float); // towards zero
    }

    /// <summary>The part of an image that a grown box covers, and the mask's values there, a column at a time.</summary>
    private ref struct Canvas
    {
        private readonly int side; // of the mask with its border
        private readonly float[] bordered, stretched, column;
        private readonly Axis rows, columns;
        private readonly int boxLeft, boxTop;

        public Canvas(ReadOnlySpan<float> mask, ReadOnlySpan<float> box, Size2d image)
        {
            int inner = (int)Math.Sqrt(mask.Length);
            side = inner + (2 * Border);
            bordered = new float[side * side];
            for (int y = 0; y < inner; y++) mask.Slice(y * inner, inner).CopyTo(bordered.AsSpan(((y + Border) * side) + Border));

            float scale = (float)((double)side / inner);
            float halfWidth = (box[2] - box[0]) * 0.5f * scale, halfHeight = (box[3] - box[1]) * 0.5f * scale;
            float centreX = (box[2] + box[0]) * 0.5f, centreY = (box[3] + box[1]) * 0.5f;
            (boxLeft, boxTop) = ((int)(centreX - halfWidth), (int)(centreY - halfHeight));
            (int right, int bottom) = ((int)(centreX + halfWidth), (int)(centreY + halfHeight));
            (Left, Top) = (Math.Max(boxLeft, 0), Math.Max(boxTop, 0));
            (Right, int end) = (Math.Max(Left, Math.Min(right + 1, image.Width)), Math.Max(Top, Math.Min(bottom + 1, image.Height)));
            rows = new Axis(side, Math.Max(bottom - boxTop + 1, 1));
            columns = new Axis(side, Math.Max(right - boxLeft + 1, 1));
            stretched = new float[side];
            column = new float[end - Top];
        }

        /// <summary>The first column of the image that is covered.</summary>
        public int Left { get; }

        /// <summary>The first column after it that is not.</summary>
        public int Right { get; }

        /// <summary>The first row that is covered.</summary>
        public int Top { get; }

        /// <summary>The values of one column of the image from <see cref="Top"/> down.</summary>
        public readonly ReadOnlySpan<float> Column(int x)
        {
            (int left, int right, float share) = columns.At(x - boxLeft);
            for (int y = 0; y < side; y++) stretched[y] = ((1 - share) * bordered[(y * side) + left]) + (share * bordered[(y * side) + right]);
            for (int i = 0; i < column.Length; i++)
            {
                (int upper, int lower, float weight) = rows.At(Top + i - boxTop);
                column[i] = ((1 - weight) * stretched[upper]) + (weight * stretched[lower]);
            }
            return column;
        }
    }

    /// <summary>Where places of a longer or shorter axis lie on one of <paramref name="inputs"/> values, in float as in PyTorch.</summary>
    private readonly struct Axis(int inputs, int outputs)
    {
        private readonly float step = (float)inputs / outputs;

        public (int Low, int High, float Share) At(int output)
        {
            float place = inputs == outputs ? output : Math.Max(0, (step * (output + 0.5f)) - 0.5f);
            int low = Math.Min((int)place, inputs - 1);
            return (low, Math.Min(low + 1, inputs - 1), Math.Clamp(place - low, 0, 1));
        }
    }
}
