using Xunit;

namespace Delineate.Imaging.Tests;

public class JpegEncoderTests
{
    [Theory]
    [InlineData(1, 1, 92)]
    [InlineData(1, 17, 92)]
    [InlineData(17, 1, 95)]
    [InlineData(16, 16, 50)]
    [InlineData(33, 65, 92)]
    [InlineData(40, 40, 1)]
    [InlineData(41, 23, 100)]
    public void Pictures_come_back_in_their_size_and_about_their_colours(int height, int width, int quality)
    {
        Image image = Slopes(height, width);
        byte[] file = Jpeg.Encode(image, quality);
        JpegHeader header = Jpeg.ReadHeader(file, "encoded");
        Assert.Equal((height, width, 3, false), (header.Height, header.Width, header.Components, header.Progressive));
        double psnr = Psnr(image, Jpeg.Decode(file, "encoded"));
        Assert.True(psnr > (quality == 1 ? 15 : 30), $"{psnr} dB");
    }

    [Fact]
    public void Quality_trades_size_for_likeness()
    {
        Image image = new(37, 51, JpegFixture.Named("progressive 4:4:4, quality 100").Pixels);
        int[] qualities = [5, 25, 50, 75, 90, 95, 100];
        byte[][] files = [.. qualities.Select(q => Jpeg.Encode(image, q))];
        double[] likeness = [.. files.Select(f => Psnr(image, Jpeg.Decode(f, "encoded")))];
        for (int i = 1; i < files.Length; i++)
        {
            Assert.True(files[i].Length > files[i - 1].Length, $"{files[i].Length} bytes at quality {qualities[i]}");
            Assert.True(likeness[i] > likeness[i - 1], $"{likeness[i]} dB at quality {qualities[i]}");
        }
        Assert.True(likeness[^1] > 50, $"{likeness[^1]} dB at quality 100");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(255)]
    [InlineData(128)]
    public void Flat_pictures_come_back_exactly(byte level)
    {
        var image = new Image(20, 30);
        image.Pixels.AsSpan().Fill(level);
        Assert.Equal(image.Pixels, Jpeg.Decode(Jpeg.Encode(image, 100), "flat").Pixels);
    }

    [Fact]
    public void Noise_and_extremes_come_back_nearly_exactly_at_quality_100()
    {
        var image = new Image(64, 64);
        new Random(7).NextBytes(image.Pixels);
        for (int i = 0; i < image.Pixels.Length / 2; i++) image.Pixels[i] = image.Pixels[i] < 128 ? (byte)0 : (byte)255;
        Assert.True(Psnr(image, Jpeg.Decode(Jpeg.Encode(image, 100), "noise")) > 45);
    }

    [Fact]
    public void The_same_picture_gives_the_same_bytes()
    {
        Image image = Slopes(50, 70);
        Assert.Equal(Jpeg.Encode(image), Jpeg.Encode(image.Clone()));
    }

    [Fact]
    public void What_cannot_be_written_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Jpeg.Encode(new Image(1, 1), 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Jpeg.Encode(new Image(1, 1), 101));
        Assert.Contains("65535", Assert.Throws<ArgumentException>(() => Jpeg.Encode(new Image(1, 65536))).Message, StringComparison.Ordinal);
    }

    private static Image Slopes(int height, int width)
    {
        var image = new Image(height, width);
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
                image[y, x] = new Rgb((byte)(x * 255 / width), (byte)(y * 255 / height), (byte)(128 + (100 * Math.Sin((x + y) / 9.0))));
        }
        return image;
    }

    private static double Psnr(Image expected, Image actual)
    {
        Assert.Equal(expected.Pixels.Length, actual.Pixels.Length);
        double squares = expected.Pixels.Zip(actual.Pixels, (a, b) => (double)(a - b) * (a - b)).Sum();
        return 10 * Math.Log10(255.0 * 255.0 * expected.Pixels.Length / Math.Max(squares, 1e-9));
    }
}
