using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class ResizeNearestTests
{
    [Theory]
    [InlineData(2, 5, 7, 3, 10, 14)]
    [InlineData(1, 6, 5, 21, 17, 13)]
    [InlineData(1, 13, 17, 64, 4, 3)]
    [InlineData(1, 1, 1, 5, 6, 7)]
    [InlineData(1, 9, 9, 37, 9, 9)]
    public void Values_and_gradients_match_the_plain_loops(int batch, int height, int width, int channels, int outputHeight, int outputWidth) => GradCheck.Run(
        t => t[0].ResizeNearest(outputHeight, outputWidth),
        v => Reference(v[0], batch, height, width, channels, outputHeight, outputWidth, (double)height / outputHeight, (double)width / outputWidth),
        [GradCheck.Input([batch, height, width, channels])]);

    [Theory]
    [InlineData(2f)]
    [InlineData(1.5f)]
    [InlineData(0.4f)]
    public void A_scale_sets_the_places_itself(float scale)
    {
        (int height, int width) = ((int)(11 * scale), (int)(13 * scale));
        GradCheck.Run(t => t[0].ResizeNearest(scale), v => Reference(v[0], 1, 11, 13, 4, height, width, 1 / scale, 1 / scale), [GradCheck.Input([1, 11, 13, 4])]);
    }

    [Fact]
    public void Bits_do_not_depend_on_threads() => KernelChecks.SameBitsOnAnyThreads(t => t[0].ResizeNearest(37, 50), GradCheck.Input([2, 16, 19, 21]));

    [Fact]
    public void Empty_batches_pass_and_mistakes_are_named()
    {
        Assert.Equal([0, 8, 9, 3], Tensor.Zeros([0, 4, 4, 3]).ResizeNearest(8, 9).Shape);
        Assert.Contains("ResizeNearest", Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 3]).ResizeNearest(3, 0)).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 3]).ResizeNearest(0f));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 3]).ResizeNearest(like: Tensor.Zeros([8, 9])));
    }

    [Fact]
    public void Another_maps_size_is_taken()
    {
        Tensor x = Tensor.From([.. Enumerable.Range(0, 24).Select(i => (float)i)], [1, 4, 3, 2]);
        Assert.Equal(x.ResizeNearest(8, 5).ToArray(), x.ResizeNearest(like: Tensor.Zeros([3, 8, 5, 7])).ToArray());
    }

    private static double[] Reference(double[] x, int batch, int height, int width, int channels, int oh, int ow, double rowStep, double columnStep)
    {
        var y = new double[batch * oh * ow * channels];
        for (int i = 0; i < y.Length; i++)
        {
            (int c, int column, int row, int image) = (i % channels, i / channels % ow, i / channels / ow % oh, i / channels / ow / oh);
            int h = Math.Min((int)Math.Floor((row * rowStep) + 1e-6), height - 1), w = Math.Min((int)Math.Floor((column * columnStep) + 1e-6), width - 1);
            y[i] = x[((((image * height) + h) * width) + w) * channels + c];
        }
        return y;
    }
}
