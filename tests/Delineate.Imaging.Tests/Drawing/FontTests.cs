using System.Text;
using Xunit;

namespace Delineate.Imaging.Tests;

public class FontTests
{
    [Theory]
    [InlineData(1, 12)]
    [InlineData(12, 12)]
    [InlineData(15, 12)]
    [InlineData(16, 16)]
    [InlineData(30, 24)]
    [InlineData(500, 36)]
    public void The_size_asked_for_is_rounded_down(int pixels, int expected) => Assert.Equal(expected, Font.OfSize(pixels).Pixels);

    [Fact]
    public void Widths_add_up_and_grow_with_the_size()
    {
        Font small = Font.OfSize(12), large = Font.OfSize(24);
        Assert.Equal(0, small.Measure(""));
        Assert.Equal(small.Measure("road") + small.Measure("sign"), small.Measure("roadsign"));
        Assert.True(small.Measure("i") < small.Measure("m"));
        Assert.InRange(large.Measure("pedestrian") / (double)small.Measure("pedestrian"), 1.8, 2.2);
        Assert.InRange(large.LineHeight, 24, 36);
        Assert.InRange(large.Ascent, 18, large.LineHeight);
    }

    [Fact]
    public void Every_Latin_letter_has_ink_that_stays_in_its_line()
    {
        foreach (int size in new[] { 12, 16, 24, 36 })
        {
            Font font = Font.OfSize(size);
            for (int code = 0x21; code < 0x180; code++)
            {
                if (code is (>= 0x7F and <= 0xA0) or 0xAD) continue;
                Font.Glyph glyph = font.Find(new Rune(code));
                Assert.True(glyph.Advance > 0 && font.Alpha(glyph).ToArray().Max() > 100, $"U+{code:X4} at {size}");
                // Hinting lifts the tallest accents by a pixel.
                Assert.InRange(glyph.Top, -1, font.LineHeight);
                Assert.InRange(glyph.Top + glyph.Height, 1, font.LineHeight);
            }
        }
    }

    [Fact]
    public void Unknown_signs_are_boxes_and_lone_accents_are_left_out()
    {
        Font font = Font.OfSize(16);
        Assert.Equal(font.Find(new Rune('漢')), font.Find(new Rune('字')));
        Assert.NotEqual(font.Find(new Rune('漢')), font.Find(new Rune('?')));
        Assert.Equal(font.Measure("e"), font.Measure("e\u0301"));
        Assert.Equal(font.Measure("a b"), font.Measure("a\nb"));
        Assert.Equal(font.Measure("漢"), font.Measure("\U0001F600"));
        Assert.Equal(font.Measure("漢"), font.Measure("\ud800"));
    }

    [Fact]
    public void What_does_not_fit_ends_in_an_ellipsis()
    {
        Font font = Font.OfSize(12);
        const string name = "a name of some length 漢\U0001F600";
        for (int width = 0; width < font.Measure(name) + 3; width++)
        {
            string fitted = font.Fit(name, width);
            Assert.True(font.Measure(fitted) <= width);
            Assert.Equal(width >= font.Measure(name), fitted == name);
            if (fitted != name && fitted.Length > 0) Assert.EndsWith("…", fitted, StringComparison.Ordinal);
        }
        Assert.Equal("", font.Fit("name", 1));
    }
}
