using System.Numerics;
using System.Runtime.CompilerServices;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

public static class BinaryCrossEntropyLoss
{
    /// <summary>
    /// −t · ln p − (1 − t) · ln(1 − p) with p = sigmoid(logits), without overflow. [...] with targets of [...], each 0 … 1 → a scalar, or [...] without
    /// reduction. <paramref name="posWeight"/>, which broadcasts to the logits ([C] for the last axis), multiplies the first term. No gradient flows into the targets.
    /// </summary>
    /// <exception cref="ShapeException">The targets have another shape, or the weights do not broadcast.</exception>
    public static Tensor BinaryCrossEntropyWithLogits(this Tensor logits, Tensor targets, Tensor? posWeight = null, LossReduction reduction = LossReduction.Mean)
    {
        Check.SameShape(logits, targets);
        Tensor truth = targets.Detach();
        Tensor each = posWeight is null ? Each(logits, truth) : Weighted(logits, truth, posWeight);
        return reduction switch { LossReduction.Mean => each.Mean(), LossReduction.Sum => each.Sum(), _ => each };
    }

    private static Tensor Each(Tensor logits, Tensor targets)
    {
        Tensor y = Tensor.Empty(logits.Shape);
        Elementwise.Zip(logits, targets, y, default(LossOp));
        return Autograd.Record(y, logits, dy =>
        {
            Tensor dx = Tensor.Empty(dy.Shape);
            Elementwise.Zip(logits, targets, dx, default(SlopeOp));
            Elementwise.Zip(dx, dy, dx, default(MultiplyOp));
            return dx;
        });
    }

    // −w·t·ln p − (1 − t)·ln(1 − p), with −ln p = softplus(−x) and −ln(1 − p) = x + softplus(−x).
    private static Tensor Weighted(Tensor logits, Tensor targets, Tensor posWeight)
    {
        Tensor factor = ((posWeight.Detach() - 1) * targets) + 1;
        if (factor.Shape != logits.Shape) throw new ShapeException($"BinaryCrossEntropyWithLogits takes positive weights that broadcast to {logits.Shape}, got {posWeight.Shape}");
        return ((1 - targets) * logits) + (factor * (-logits).Softplus());
    }

    private readonly struct LossOp : IZip
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Apply(Vector<float> x, Vector<float> t) => Vector.Max(x, Vector<float>.Zero) - (x * t) + VectorMath.LogOnePlus(VectorMath.Exp(-Vector.Abs(x)));
    }

    private readonly struct SlopeOp : IZip
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Apply(Vector<float> x, Vector<float> t) => VectorMath.Sigmoid(x) - t;
    }
}
