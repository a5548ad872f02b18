using Delineate.Explain;
using Delineate.Explain.Topics;
using Xunit;

namespace Delineate.Tests.Explain;

public sealed class ConvTopicTests
{
    [Fact]
    public void The_classic_example_gives_258_294_402_438()
    {
        Explanation explained = ConvTopic.Explain(ConvTopic.Default);
        Assert.Equal([258, 294, 402, 438], explained.ValuesOf("Y"));
        Assert.Equal([258, 294, 402, 438], explained.ValuesOf("C·x"));
        Assert.Equal([258, 294, 402, 438], explained.ValuesOf("P·k"));
        // The kernel's rows with zeros between them, moved by one, and by a row.
        Assert.Equal([0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 0, 0, 0, 0], explained.ValuesOf("C").Take(16));
        Assert.Equal([0, 0, 0, 0, 0, 0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8], explained.ValuesOf("C").Skip(48));
        Assert.Equal([0, 1, 2, 4, 5, 6, 8, 9, 10], explained.ValuesOf("P").Take(9));
        Assert.Equal(1 + 4 + 2, explained.Steps.Count);
        Assert.Contains("output 2×2: 258 294 402 438", explained.Summary.English, StringComparison.Ordinal);
        Exhibit.Working working = explained.Steps[1].Exhibits.OfType<Exhibit.Working>().Single();
        Assert.Equal("Y[0,0] = 0·0 + 1·1 + 2·2 + 4·3 + 5·4 + 6·5 + 8·6 + 9·7 + 10·8 = 258", Working.Of(explained.Sheet, working.Name, working.Cell));
    }

    [Fact]
    public void The_window_that_walks_is_marked_and_padding_is_shown_as_filled_in()
    {
        Explanation explained = ConvTopic.Explain(ConvTopic.Default with { Padding = 1, Stride = 2 });
        Exhibit.Numbers padded = explained.Steps[1].Exhibits.OfType<Exhibit.Numbers>().First();
        Assert.Equal((6, 6), (padded.Grid.Height, padded.Grid.Width));
        Assert.Equal(9, padded.Marks.Count(m => m.Value == Mark.Read));
        Assert.Equal(20 - 5, padded.Marks.Count(m => m.Value == Mark.Filled)); // five zeros of the rim lie under the window
    }

    [Fact]
    public void Any_geometry_is_the_library_s_convolution_three_times()
    {
        var random = new Random(5);
        for (int i = 0; i < 200; i++)
        {
            WindowOptions options = Geometry.Random(random);
            if (options.Convolved is not ( > 0, > 0)) continue;
            Explanation explained = ConvTopic.Explain(options); // which checks the sheet against the library
            Assert.Equal(options.Convolved.Height * options.Convolved.Width, explained.ValuesOf("Y").Length);
            Assert.Equal(explained.ValuesOf("Y"), explained.ValuesOf("C·x"), Geometry.Near);
            Assert.Equal(explained.ValuesOf("Y"), explained.ValuesOf("P·k"), Geometry.Near);
        }
    }

    [Fact]
    public void A_large_convolution_is_pictures()
    {
        Explanation explained = ConvTopic.Explain(new WindowOptions { Input = Matrix.Counting(200, 300), Kernel = Matrix.Counting(5, 5), Stride = 2, Padding = 2 });
        Assert.Contains("output 100×150", explained.Summary.English, StringComparison.Ordinal);
        Assert.Equal((100, 150), explained.Steps[0].Exhibits.OfType<Exhibit.Picture>().Select(p => (p.Image.Height, p.Image.Width)).Last());
        Assert.Empty(explained.Sheet.Grids);
    }

    [Theory]
    [InlineData(0, 0, 1, 0, "stride must be at least 1; it is 0")]
    [InlineData(1, -1, 1, 0, "padding must be at least 0; it is -1")]
    [InlineData(1, 0, 0, 0, "dilation must be at least 1; it is 0")]
    [InlineData(1, 0, 2, 0, "the output would have no pixel: ⌊(H + 2·p − d·(k − 1) − 1) / s⌋ + 1 = ⌊(4 + 2·0 − 2·(3 − 1) − 1) / 1⌋ + 1 = 0; it must be at least 1")]
    [InlineData(1, 0, 1, 1, "output padding belongs to the transposed convolution")]
    public void Options_that_make_no_sense_are_told_with_their_rule(int stride, int padding, int dilation, int outputPadding, string message) =>
        Assert.Equal(message, Assert.Throws<ExplainException>(() => ConvTopic.Explain(ConvTopic.Default with { Stride = stride, Padding = padding, Dilation = dilation, OutputPadding = outputPadding })).Message);

    [Fact]
    public void Numbers_that_are_none_and_sizes_that_are_too_large_are_refused()
    {
        Assert.Throws<ExplainException>(() => ConvTopic.Explain(ConvTopic.Default with { Input = new Matrix(1, 1, [double.NaN]) }));
        Assert.Throws<ExplainException>(() => ConvTopic.Explain(ConvTopic.Default with { Input = Matrix.Counting(2000, 2000) }));
        Assert.Throws<ExplainException>(() => ConvTopic.Explain(ConvTopic.Default with { Input = Matrix.Counting(1000, 1000), Kernel = Matrix.Counting(500, 500) }));
    }
}
