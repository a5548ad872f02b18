using Delineate.Data;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;

namespace Delineate.Models.Parts;

/// <summary>
/// Sums with boxes, as torchvision's <c>ops.boxes</c>. Boxes are rows of four floats: x1, y1, x2, y2 in pixels, right and bottom edge outside. The losses
/// with gradients are ops of tensors (<see cref="BoxIouLosses"/>).
/// </summary>
public static unsafe class BoxOps
{
    private const int PiecePairs = 1 << 14;
    private const double Epsilon = 1e-7; // torchvision's, against a division by zero

    private delegate float Measure(float* a, float* b);

    /// <summary>The boxes' rows. K boxes → [K, 4].</summary>
    public static float[] Rows(IReadOnlyList<Box> boxes)
    {
        ArgumentNullException.ThrowIfNull(boxes);
        var rows = new float[4 * boxes.Count];
        for (int i = 0; i < boxes.Count; i++)
        {
            Box box = boxes[i];
            (rows[4 * i], rows[(4 * i) + 1], rows[(4 * i) + 2], rows[(4 * i) + 3]) = ((float)box.X1, (float)box.Y1, (float)box.X2, (float)box.Y2);
        }
        return rows;
    }

    /// <summary>The shared area of each pair over the area that either covers, 0…1; 0 where both are empty. [A, 4], [B, 4] → [A, B].</summary>
    /// <exception cref="ShapeException">The floats are no rows of four.</exception>
    public static Tensor Iou(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => Pairs(a, b, static (a, b) => Iou(a, b, out _));

    /// <summary>
    /// IoU − (C − U) / C with C the area of the smallest box around both and U that of their union, −1…1 (Rezatofighi et al. 2019, arXiv:1902.09630).
    /// [A, 4], [B, 4] → [A, B].
    /// </summary>
    /// <exception cref="ShapeException">The floats are no rows of four.</exception>
    public static Tensor GeneralizedIou(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => Pairs(a, b, static (a, b) =>
    {
        float iou = Iou(a, b, out float union);
        (float width, float height) = Around(a, b);
        float area = width * height;
        return area > 0 ? iou - ((area - union) / area) : iou;
    });

    /// <summary>
    /// IoU − the squared distance of the centres over the squared diagonal of the smallest box around both (Zheng et al. 2020, arXiv:1911.08287).
    /// [A, 4], [B, 4] → [A, B].
    /// </summary>
    /// <exception cref="ShapeException">The floats are no rows of four.</exception>
    public static Tensor DistanceIou(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => Pairs(a, b, static (a, b) => DistanceIou(a, b, out _));

    /// <summary>
    /// The same less a term for unlike ratios of width to height (Zheng et al. 2020, arXiv:1911.08287). [A, 4], [B, 4] → [A, B].
    /// </summary>
    /// <exception cref="ShapeException">The floats are no rows of four.</exception>
    public static Tensor CompleteIou(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => Pairs(a, b, static (a, b) =>
    {
        float distance = DistanceIou(a, b, out float iou);
        double unlike = Angle(a) - Angle(b);
        double v = 4 / (Math.PI * Math.PI) * unlike * unlike;
        return (float)(distance - (v * v / (1 - iou + v + Epsilon)));

        static double Angle(float* box) => Math.Atan2(box[2] - box[0], box[3] - box[1]);
    });

    /// <summary>Moves corners outside an image onto its edge. [K, 4] in place.</summary>
    /// <exception cref="ShapeException">The floats are no rows of four.</exception>
    public static void Clip(Span<float> boxes, int imageHeight, int imageWidth)
    {
        CheckRows(boxes.Length);
        for (int i = 0; i < boxes.Length; i++) boxes[i] = Math.Clamp(boxes[i], 0, i % 2 == 0 ? imageWidth : imageHeight);
    }

    /// <summary>The numbers of the boxes that are at least so wide and so high, rising; a box with a NaN is not. [K, 4] → at most K.</summary>
    /// <exception cref="ShapeException">The floats are no rows of four.</exception>
    public static int[] WithoutSmall(ReadOnlySpan<float> boxes, float leastSide)
    {
        CheckRows(boxes.Length);
        var stay = new List<int>();
        for (int i = 0; i < boxes.Length; i += 4)
        {
            if (boxes[i + 2] - boxes[i] >= leastSide && boxes[i + 3] - boxes[i + 1] >= leastSide) stay.Add(i / 4);
        }
        return [.. stay];
    }

    /// <summary>Corners become centre, width and height. [K, 4] in place.</summary>
    /// <exception cref="ShapeException">The floats are no rows of four.</exception>
    public static void XyxyToCxcywh(Span<float> boxes)
    {
        CheckRows(boxes.Length);
        for (int i = 0; i < boxes.Length; i += 4)
        {
            (float x1, float y1, float x2, float y2) = (boxes[i], boxes[i + 1], boxes[i + 2], boxes[i + 3]);
            (boxes[i], boxes[i + 1], boxes[i + 2], boxes[i + 3]) = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1);
        }
    }

    /// <summary>Centre, width and height become corners. [K, 4] in place.</summary>
    /// <exception cref="ShapeException">The floats are no rows of four.</exception>
    public static void CxcywhToXyxy(Span<float> boxes)
    {
        CheckRows(boxes.Length);
        for (int i = 0; i < boxes.Length; i += 4)
        {
            (float x, float y, float width, float height) = (boxes[i], boxes[i + 1], boxes[i + 2], boxes[i + 3]);
            (boxes[i], boxes[i + 1], boxes[i + 2], boxes[i + 3]) = (x - (0.5f * width), y - (0.5f * height), x + (0.5f * width), y + (0.5f * height));
        }
    }

    /// <summary><see cref="Clip"/> in an ONNX file; the image's size are two whole numbers. [..., 4] → same.</summary>
    internal static OnnxValue ClipToOnnx(OnnxBuilder onnx, OnnxValue boxes, OnnxValue imageSize) =>
        boxes.Minimum(imageSize.Cast(OnnxType.Float).Gather(onnx.Wholes(1, 0, 1, 0))).Maximum(onnx.Number(0));

    /// <summary>Whether <see cref="WithoutSmall"/> keeps each box, in an ONNX file. [..., 4] → [...].</summary>
    internal static OnnxValue AreLargeToOnnx(OnnxBuilder onnx, OnnxValue boxes, float leastSide)
    {
        OnnxValue sides = boxes.Slice(-1, 2, 4) - boxes.Slice(-1, 0, 2), least = onnx.Number(leastSide);
        return sides.Column(0).With(least, "GreaterOrEqual") & sides.Column(1).With(least, "GreaterOrEqual");
    }

    private static Tensor Pairs(ReadOnlySpan<float> a, ReadOnlySpan<float> b, Measure measure)
    {
        CheckRows(a.Length);
        CheckRows(b.Length);
        (int rows, int columns) = (a.Length / 4, b.Length / 4);
        Tensor result = Tensor.Empty([rows, columns]);
        fixed (float* firstA = a, firstB = b)
        {
            float* left = firstA, right = firstB; // a lambda takes no fixed variables
            ThreadTeam.Ranges(rows == 0 ? 0 : columns, Math.Max(1, PiecePairs / Math.Max(1, rows)), (from, to) =>
            {
                for (int i = 0; i < rows; i++)
                {
                    Span<float> row = result.Span.Slice(i * columns, columns);
                    for (int k = from; k < to; k++) row[k] = measure(left + (4L * i), right + (4L * k));
                }
            });
        }
        return result;
    }

    private static float Iou(float* a, float* b, out float union)
    {
        float width = Math.Max(Math.Min(a[2], b[2]) - Math.Max(a[0], b[0]), 0), height = Math.Max(Math.Min(a[3], b[3]) - Math.Max(a[1], b[1]), 0);
        float shared = width * height;
        union = ((a[2] - a[0]) * (a[3] - a[1])) + ((b[2] - b[0]) * (b[3] - b[1])) - shared;
        return union == 0 ? 0 : shared / union;
    }

    private static float DistanceIou(float* a, float* b, out float iou)
    {
        iou = Iou(a, b, out _);
        (float width, float height) = Around(a, b);
        float x = ((a[0] + a[2]) / 2) - ((b[0] + b[2]) / 2), y = ((a[1] + a[3]) / 2) - ((b[1] + b[3]) / 2);
        return iou - (((x * x) + (y * y)) / ((width * width) + (height * height) + (float)Epsilon));
    }

    private static (float Width, float Height) Around(float* a, float* b) =>
        (Math.Max(Math.Max(a[2], b[2]) - Math.Min(a[0], b[0]), 0), Math.Max(Math.Max(a[3], b[3]) - Math.Min(a[1], b[1]), 0));

    private static void CheckRows(int floats)
    {
        if (floats % 4 != 0) throw new ShapeException($"boxes are rows of four floats, got {floats}");
    }
}
