using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class PreprocessingTests
{
    [Fact]
    public void Standardized_images_have_mean_0_and_deviation_1_whatever_their_light()
    {
        var random = new Random(5);
        var dark = new Image(9, 13);
        for (int i = 0; i < dark.Pixels.Length; i++) dark.Pixels[i] = (byte)(3 + random.Next(20) + (i % 3));
        Image bright = dark.Clone();
        for (int i = 0; i < bright.Pixels.Length; i++) bright.Pixels[i] = (byte)((4 * bright.Pixels[i]) + 60);
        Tensor batch = new Preprocessing { Standardize = true }.ToTensor([dark, bright]);
        for (int c = 0; c < 3; c++)
        {
            float[] channel = [.. Enumerable.Range(0, 9 * 13).Select(p => batch.Span[(p * 3) + c])];
            Assert.Equal(0, channel.Average(), 1e-4);
            Assert.Equal(1, channel.Average(v => v * v), 1e-4);
        }
        for (int i = 0; i < dark.Pixels.Length; i++) Assert.Equal(batch.Span[i], batch.Span[dark.Pixels.Length + i], 1e-4);
    }

    [Fact]
    public void A_blank_image_is_standardized_to_zeros() =>
        Assert.All(new Preprocessing { Standardize = true }.ToTensor([new Image(3, 4)]).ToArray(), v => Assert.Equal(0, v));

    [Fact]
    public void Pixels_are_normalised_and_smaller_images_padded_with_zeros()
    {
        var dark = new Image(1, 2);
        dark[0, 1] = new Rgb(255, 51, 102);
        Tensor batch = new Preprocessing { Mean = [0.5f, 0.2f, 0.4f], Deviation = [0.5f, 0.1f, 0.2f] }.ToTensor([dark, new Image(2, 1)], atLeast: 3);
        Assert.Equal([2, 3, 3, 3], batch.Shape.ToArray());
        float[] values = batch.ToArray();
        float[] expected = [-1, -2, -2, 1, 0, 0, 0, 0, 0];
        for (int i = 0; i < 9; i++) Assert.Equal(expected[i], values[i], 1e-6f);
        Assert.All(values[9..27], v => Assert.Equal(0, v));
        Assert.Equal([-1, -2, -2, 0, 0, 0, 0, 0, 0, -1, -2, -2], values[27..39].Select(v => MathF.Round(v, 5) + 0f));
    }

    [Theory]
    [InlineData(null, 7, 9, 7, 9)]
    [InlineData(520, 375, 500, 520, 693)]
    [InlineData(520, 500, 375, 693, 520)]
    [InlineData(16, 1, 30, 16, 480)]
    public void The_short_side_decides_the_networks_size(int? side, int height, int width, int expectedHeight, int expectedWidth) =>
        Assert.Equal((expectedHeight, expectedWidth), new Preprocessing { ShortSide = side }.NetworkSize(height, width));

    [Fact]
    public void An_image_too_long_and_thin_is_refused() =>
        Assert.Contains("1×60000", Assert.Throws<DatasetException>(() => new Preprocessing { ShortSide = 520 }.NetworkSize(1, 60000)).Message, StringComparison.Ordinal);
}
