using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class SlicingTests
{
    [Theory]
    [InlineData(0, 1, 2)]
    [InlineData(1, 0, 3)]
    [InlineData(2, 2, 3)]
    [InlineData(-1, 6, 1)]
    [InlineData(3, 3, 0)]
    public void A_slice_is_the_asked_part(int axis, int start, int length)
    {
        Shape shape = [4, 3, 5, 7];
        GradCheck.Run(x => x[0].Slice(axis, start, length), x => Part(x[0], shape, shape.Axis(axis), start, length), [GradCheck.Input(shape)]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(-1)]
    public void Concat_puts_the_parts_behind_each_other(int axis)
    {
        Shape shape = [2, 3, 5];
        int place = shape.Axis(axis);
        int[] sizes = [1, 4, 0, 2];
        Tensor[] parts = [.. sizes.Select((size, i) => GradCheck.Input(shape.With(place, size), i))];
        GradCheck.Run(x => Tensor.Concat(x, axis), x => Joined(x, [.. sizes.Select(size => shape.With(place, size))], place), parts);
    }

    [Fact]
    public void A_tensor_can_be_joined_to_itself_and_slices_join_to_the_whole()
    {
        GradCheck.Run(x => Tensor.Concat([x[0], x[0]], 0), x => [.. x[0], .. x[0]], [GradCheck.Input([2, 3])]);
        GradCheck.Run(x => Tensor.Concat([x[0].Slice(1, 0, 2), x[0].Slice(1, 2, 3)], 1), x => x[0], [GradCheck.Input([4, 5])]);
    }

    [Fact]
    public void Maps_larger_than_the_caches_and_long_runs_arrive_whole()
    {
        // 2 · 192 · 256 · 64 floats: stored around the caches. The runs of the second are shared out.
        foreach ((Shape shape, int axis) in new (Shape, int)[] { ([1, 192, 256, 64], 3), ([2, 3, 35_000], 1) })
        {
            Tensor a = Counted(shape, 1), b = Counted(shape, 0.5f);
            a.RequiresGrad = true;
            Tensor joined = Tensor.Concat([a, b], axis);
            Tensor back = joined.Slice(axis, shape[axis], shape[axis]);
            TensorAssert.SameBits(b.Span, back.Span);
            TensorAssert.SameBits(a.Span, joined.Detach().Slice(axis, 0, shape[axis]).Span);
            Tensor slope = Counted(shape, 3);
            joined.Slice(axis, 0, shape[axis]).Backward(slope);
            TensorAssert.SameBits(slope.Span, a.Gradient!.Span);
            a.ZeroGrad();
            Tensor.Concat([a, b], axis).Slice(axis, shape[axis], shape[axis]).Backward(slope);
            Assert.True(a.Gradient!.Span.IndexOfAnyExcept(0f) < 0);
        }

        static Tensor Counted(Shape shape, float scale)
        {
            Tensor x = Tensor.Empty(shape);
            Span<float> values = x.Span;
            for (int i = 0; i < values.Length; i++) values[i] = i * scale;
            return x;
        }
    }

    [Fact]
    public void A_slice_can_be_as_long_as_another_tensor()
    {
        Tensor x = Tensor.From([1, 2, 3, 4, 5, 6], [2, 3]);
        Assert.Equal([2, 3, 5, 6], x.Slice(1, 1, like: Tensor.Zeros([9, 2])).ToArray());
        Assert.Same(x, x.Slice(1, 0, like: Tensor.Zeros([9, 3])));
        Assert.Throws<ShapeException>(() => x.Slice(1, 2, like: Tensor.Zeros([9, 2])));
    }

    [Fact]
    public void Places_that_are_not_there_are_named()
    {
        foreach ((int start, int length) in new[] { (-1, 2), (2, 2), (0, 4), (3, 1), (1, -1), (1, int.MaxValue) })
        {
            Assert.Contains("[2, 3]", Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).Slice(1, start, length)).Message, StringComparison.Ordinal);
        }
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).Slice(2, 0, 1));
    }

    [Fact]
    public void Parts_that_do_not_fit_are_named()
    {
        string message = Assert.Throws<ShapeException>(() => Tensor.Concat([Tensor.Zeros([2, 3]), Tensor.Zeros([2, 4])], 0)).Message;
        Assert.Contains("[2, 3]", message, StringComparison.Ordinal);
        Assert.Contains("[2, 4]", message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Tensor.Concat([Tensor.Zeros([2, 3]), Tensor.Zeros([2])], 0));
        Assert.Throws<ShapeException>(() => Tensor.Concat([], 0));
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits()
    {
        SameBits.OnAnyThreads([[2, 80, 90, 11], [2, 80, 90, 5]], x => Tensor.Concat(x, -1));
        SameBits.OnAnyThreads([[80_000], [90_000]], x => Tensor.Concat(x, 0));
        SameBits.OnAnyThreads([[2, 80, 90, 11]], x => x[0].Slice(1, 3, 70));
    }

    private static double[] Part(double[] x, Shape shape, int axis, int start, int length)
    {
        int inner = shape.Product(axis + 1, shape.Rank);
        return [.. x.Where((_, i) => i / inner % shape[axis] >= start && i / inner % shape[axis] < start + length)];
    }

    private static double[] Joined(double[][] parts, Shape[] shapes, int axis)
    {
        int outer = shapes[0].Product(0, axis);
        return [.. Enumerable.Range(0, outer).SelectMany(o => parts.SelectMany(part => part.Skip(o * part.Length / outer).Take(part.Length / outer)))];
    }
}
