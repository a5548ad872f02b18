using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class BinaryCrossEntropyTests
{
    [Theory]
    [InlineData(LossReduction.Mean, false)]
    [InlineData(LossReduction.Sum, false)]
    [InlineData(LossReduction.None, false)]
    [InlineData(LossReduction.Mean, true)]
    [InlineData(LossReduction.None, true)]
    public void Values_and_gradients_are_the_references(LossReduction reduction, bool weighted)
    {
        Shape shape = [2, 3, 5, 7];
        Tensor targets = (GradCheck.Input(shape, 4) * 0.5f) + 0.5f;
        Tensor? weight = weighted ? GradCheck.Input([7], 6) + 2 : null;
        double[] t = Array.ConvertAll(targets.ToArray(), v => (double)v);
        double[] w = weight is null ? [1, 1, 1, 1, 1, 1, 1] : Array.ConvertAll(weight.ToArray(), v => (double)v);
        GradCheck.Run(
            x => x[0].BinaryCrossEntropyWithLogits(targets, weight, reduction),
            x =>
            {
                double[] each = [.. x[0].Select((v, i) => (w[i % 7] * t[i] * DoubleMath.Softplus(-v)) + ((1 - t[i]) * DoubleMath.Softplus(v)))];
                return reduction switch { LossReduction.None => each, LossReduction.Sum => [each.Sum()], _ => [each.Average()] };
            },
            [GradCheck.Input(shape, 1, 6)],
            2e-5);
    }

    [Fact]
    public void Large_scores_do_not_overflow()
    {
        Tensor x = Tensor.From([1000, -1000, 1000, -1000, 0], [5]);
        Tensor t = Tensor.From([1, 0, 0, 1, 0.5f], [5]);
        Assert.Equal([0, 0, 1000, 1000, MathF.Log(2)], x.BinaryCrossEntropyWithLogits(t, null, LossReduction.None).ToArray());
    }

    [Fact]
    public void Shapes_that_do_not_fit_are_named()
    {
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).BinaryCrossEntropyWithLogits(Tensor.Zeros([3])));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).BinaryCrossEntropyWithLogits(Tensor.Zeros([2, 3]), Tensor.Zeros([4, 2, 3])));
    }

    [Fact]
    public void No_gradient_flows_into_the_targets()
    {
        (Tensor x, Tensor t) = (GradCheck.Input([4]), Tensor.Full([4], 0.5f));
        (x.RequiresGrad, t.RequiresGrad) = (true, true);
        x.BinaryCrossEntropyWithLogits(t).Backward();
        Assert.NotNull(x.Gradient);
        Assert.Null(t.Gradient);
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits() => SameBits.OnAnyThreads([[2, 97, 500]], x => x[0].BinaryCrossEntropyWithLogits(Tensor.Full([2, 97, 500], 0.25f)));

    [ReferenceFact]
    public void PyTorch_gives_the_same()
    {
        var golden = Golden.Reference("losses");
        Tensor x = golden.Tensor("in.bin.logits");
        x.RequiresGrad = true;
        Tensor loss = x.BinaryCrossEntropyWithLogits(golden.Tensor("in.bin.target"));
        TensorAssert.Close(golden.Tensor("bce"), loss, 1e-6);
        loss.Backward();
        TensorAssert.Close(golden.Tensor("bce_grad.0"), x.Gradient!, 1e-6);
    }
}
