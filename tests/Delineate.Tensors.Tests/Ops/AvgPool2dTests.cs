using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class AvgPool2dTests
{
    [Theory]
    [InlineData(2, 9, 8, 5, 3, 2, 1, false)]
    [InlineData(1, 13, 17, 64, 3, 2, 1, true)]
    [InlineData(2, 7, 9, 11, 2, 2, 0, true)]
    [InlineData(1, 7, 5, 3, 2, 3, 1, true)]
    [InlineData(1, 1, 1, 37, 1, 1, 0, false)]
    [InlineData(1, 8, 6, 21, 5, 1, 2, false)]
    public void Values_and_gradients_match_the_plain_loops(int batch, int height, int width, int channels, int kernel, int stride, int padding, bool ceilMode)
    {
        foreach (bool countIncludePad in new[] { true, false })
        {
            GradCheck.Run(
                t => t[0].AvgPool2d(kernel, stride, padding, ceilMode, countIncludePad),
                v => Reference(v[0], batch, height, width, channels, kernel, stride, padding, ceilMode, countIncludePad),
                [GradCheck.Input([batch, height, width, channels])]);
        }
    }

    [Fact]
    public void Cells_beyond_the_padding_never_count()
    {
        // Width 3, kernel 2, ceil mode: the second window has one cell on the input and one beyond everything.
        Tensor y = Tensor.From([1, 2, 5], [1, 1, 3, 1]).AvgPool2d((1, 2), ceilMode: true);
        Assert.Equal([1.5f, 5f], y.ToArray());
        Tensor padded = Tensor.From([1, 2, 5], [1, 1, 3, 1]).AvgPool2d((1, 2), 2, (0, 1), ceilMode: true);
        Assert.Equal([0.5f, 3.5f], padded.ToArray());
    }

    [Fact]
    public void Bits_do_not_depend_on_threads() => KernelChecks.SameBitsOnAnyThreads(t => t[0].AvgPool2d(3, 2, 1), GradCheck.Input([2, 33, 31, 21]));

    [Fact]
    public void Mistakes_are_named()
    {
        Assert.Contains("AvgPool2d", Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 2]).AvgPool2d(5)).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 2]).AvgPool2d(3, 1, 2));
        Assert.Equal([0, 2, 2, 2], Tensor.Zeros([0, 4, 4, 2]).AvgPool2d(2).Shape);
    }

    private static double[] Reference(double[] x, int batch, int height, int width, int channels, int kernel, int stride, int padding, bool ceilMode, bool countIncludePad)
    {
        int oh = Window2dTests.Outputs(height, kernel, stride, padding, 1, ceilMode), ow = Window2dTests.Outputs(width, kernel, stride, padding, 1, ceilMode);
        var y = new double[batch * oh * ow * channels];
        for (int i = 0; i < y.Length; i++)
        {
            (int c, int column, int row, int image) = (i % channels, i / channels % ow, i / channels / ow % oh, i / channels / ow / oh);
            int counted = 0;
            for (int k = 0; k < kernel * kernel; k++)
            {
                int h = (row * stride) - padding + (k / kernel), w = (column * stride) - padding + (k % kernel);
                bool inside = h >= 0 && h < height && w >= 0 && w < width;
                if (inside) y[i] += x[((((image * height) + h) * width) + w) * channels + c];
                if (inside || (countIncludePad && h < height + padding && w < width + padding)) counted++;
            }
            y[i] /= counted;
        }
        return y;
    }
}
