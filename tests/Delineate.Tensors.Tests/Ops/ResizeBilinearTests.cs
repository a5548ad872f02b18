using Delineate.Tensors.Kernels;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class ResizeBilinearTests
{
    [Theory]
    [InlineData(2, 5, 7, 3, 40, 56)]
    [InlineData(1, 6, 5, 21, 48, 40)]
    [InlineData(1, 6, 5, 64, 9, 11)]
    [InlineData(1, 13, 17, 11, 4, 3)] // down: inputs that no output reads get a gradient of zero
    [InlineData(1, 1, 1, 5, 6, 7)]
    [InlineData(1, 7, 8, 16, 1, 1)]
    [InlineData(1, 9, 9, 37, 9, 9)]
    [InlineData(1, 40, 3, 2, 41, 3)]
    public void Values_and_gradients_match_the_plain_loops(int batch, int height, int width, int channels, int outputHeight, int outputWidth)
    {
        foreach (bool alignCorners in new[] { false, true })
        {
            GradCheck.Run(
                t => t[0].ResizeBilinear(outputHeight, outputWidth, alignCorners),
                v => Reference(v[0], batch, height, width, channels, outputHeight, outputWidth, alignCorners, null),
                [GradCheck.Input([batch, height, width, channels])], directions: 2);
        }
    }

    [Theory]
    [InlineData(2f)]
    [InlineData(1.5f)]
    [InlineData(0.4f)]
    [InlineData(1.3f)]
    public void A_scale_sets_the_places_itself(float scale)
    {
        (int height, int width) = ((int)(11 * scale), (int)(13 * scale));
        Tensor x = GradCheck.Input([1, 11, 13, 4]);
        GradCheck.Run(t => t[0].ResizeBilinear(scale), v => Reference(v[0], 1, 11, 13, 4, height, width, false, scale), [x]);
        Assert.Equal([1, height, width, 4], x.Detach().ResizeBilinear(scale).Shape);
    }

    [Fact]
    public void A_map_can_take_its_size_from_another()
    {
        Tensor x = Tensor.From([1, 2, 3, 4], [1, 2, 2, 1]);
        Assert.Equal(x.ResizeBilinear(3, 5).ToArray(), x.ResizeBilinear(like: Tensor.Zeros([7, 3, 5, 2])).ToArray());
        Assert.Equal(x.ResizeBilinear(3, 5, alignCorners: true).ToArray(), x.ResizeBilinear(like: Tensor.Zeros([7, 3, 5, 2]), alignCorners: true).ToArray());
    }

    [Fact]
    public void The_same_size_gives_the_same_bits()
    {
        Tensor x = GradCheck.Input([2, 5, 6, 7]);
        TensorAssert.SameBits(x.Span, x.ResizeBilinear(5, 6).Span);
        TensorAssert.SameBits(x.Span, x.ResizeBilinear(5, 6, alignCorners: true).Span);
    }

    [Fact]
    public void Results_larger_than_the_caches_have_the_bits_of_small_ones()
    {
        Tensor one = GradCheck.Input([1, 30, 40, 16]);
        Tensor many = Tensor.Empty([8, 30, 40, 16]);
        for (int i = 0; i < 8; i++) one.Span.CopyTo(many.Span[(i * one.Length)..]);
        Tensor small = one.ResizeBilinear(200, 260), large = many.ResizeBilinear(200, 260);
        Assert.True(large.Length >= LaneLoop.PastCaches && small.Length < LaneLoop.PastCaches);
        TensorAssert.SameBits(small.Span, large.Span[^small.Length..]);
    }

    [Fact]
    public void Bits_do_not_depend_on_threads()
    {
        KernelChecks.SameBitsOnAnyThreads(t => t[0].ResizeBilinear(64, 72), GradCheck.Input([2, 8, 9, 21]));
        KernelChecks.SameBitsOnAnyThreads(t => t[0].ResizeBilinear(20, 21), GradCheck.Input([2, 50, 49, 11]));
    }

    [Fact]
    public void Empty_batches_pass_and_mistakes_are_named()
    {
        Assert.Equal([0, 8, 9, 3], Tensor.Zeros([0, 4, 4, 3]).ResizeBilinear(8, 9).Shape);
        Assert.Contains("ResizeBilinear", Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 3]).ResizeBilinear(0, 9)).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 0, 3]).ResizeBilinear(2, 2));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([4, 4, 3]).ResizeBilinear(2, 2));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 3]).ResizeBilinear(0.1f));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 3]).ResizeBilinear(float.NaN));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 4, 4, 3]).ResizeBilinear(-2f));
    }

    private static double[] Reference(double[] x, int batch, int height, int width, int channels, int oh, int ow, bool alignCorners, float? scale)
    {
        var y = new double[batch * oh * ow * channels];
        for (int i = 0; i < y.Length; i++)
        {
            (int c, int column, int row, int image) = (i % channels, i / channels % ow, i / channels / ow % oh, i / channels / ow / oh);
            double h = Place(row, height, oh), w = Place(column, width, ow);
            (int top, int left) = (Math.Min((int)h, height - 1), Math.Min((int)w, width - 1));
            (double down, double right) = (h - top, w - left);
            y[i] = ((1 - down) * (((1 - right) * At(top, left)) + (right * At(top, left + 1)))) + (down * (((1 - right) * At(top + 1, left)) + (right * At(top + 1, left + 1))));

            double At(int r, int s) => x[((((image * height) + Math.Min(r, height - 1)) * width) + Math.Min(s, width - 1)) * channels + c];
        }
        return y;

        double Place(int o, int inputs, int outputs) =>
            alignCorners ? (outputs > 1 ? (double)o * (inputs - 1) / (outputs - 1) : 0) :
            Math.Max(0, ((o + 0.5) * (scale is { } s ? 1.0 / s : (double)inputs / outputs)) - 0.5);
    }
}
