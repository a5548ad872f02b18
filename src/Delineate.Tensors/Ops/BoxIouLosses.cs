using System.Runtime.Intrinsics;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>
/// Losses of boxes by how well they cover others, with gradients also where they do not touch. Boxes are x1, y1, x2, y2; where two edges lie at the same
/// place each has half of the gradient.
/// </summary>
public static class BoxIouLosses
{
    private const int PieceBoxes = 1024;
    private const double Epsilon = 1e-7; // torchvision's, against a division by zero

    private enum Form
    {
        Generalized,
        Distance,
        Complete,
    }

    /// <summary>
    /// 1 − IoU + (C − U) / C, with C the area of the smallest box around both and U that of their union (Rezatofighi et al. 2019, arXiv:1902.09630).
    /// [..., 4] with a target of the same shape → a scalar, or [...] without reduction. No gradient flows into the target. The mean of nothing is 0.
    /// </summary>
    /// <exception cref="ShapeException">The target has another shape, or the last axis is not 4.</exception>
    public static Tensor GeneralizedIouLoss(this Tensor boxes, Tensor target, LossReduction reduction = LossReduction.Mean) =>
        Loss(boxes, target, Form.Generalized, reduction, nameof(GeneralizedIouLoss));

    /// <summary>
    /// 1 − IoU + the squared distance of the centres over the squared diagonal of the smallest box around both (Zheng et al. 2020, arXiv:1911.08287).
    /// [..., 4] with a target of the same shape → a scalar, or [...] without reduction. No gradient flows into the target. The mean of nothing is 0.
    /// </summary>
    /// <exception cref="ShapeException">The target has another shape, or the last axis is not 4.</exception>
    public static Tensor DistanceIouLoss(this Tensor boxes, Tensor target, LossReduction reduction = LossReduction.Mean) =>
        Loss(boxes, target, Form.Distance, reduction, nameof(DistanceIouLoss));

    /// <summary>
    /// The same with a term for unlike ratios of width to height, whose factor counts as a constant (Zheng et al. 2020, arXiv:1911.08287).
    /// [..., 4] with a target of the same shape → a scalar, or [...] without reduction. No gradient flows into the target. The mean of nothing is 0.
    /// </summary>
    /// <exception cref="ShapeException">The target has another shape, or the last axis is not 4.</exception>
    public static Tensor CompleteIouLoss(this Tensor boxes, Tensor target, LossReduction reduction = LossReduction.Mean) =>
        Loss(boxes, target, Form.Complete, reduction, nameof(CompleteIouLoss));

    private static Tensor Loss(Tensor boxes, Tensor target, Form form, LossReduction reduction, string op)
    {
        ArgumentNullException.ThrowIfNull(target);
        Check.SameShape(boxes, target, op);
        if (boxes.Shape.Rank == 0 || boxes.Shape[^1] != 4) throw new ShapeException($"{op} takes boxes of [..., 4], got {boxes.Shape}");
        Tensor each = Tensor.Empty(Shape.Of(boxes.Shape.AsSpan()[..^1]));
        Tensor? slopes = boxes.WantsGrad ? Tensor.Empty(boxes.Shape) : null;
        ThreadTeam.Ranges(each.Length, PieceBoxes, (from, to) =>
        {
            for (int i = from; i < to; i++)
            {
                (double loss, Vector256<double> slope) = Of(boxes.Span.Slice(4 * i, 4), target.Span.Slice(4 * i, 4), form);
                each.Span[i] = (float)loss;
                for (int k = 0; k < 4 && slopes is not null; k++) slopes.Span[(4 * i) + k] = (float)slope[k];
            }
        });
        if (slopes is not null)
        {
            Autograd.Record(each, boxes, dy =>
            {
                for (int i = 0; i < slopes.Length; i++) slopes.Span[i] *= dy.Span[i / 4];
                return slopes;
            }, read: []);
        }
        return reduction switch { LossReduction.Mean when each.Length > 0 => each.Mean(), LossReduction.None => each, _ => each.Sum() };
    }

    /// <summary>One box's loss and its derivatives by x1, y1, x2 and y2, in double.</summary>
    private static (double Loss, Vector256<double> Slope) Of(ReadOnlySpan<float> p, ReadOnlySpan<float> t, Form form)
    {
        double width = (double)p[2] - p[0], height = (double)p[3] - p[1], trueWidth = (double)t[2] - t[0], trueHeight = (double)t[3] - t[1];
        double sharedWidth = (double)Math.Min(p[2], t[2]) - Math.Max(p[0], t[0]), sharedHeight = (double)Math.Min(p[3], t[3]) - Math.Max(p[1], t[1]);
        double aroundWidth = (double)Math.Max(p[2], t[2]) - Math.Min(p[0], t[0]), aroundHeight = (double)Math.Max(p[3], t[3]) - Math.Min(p[1], t[1]);
        // How far each edge is the inner one of the two, and so moves the shared box; what is left of 1 moves the box around.
        Vector256<double> inner = Vector256.Create(Larger(p[0], t[0]), Larger(p[1], t[1]), Larger(t[2], p[2]), Larger(t[3], p[3])), outer = Vector256<double>.One - inner;

        bool meets = sharedWidth > 0 && sharedHeight > 0;
        double shared = meets ? sharedWidth * sharedHeight : 0;
        Vector256<double> dShared = meets ? inner * Vector256.Create(-sharedHeight, -sharedWidth, sharedHeight, sharedWidth) : Vector256<double>.Zero;
        double union = (width * height) + (trueWidth * trueHeight) - shared;
        Vector256<double> dUnion = Vector256.Create(-height, -width, height, width) - dShared;
        double iou = shared / (union + Epsilon);
        Vector256<double> dIou = (dShared - (dUnion * iou)) / (union + Epsilon);

        if (form == Form.Generalized)
        {
            double around = aroundWidth * aroundHeight, rest = (around - union) / (around + Epsilon);
            Vector256<double> dAround = outer * Vector256.Create(-aroundHeight, -aroundWidth, aroundHeight, aroundWidth);
            return (1 - iou + rest, ((dAround - dUnion - (dAround * rest)) / (around + Epsilon)) - dIou);
        }

        double diagonal = (aroundWidth * aroundWidth) + (aroundHeight * aroundHeight) + Epsilon;
        Vector256<double> dDiagonal = outer * Vector256.Create(-aroundWidth, -aroundHeight, aroundWidth, aroundHeight) * 2;
        double x = ((double)p[0] + p[2] - t[0] - t[2]) / 2, y = ((double)p[1] + p[3] - t[1] - t[3]) / 2;
        double distance = ((x * x) + (y * y)) / diagonal;
        double loss = 1 - iou + distance;
        Vector256<double> slope = ((Vector256.Create(x, y, x, y) - (dDiagonal * distance)) / diagonal) - dIou;
        if (form == Form.Distance) return (loss, slope);

        double unlike = Math.Atan2(trueWidth, trueHeight) - Math.Atan2(width, height), square = (width * width) + (height * height);
        double v = 4 / (Math.PI * Math.PI) * unlike * unlike, factor = v / (1 - iou + v + Epsilon);
        // d atan(w/h) = (h dw − w dh) / (w² + h²); a box that is a point has no ratio to change.
        Vector256<double> dAngle = square > 0 ? Vector256.Create(-height, width, height, -width) / square : Vector256<double>.Zero;
        return (loss + (factor * v), slope - (dAngle * (factor * 8 / (Math.PI * Math.PI) * unlike)));

        static double Larger(float a, float b) => a > b ? 1 : a == b ? 0.5 : 0;
    }
}
