using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class ShapeTests
{
    [Fact]
    public void A_shape_knows_its_rank_its_length_and_its_axes()
    {
        Shape shape = [2, 3, 5];
        Assert.Equal((3, 30), (shape.Rank, shape.Length));
        Assert.Equal((2, 5, 2, 5, 2), (shape[0], shape[2], shape[-3], shape[-1], shape[^3]));
        Assert.Equal((1, 6, 15), (shape.Product(1, 1), shape.Product(0, 2), shape.Product(1, 3)));
        Assert.Equal("[2, 3, 5]", shape.ToString());
        Assert.Equal([2, 3, 5], shape.ToArray());
        Assert.Equal(10, shape.Sum());
    }

    [Fact]
    public void A_scalar_has_no_axes_and_one_element()
    {
        Shape scalar = [];
        Assert.Equal((0, 1), (scalar.Rank, scalar.Length));
        Assert.Equal(scalar, default(Shape));
        Assert.Equal(1, default(Shape).Length);
        Assert.Equal("[]", scalar.ToString());
    }

    [Fact]
    public void Equal_sizes_are_equal_shapes()
    {
        Shape a = [2, 3];
        Shape b = [2, 3];
        Assert.True(a == b && a.Equals((object)b) && a.GetHashCode() == b.GetHashCode());
        Assert.True(a != [3, 2] && a != [2, 3, 1] && !a.Equals("[2, 3]"));
    }

    [Fact]
    public void Changing_the_copy_leaves_the_shape()
    {
        Shape shape = [2, 3];
        shape.ToArray()[0] = 7;
        Assert.Equal([2, 9], shape.With(-1, 9));
        Assert.Equal([2, 3], shape);
    }

    [Fact]
    public void Axes_that_are_not_there_are_named()
    {
        Shape shape = [2, 3];
        foreach (Func<int> wrong in new Func<int>[] { () => shape[2], () => shape[-3], () => shape[^3], () => shape[^0], () => default(Shape)[0], () => shape.Axis(5) })
        {
            Assert.Contains("has no axis", Assert.Throws<ShapeException>(() => { wrong(); }).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Impossible_sizes_are_refused()
    {
        Assert.Contains("negative", Assert.Throws<ShapeException>(() => Shape.Of([2, -1])).Message, StringComparison.Ordinal);
        Assert.Contains("more elements", Assert.Throws<ShapeException>(() => Shape.Of([65536, 65536])).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Shape.Of([int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue]));
        Assert.Equal(0, Shape.Of([0, int.MaxValue]).Length);
    }
}
