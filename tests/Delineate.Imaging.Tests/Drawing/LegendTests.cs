using Xunit;

namespace Delineate.Imaging.Tests;

public class LegendTests
{
    private static readonly Font Small = Font.OfSize(12);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(11)]
    [InlineData(150)]
    public void Every_class_gets_a_swatch_below_and_beside(int count)
    {
        LegendEntry[] entries = Entries(count, i => $"class {i}");
        Image below = Legend.Below(entries, 640, Small), beside = Legend.Beside(entries, 360, Small);
        Assert.Equal(640, below.Width);
        Assert.Equal(360, beside.Height);
        foreach (Image legend in new[] { below, beside })
        {
            var seen = new HashSet<Rgb>(legend.Pixels.Chunk(3).Select(p => new Rgb(p[0], p[1], p[2])));
            Assert.All(entries, e => Assert.Contains(e.Color, seen));
            AssertWhiteEdges(legend);
        }
    }

    [Fact]
    public void A_narrow_legend_wraps_into_more_rows()
    {
        LegendEntry[] entries = Entries(12, i => $"class {i}");
        int[] heights = [.. new[] { 1200, 400, 200, 100 }.Select(width => Legend.Below(entries, width, Small).Height)];
        Assert.Equal(heights.Order(), heights);
        Assert.True(heights[3] > 3 * heights[0]);
    }

    [Fact]
    public void A_long_name_is_shortened_and_stays_inside()
    {
        string name = string.Concat(Enumerable.Repeat("a very long name ", 40));
        AssertWhiteEdges(Legend.Below([new LegendEntry(new Rgb(200, 0, 0), name, "12.5%")], 150, Small));
        AssertWhiteEdges(Legend.Below(Entries(60, i => i == 7 ? name : "road"), 640, Small));
        Assert.True(Legend.Beside([new LegendEntry(new Rgb(200, 0, 0), name, "12.5%")], 100, Small).Width < 400);
    }

    [Fact]
    public void Hostile_sizes_still_give_a_legend()
    {
        Assert.Equal(1, Legend.Below(Entries(3, _ => "name"), 1, Small).Width);
        Assert.True(Legend.Beside(Entries(3, _ => "name"), 1, Small).Height > 10);
        Assert.Equal(50, Legend.Below([], 50, Small).Width);
    }

    private static LegendEntry[] Entries(int count, Func<int, string> name) =>
        [.. Enumerable.Range(0, count).Select(i => new LegendEntry(Palette.Distinct(256)[i], name(i), "0.7%"))];

    private static void AssertWhiteEdges(Image legend)
    {
        for (int y = 0; y < legend.Height; y++)
        {
            Assert.Equal(new Rgb(255, 255, 255), legend[y, 0]);
            Assert.Equal(new Rgb(255, 255, 255), legend[y, legend.Width - 1]);
        }
    }
}
