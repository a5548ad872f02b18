using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class PermuteTests
{
    public static TheoryData<int[], int[]> Cases => new()
    {
        { [2, 3, 5, 7], [0, 3, 1, 2] },
        { [2, 7, 3, 5], [0, 2, 3, 1] },
        { [2, 3, 5, 7], [3, 2, 1, 0] },
        { [2, 3, 5, 7], [1, 0, 2, 3] },
        { [2, 3, 5, 7], [0, 2, 1, 3] },
        { [2, 3, 5, 7], [2, 3, 0, 1] },
        { [2, 3, 5, 7], [1, 3, 0, 2] },
        { [2, 3, 5, 7], [0, 1, -1, -2] },
        { [40, 50], [1, 0] },
        { [1, 5, 1, 3], [2, 3, 0, 1] },
        { [3, 1, 4], [1, 0, 2] },
        { [5], [0] },
        { [], [] },
        { [2, 0, 3], [2, 1, 0] },
        { [2, 3, 2, 3, 2], [4, 1, 3, 0, 2] },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_order_moves_every_value(int[] sizes, int[] axes)
    {
        Shape shape = Shape.Of(sizes);
        int[] order = [.. axes.Select(shape.Axis)];
        GradCheck.Run(x => x[0].Permute(axes), x => Reference(x[0], shape, order), [GradCheck.Input(shape)]);
        Assert.Equal(order.Select(a => sizes[a]), GradCheck.Input(shape).Permute(axes).Shape);
    }

    [Fact]
    public void Every_order_of_four_axes_and_back_is_the_identity()
    {
        Tensor x = GradCheck.Input([3, 4, 17, 18]);
        for (int code = 0; code < 256; code++)
        {
            int[] order = [code & 3, (code >> 2) & 3, (code >> 4) & 3, code >> 6];
            if (order.Distinct().Count() < 4) continue;
            int[] back = [.. Enumerable.Range(0, 4).Select(i => Array.IndexOf(order, i))];
            TensorAssert.SameBits(x.Span, x.Permute(order).Permute(back).Span);
            TensorAssert.Close(Reference(Array.ConvertAll(x.ToArray(), v => (double)v), x.Shape, order), x.Permute(order));
        }
    }

    [Theory]
    [InlineData(new[] { 0, 1 })]
    [InlineData(new[] { 0, 1, 1 })]
    [InlineData(new[] { 0, 1, 2, 3 })]
    public void Orders_that_miss_an_axis_are_refused(int[] axes) =>
        Assert.Contains("each of its 3 axes", Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3, 4]).Permute(axes)).Message, StringComparison.Ordinal);

    [Fact]
    public void One_thread_and_two_give_the_same_bits() => SameBits.OnAnyThreads([[2, 97, 89, 19]], x => x[0].Permute(0, 3, 1, 2));

    private static double[] Reference(double[] x, Shape shape, int[] order)
    {
        var y = new double[x.Length];
        for (int flat = 0; flat < y.Length; flat++)
        {
            (int rest, int place) = (flat, 0);
            for (int i = order.Length - 1; i >= 0; i--)
            {
                (rest, int index) = Math.DivRem(rest, shape[order[i]]);
                place += index * shape.Product(order[i] + 1, shape.Rank);
            }
            y[flat] = x[place];
        }
        return y;
    }
}
