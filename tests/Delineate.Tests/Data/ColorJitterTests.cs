using Delineate.Data;
using Delineate.Imaging;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Data;

public class ColorJitterTests
{
    [Fact]
    public void Brightness_scales_and_saturates()
    {
        byte[] pixels = [0, 100, 200];
        ColorJitter.ScaleBrightness(pixels, 1.5f);
        Assert.Equal([0, 150, 255], pixels);
        ColorJitter.ScaleBrightness(pixels, 0);
        Assert.Equal([0, 0, 0], pixels);
    }

    [Fact]
    public void Contrast_pulls_towards_the_mean_grey()
    {
        byte[] pixels = [10, 10, 10, 110, 110, 110]; // greys are cut to 9 or 10 and 109 or 110 by weights that sum to 0.9999
        ColorJitter.ScaleContrast(pixels, 0.5f);
        Assert.InRange(pixels[0], 34, 35);
        Assert.InRange(pixels[3], 84, 85);
        byte[] flat = [10, 10, 10, 110, 110, 110];
        ColorJitter.ScaleContrast(flat, 0);
        Assert.Equal(flat[0], flat[3]);
    }

    [Fact]
    public void Saturation_zero_is_grey_and_one_changes_nothing()
    {
        byte[] pixels = [200, 100, 50];
        ColorJitter.ScaleSaturation(pixels, 1);
        Assert.Equal([200, 100, 50], pixels);
        ColorJitter.ScaleSaturation(pixels, 0);
        Assert.Equal([124, 124, 124], pixels); // 0.2989·200 + 0.587·100 + 0.114·50 = 124.18
    }

    [Theory]
    [InlineData(1f / 3, new byte[] { 255, 0, 0 }, new byte[] { 0, 255, 0 })]
    [InlineData(-1f / 3, new byte[] { 255, 0, 0 }, new byte[] { 0, 0, 255 })]
    [InlineData(0.5f, new byte[] { 200, 100, 100 }, new byte[] { 100, 200, 200 })]
    [InlineData(1f / 6, new byte[] { 250, 50, 50 }, new byte[] { 250, 250, 50 })]
    [InlineData(0.25f, new byte[] { 70, 70, 70 }, new byte[] { 70, 70, 70 })]
    [InlineData(0f, new byte[] { 13, 200, 77 }, new byte[] { 13, 200, 77 })]
    public void The_hue_turns_round_the_colour_circle(float turn, byte[] before, byte[] after)
    {
        ColorJitter.TurnHue(before, turn);
        Assert.Equal(after, before);
    }

    [Fact]
    public void Turning_the_hue_there_and_back_restores_the_colour()
    {
        for (int color = 0; color < 1 << 24; color += 9973)
        {
            byte[] pixel = [(byte)(color >> 16), (byte)(color >> 8), (byte)color], original = [.. pixel];
            ColorJitter.TurnHue(pixel, 0.5f);
            ColorJitter.TurnHue(pixel, -0.5f);
            Assert.All(Enumerable.Range(0, 3), c => Assert.InRange(pixel[c] - original[c], -1, 1));
        }
    }

    [Fact]
    public void The_order_varies_and_the_same_stream_gives_the_same_picture()
    {
        var jitter = new ColorJitter { Brightness = 0.4, Contrast = 0.4, Saturation = 0.4, Hue = 0.1 };
        var image = new Image(2, 2, [200, 30, 60, 10, 250, 90, 0, 0, 255, 128, 128, 127]);
        byte[] before = [.. image.Pixels];
        byte[][] results = [.. Enumerable.Range(0, 50).Select(i => jitter.Apply(image, new Philox(1, 0, (ulong)i)).Pixels)];
        Assert.Equal(before, image.Pixels);
        Assert.True(results.Select(Convert.ToHexString).Distinct().Count() > 45);
        Assert.Equal(results[7], jitter.Apply(image, new Philox(1, 0, 7)).Pixels);
        Assert.Equal(before, new ColorJitter().Apply(image, new Philox(1)).Pixels);
    }

    [Fact]
    public void Factors_stay_within_the_strength()
    {
        var jitter = new ColorJitter { Brightness = 0.25 };
        var image = new Image(1, 1, [100, 100, 100]);
        byte[] values = [.. Enumerable.Range(0, 2000).Select(i => jitter.Apply(image, new Philox(1, 0, (ulong)i)).Pixels[0])];
        Assert.InRange(values.Min(), 75, 76);
        Assert.InRange(values.Max(), 123, 125);
        Assert.InRange(values.Average(v => v), 98.5, 100.5);
    }

    [Fact]
    public void Senseless_strengths_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new ColorJitter { Hue = 0.6 }.Apply(new Image(1, 1), new Philox(0)));
        Assert.Throws<ArgumentException>(() => new ColorJitter { Contrast = -1 }.Apply(new Image(1, 1), new Philox(0)));
    }
}
