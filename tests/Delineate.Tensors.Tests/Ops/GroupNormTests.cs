using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class GroupNormTests
{
    [Theory]
    [InlineData(2, 5, 4, 6, 3)]
    [InlineData(1, 3, 3, 32, 1)]
    [InlineData(3, 2, 7, 21, 7)]
    [InlineData(2, 3, 3, 5, 5)] // a group for each channel: instance norm
    [InlineData(1, 1, 1, 8, 2)]
    public void Values_and_gradients_match_the_plain_loops(int batch, int height, int width, int channels, int groups)
    {
        GradCheck.Run(
            t => t[0].GroupNorm(groups, t[1], t[2]),
            v => Reference(v[0], batch, channels, groups, v[1], v[2]),
            [GradCheck.Input([batch, height, width, channels]), GradCheck.Input([channels], 2), GradCheck.Input([channels], 3)], relative: 3e-4);
        GradCheck.Run(
            t => t[0].GroupNorm(groups),
            v => Reference(v[0], batch, channels, groups, [.. Enumerable.Repeat(1.0, channels)], new double[channels]),
            [GradCheck.Input([batch, height, width, channels])], relative: 3e-4);
    }

    [Fact]
    public void A_mean_far_above_the_deviation_costs_no_digits()
    {
        float[] x = [.. GradCheck.Input([2, 30, 30, 8]).ToArray().Select(v => 1000 + v)];
        double[] expected = Reference(Array.ConvertAll(x, v => (double)v), 2, 8, 2, [.. Enumerable.Repeat(1.0, 8)], new double[8]);
        TensorAssert.Close(expected, Tensor.From(x, [2, 30, 30, 8]).GroupNorm(2), 3e-6);
    }

    [Fact]
    public void Bits_do_not_depend_on_threads() => KernelChecks.SameBitsOnAnyThreads(
        t => t[0].GroupNorm(4, t[1], t[2]), GradCheck.Input([2, 40, 41, 64]), GradCheck.Input([64], 2), GradCheck.Input([64], 3));

    [Fact]
    public void Empty_batches_pass_and_mistakes_are_named()
    {
        Assert.Equal([0, 4, 4, 6], Tensor.Zeros([0, 4, 4, 6]).GroupNorm(3).Shape);
        Assert.Contains("4 groups", Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 6]).GroupNorm(4)).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 6]).GroupNorm(0));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([6]).GroupNorm(1));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 6]).GroupNorm(3, Tensor.Zeros([3])));
    }

    private static double[] Reference(double[] x, int batch, int channels, int groups, double[] weight, double[] bias)
    {
        int pixels = x.Length / batch / channels, size = channels / groups;
        double[] mean = new double[batch * groups], variance = new double[batch * groups];
        for (int i = 0; i < x.Length; i++) mean[Group(i)] += x[i] / (pixels * size);
        for (int i = 0; i < x.Length; i++) variance[Group(i)] += Math.Pow(x[i] - mean[Group(i)], 2) / (pixels * size);
        return [.. x.Select((v, i) => ((v - mean[Group(i)]) / Math.Sqrt(variance[Group(i)] + 1e-5f) * weight[i % channels]) + bias[i % channels])];

        int Group(int i) => (i / channels / pixels * groups) + (i % channels / size);
    }
}
