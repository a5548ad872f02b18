using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class IndexingTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-1)]
    public void IndexSelect_takes_places_in_any_order_and_more_than_once(int axis)
    {
        Shape shape = [3, 4, 5];
        int place = shape.Axis(axis);
        int[] indices = [2, 0, 0, 1, 2];
        int inner = shape.Product(place + 1, 3);
        GradCheck.Run(
            x => x[0].IndexSelect(axis, indices),
            x => [.. Enumerable.Range(0, shape.Product(0, place)).SelectMany(o => indices.SelectMany(k => x[0].Skip(((o * shape[place]) + k) * inner).Take(inner)))],
            [GradCheck.Input(shape)]);
        Assert.Equal(shape.With(axis, 0), Tensor.Zeros(shape).IndexSelect(axis, []).Shape);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-1)]
    public void Gather_takes_one_place_for_every_element(int axis)
    {
        Shape shape = [3, 4, 5];
        int place = shape.Axis(axis);
        Shape result = shape.With(place, 2);
        int[] indices = [.. Enumerable.Range(0, result.Length).Select(i => i * 7 % shape[place])];
        GradCheck.Run(
            x => x[0].Gather(axis, indices),
            x => [.. Enumerable.Range(0, result.Length).Select(flat =>
            {
                int[] at = [flat / (result[1] * result[2]), flat / result[2] % result[1], flat % result[2]];
                at[place] = indices[flat];
                return x[0][(((at[0] * shape[1]) + at[1]) * shape[2]) + at[2]];
            })],
            [GradCheck.Input(shape)]);
        Assert.Equal(result, Tensor.Zeros(shape).Gather(axis, indices).Shape);
    }

    [Fact]
    public void Indices_that_are_not_there_are_named()
    {
        string message = Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([2, 3]).IndexSelect(1, [0, 3])).Message;
        Assert.Contains("index 1 is 3", message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([2, 3]).Gather(1, [0, -1]));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).Gather(1, [0, 1, 2]));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).IndexSelect(2, [0]));
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits()
    {
        int[] indices = [.. Enumerable.Range(0, 300).Select(i => i * 31 % 90)];
        SameBits.OnAnyThreads([[4, 90, 200]], x => x[0].IndexSelect(1, indices));
    }
}
