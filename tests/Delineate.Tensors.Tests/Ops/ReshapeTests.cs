using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class ReshapeTests
{
    [Fact]
    public void The_order_stays_and_one_size_can_be_left_open()
    {
        Tensor x = Tensor.From([1, 2, 3, 4, 5, 6], [2, 3]);
        Assert.Equal([3, 2], x.Reshape(3, 2).Shape);
        Assert.Equal([3, 2], x.Reshape([3, -1]).Shape);
        Assert.Equal([6], x.Reshape(-1).Shape);
        Assert.Equal([1, 6, 1], x.Reshape(Shape.Of([1, 6, 1])).Shape);
        Assert.Equal(x.ToArray(), x.Reshape(3, 2).ToArray());
        Assert.Equal(0, Tensor.Scalar(1).Reshape(1).Reshape([]).Shape.Rank);
        Assert.Equal([0, 4], Tensor.Zeros([2, 0]).Reshape(-1, 4).Shape);
        x.Reshape(6).Span[0] = 9; // a view, not a copy
        Assert.Equal(9, x.Span[0]);
    }

    [Fact]
    public void Gradients_take_the_old_shape() => GradCheck.Run(x => x[0].Reshape(4, -1) * 2, x => Array.ConvertAll(x[0], v => 2 * v), [GradCheck.Input([2, 3, 4])]);

    [Fact]
    public void Counts_that_differ_are_named()
    {
        string message = Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).Reshape(4, 2)).Message;
        Assert.Contains("[2, 3]", message, StringComparison.Ordinal);
        Assert.Contains("[4, 2]", message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).Reshape(4, -1));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).Reshape(-1, -1));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).Reshape(-1, 0));
    }
}
