using Delineate.Tensors.Kernels;
using Delineate.Tensors.Tests.Ops;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Kernels;

public sealed class WinogradTests
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
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Equals_naive_loops_forward_and_backward(int images, int height, int width, int inChannels, int outChannels, int padding, int dilation)
    {
        var naive = new Reference.Conv(images, (height, width), inChannels, outChannels, (3, 3), (1, 1), (padding, padding), (dilation, dilation));
        Tensor[] inputs =
        [
            GradCheck.Input([images, height, width, inChannels]),
            GradCheck.Input([outChannels, 3, 3, inChannels], 2),
            GradCheck.Input([outChannels], 3),
        ];
        foreach (Rounding rounding in (Rounding[])[Rounding.Fast, Rounding.Strict])
        {
            using RoundingPolicy.RoundingScope scope = RoundingPolicy.Use(rounding);
            GradCheck.Run(t => t[0].Conv2d(t[1], t[2], 1, padding, dilation), v => Reference.Conv2d(naive, v[0], v[1], v[2]), inputs, relative: 1e-5);
        }
    }

    [Theory]
    [InlineData(45, 64, 48, 1)]
    [InlineData(33, 40, 33, 2)]
    [InlineData(17, 512, 160, 1)]
    public void One_thread_and_three_give_the_same_bits(int size, int inChannels, int outChannels, int dilation) =>
        KernelChecks.SameBitsOnAnyThreads(
            t => t[0].Conv2d(t[1], t[2], 1, dilation, dilation),
            GradCheck.Input([1, size, size + 1, inChannels]), GradCheck.Input([outChannels, 3, 3, inChannels], 2), GradCheck.Input([outChannels], 3));

    [Fact]
    public void F2_rounds_about_as_much_as_a_direct_sum_and_F4_at_most_ten_times_as_much()
    {
        (double fast, double strict, double direct) = (ErrorOf(Rounding.Fast), ErrorOf(Rounding.Strict), ErrorOf(Rounding.Direct));
        Assert.True(strict <= 2 * direct, $"F(2×2) is off by {strict:G3}, a direct sum by {direct:G3}");
        Assert.True(fast <= 10 * direct, $"F(4×4) is off by {fast:G3}, a direct sum by {direct:G3}");
        Assert.True(fast > strict, "the modes give the same result");
    }

    /// <summary>The root of the mean square of the difference from a sum in double, over that of the sum.</summary>
    private static double ErrorOf(Rounding rounding)
    {
        const int Channels = 96, Size = 14;
        var naive = new Reference.Conv(1, (Size, Size), Channels, Channels, (3, 3), (1, 1), (1, 1), (1, 1));
        Tensor x = GradCheck.Input([1, Size, Size, Channels]).Relu(), w = GradCheck.Input([Channels, 3, 3, Channels], 2);
        using RoundingPolicy.RoundingScope scope = RoundingPolicy.Use(rounding);
        float[] y = x.Conv2d(w, null, 1, 1).ToArray();
        double[] exact = Reference.Conv2d(naive, [.. x.ToArray().Select(v => (double)v)], [.. w.ToArray().Select(v => (double)v)], new double[Channels]);
        double error = y.Zip(exact, (a, b) => (a - b) * (a - b)).Sum();
        return Math.Sqrt(error / exact.Sum(v => v * v));
    }
}
