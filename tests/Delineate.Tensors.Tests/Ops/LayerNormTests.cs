using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class LayerNormTests
{
    [Theory]
    [InlineData(new[] { 2, 3, 4, 17 }, 1)]
    [InlineData(new[] { 5, 64 }, 1)]
    [InlineData(new[] { 3, 4, 5, 6 }, 3)]
    [InlineData(new[] { 96, 37 }, 1)]
    [InlineData(new[] { 7 }, 1)]
    public void Values_and_gradients_match_the_plain_loops(int[] sizes, int axes)
    {
        Shape shape = Shape.Of(sizes), end = Shape.Of(sizes.AsSpan()[^axes..]);
        GradCheck.Run(
            t => t[0].LayerNorm(t[1], t[2]),
            v => Reference(v[0], v[1], v[2]),
            [GradCheck.Input(shape), GradCheck.Input(end, 2), GradCheck.Input(end, 3)], relative: 3e-4);
        GradCheck.Run(
            t => t[0].LayerNorm(),
            v => Reference(v[0], [.. Enumerable.Repeat(1.0, shape[-1])], new double[shape[-1]]),
            [GradCheck.Input(shape)], relative: 3e-4);
    }

    [Fact]
    public void A_mean_far_above_the_deviation_costs_no_digits()
    {
        float[] x = [.. GradCheck.Input([4, 1000]).ToArray().Select(v => 1000 + v)];
        x[0] = -500;
        double[] expected = Reference(Array.ConvertAll(x, v => (double)v), [.. Enumerable.Repeat(1.0, 1000)], new double[1000]);
        Tensor y = Tensor.From(x, [4, 1000]).LayerNorm();
        for (int i = 1; i < x.Length; i++) Assert.True(Math.Abs(expected[i] - y.Span[i]) < 1e-4, $"{i}: {expected[i]:G9} and {y.Span[i]:G9}");
    }

    [Fact]
    public void Bits_do_not_depend_on_threads() => KernelChecks.SameBitsOnAnyThreads(
        t => t[0].LayerNorm(t[1], t[2]), GradCheck.Input([900, 70]), GradCheck.Input([70], 2), GradCheck.Input([70], 3));

    [Fact]
    public void Empty_batches_pass_and_mistakes_are_named()
    {
        Tensor empty = Tensor.Zeros([0, 4]), weight = Tensor.Full([4], 1);
        (empty.RequiresGrad, weight.RequiresGrad) = (true, true);
        Tensor y = empty.LayerNorm(weight);
        y.Backward(Tensor.Empty([0, 4]));
        Assert.Equal([0f, 0, 0, 0], weight.Gradient!.ToArray());
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 4]).LayerNorm(Tensor.Zeros([3])));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 4]).LayerNorm(Tensor.Zeros([4]), Tensor.Zeros([2, 4])));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([4]).LayerNorm(Tensor.Zeros([2, 4])));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([]).LayerNorm());
    }

    private static double[] Reference(double[] x, double[] weight, double[] bias)
    {
        int length = weight.Length;
        return [.. x.Chunk(length).SelectMany(row =>
        {
            double mean = row.Average(), variance = row.Average(v => (v - mean) * (v - mean));
            return row.Select((v, i) => ((v - mean) / Math.Sqrt(variance + 1e-5f) * weight[i]) + bias[i]);
        })];
    }
}
