using Xunit;

namespace Delineate.Imaging.Tests;

public class JpegColorTests
{
    [Fact]
    public void Vectors_and_the_tail_give_the_fixed_point_equations_for_every_chroma()
    {
        // 256 + 5 columns: whole vectors and a tail.
        byte[] luma = new byte[261];
        byte[] cb = new byte[261];
        byte[] cr = new byte[261];
        byte[] rgb = new byte[261 * 3];
        for (int r = 0; r < 256; r++)
        {
            for (int x = 0; x < 261; x++) (luma[x], cb[x], cr[x]) = ((byte)((x * 7) + r), (byte)x, (byte)r);
            JpegColor.YCbCrToRgb(luma, cb, cr, rgb);
            for (int x = 0; x < 261; x++)
            {
                int b = cb[x] - 128;
                int red = luma[x] + (((91881 * (r - 128)) + 32768) >> 16);
                int green = luma[x] + (((-22554 * b) - (46802 * (r - 128)) + 32768) >> 16);
                int blue = luma[x] + (((116130 * b) + 32768) >> 16);
                Assert.Equal((Clamp(red), Clamp(green), Clamp(blue)), (rgb[x * 3], rgb[(x * 3) + 1], rgb[(x * 3) + 2]));
            }
        }
    }

    [Fact]
    public void Colours_survive_the_way_there_and_back_to_within_one_level()
    {
        byte[] rgb = new byte[3 * 4096];
        new Random(5).NextBytes(rgb);
        byte[] y = new byte[4096];
        byte[] cb = new byte[4096];
        byte[] cr = new byte[4096];
        byte[] back = new byte[rgb.Length];
        JpegColor.RgbToYCbCr(rgb, y, cb, cr);
        JpegColor.YCbCrToRgb(y, cb, cr, back);
        for (int i = 0; i < rgb.Length; i++) Assert.InRange(back[i] - rgb[i], -2, 2);
    }

    [Fact]
    public void Vectors_and_the_tail_give_the_inverse_equations()
    {
        // 4096 random colours and all corners of the cube, at a width that leaves a tail.
        byte[] rgb = new byte[3 * (4096 + 8 + 5)];
        new Random(6).NextBytes(rgb);
        for (int i = 0; i < 24; i++) rgb[i] = (byte)(((i / 3) >> (i % 3) & 1) * 255);
        int width = rgb.Length / 3;
        (byte[] y, byte[] cb, byte[] cr) = (new byte[width], new byte[width], new byte[width]);
        JpegColor.RgbToYCbCr(rgb, y, cb, cr);
        for (int x = 0; x < width; x++)
        {
            (double r, double g, double b) = (rgb[x * 3], rgb[(x * 3) + 1], rgb[(x * 3) + 2]);
            Assert.InRange(y[x] - ((0.299 * r) + (0.587 * g) + (0.114 * b)), -0.501, 0.501);
            Assert.InRange(cb[x] - (((b - (0.299 * r) - (0.587 * g) - (0.114 * b)) / 1.772) + 128), -0.502, 0.502);
            Assert.InRange(cr[x] - (((r - (0.299 * r) - (0.587 * g) - (0.114 * b)) / 1.402) + 128), -0.502, 0.502);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(37)]
    public void Planes_interleave_at_every_width(int width)
    {
        byte[] red = [.. Enumerable.Range(0, width).Select(i => (byte)i)];
        byte[] green = [.. red.Select(v => (byte)(v + 80))];
        byte[] blue = [.. red.Select(v => (byte)(v + 160))];
        byte[] rgb = new byte[width * 3];
        JpegColor.PlanesToRgb(red, green, blue, rgb);
        Assert.Equal(Enumerable.Range(0, width).SelectMany(i => new[] { red[i], green[i], blue[i] }), rgb);
        JpegColor.GreyToRgb(red, rgb);
        Assert.Equal(red.SelectMany(v => new[] { v, v, v }), rgb);
    }

    private static byte Clamp(int value) => (byte)Math.Clamp(value, 0, 255);
}
