using Xunit;

namespace Delineate.Imaging.Tests;

public class PngImageTests
{
    [Theory]
    [InlineData(1, new ushort[] { 0, 1 }, new byte[] { 0, 255 })]
    [InlineData(2, new ushort[] { 0, 1, 2, 3 }, new byte[] { 0, 85, 170, 255 })]
    [InlineData(4, new ushort[] { 1, 15 }, new byte[] { 17, 255 })]
    [InlineData(8, new ushort[] { 7, 200 }, new byte[] { 7, 200 })]
    [InlineData(16, new ushort[] { 255, 256, 65_535 }, new byte[] { 0, 1, 255 })]
    public void Grey_is_spread_over_eight_bits_in_pictures_and_kept_in_maps(int depth, ushort[] samples, byte[] greys)
    {
        PngImage image = Forge(PngColorType.Grey, depth, samples, 1);
        Assert.Equal(greys.SelectMany(g => (byte[])[g, g, g]), image.ToImage().Pixels);
        Assert.Equal(Array.ConvertAll(samples, s => (int)s), image.ToIdMap().Ids);
        if (depth < 16) Assert.Equal(Array.ConvertAll(samples, s => (byte)s), image.ToLabelMap().Labels);
    }

    [Fact]
    public void Opacity_is_dropped()
    {
        Assert.Equal(new byte[] { 9, 9, 9, 7, 7, 7 }, Forge(PngColorType.GreyAlpha, 8, [9, 0, 7, 255], 2).ToImage().Pixels);
        Assert.Equal(new byte[] { 9, 7 }, Forge(PngColorType.GreyAlpha, 8, [9, 0, 7, 255], 2).ToLabelMap().Labels);
        Assert.Equal(new byte[] { 1, 2, 3, 5, 6, 7 }, Forge(PngColorType.Rgba, 8, [1, 2, 3, 0, 5, 6, 7, 255], 4).ToImage().Pixels);
        Assert.Equal(new byte[] { 1, 2, 3 }, Forge(PngColorType.Rgba, 16, [0x1FF, 0x200, 0x380, 0], 4).ToImage().Pixels);
        Assert.Equal(new byte[] { 4, 4, 4 }, Forge(PngColorType.GreyAlpha, 16, [0x480, 0xFFFF], 2).ToImage().Pixels);
    }

    [Fact]
    public void Sixteen_bit_labels_are_read_while_they_fit_a_byte()
    {
        Assert.Equal(new byte[] { 0, 255 }, Forge(PngColorType.Grey, 16, [0, 255], 1).ToLabelMap().Labels);
        var e = Assert.Throws<ImageFormatException>(() => Forge(PngColorType.Grey, 16, [0, 255, 300], 1).ToLabelMap());
        Assert.Contains("pixel (0, 2) holds 300", e.Message, StringComparison.Ordinal);
        Assert.Contains("object ids", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PngColorType.Rgb, 3)]
    [InlineData(PngColorType.Rgba, 4)]
    public void Colours_are_no_labels_and_no_ids(PngColorType color, int channels)
    {
        PngImage image = Forge(color, 8, new ushort[channels], channels);
        Assert.Contains("map its colours", Assert.Throws<ImageFormatException>(image.ToLabelMap).Message, StringComparison.Ordinal);
        Assert.Contains("map its colours", Assert.Throws<ImageFormatException>(image.ToIdMap).Message, StringComparison.Ordinal);
    }

    private static PngImage Forge(PngColorType color, int depth, ushort[] samples, int channels)
    {
        var header = new PngHeader(1, samples.Length / channels, color, depth, Interlaced: false);
        return Png.Decode(PngForge.Picture(header, samples, new Random(1)), "forged");
    }
}
