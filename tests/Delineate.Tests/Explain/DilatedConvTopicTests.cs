using Delineate.Explain;
using Delineate.Explain.Topics;
using Xunit;

namespace Delineate.Tests.Explain;

public sealed class DilatedConvTopicTests
{
    [Fact]
    public void One_rate_thrice_leaves_120_of_169_pixels_unseen_and_a_sawtooth_none()
    {
        Explanation explained = DilatedConvTopic.Explain(DilatedConvTopic.Default);
        Assert.Equal(120, explained.ValuesOf("paths 2, 2, 2").Count(v => v == 0));
        Assert.Equal(0, explained.ValuesOf("paths 1, 2, 3").Count(v => v == 0));
        Exhibit.Table table = explained.Steps[^1].Exhibits.OfType<Exhibit.Table>().Single();
        Assert.Equal(["2, 2, 2", "13×13", "49", "120"], table.Rows[0].Select(w => w.English));
        Assert.Equal(["1, 2, 3", "13×13", "169", "0"], table.Rows[1].Select(w => w.English));
    }

    [Fact]
    public void Padding_equal_to_the_rate_keeps_the_size()
    {
        Explanation explained = DilatedConvTopic.Explain(DilatedConvTopic.Default);
        Assert.Equal(49, explained.ValuesOf("Y").Length);
        Assert.Equal(0 + 2 + 14 + 16, explained.ValuesOf("Y")[0]); // the corner: four of nine lie on the input
        Assert.Contains("sees 5×5", explained.Steps[0].Text.English, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new[] { 0 }, "rates are 1 to 12 whole numbers of at least 1")]
    [InlineData(new[] { 60, 60 }, "rates may add up to 64")]
    public void Rates_that_make_no_sense_are_refused(int[] rates, string message) =>
        Assert.Contains(message, Assert.Throws<ExplainException>(() => DilatedConvTopic.Explain(DilatedConvTopic.Default, [rates])).Message, StringComparison.Ordinal);
}
