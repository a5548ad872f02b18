using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class AdaptiveAvgPool2dTests
{
    [Theory]
    [InlineData(2, 7, 9, 5, 1, 1)]
    [InlineData(1, 13, 17, 64, 3, 4)]
    [InlineData(1, 6, 6, 37, 6, 6)]
    [InlineData(1, 3, 5, 11, 7, 8)] // larger than the input
    [InlineData(1, 1, 1, 3, 2, 1)]
    [InlineData(1, 40, 30, 200, 1, 1)] // few rows of many channels: the channels are shared out
    public void Values_and_gradients_match_the_plain_loops(int batch, int height, int width, int channels, int outputHeight, int outputWidth) => GradCheck.Run(
        t => t[0].AdaptiveAvgPool2d((outputHeight, outputWidth)),
        v => Reference(v[0], batch, height, width, channels, outputHeight, outputWidth),
        [GradCheck.Input([batch, height, width, channels])], directions: 1);

    [Fact]
    public void Bits_do_not_depend_on_threads()
    {
        KernelChecks.SameBitsOnAnyThreads(t => t[0].AdaptiveAvgPool2d(1), GradCheck.Input([2, 15, 17, 300]));
        KernelChecks.SameBitsOnAnyThreads(t => t[0].AdaptiveAvgPool2d((6, 3)), GradCheck.Input([3, 15, 17, 21]));
    }

    [Fact]
    public void Empty_batches_pass_and_mistakes_are_named()
    {
        Assert.Equal([0, 2, 3, 4], Tensor.Zeros([0, 5, 5, 4]).AdaptiveAvgPool2d((2, 3)).Shape);
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 5, 5, 4]).AdaptiveAvgPool2d(0));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 0, 5, 4]).AdaptiveAvgPool2d(1));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([5, 5, 4]).AdaptiveAvgPool2d(1));
    }

    private static double[] Reference(double[] x, int batch, int height, int width, int channels, int oh, int ow)
    {
        var y = new double[batch * oh * ow * channels];
        for (int i = 0; i < y.Length; i++)
        {
            (int c, int column, int row, int image) = (i % channels, i / channels % ow, i / channels / ow % oh, i / channels / ow / oh);
            int top = (int)Math.Floor((double)row * height / oh), bottom = (int)Math.Ceiling((row + 1.0) * height / oh);
            int left = (int)Math.Floor((double)column * width / ow), right = (int)Math.Ceiling((column + 1.0) * width / ow);
            for (int h = top; h < bottom; h++)
            {
                for (int w = left; w < right; w++) y[i] += x[((((image * height) + h) * width) + w) * channels + c] / ((bottom - top) * (right - left));
            }
        }
        return y;
    }
}
