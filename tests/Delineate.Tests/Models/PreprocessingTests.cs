using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class PreprocessingTests
{
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
