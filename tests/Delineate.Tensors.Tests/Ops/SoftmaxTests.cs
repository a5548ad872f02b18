using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class SoftmaxTests
{
    [Theory]
    [InlineData(new[] { 1 }, 0)]
    [InlineData(new[] { 5, 1 }, -1)]
    [InlineData(new[] { 5, 2 }, -1)]
    [InlineData(new[] { 2, 3, 5, 7 }, -1)]
    [InlineData(new[] { 2, 3, 5, 8 }, 3)]
    [InlineData(new[] { 2, 3, 5, 21 }, -1)]
    [InlineData(new[] { 3, 5, 7 }, 1)]
    [InlineData(new[] { 3, 5, 7 }, 0)]
    [InlineData(new[] { 0, 4 }, -1)]
    [InlineData(new[] { 4, 0 }, -1)]
    public void Values_and_gradients_are_the_references(int[] sizes, int axis)
    {
        Shape shape = Shape.Of(sizes);
        GradCheck.Run(x => x[0].Softmax(axis), x => Along(x[0], shape, axis, isLog: false), [GradCheck.Input(shape, 1, 4)], 1e-5);
        GradCheck.Run(x => x[0].LogSoftmax(axis), x => Along(x[0], shape, axis, isLog: true), [GradCheck.Input(shape, 1, 4)], 1e-5);
    }

    [Fact]
    public void Every_length_of_row_and_every_number_of_rows_gives_the_reference_values()
    {
        for (int length = 1; length <= 70; length++)
        {
            for (int rows = 1; rows <= 3; rows++)
            {
                Tensor x = GradCheck.Input([rows, length], length, 5);
                double[] values = Array.ConvertAll(x.ToArray(), v => (double)v);
                TensorAssert.Close(Along(values, x.Shape, 1, isLog: false), x.Softmax(), 1e-6, $"softmax of {length}");
                TensorAssert.Close(Along(values, x.Shape, 1, isLog: true), x.LogSoftmax(), 1e-6, $"log softmax of {length}");
            }
        }
    }

    [Fact]
    public void Large_scores_do_not_overflow()
    {
        Tensor x = Tensor.From([1e30f, -1e30f, 0, 1000, 1000, 999], [2, 3]);
        TensorAssert.Close([1, 0, 0, 0.422319, 0.422319, 0.155362], x.Softmax(), 1e-6);
        Assert.Equal([0, -1e30f * 2, -1e30f], x.LogSoftmax().ToArray()[..3]);
        TensorAssert.Close([-0.861995, -0.861995, -1.861995], x.LogSoftmax().Span[3..], 1e-6);
    }

    [Fact]
    public void Excluded_scores_get_nothing_and_NaN_goes_through()
    {
        float inf = float.PositiveInfinity;
        Assert.Equal([0, 1, 0], Tensor.From([-inf, 3, -inf], [3]).Softmax().ToArray());
        Tensor y = Tensor.From([1, float.NaN, 2, 1, 1, 1], [2, 3]).Softmax();
        Assert.All(y.ToArray()[..3], v => Assert.True(float.IsNaN(v)));
        Assert.All(y.ToArray()[3..], v => Assert.Equal(1 / 3f, v, 1e-7f));
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits()
    {
        SameBits.OnAnyThreads([[2, 90, 95, 21]], x => x[0].Softmax());
        SameBits.OnAnyThreads([[2, 90, 95, 11]], x => x[0].LogSoftmax());
    }

    [ReferenceFact]
    public void PyTorch_gives_the_same()
    {
        var golden = Golden.Reference("ops");
        Tensor x = golden.ChannelsLast("softmax.in0");
        x.RequiresGrad = true;
        Tensor y = x.Softmax();
        TensorAssert.Close(golden.ChannelsLast("softmax.y"), y, 1e-6);
        y.Backward(golden.ChannelsLast("softmax.gy"));
        TensorAssert.Close(golden.ChannelsLast("softmax.g0"), x.Gradient!, 1e-6);
    }

    private static double[] Along(double[] x, Shape shape, int axis, bool isLog)
    {
        int place = shape.Axis(axis);
        int inner = shape.Product(place + 1, shape.Rank);
        var y = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            int start = i - (i / inner % shape[place] * inner);
            double most = Enumerable.Range(0, shape[place]).Max(k => x[start + (k * inner)]);
            double sum = Enumerable.Range(0, shape[place]).Sum(k => Math.Exp(x[start + (k * inner)] - most));
            y[i] = isLog ? x[i] - most - Math.Log(sum) : Math.Exp(x[i] - most) / sum;
        }
        return y;
    }
}
