using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class MaxPool2dTests
{
    [Theory]
    [InlineData(2, 9, 8, 5, 3, 2, 1, 1, false)]
    [InlineData(1, 13, 17, 64, 3, 2, 1, 1, false)]
    [InlineData(1, 8, 8, 21, 2, 2, 0, 1, false)]
    [InlineData(2, 7, 9, 11, 2, 2, 0, 1, true)]
    [InlineData(1, 7, 5, 3, 2, 3, 0, 1, true)] // stride > kernel
    [InlineData(1, 1, 1, 37, 1, 1, 0, 1, false)]
    [InlineData(1, 11, 10, 4, 3, 1, 1, 2, false)]
    [InlineData(1, 12, 9, 7, 3, 2, 1, 3, true)]
    [InlineData(1, 20, 19, 2, 17, 2, 8, 1, false)] // 289 cells: too many for a byte
    [InlineData(1, 17, 16, 18, 16, 1, 8, 1, false)] // 256 cells: just enough for a byte
    [InlineData(1, 1, 6, 2, 3, 2, 1, 2, false)] // with dilation a window may miss the input in one direction
    public void Values_and_gradients_match_the_plain_loops(int batch, int height, int width, int channels, int kernel, int stride, int padding, int dilation, bool ceilMode)
    {
        if (height + (2 * padding) < (dilation * (kernel - 1)) + 1) return;
        // All values differ, so that no difference quotient meets a tie.
        var random = new Random(5);
        int[] order = [.. Enumerable.Range(0, batch * height * width * channels)];
        random.Shuffle(order);
        Tensor x = Tensor.From([.. order.Select(v => (v * 0.01f) - 3)], [batch, height, width, channels]);
        GradCheck.Run(
            t => t[0].MaxPool2d(kernel, stride, padding, dilation, ceilMode),
            v => Reference(v[0], batch, height, width, channels, kernel, stride, padding, dilation, ceilMode),
            [x]);
        TensorAssert.SameBits(
            Array.ConvertAll(Reference(Array.ConvertAll(x.ToArray(), v => (double)v), batch, height, width, channels, kernel, stride, padding, dilation, ceilMode), v => (float)v),
            x.Detach().MaxPool2d(kernel, stride, padding, dilation, ceilMode).Span, "values without a gradient");
    }

    [Fact]
    public void The_stride_is_the_kernel_unless_given_and_sizes_are_height_then_width()
    {
        Assert.Equal([1, 3, 2, 1], Tensor.Zeros([1, 6, 6, 1]).MaxPool2d((2, 3)).Shape);
        Assert.Equal([1, 3, 6, 1], Tensor.Zeros([1, 6, 6, 1]).MaxPool2d((2, 1), padding: (0, 0)).Shape);
        Assert.Equal([0, 3, 3, 4], Tensor.Zeros([0, 6, 6, 4]).MaxPool2d(2).Shape);
    }

    [Fact]
    public void The_first_of_equal_values_gets_the_gradient()
    {
        Tensor x = Tensor.Full([1, 2, 2, 1], 7);
        x.RequiresGrad = true;
        x.MaxPool2d(2).Backward();
        Assert.Equal([1f, 0, 0, 0], x.Gradient!.ToArray());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    public void NaN_wins_and_minus_infinity_has_a_place(int channels)
    {
        float[] values = [.. Enumerable.Range(0, 4 * channels).Select(i => (i / channels) switch { 1 => float.NaN, 2 => 5f, _ => 1f })];
        Tensor x = Tensor.From(values, [1, 2, 2, channels]);
        Assert.All(x.MaxPool2d(2).ToArray(), v => Assert.True(float.IsNaN(v)));
        x.RequiresGrad = true;
        Tensor y = x.MaxPool2d(2);
        Assert.All(y.ToArray(), v => Assert.True(float.IsNaN(v)));
        y.Backward(Tensor.Full(y.Shape, 1));
        Assert.All(x.Gradient!.Span[channels..(2 * channels)].ToArray(), g => Assert.Equal(1, g));

        Tensor low = Tensor.Full([1, 3, 3, channels], float.NegativeInfinity);
        low.RequiresGrad = true;
        Tensor lowest = low.MaxPool2d(3, 2, 1);
        Assert.All(lowest.ToArray(), v => Assert.Equal(float.NegativeInfinity, v));
        lowest.Backward(Tensor.Full(lowest.Shape, 1));
        Assert.Equal(lowest.Length, low.Gradient!.ToArray().Sum());
    }

    [Fact]
    public void Bits_do_not_depend_on_threads()
    {
        KernelChecks.SameBitsOnAnyThreads(t => t[0].MaxPool2d(3, 2, 1), GradCheck.Input([2, 33, 31, 21]));
        KernelChecks.SameBitsOnAnyThreads(t => t[0].MaxPool2d(2, 1), GradCheck.Input([1, 30, 31, 64]));
    }

    [Fact]
    public void Mistakes_are_named()
    {
        Tensor x = Tensor.Zeros([1, 4, 4, 2]);
        Assert.Contains("half the kernel", Assert.Throws<ShapeException>(() => x.MaxPool2d(2, 2, 2)).Message, StringComparison.Ordinal);
        string empty = Assert.Throws<ShapeException>(() => x.MaxPool2d(7, 1)).Message;
        Assert.Contains("4×4", empty, StringComparison.Ordinal);
        Assert.Contains("7×7", empty, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => x.MaxPool2d(2, 0));
        Assert.Throws<ShapeException>(() => x.MaxPool2d(0));
        Assert.Throws<ShapeException>(() => x.MaxPool2d(2, dilation: 0));
        Assert.Throws<ShapeException>(() => x.MaxPool2d(2, padding: -1));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([4, 4, 2]).MaxPool2d(2));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 0, 4, 2]).MaxPool2d(2, padding: 1));
    }

    private static double[] Reference(double[] x, int batch, int height, int width, int channels, int kernel, int stride, int padding, int dilation, bool ceilMode)
    {
        int oh = Window2dTests.Outputs(height, kernel, stride, padding, dilation, ceilMode), ow = Window2dTests.Outputs(width, kernel, stride, padding, dilation, ceilMode);
        var y = new double[batch * oh * ow * channels];
        Array.Fill(y, double.NegativeInfinity);
        for (int i = 0; i < y.Length; i++)
        {
            (int c, int column, int row, int image) = (i % channels, i / channels % ow, i / channels / ow % oh, i / channels / ow / oh);
            for (int k = 0; k < kernel * kernel; k++)
            {
                int h = (row * stride) - padding + (k / kernel * dilation), w = (column * stride) - padding + (k % kernel * dilation);
                if (h >= 0 && h < height && w >= 0 && w < width) y[i] = Math.Max(y[i], x[((((image * height) + h) * width) + w) * channels + c]);
            }
        }
        return y;
    }
}
