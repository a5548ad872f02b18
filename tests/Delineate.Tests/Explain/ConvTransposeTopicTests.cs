using Delineate.Explain;
using Delineate.Explain.Topics;
using Xunit;

namespace Delineate.Tests.Explain;

public sealed class ConvTransposeTopicTests
{
    private static readonly string[] Views = ["Y₁", "Y₂", "Y₃"];

    [Theory]
    [InlineData(2, 0, new double[] { 5, 6, 10, 12, 7, 8, 14, 16, 15, 18, 20, 24, 21, 24, 28, 32 })]
    [InlineData(1, 0, new double[] { 5, 16, 12, 22, 60, 40, 21, 52, 32 })]
    [InlineData(1, 1, new double[] { 60 })]
    public void The_classic_examples(int stride, int padding, double[] expected)
    {
        Explanation explained = ConvTransposeTopic.Explain(ConvTransposeTopic.Default with { Stride = stride, Padding = padding });
        Assert.All(Views, view => Assert.Equal(expected, explained.ValuesOf(view)));
    }

    [Fact]
    public void With_input_and_kernel_exchanged_the_stamps_are_the_other_s()
    {
        Explanation explained = ConvTransposeTopic.Explain(new WindowOptions { Input = Matrix.Counting(2, 2, 5), Kernel = Matrix.Counting(2, 2, 1), Stride = 2 });
        Assert.All(Views, view => Assert.Equal([5, 10, 6, 12, 15, 20, 18, 24, 7, 14, 8, 16, 21, 28, 24, 32], explained.ValuesOf(view)));
    }

    [Fact]
    public void Without_options_it_is_the_example_at_stride_2() =>
        Assert.Contains("output 4×4: 5 6 10 12 7 8 14 16 15 18 20 24 21 24 28 32", ConvTransposeTopic.Explain(ConvTransposeTopic.Default).Summary.English, StringComparison.Ordinal);

    [Fact]
    public void The_enlargement_by_32_takes_10_by_15_to_320_by_480()
    {
        Explanation explained = ConvTransposeTopic.Explain(new WindowOptions { Input = Matrix.Counting(10, 15), Kernel = ConvTransposeTopic.Bilinear(32), Stride = 32, Padding = 16 });
        Assert.Contains("input 10×15, kernel 64×64, stride 32, padding 16, dilation 1, output padding 0 → output 320×480", explained.Summary.English, StringComparison.Ordinal);
        Assert.Equal("(H − 1)·s − 2·p + d·(k − 1) + o + 1 = (10 − 1)·32 − 2·16 + 1·(64 − 1) + 0 + 1 = 320", explained.Steps[0].Exhibits.OfType<Exhibit.Line>().First().Text);
        Assert.Equal((320, 480), explained.Steps[0].Exhibits.OfType<Exhibit.Picture>().Select(p => (p.Image.Height, p.Image.Width)).Last());
    }

    [Fact]
    public void Three_views_of_500_random_geometries_agree()
    {
        var random = new Random(7);
        int explainedCount = 0, padded = 0, dilated = 0, cut = 0;
        while (explainedCount < 500)
        {
            WindowOptions options = Geometry.Random(random);
            options = options with { OutputPadding = random.Next(0, Math.Max(options.Stride, options.Dilation)) };
            if (options.Transposed is not ( > 0, > 0) || options.Transposed.Height * options.Transposed.Width > 256) continue; // nothing, or pictures
            Explanation explained = ConvTransposeTopic.Explain(options); // which checks each view against the library
            double[] first = explained.ValuesOf("Y₁");
            Assert.Equal(options.Transposed.Height * options.Transposed.Width, first.Length);
            Assert.Equal(first, explained.ValuesOf("Y₂"), Geometry.Near);
            Assert.Equal(first, explained.ValuesOf("Y₃"), Geometry.Near);
            explainedCount++;
            if (options.Padding > 0) padded++;
            if (options.Dilation > 1) dilated++;
            if (options.Padding > options.Dilation * (options.Kernel.Height - 1)) cut++;
        }
        Assert.True(padded > 100 && dilated > 100 && cut > 10);
    }

    [Fact]
    public void It_is_no_inverse()
    {
        Explanation explained = ConvTransposeTopic.Explain(ConvTransposeTopic.Default);
        double square = 25 + 36 + 49 + 64;
        Assert.Equal([square, 0, 0, 0, 0, square, 0, 0, 0, 0, square, 0, 0, 0, 0, square], explained.ValuesOf("C·Cᵀ"));
        Assert.Equal([square, 2 * square, 3 * square, 4 * square], explained.ValuesOf("C·y"));
    }

    [Theory]
    [InlineData(3, 2, "outputs get 1 to 4 stamps")] // the classic checkerboard
    [InlineData(4, 2, "every output gets 4 stamps")]
    [InlineData(2, 2, "every output gets one stamp")]
    public void Checkerboards_come_from_kernels_that_the_stride_does_not_divide(int kernel, int stride, string expected)
    {
        Explanation explained = ConvTransposeTopic.Explain(new WindowOptions { Input = Matrix.Counting(4, 4), Kernel = Matrix.Counting(kernel, kernel), Stride = stride });
        Assert.Contains(explained.Steps, s => s.Text.English.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void The_bilinear_kernel_enlarges_a_ramp_to_a_ramp()
    {
        Matrix kernel = ConvTransposeTopic.Bilinear(2);
        Assert.Equal([1 / 16.0, 3 / 16.0, 3 / 16.0, 1 / 16.0], kernel.Values.Take(4));
        Explanation explained = ConvTransposeTopic.Explain(new WindowOptions { Input = Matrix.Counting(1, 6), Kernel = new Matrix(1, 4, [0.25, 0.75, 0.75, 0.25]), Stride = 2, Padding = 0 });
        Assert.Equal([0.25, 0.75, 1.25, 1.75, 2.25], explained.ValuesOf("Y₁").Skip(2).Take(5)); // away from the rim
        Assert.Equal(3, ConvTransposeTopic.Bilinear(1).Values.Count + 2);
    }

    [Fact]
    public void A_small_output_that_padding_cut_from_a_huge_map_is_not_enlarged()
    {
        Explanation explained = ConvTransposeTopic.Explain(ConvTransposeTopic.Default with { Input = Matrix.Counting(9, 9), Stride = 1024, Padding = 4096 });
        Assert.Contains("output 2×2", explained.Summary.English, StringComparison.Ordinal);
        Assert.DoesNotContain(explained.Steps, s => s.Title.English == "Bilinear initialisation");
    }

    [Theory]
    [InlineData(2, 0, 2, "output padding must be smaller than stride or dilation")]
    [InlineData(2, 4, 0, "the output would have no pixel: (H − 1)·s − 2·p + d·(k − 1) + o + 1 = (2 − 1)·2 − 2·4 + 1·(2 − 1) + 0 + 1 = -4; it must be at least 1")]
    public void Options_that_make_no_sense_are_told_with_their_rule(int stride, int padding, int outputPadding, string message) =>
        Assert.Contains(message, Assert.Throws<ExplainException>(() => ConvTransposeTopic.Explain(ConvTransposeTopic.Default with { Stride = stride, Padding = padding, OutputPadding = outputPadding })).Message, StringComparison.Ordinal);
}
