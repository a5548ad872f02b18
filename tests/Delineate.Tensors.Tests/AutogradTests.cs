using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class AutogradTests
{
    private static Tensor Leaf(params float[] values)
    {
        Tensor leaf = Tensor.From(values, [values.Length]);
        leaf.RequiresGrad = true;
        return leaf;
    }

    [Fact]
    public void A_leaf_used_twice_gets_both_gradients()
    {
        Tensor x = Leaf(2, 3);
        (x * x).Sum().Backward();
        Assert.Equal([4, 6], x.Gradient!.ToArray());
        Tensor z = Leaf(2, 3);
        (z + z).Sum().Backward();
        Assert.Equal([2, 2], z.Gradient!.ToArray());
    }

    [Fact]
    public void An_input_shared_by_two_ops_gets_the_sum()
    {
        Tensor x = Leaf(2, 3);
        Tensor shared = x * 2;
        ((shared * 3).Sum() + (shared * shared).Sum()).Backward();
        Assert.Equal([6 + (8 * 2), 6 + (8 * 3)], x.Gradient!.ToArray());
    }

    [Fact]
    public void A_diamond_is_walked_once_for_each_op()
    {
        // A chain of diamonds has 2ⁿ paths: walked path by path this would not end.
        Tensor x = Leaf(1);
        Tensor y = x;
        for (int i = 0; i < 60; i++) y = (y + y) * 0.5f;
        y.Sum().Backward();
        Assert.Equal([1], x.Gradient!.ToArray());
    }

    [Fact]
    public void A_residual_sum_gives_each_branch_the_whole_gradient_and_shares_no_memory()
    {
        Tensor a = Leaf(1, 2);
        Tensor b = Leaf(3, 4);
        (a + b).Backward(Tensor.From([5, 6], [2]));
        Assert.Equal([5, 6], a.Gradient!.ToArray());
        Assert.Equal([5, 6], b.Gradient!.ToArray());
        a.Gradient.Span[0] = 100;
        Assert.Equal(5, b.Gradient.Span[0]);
    }

    [Fact]
    public void A_long_chain_does_not_overflow_the_stack()
    {
        Tensor x = Leaf(1);
        Tensor y = x;
        for (int i = 0; i < 50_000; i++) y += 1;
        y.Sum().Backward();
        Assert.Equal([1], x.Gradient!.ToArray());
    }

    [Fact]
    public void Gradients_add_up_over_two_passes_until_they_are_zeroed()
    {
        Tensor x = Leaf(1, 2);
        (x * 3).Sum().Backward();
        (x * 4).Sum().Backward();
        Assert.Equal([7, 7], x.Gradient!.ToArray());
        x.ZeroGrad();
        Assert.Null(x.Gradient);
        (x * 5).Sum().Backward();
        Assert.Equal([5, 5], x.Gradient!.ToArray());
    }

    [Fact]
    public void A_second_walk_of_the_same_tape_is_refused()
    {
        Tensor x = Leaf(1, 2);
        Tensor hidden = x * 3;
        Tensor loss = hidden.Sum();
        loss.Backward();
        Assert.Contains("forward pass again", Assert.Throws<InvalidOperationException>(loss.Backward).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => (hidden * 2).Sum().Backward());
        Assert.Equal([3, 3], x.Gradient!.ToArray());
    }

    [Fact]
    public void Nothing_is_recorded_within_NoGrad()
    {
        Tensor x = Leaf(1, 2);
        using (Autograd.NoGrad())
        {
            Assert.False(Autograd.IsEnabled);
            using (Autograd.NoGrad()) Assert.Null((x * 3).Node);
            Assert.False(Autograd.IsEnabled);
            Assert.Null((x * 3).Node);
        }
        Assert.True(Autograd.IsEnabled);
        Assert.NotNull((x * 3).Node);
    }

    [Fact]
    public void NoGrad_holds_for_its_own_thread()
    {
        using (Autograd.NoGrad())
        {
            bool enabled = false;
            var thread = new Thread(() => enabled = Autograd.IsEnabled);
            thread.Start();
            thread.Join();
            Assert.True(enabled);
        }
    }

    [Fact]
    public void Ops_on_tensors_without_gradients_are_not_recorded() => Assert.Null((Tensor.Zeros([2]) + Tensor.Zeros([2])).Node);

    [Fact]
    public void Detach_cuts_the_tape()
    {
        Tensor x = Leaf(2, 3);
        ((x * 2).Detach() * x).Sum().Backward();
        Assert.Equal([4, 6], x.Gradient!.ToArray());
    }

    [Fact]
    public void Gradients_flow_through_views()
    {
        Tensor x = Leaf(1, 2, 3, 4);
        Tensor view = x.Reshape(2, 2);
        ((view * 2).Sum() + (view.Reshape(4) * Tensor.From([1, 10, 100, 1000], [4])).Sum()).Backward();
        Assert.Equal([3, 12, 102, 1002], x.Gradient!.ToArray());
        Tensor y = Leaf(1, 2);
        y.Reshape(2, 1).Backward(Tensor.From([5, 6], [2, 1]));
        Assert.Equal([5, 6], y.Gradient!.ToArray());
    }

    [Fact]
    public void A_leaf_can_be_the_root()
    {
        Tensor x = Leaf(3);
        x.Backward();
        x.Backward(Tensor.From([4], [1]));
        Assert.Equal([5], x.Gradient!.ToArray());
        Tensor.Scalar(1).Backward();
    }

    [Fact]
    public void The_callers_gradient_stays_the_callers()
    {
        Tensor gradient = Tensor.From([1, 2], [2]);
        Tensor x = Leaf(3, 4);
        for (int i = 0; i < 3; i++) (x + 1).Backward(gradient);
        x.Backward(gradient);
        Assert.Equal([1, 2], gradient.ToArray());
        Assert.Equal([4, 8], x.Gradient!.ToArray());
        x.Gradient.Span.Clear();
        Assert.Equal([1, 2], gradient.ToArray());
    }

    [Fact]
    public void Starts_of_the_wrong_shape_are_named()
    {
        Assert.Contains("[2]", Assert.Throws<ShapeException>(() => (Leaf(1, 2) * 2).Backward()).Message, StringComparison.Ordinal);
        string message = Assert.Throws<ShapeException>(() => (Leaf(1, 2) * 2).Backward(Tensor.Zeros([3]))).Message;
        Assert.Contains("[2]", message, StringComparison.Ordinal);
        Assert.Contains("[3]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_deep_expression_has_the_gradient_of_its_formula() =>
        GradCheck.Run(
            x => ((x[0] * x[1]).Tanh() + (x[0] / (x[1] + 3)).Sigmoid()) * x[0],
            x => [.. x[0].Zip(x[1], (a, b) => (Math.Tanh(a * b) + (1 / (1 + Math.Exp(-a / (b + 3))))) * a)],
            [GradCheck.Input([3, 4], 1), GradCheck.Input([3, 4], 2)]);
}
