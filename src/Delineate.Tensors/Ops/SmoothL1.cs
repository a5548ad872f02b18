using System.Numerics;
using System.Runtime.CompilerServices;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Losses of numbers that are to be near others: offsets of boxes, depths.</summary>
public static class RegressionLosses
{
    /// <summary>
    /// With d = x − target, |d| − beta/2 from |d| = beta on, below it d² / (2 · beta): quadratic near 0, with a slope of 1 at most (Girshick 2015,
    /// arXiv:1504.08083). [...] with a target of [...] → a scalar, or [...] without reduction. Beta 0 is <see cref="L1Loss"/>. No gradient flows into the
    /// target. The mean of nothing is NaN, its sum 0.
    /// </summary>
    /// <exception cref="ShapeException">The target has another shape.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Beta is negative.</exception>
    public static Tensor SmoothL1Loss(this Tensor x, Tensor target, float beta = 1, LossReduction reduction = LossReduction.Mean)
    {
        ArgumentNullException.ThrowIfNull(target);
        Check.SameShape(x, target);
        if (!(beta >= 0)) throw new ArgumentOutOfRangeException(nameof(beta), beta, "SmoothL1Loss takes a beta of 0 or more");
        return beta == 0 ? Reduced(x, target, default(DistanceOp), default(SignOp), reduction)
            : Reduced(x, target, new SmoothOp(beta), new SmoothSlopeOp(beta), reduction);
    }

    /// <summary>|x − target|. [...] with a target of [...] → a scalar, or [...] without reduction. No gradient flows into the target; where both are equal it is 0.</summary>
    /// <exception cref="ShapeException">The target has another shape.</exception>
    public static Tensor L1Loss(this Tensor x, Tensor target, LossReduction reduction = LossReduction.Mean)
    {
        ArgumentNullException.ThrowIfNull(target);
        Check.SameShape(x, target);
        return Reduced(x, target, default(DistanceOp), default(SignOp), reduction);
    }

    private static Tensor Reduced<TLoss, TSlope>(Tensor x, Tensor target, TLoss loss, TSlope slope, LossReduction reduction)
        where TLoss : struct, IZip
        where TSlope : struct, IZip
    {
        Tensor each = Tensor.Empty(x.Shape);
        Elementwise.Zip(x, target, each, loss);
        Autograd.Record(each, x, dy =>
        {
            Tensor dx = Tensor.Empty(dy.Shape);
            Elementwise.Zip(x, target, dx, slope);
            Elementwise.Zip(dx, dy, dx, default(MultiplyOp));
            return dx;
        }, read: [x, target]);
        return reduction switch { LossReduction.Mean => each.Mean(), LossReduction.Sum => each.Sum(), _ => each };
    }

    private readonly struct DistanceOp : IZip
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Apply(Vector<float> x, Vector<float> t) => Vector.Abs(x - t);
    }

    /// <summary>The sign of x − t; NaN where one of them is.</summary>
    private readonly struct SignOp : IZip
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Apply(Vector<float> x, Vector<float> t)
        {
            Vector<float> difference = x - t;
            Vector<int> isItself = Vector.Equals(difference, Vector<float>.Zero) | ~Vector.Equals(difference, difference);
            return Vector.ConditionalSelect(isItself, difference, Vector.CopySign(Vector<float>.One, difference));
        }
    }

    private readonly struct SmoothOp(float beta) : IZip
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Apply(Vector<float> x, Vector<float> t)
        {
            Vector<float> distance = Vector.Abs(x - t);
            Vector<float> bend = new(beta), half = new(0.5f);
            return Vector.ConditionalSelect(Vector.LessThan(distance, bend), distance * distance * half / bend, distance - (half * bend));
        }
    }

    private readonly struct SmoothSlopeOp(float beta) : IZip
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Apply(Vector<float> x, Vector<float> t)
        {
            Vector<float> difference = x - t;
            return Vector.ConditionalSelect(
                Vector.LessThan(Vector.Abs(difference), new Vector<float>(beta)), difference / new Vector<float>(beta), default(SignOp).Apply(x, t));
        }
    }
}
