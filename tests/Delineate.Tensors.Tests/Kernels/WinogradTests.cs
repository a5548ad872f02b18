using Delineate.Tensors.Kernels;
using Delineate.Tensors.Tests.Ops;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Kernels;

public sealed unsafe class WinogradTests
{
    /// <summary>Maps of whole and broken tiles, dilations above the map, paddings from none to more than the kernel reaches, channels with every kind of tail.</summary>
    public static TheoryData<int, int, int, int, int, int, int> Sizes => new()
    {
        // images, height, width, in, out, padding, dilation
        { 1, 1, 1, 16, 16, 1, 1 },
        { 2, 4, 4, 16, 32, 1, 1 },
        { 1, 5, 7, 17, 33, 1, 1 },
        { 2, 13, 9, 21, 70, 0, 1 },
        { 1, 11, 12, 32, 16, 2, 1 },
        { 1, 6, 5, 16, 16, 5, 1 },
        { 1, 15, 14, 40, 24, 2, 2 },
        { 2, 9, 10, 16, 20, 3, 3 },
        { 1, 3, 4, 16, 16, 4, 4 },
        { 1, 18, 17, 16, 18, 1, 2 },
        { 1, 30, 30, 64, 64, 1, 1 },
        { 1, 9, 8, 600, 48, 1, 1 },
        { 1, 9, 8, 48, 600, 1, 1 },
        { 1, 5, 4, 600, 600, 1, 1 },
        { 1, 9, 15, 470, 380, 1, 1 }, // so many filters that those for larger tiles are transformed on each run
        { 1, 5, 8, 380, 470, 2, 2 },
        { 2, 90, 77, 20, 37, 1, 1 }, // so many tiles that the weight's gradient sums them in groups
        { 1, 83, 86, 18, 16, 3, 3 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Equals_naive_loops_with_tiles_of_every_size(int images, int height, int width, int inChannels, int outChannels, int padding, int dilation)
    {
        var naive = new Reference.Conv(images, (height, width), inChannels, outChannels, (3, 3), (1, 1), (padding, padding), (dilation, dilation));
        Tensor x = GradCheck.Input([images, height, width, inChannels]), weight = GradCheck.Input([outChannels, 3, 3, inChannels], 2), bias = GradCheck.Input([outChannels], 3);
        ConvGeometry g = ConvGeometry.Of(x, weight, bias, 1, padding, dilation, 1);
        Tensor dy = GradCheck.Input(g.OutputShape, 4);
        double[] exact = Reference.Conv2d(naive, Doubles(x), Doubles(weight), Doubles(bias));
        Tensor direct = Run(new DirectConvolution(g, true, PixelStrides.Dense(g, true)), dy, g.InputShape, default);
        foreach (int size in (int[])[2, 4, 6])
        {
            TensorAssert.Close(exact, Run(new Winograd(g, false, size, PixelStrides.Dense(g, false)), x, g.OutputShape, bias.Span), 2e-5, $"F({size}×{size})");
            TensorAssert.Close(direct, Run(new Winograd(g, true, size, PixelStrides.Dense(g, true)), dy, g.InputShape, default), 2e-5, $"adjoint of F({size}×{size})");
        }
        Tensor dw = Tensor.Empty(weight.Shape), expected = Tensor.Empty(weight.Shape);
        new WinogradWeightGradient(g).Run(Pinned.Of(x), Pinned.Of(dy), Pinned.Of(dw));
        new WeightGradient(g, Gather.Windows(g, inChannels)).Run(Pinned.Of(x), Pinned.Of(dy), Pinned.Of(expected));
        TensorAssert.Close(expected, dw, what: "gradient to the weight");

        Tensor Run(ConvKernel kernel, Tensor from, Shape to, ReadOnlySpan<float> bias)
        {
            Tensor result = Tensor.Full(to, float.NaN);
            new ConvRun(kernel, new ConvWeights(kernel, weight, bias), Activation.None).Run(Pinned.Of(from), null, Pinned.Of(result));
            return result;
        }
    }

    [Theory]
    [InlineData(2, 30, 30, 40, 48, 1, 1)]
    [InlineData(1, 19, 22, 64, 33, 2, 2)]
    public void An_op_whose_kernels_are_these_equals_naive_loops_forward_and_backward(int images, int height, int width, int inChannels, int outChannels, int padding, int dilation)
    {
        var naive = new Reference.Conv(images, (height, width), inChannels, outChannels, (3, 3), (1, 1), (padding, padding), (dilation, dilation));
        Tensor[] inputs = [GradCheck.Input([images, height, width, inChannels]), GradCheck.Input([outChannels, 3, 3, inChannels], 2), GradCheck.Input([outChannels], 3)];
        foreach (Rounding rounding in (Rounding[])[Rounding.Fast, Rounding.Strict])
        {
            ConvGeometry g = ConvGeometry.Of(inputs[0], inputs[1], null, 1, padding, dilation, 1);
            Assert.True(Winograd.TileSize(g, false, rounding) > 0 && Winograd.TileSize(g, true, rounding) > 0, $"{rounding} would be direct");
            using RoundingPolicy.RoundingScope scope = RoundingPolicy.Use(rounding);
            GradCheck.Run(t => t[0].Conv2d(t[1], t[2], 1, padding, dilation), v => Reference.Conv2d(naive, v[0], v[1], v[2]), inputs, relative: 1e-5);
        }
    }

    [Theory]
    [InlineData(45, 64, 48, 1)]
    [InlineData(86, 16, 20, 1)]
    [InlineData(33, 40, 33, 2)]
    [InlineData(6, 600, 600, 1)]
    [InlineData(17, 512, 330, 1)]
    public void One_thread_and_three_give_the_same_bits(int size, int inChannels, int outChannels, int dilation) =>
        KernelChecks.SameBitsOnAnyThreads(
            t => t[0].Conv2d(t[1], t[2], 1, dilation, dilation),
            GradCheck.Input([1, size, size + 1, inChannels]), GradCheck.Input([outChannels, 3, 3, inChannels], 2), GradCheck.Input([outChannels], 3));

    [Fact]
    public void Larger_tiles_round_more_but_stay_within_their_bounds()
    {
        const int Channels = 96, Size = 18;
        var naive = new Reference.Conv(1, (Size, Size), Channels, Channels, (3, 3), (1, 1), (1, 1), (1, 1));
        Tensor x = GradCheck.Input([1, Size, Size, Channels]).Relu(), weight = GradCheck.Input([Channels, 3, 3, Channels], 2);
        ConvGeometry g = ConvGeometry.Of(x, weight, null, 1, 1, 1, 1);
        double[] exact = Reference.Conv2d(naive, Doubles(x), Doubles(weight), new double[Channels]);
        double direct = ErrorOf(new DirectConvolution(g, false, PixelStrides.Dense(g, false)));
        double two = ErrorOf(WithTiles(2)), four = ErrorOf(WithTiles(4)), six = ErrorOf(WithTiles(6));
        string found = $"direct {direct:G3}, F(2×2) {two:G3}, F(4×4) {four:G3}, F(6×6) {six:G3}";
        Assert.True(two <= 2 * direct && two < four && four <= 8 * direct && four < six && six <= 30 * direct, found);

        Winograd WithTiles(int size) => new(g, false, size, PixelStrides.Dense(g, false));

        // The root of the mean square of the difference from a sum in double, over that of the sum.
        double ErrorOf(ConvKernel kernel)
        {
            Tensor y = Tensor.Empty(g.OutputShape);
            new ConvRun(kernel, new ConvWeights(kernel, weight, default), Activation.None).Run(Pinned.Of(x), null, Pinned.Of(y));
            return Math.Sqrt(y.ToArray().Zip(exact, (a, b) => (a - b) * (a - b)).Sum() / exact.Sum(v => v * v));
        }
    }

    private static double[] Doubles(Tensor tensor) => [.. tensor.ToArray().Select(v => (double)v)];
}
