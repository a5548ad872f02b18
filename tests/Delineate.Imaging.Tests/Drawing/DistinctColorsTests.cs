using Xunit;

namespace Delineate.Imaging.Tests;

public class DistinctColorsTests
{
    [Theory]
    [InlineData(8, 0.07)]
    [InlineData(16, 0.07)]
    [InlineData(32, 0.05)]
    [InlineData(64, 0.03)]
    public void Colours_differ_to_every_eye(int count, double least)
    {
        Palette palette = Palette.Distinct(count);
        double nearest = (
            from a in Enumerable.Range(0, count) from b in Enumerable.Range(0, a) select DistinctColors.Distance(palette[a], palette[b])).Min();
        Assert.True(nearest >= least, $"the two nearest of {count} colours are {nearest:0.000} apart");
    }

    [Fact]
    public void A_longer_palette_begins_like_a_shorter_one()
    {
        Palette few = Palette.Distinct(10), all = Palette.Distinct(256);
        Assert.Equal((10, 256), (few.Count, all.Count));
        for (int i = 0; i < 10; i++) Assert.Equal(few[i], all[i]);
        Assert.Equal(256, Enumerable.Range(0, 256).Select(i => all[i]).Distinct().Count());
    }

    [Fact]
    public void Red_and_green_of_one_lightness_are_near_to_colour_blind_eyes()
    {
        Assert.Equal(1, DistinctColors.Distance(new Rgb(0, 0, 0), new Rgb(255, 255, 255)), 3);
        Assert.Equal(0, DistinctColors.Distance(new Rgb(9, 90, 200), new Rgb(9, 90, 200)), 12);
        Assert.True(DistinctColors.Distance(new Rgb(200, 80, 60), new Rgb(110, 130, 50)) < 0.08);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(257)]
    public void Counts_beyond_a_byte_are_refused(int count) => Assert.Throws<ArgumentOutOfRangeException>(() => Palette.Distinct(count));
}
