using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class Conv2dTests
{
    public static TheoryData<string, Reference.Conv> Shapes => new()
    {
        { "one pixel, 1×1", new(1, (1, 1), 1, 1, (1, 1), (1, 1), (0, 0), (1, 1)) },
        { "one pixel, 3×3", new(2, (1, 1), 3, 5, (3, 3), (1, 1), (1, 1), (1, 1)) },
        { "1×1", new(2, (5, 7), 16, 33, (1, 1), (1, 1), (0, 0), (1, 1)) },
        { "1×1 with padding", new(1, (5, 7), 5, 3, (1, 1), (1, 1), (1, 1), (1, 1)) },
        { "1×1 stride 2", new(2, (7, 6), 17, 21, (1, 1), (2, 2), (0, 0), (1, 1)) },
        { "2×2 stride 2", new(2, (6, 8), 3, 16, (2, 2), (2, 2), (0, 0), (1, 1)) },
        { "3×3", new(2, (6, 9), 16, 17, (3, 3), (1, 1), (1, 1), (1, 1)) },
        { "3×3 of many channels", new(1, (8, 5), 33, 70, (3, 3), (1, 1), (1, 1), (1, 1)) },
        { "3×3 stride 2", new(1, (9, 8), 21, 33, (3, 3), (2, 2), (1, 1), (1, 1)) },
        { "3×3 dilation 2", new(1, (9, 7), 5, 21, (3, 3), (1, 1), (2, 2), (2, 2)) },
        { "3×3 dilation 4 on a small map", new(1, (5, 6), 16, 16, (3, 3), (1, 1), (4, 4), (4, 4)) },
        { "5×5", new(1, (7, 8), 17, 5, (5, 5), (1, 1), (2, 2), (1, 1)) },
        { "7×7 stride 2 on three channels", new(2, (15, 13), 3, 16, (7, 7), (2, 2), (3, 3), (1, 1)) },
        { "stride above the kernel", new(1, (11, 13), 3, 5, (2, 1), (3, 4), (0, 0), (1, 1)) },
        { "stride 2 dilation 3", new(1, (12, 11), 3, 5, (3, 2), (2, 2), (2, 1), (3, 3)) },
        { "all sizes unequal", new(1, (9, 14), 5, 3, (2, 5), (2, 3), (1, 4), (3, 1)) },
        { "padding beyond the map", new(1, (3, 2), 3, 5, (3, 3), (1, 1), (6, 7), (1, 1)) },
        { "two groups", new(2, (5, 6), 6, 10, (3, 3), (1, 1), (1, 1), (1, 1), 2) },
        { "three groups stride 2", new(1, (7, 6), 51, 6, (3, 3), (2, 2), (1, 1), (1, 1), 3) },
        { "depthwise", new(2, (6, 7), 21, 21, (3, 3), (1, 1), (1, 1), (1, 1), 21) },
        { "depthwise stride 2 dilation 2", new(1, (9, 8), 37, 37, (3, 3), (2, 2), (2, 2), (2, 2), 37) },
        { "depthwise with two filters each", new(1, (6, 7), 5, 10, (3, 3), (1, 1), (1, 1), (1, 1), 5) },
        { "several blocks of rows and of depth", new(2, (17, 18), 33, 21, (3, 3), (1, 1), (1, 1), (1, 1)) },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Matches_naive_loops_forward_and_backward(string what, Reference.Conv g)
    {
        Assert.NotEmpty(what);
        Tensor[] inputs =
        [
            GradCheck.Input([g.N, g.In.H, g.In.W, g.C]),
            GradCheck.Input([g.Out, g.Kernel.H, g.Kernel.W, g.C / g.Groups], 2),
            GradCheck.Input([g.Out], 3),
        ];
        GradCheck.Run(t => t[0].Conv2d(t[1], t[2], g.Stride, g.Padding, g.Dilation, g.Groups), v => Reference.Conv2d(g, v[0], v[1], v[2]), inputs, relative: 1e-5);
    }

    [ReferenceTheory]
    [InlineData("c1", 1, 0, 1, 1)]
    [InlineData("c1s2", 2, 0, 1, 1)]
    [InlineData("c3", 1, 1, 1, 1)]
    [InlineData("c3s2", 2, 1, 1, 1)]
    [InlineData("c3d2", 1, 2, 2, 1)]
    [InlineData("c3d4", 1, 4, 4, 2)]
    [InlineData("c7s2", 2, 3, 1, 1)]
    [InlineData("dw", 1, 1, 1, 6)]
    [InlineData("pad100", 1, 30, 1, 1)]
    public void Equals_the_reference(string name, int stride, int padding, int dilation, int groups)
    {
        Golden golden = Golden.Reference("ops");
        Tensor[] inputs = [golden.ChannelsLast($"conv.{name}.in0"), golden.ChannelsLast($"conv.{name}.in1"), golden.Tensor($"conv.{name}.in2")];
        foreach (Tensor input in inputs) input.RequiresGrad = true;
        Tensor y = inputs[0].Conv2d(inputs[1], inputs[2], stride, padding, dilation, groups);
        TensorAssert.Close(golden.ChannelsLast($"conv.{name}.y"), y);
        y.Backward(golden.ChannelsLast($"conv.{name}.gy"));
        for (int i = 0; i < inputs.Length; i++) TensorAssert.Close(golden.ChannelsLast($"conv.{name}.g{i}"), inputs[i].Gradient!, what: $"gradient {i}");
    }

    [Theory]
    [InlineData(33, 45, 3, 1, 1, 1)]
    [InlineData(3, 16, 7, 2, 1, 1)]
    [InlineData(64, 64, 3, 1, 2, 1)]
    [InlineData(24, 24, 3, 1, 1, 24)]
    public void One_thread_and_two_give_the_same_bits(int inputs, int outputs, int kernel, int stride, int dilation, int groups) =>
        SameBits.OnAnyThreads(
            [[2, 41, 37, inputs], [outputs, kernel, kernel, inputs / groups], [outputs]],
            t => t[0].Conv2d(t[1], t[2], stride, dilation * kernel / 2, dilation, groups));

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(2, 3, 1, 1)]
    [InlineData(3, 1, 1, 1)]
    [InlineData(3, 2, 2, 5)]
    public void What_the_memory_held_before_never_shows(int kernel, int stride, int dilation, int groups)
    {
        // Dirty buffers of every size in the pool are what Empty and the kernels' scratch get next.
        for (int size = 16; size <= 1 << 20; size *= 2)
        {
            using (TensorMemory.Scope())
            {
                for (int part = 8; part < 16; part++) Tensor.Full([size / 8 * part], float.NaN);
            }
        }
        using (TensorMemory.Scope())
        {
            Tensor x = GradCheck.Input([1, 9, 10, 25]), w = GradCheck.Input([35, kernel, kernel, 25 / groups], 2), b = GradCheck.Input([35], 3);
            (x.RequiresGrad, w.RequiresGrad, b.RequiresGrad) = (true, true, true);
            Tensor y = x.Conv2d(w, b, stride, 1, dilation, groups);
            Assert.All(y.ToArray(), v => Assert.True(float.IsFinite(v)));
            y.Backward(GradCheck.Input(y.Shape, 4));
            foreach (Tensor t in new[] { x, w, b }) Assert.All(t.Gradient!.ToArray(), v => Assert.True(float.IsFinite(v)));
        }
    }

    [Fact]
    public void A_pixel_that_is_not_a_number_stays_in_its_windows()
    {
        Tensor x = GradCheck.Input([1, 5, 13, 16]);
        x.Span[((2 * 13) + 6) * 16] = float.NaN;
        Tensor y = x.Conv2d(GradCheck.Input([5, 3, 3, 16], 2), padding: 1);
        for (int i = 0; i < 5 * 13; i++)
        {
            bool near = Math.Abs((i / 13) - 2) <= 1 && Math.Abs((i % 13) - 6) <= 1;
            for (int c = 0; c < 5; c++) Assert.Equal(near, float.IsNaN(y.Span[(i * 5) + c]));
        }
    }

    [Fact]
    public void An_empty_batch_makes_an_empty_map_and_zero_gradients()
    {
        Tensor x = Tensor.Empty([0, 5, 5, 3]), w = GradCheck.Input([4, 3, 3, 3]), b = GradCheck.Input([4]);
        (x.RequiresGrad, w.RequiresGrad, b.RequiresGrad) = (true, true, true);
        Tensor y = x.Conv2d(w, b, padding: 1);
        Assert.Equal([0, 5, 5, 4], y.Shape);
        y.Backward(Tensor.Empty(y.Shape));
        Assert.Equal(x.Shape, x.Gradient!.Shape);
        Assert.All(w.Gradient!.ToArray(), v => Assert.Equal(0, v));
        Assert.All(b.Gradient!.ToArray(), v => Assert.Equal(0, v));
    }

    [Fact]
    public void Only_the_wanted_gradients_are_made()
    {
        Tensor x = GradCheck.Input([1, 5, 5, 3]), w = GradCheck.Input([4, 3, 3, 3]), b = GradCheck.Input([4]);
        w.RequiresGrad = true;
        Tensor y = x.Conv2d(w, b);
        y.Backward(GradCheck.Input(y.Shape));
        Assert.Null(x.Gradient);
        Assert.NotNull(w.Gradient);
        Assert.Null(b.Gradient);
    }

    [Fact]
    public void Without_gradients_nothing_is_recorded() => Assert.Null(GradCheck.Input([1, 5, 5, 3]).Conv2d(GradCheck.Input([4, 3, 3, 3])).Node);

    [Fact]
    public void Mistakes_are_named()
    {
        Tensor x = Tensor.Zeros([1, 4, 9, 6]);
        Fails("leaves no output pixel", () => x.Conv2d(Tensor.Zeros([2, 5, 5, 6])));
        Fails("kernel 5×5, stride 2×1, padding 0×0, dilation 1×1", () => x.Conv2d(Tensor.Zeros([2, 5, 5, 6]), stride: (2, 1)));
        Fails("the map's last axis is Cin", () => x.Conv2d(Tensor.Zeros([2, 3, 3, 5])));
        Fails("in 4 groups", () => x.Conv2d(Tensor.Zeros([2, 3, 3, 6]), groups: 4));
        Fails("a bias of [2]", () => x.Conv2d(Tensor.Zeros([2, 3, 3, 6]), Tensor.Zeros([3])));
        Fails("stride of at least 1", () => x.Conv2d(Tensor.Zeros([2, 3, 3, 6]), stride: 0));
        Fails("padding of at least 0", () => x.Conv2d(Tensor.Zeros([2, 3, 3, 6]), padding: -1));
        Fails("dilation of at least 1", () => x.Conv2d(Tensor.Zeros([2, 3, 3, 6]), dilation: 0));
        Fails("groups of at least 1", () => x.Conv2d(Tensor.Zeros([2, 3, 3, 6]), groups: 0));
        Fails("rank 4", () => Tensor.Zeros([4, 9, 6]).Conv2d(Tensor.Zeros([2, 3, 3, 6])));
        Fails("rank 4", () => x.Conv2d(Tensor.Zeros([2, 6])));
        Fails("too many values", () => x.Conv2d(Tensor.Zeros([2, 1, 1, 6]), padding: (0, 1 << 30)));

        static void Fails(string words, Func<Tensor> act) => Assert.Contains(words, Assert.Throws<ShapeException>(act).Message, StringComparison.Ordinal);
    }
}
