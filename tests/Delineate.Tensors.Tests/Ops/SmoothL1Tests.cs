using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class SmoothL1Tests
{
    [Theory]
    [InlineData(1f, LossReduction.Mean)]
    [InlineData(1f / 9, LossReduction.Sum)]
    [InlineData(0.3f, LossReduction.None)]
    [InlineData(0f, LossReduction.Sum)]
    public void Values_and_gradients_match_the_plain_loops(float beta, LossReduction reduction)
    {
        for (int length = 1; length <= 257; length += length < 70 ? 1 : 37)
        {
            Tensor target = Tensor.From([.. Enumerable.Range(0, length).Select(i => i % 5 * 0.25f)], [length]);
            // Away from both kinks, the target and beta on either side of it.
            Tensor x = Tensor.From([.. target.ToArray().Select((t, i) => t + ((i % 2 == 0 ? 1 : -1) * (i % 3 == 0 ? (beta * 0.4f) + 0.02f : beta + 0.3f + (0.01f * i))))], [length]);
            GradCheck.Run(v => v[0].SmoothL1Loss(target, beta, reduction), v => Reference(v[0], target, beta, reduction), [x]);
            GradCheck.Run(v => v[0].L1Loss(target, reduction), v => Reference(v[0], target, 0, reduction), [x]);
        }
    }

    [Fact]
    public void Where_both_are_equal_the_gradient_is_0_and_at_beta_it_is_1()
    {
        Tensor x = Tensor.From([2, 2.5f, 1.5f, 3, float.NaN], [5]), target = Tensor.Full([5], 2);
        x.RequiresGrad = true;
        target.RequiresGrad = true;
        x.L1Loss(target, LossReduction.None).Backward(Tensor.Full([5], 1));
        Assert.Equal([0, 1, -1, 1, float.NaN], x.Gradient!.ToArray());
        x.ZeroGrad();
        x.SmoothL1Loss(target, 0.5f, LossReduction.None).Backward(Tensor.Full([5], 1));
        Assert.Equal([0, 1, -1, 1, float.NaN], x.Gradient!.ToArray());
        Assert.Null(target.Gradient);
    }

    [Fact]
    public void The_sum_of_nothing_is_0_and_its_mean_is_NaN()
    {
        Tensor x = Tensor.Zeros([0, 4]);
        x.RequiresGrad = true;
        Tensor sum = x.SmoothL1Loss(Tensor.Zeros([0, 4]), 1, LossReduction.Sum);
        sum.Backward();
        Assert.Equal(0, sum.Item());
        Assert.Equal([0, 4], x.Gradient!.Shape);
        Assert.True(float.IsNaN(x.L1Loss(Tensor.Zeros([0, 4])).Item()));
    }

    [Fact]
    public void Mistakes_are_named()
    {
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 4]).SmoothL1Loss(Tensor.Zeros([4]), 1));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 4]).L1Loss(Tensor.Zeros([4, 2])));
        Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([2]).SmoothL1Loss(Tensor.Zeros([2]), -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([2]).SmoothL1Loss(Tensor.Zeros([2]), float.NaN));
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits() => SameBits.OnAnyThreads([[97, 1000]], x => x[0].SmoothL1Loss(Tensor.Full([97, 1000], 0.25f), 0.5f));

    [ReferenceFact]
    public void PyTorch_gives_the_same()
    {
        var golden = Golden.Reference("losses");
        Tensor x = golden.Tensor("in.pair.a"), target = golden.Tensor("in.pair.b");
        Check("pair.smooth_l1", x => x.SmoothL1Loss(target, 1f / 9, LossReduction.Sum));
        Check("pair.l1", x => x.L1Loss(target));

        void Check(string name, Func<Tensor, Tensor> loss)
        {
            Tensor leaf = x.Clone();
            leaf.RequiresGrad = true;
            Tensor y = loss(leaf);
            TensorAssert.Close(golden.Tensor(name), y, 1e-6);
            y.Backward();
            if (golden.Has($"{name}_grad.0")) TensorAssert.Close(golden.Tensor($"{name}_grad.0"), leaf.Gradient!, 1e-6);
        }
    }

    private static double[] Reference(double[] x, Tensor target, float beta, LossReduction reduction)
    {
        double[] each = [.. x.Zip(target.ToArray(), (v, t) => Math.Abs(v - t)).Select(d => d < beta ? d * d / (2 * beta) : d - (beta / 2))];
        return reduction switch { LossReduction.Mean => [each.Average()], LossReduction.Sum => [each.Sum()], _ => each };
    }
}
