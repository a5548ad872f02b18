using Delineate.Imaging;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class DetectorInputTests
{
    /// <summary>Sizes that torchvision 0.14's <c>GeneralizedRCNNTransform</c> gave: a reciprocal in float decides whether a side ends at 159 or 160.</summary>
    [Theory]
    [InlineData(150, 110, 160, 240, 218, 159, 224, 160)]
    [InlineData(480, 640, 800, 1333, 800, 1066, 800, 1088)]
    [InlineData(427, 640, 800, 1333, 799, 1199, 800, 1216)]
    [InlineData(333, 500, 800, 1333, 799, 1201, 800, 1216)]
    [InlineData(100, 4000, 800, 1333, 33, 1333, 64, 1344)]
    [InlineData(1, 1, 32, 64, 32, 32, 32, 32)]
    [InlineData(96, 140, 128, 160, 109, 160, 128, 160)]
    [InlineData(1080, 1920, 800, 1333, 749, 1333, 768, 1344)]
    [InlineData(3000, 4000, 640, 1000, 640, 853, 640, 864)]
    public void Sizes_equal_torchvisions(int height, int width, int minSize, int maxSize, int resizedHeight, int resizedWidth, int paddedHeight, int paddedWidth)
    {
        Size2d size = DetectorInput.Resized((height, width), minSize, maxSize);
        Assert.Equal((resizedHeight, resizedWidth), (size.Height, size.Width));
        Assert.Equal((paddedHeight, paddedWidth), DetectorInput.Padded([size]));
    }

    [Fact]
    public void An_image_too_thin_for_its_short_side_keeps_a_pixel() => Assert.Equal((1, 1332), DetectorInput.Resized((1, 50_000), 800, 1333));

    [Fact]
    public void Images_are_normalised_and_padded_with_zeros()
    {
        var preprocessing = new Preprocessing { Mean = [0.5f, 0.25f, 0], Deviation = [0.5f, 0.25f, 2] };
        Tensor one = Tensor.Full([32, 40, 3], 1), other = Tensor.Full([16, 16, 3], 0.5f);
        DetectorInput input = DetectorInput.Of([one, other], preprocessing, [32, 32], 64);
        Assert.Equal([2, 32, 64, 3], input.Images.Shape);
        Assert.Equal([(32, 40), (32, 32)], input.Sizes);
        Assert.Equal([(32, 40), (16, 16)], input.Originals);
        for (int n = 0; n < 2; n++)
        {
            float[] inside = n == 0 ? [1, 3, 0.5f] : [0, 1, 0.25f];
            for (int i = 0; i < 32 * 64; i++)
            {
                bool isInside = i % 64 < input.Sizes[n].Width;
                for (int c = 0; c < 3; c++) Assert.Equal(isInside ? inside[c] : 0, input.Images.Span[(((n * 32 * 64) + i) * 3) + c]);
            }
        }
    }

    [Fact]
    public void An_image_can_be_brought_to_mean_0_and_deviation_1_by_its_own_figures()
    {
        var image = new Image(40, 50);
        new Random(2).NextBytes(image.Pixels);
        DetectorInput input = DetectorInput.Of([DetectorInput.Values(image)], new Preprocessing { Standardize = true }, 40, 64);
        for (int c = 0; c < 3; c++)
        {
            double[] values = [.. Enumerable.Range(0, 40 * 50).Select(i => (double)input.Images.Span[(((i / 50 * 64) + (i % 50)) * 3) + c])];
            Assert.Equal(0, values.Average(), 1e-5);
            Assert.Equal(1, values.Average(v => v * v), 1e-4);
        }
        DetectorInput blank = DetectorInput.Of([Tensor.Full([8, 8, 3], 0.7f)], new Preprocessing { Standardize = true }, 32, 64);
        Assert.All(blank.Images.ToArray(), v => Assert.InRange(v, -1e-4f, 1e-4f));
    }

    [Fact]
    public void Bytes_become_0_to_1()
    {
        var image = new Image(1, 2);
        ((byte[])[0, 51, 255, 1, 2, 3]).CopyTo(image.Pixels, 0);
        Assert.Equal([0, 51 / 255f, 1, 1 / 255f, 2 / 255f, 3 / 255f], DetectorInput.Values(image).ToArray());
    }

    [Fact]
    public void What_is_no_image_is_refused()
    {
        Assert.Throws<ShapeException>(() => DetectorInput.Of([Tensor.Zeros([3, 40, 50])], new Preprocessing(), 40, 64));
        Assert.Throws<ShapeException>(() => DetectorInput.Of([Tensor.Zeros([0, 50, 3])], new Preprocessing(), 40, 64));
        Assert.Throws<ShapeException>(() => DetectorInput.Of([Tensor.Zeros([1, 40, 50, 3])], new Preprocessing(), 40, 64));
    }
}
