using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class PadTests
{
    [Theory]
    [InlineData(PadMode.Constant, 1, 2, 3, 4)]
    [InlineData(PadMode.Constant, 0, 0, 0, 0)]
    [InlineData(PadMode.Constant, 9, 0, 0, 9)]
    [InlineData(PadMode.Reflect, 1, 2, 3, 3)]
    [InlineData(PadMode.Reflect, 2, 0, 0, 1)]
    [InlineData(PadMode.Replicate, 1, 2, 3, 4)]
    [InlineData(PadMode.Replicate, 0, 7, 8, 0)]
    public void Every_mode_fills_the_frame(PadMode mode, int top, int bottom, int left, int right)
    {
        Shape shape = [2, 3, 4, 5];
        GradCheck.Run(
            x => x[0].Pad(top, bottom, left, right, 0.5f, mode),
            x => Padded(x[0], shape, top, bottom, left, right, 0.5, mode),
            [GradCheck.Input(shape)]);
        Assert.Equal([2, 3 + top + bottom, 4 + left + right, 5], Tensor.Zeros(shape).Pad(top, bottom, left, right, 0, mode).Shape);
    }

    [Fact]
    public void An_image_is_padded_to_the_size_of_another()
    {
        Tensor x = Tensor.From([1, 2], [1, 1, 2, 1]), like = Tensor.Zeros([1, 4, 3, 5]);
        Assert.Equal([0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0], x.PadTo(like).ToArray()); // one row before and two behind, one column behind
        Assert.Same(x, x.PadTo(Tensor.Zeros([3, 1, 2, 7])));
        Assert.Contains("larger", Assert.Throws<ShapeException>(() => like.PadTo(x)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_frame_around_nothing_is_the_constant()
    {
        Assert.Equal([2, 2, 2, 2], Tensor.Zeros([1, 0, 2, 1]).Pad(1, 1, 0, 0, 2).ToArray());
        Assert.Equal([2, 2], Tensor.Zeros([1, 1, 0, 1]).Pad(0, 0, 1, 1, 2).ToArray());
        Assert.Empty(Tensor.Zeros([0, 1, 1, 1]).Pad(1, 1, 1, 1).ToArray());
    }

    [Fact]
    public void What_cannot_be_padded_is_named()
    {
        Assert.Contains("Slice", Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 3, 3, 1]).Pad(-1, 0, 0, 0)).Message, StringComparison.Ordinal);
        Assert.Contains("at most 2", Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 3, 3, 1]).Pad(0, 3, 0, 0, 0, PadMode.Reflect)).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 0, 3, 1]).Pad(1, 0, 0, 0, 0, PadMode.Replicate));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([3, 3, 1]).Pad(1, 0, 0, 0));
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits() => SameBits.OnAnyThreads([[2, 60, 70, 21]], x => x[0].Pad(20, 30, 40, 50, 0, PadMode.Reflect));

    [ReferenceTheory]
    [InlineData("constant", PadMode.Constant)]
    [InlineData("reflect", PadMode.Reflect)]
    [InlineData("replicate", PadMode.Replicate)]
    public void PyTorch_gives_the_same(string name, PadMode mode)
    {
        var golden = Golden.Reference("ops");
        Tensor x = golden.ChannelsLast($"pad.{name}.in0");
        Tensor expected = golden.ChannelsLast($"pad.{name}.y");
        x.RequiresGrad = true;

        // The golden's frame is 5 in all on each axis; the split is what fits the picture.
        (int top, int left) = (-1, -1);
        for (int t = 0; t <= 5 && top < 0; t++)
        {
            for (int l = 0; l <= 5 && top < 0; l++)
            {
                using (Autograd.NoGrad())
                {
                    if (x.Pad(t, 5 - t, l, 5 - l, 0, mode).Span.SequenceEqual(expected.Span)) (top, left) = (t, l);
                }
            }
        }
        Assert.True(top >= 0, "no frame of 5 gives the golden");
        x.Pad(top, 5 - top, left, 5 - left, 0, mode).Backward(golden.ChannelsLast($"pad.{name}.gy"));
        TensorAssert.Close(golden.ChannelsLast($"pad.{name}.g0"), x.Gradient!, 1e-6);
    }

    private static double[] Padded(double[] x, Shape shape, int top, int bottom, int left, int right, double value, PadMode mode)
    {
        (int n, int height, int width, int channels) = (shape[0], shape[1], shape[2], shape[3]);
        var y = new List<double>();
        for (int i = 0; i < n; i++)
        {
            for (int row = -top; row < height + bottom; row++)
            {
                for (int column = -left; column < width + right; column++)
                {
                    (int r, int c) = (Source(row, height, mode), Source(column, width, mode));
                    for (int k = 0; k < channels; k++) y.Add(r < 0 || c < 0 ? value : x[(((((i * height) + r) * width) + c) * channels) + k]);
                }
            }
        }
        return [.. y];
    }

    private static int Source(int at, int size, PadMode mode) => mode switch
    {
        _ when at >= 0 && at < size => at,
        PadMode.Constant => -1,
        PadMode.Replicate => at < 0 ? 0 : size - 1,
        _ => at < 0 ? -at : size - 1 - (at - (size - 1)),
    };
}
