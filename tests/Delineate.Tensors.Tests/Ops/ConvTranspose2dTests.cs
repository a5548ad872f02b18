using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class ConvTranspose2dTests
{
    public static TheoryData<string, Reference.Conv> Shapes => new()
    {
        { "one pixel", new(1, (1, 1), 1, 1, (1, 1), (1, 1), (0, 0), (1, 1)) },
        { "2×2 stride 2", new(2, (4, 5), 17, 16, (2, 2), (2, 2), (0, 0), (1, 1)) },
        { "4×4 stride 2", new(1, (5, 4), 21, 33, (4, 4), (2, 2), (1, 1), (1, 1)) },
        { "3×3 stride 2 with output padding", new(1, (5, 4), 3, 5, (3, 3), (2, 2), (1, 1), (1, 1), 1, (1, 1)) },
        { "3×3 stride 1", new(2, (5, 6), 16, 5, (3, 3), (1, 1), (1, 1), (1, 1)) },
        { "16×16 stride 8", new(1, (3, 2), 3, 5, (16, 16), (8, 8), (4, 4), (1, 1)) },
        { "64×64 stride 32", new(1, (2, 2), 2, 3, (64, 64), (32, 32), (16, 16), (1, 1)) },
        { "stride above the kernel", new(1, (4, 3), 3, 5, (2, 1), (3, 4), (0, 0), (1, 1), 1, (2, 3)) },
        { "dilation 2 stride 3", new(1, (4, 5), 5, 3, (3, 2), (3, 2), (1, 1), (2, 3)) },
        { "two groups", new(1, (4, 5), 6, 10, (3, 3), (2, 2), (1, 1), (1, 1), 2) },
        { "depthwise", new(1, (4, 5), 21, 21, (4, 4), (2, 2), (1, 1), (1, 1), 21) },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Matches_naive_loops_forward_and_backward(string what, Reference.Conv g)
    {
        Assert.NotEmpty(what);
        Tensor[] inputs =
        [
            GradCheck.Input([g.N, g.In.H, g.In.W, g.C]),
            GradCheck.Input([g.C, g.Kernel.H, g.Kernel.W, g.Out / g.Groups], 2),
            GradCheck.Input([g.Out], 3),
        ];
        GradCheck.Run(t => t[0].ConvTranspose2d(t[1], t[2], g.Stride, g.Padding, g.OutputPadding, g.Dilation, g.Groups), v => Reference.ConvTranspose2d(g, v[0], v[1], v[2]), inputs, relative: 1e-5);
    }

    [Theory]
    [InlineData(33, 21, 4, 2, 1, 1)]
    [InlineData(21, 21, 16, 8, 4, 1)]
    [InlineData(24, 24, 3, 2, 1, 24)]
    public void One_thread_and_two_give_the_same_bits(int inputs, int outputs, int kernel, int stride, int padding, int groups) =>
        SameBits.OnAnyThreads([[2, 21, 17, inputs], [inputs, kernel, kernel, outputs / groups], [outputs]], t => t[0].ConvTranspose2d(t[1], t[2], stride, padding, groups: groups));

    [ReferenceTheory]
    [InlineData("t2s2", 2, 0, 0, 1)]
    [InlineData("t3s2op", 2, 1, 1, 2)]
    [InlineData("t4s2", 2, 1, 0, 1)]
    [InlineData("t16s8", 8, 0, 0, 1)]
    public void Equals_the_reference(string name, int stride, int padding, int outputPadding, int groups)
    {
        Golden golden = Golden.Reference("ops");
        Tensor[] inputs = [golden.ChannelsLast($"convt.{name}.in0"), golden.ChannelsLast($"convt.{name}.in1"), golden.Tensor($"convt.{name}.in2")];
        foreach (Tensor input in inputs) input.RequiresGrad = true;
        Tensor y = inputs[0].ConvTranspose2d(inputs[1], inputs[2], stride, padding, outputPadding, groups: groups);
        TensorAssert.Close(golden.ChannelsLast($"convt.{name}.y"), y);
        y.Backward(golden.ChannelsLast($"convt.{name}.gy"));
        for (int i = 0; i < inputs.Length; i++) TensorAssert.Close(golden.ChannelsLast($"convt.{name}.g{i}"), inputs[i].Gradient!, what: $"gradient {i}");
    }

    [Fact]
    public void An_empty_batch_makes_an_empty_map_and_zero_gradients()
    {
        Tensor x = Tensor.Empty([0, 5, 5, 3]), w = GradCheck.Input([3, 4, 4, 2]);
        (x.RequiresGrad, w.RequiresGrad) = (true, true);
        Tensor y = x.ConvTranspose2d(w, stride: 2, padding: 1);
        Assert.Equal([0, 10, 10, 2], y.Shape);
        y.Backward(Tensor.Empty(y.Shape));
        Assert.All(w.Gradient!.ToArray(), v => Assert.Equal(0, v));
    }

    [Fact]
    public void Output_pixels_that_no_input_reaches_are_the_bias()
    {
        Tensor y = Tensor.Full([1, 2, 2, 1], 1).ConvTranspose2d(Tensor.Full([1, 1, 1, 1], 5), Tensor.Full([1], 3), stride: 3);
        Assert.Equal([8f, 3, 3, 8, 3, 3, 3, 3, 3, 3, 3, 3, 8, 3, 3, 8], y.ToArray());
    }

    [Fact]
    public void Mistakes_are_named()
    {
        Tensor x = Tensor.Zeros([1, 4, 9, 6]);
        Fails("leaves no output pixel", () => x.ConvTranspose2d(Tensor.Zeros([6, 3, 3, 2]), padding: 3));
        Fails("the map's last axis is Cin", () => x.ConvTranspose2d(Tensor.Zeros([5, 3, 3, 2])));
        Fails("output padding", () => x.ConvTranspose2d(Tensor.Zeros([6, 3, 3, 2]), stride: 2, outputPadding: 2));
        Fails("a bias of [4]", () => x.ConvTranspose2d(Tensor.Zeros([6, 3, 3, 2]), Tensor.Zeros([2]), groups: 2));
        Fails("too large", () => x.ConvTranspose2d(Tensor.Zeros([6, 3, 3, 2]), stride: 1 << 30));

        static void Fails(string words, Func<Tensor> act) => Assert.Contains(words, Assert.Throws<ShapeException>(act).Message, StringComparison.Ordinal);
    }
}
