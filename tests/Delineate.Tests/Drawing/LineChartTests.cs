using System.Xml.Linq;
using Delineate.Drawing;
using Xunit;

namespace Delineate.Tests.Drawing;

public sealed class LineChartTests
{
    [Theory]
    [InlineData(0, 1, 5, 0, new[] { 0, 0.2, 0.4, 0.6, 0.8, 1.0 })]
    [InlineData(0, 0.73, 5, 0, new[] { 0, 0.2, 0.4, 0.6, 0.8 })]
    [InlineData(-3, 12, 5, 0, new[] { -5, 0.0, 5, 10, 15 })]
    [InlineData(1, 16, 8, 1, new[] { 0, 2.0, 4, 6, 8, 10, 12, 14, 16 })]
    [InlineData(1, 3, 8, 1, new[] { 1.0, 2, 3 })] // never half an epoch
    [InlineData(1, 1, 8, 1, new[] { 0.0, 1, 2 })]
    [InlineData(3e-5, 1e-4, 5, 0, new[] { 2e-5, 4e-5, 6e-5, 8e-5, 1e-4 })]
    public void Ticks_are_round_and_cover_the_range(double low, double high, int wanted, double least, double[] expected)
    {
        double[] ticks = LineChart.Ticks(low, high, wanted, least);
        Assert.Equal(expected.Length, ticks.Length);
        Assert.All(expected.Zip(ticks), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
    }

    [Fact]
    public void A_chart_is_well_formed_and_leaves_out_what_is_not_finite()
    {
        XElement svg = XElement.Parse(LineChart.Svg("loss <1>", "epoch", [new("a & b", "red", [(1, 0.5), (2, double.NaN), (3, 0.25)])], fromZero: true));
        Assert.Equal(2, svg.Elements("polyline").Single().Attribute("points")!.Value.Split(' ').Length);
        Assert.Contains(svg.Descendants("title"), t => t.Value == "a & b, epoch 3: 0.25");
        Assert.DoesNotContain("NaN", svg.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Points_stay_inside_the_frame_below_zero_too()
    {
        XElement svg = XElement.Parse(LineChart.Svg("loss", "epoch", [new("total", "red", [(1, -2), (2, 3)])], fromZero: true));
        Assert.All(svg.Elements("circle").Where(c => c.Element("title") is not null), c => Assert.InRange((double)c.Attribute("cy")!, 30, 224));
    }

    [Fact]
    public void A_legend_that_leaves_the_title_no_room_takes_a_line_of_its_own()
    {
        Curve[] few = [new("total", "red", [(1, 1), (2, 2)])], many = [.. Enumerable.Range(0, 6).Select(i => new Curve($"a term {i}", "red", [(1, 1), (2, 2)]))];
        Assert.Equal([16], Lines(few));
        Assert.Equal([34], Lines(many));
        XElement svg = XElement.Parse(LineChart.Svg("Training loss", "epoch", many));
        Assert.All(svg.Elements("circle").Where(c => c.Element("title") is not null), c => Assert.InRange((double)c.Attribute("cy")!, 48, 224));

        static double[] Lines(Curve[] curves) => [.. XElement.Parse(LineChart.Svg("Training loss", "epoch", curves)).Elements("text").Where(t => curves.Any(c => c.Name == t.Value)).Select(t => (double)t.Attribute("y")!).Distinct()];
    }

    [Fact]
    public void Without_points_it_says_so() => Assert.Contains("nothing was measured", LineChart.Svg("loss", "epoch", []), StringComparison.Ordinal);
}
