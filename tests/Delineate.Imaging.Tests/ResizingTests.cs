using Delineate.Testing;
using Xunit;

namespace Delineate.Imaging.Tests;

public class ResizingTests
{
    // Colour pictures and, spread to three channels, grey ones; the rest of the folder has no resized output.
    [ReferenceTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(9)]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(14)]
    [InlineData(15)]
    public void Every_filter_equals_PIL_bit_for_bit(int i)
    {
        Image source = Golden($"out.{i}.pixels");
        Assert.Equal(Golden($"out.{i}.pil_nearest").Pixels, source.Resize(96, 128, Interpolation.Nearest).Pixels);
        Assert.Equal(Golden($"out.{i}.pil_bilinear").Pixels, source.Resize(96, 128, Interpolation.Bilinear).Pixels);
        Assert.Equal(Golden($"out.{i}.pil_bicubic").Pixels, source.Resize(96, 128, Interpolation.Bicubic).Pixels);
        Assert.Equal(Golden($"out.{i}.pil_lanczos").Pixels, source.Resize(96, 128, Interpolation.Lanczos).Pixels);
    }

    [ReferenceFact]
    public void Labels_equal_PIL_nearest()
    {
        NpyArray source = NpyArray.Load(ReferenceFolder.Path("golden", "image_io", "out.9.pixels.npy"));
        byte[] expected = NpyArray.Load(ReferenceFolder.Path("golden", "image_io", "out.9.pil_nearest.npy")).Bytes;
        Assert.Equal(expected, new LabelMap(128, 256, source.Bytes).Resize(96, 128).Labels);
        Assert.Equal(Array.ConvertAll(expected, v => (int)v), new IdMap(128, 256, source.Ints).Resize(96, 128).Ids);
    }

    public static TheoryData<int, int, int, int> Shapes => new()
    {
        { 1, 1, 1, 1 }, { 1, 1, 7, 5 }, { 7, 5, 1, 1 }, { 9, 1, 4, 1 }, { 1, 40, 1, 13 },
        { 13, 17, 13, 60 }, { 40, 33, 11, 33 }, { 31, 29, 64, 65 }, { 64, 100, 10, 7 }, { 3, 11, 200, 2 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Filters_equal_a_plain_double_loop_to_one_level(int height, int width, int newHeight, int newWidth)
    {
        Image source = Noise(height, width, seed: height * width);
        foreach (Interpolation interpolation in new[] { Interpolation.Bilinear, Interpolation.Bicubic, Interpolation.Lanczos })
        {
            byte[] expected = Reference(source, newHeight, newWidth, interpolation), actual = source.Resize(newHeight, newWidth, interpolation).Pixels;
            for (int i = 0; i < expected.Length; i++) Assert.InRange(actual[i] - expected[i], -1, 1);
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_constant_picture_stays_constant(int height, int width, int newHeight, int newWidth)
    {
        var source = new Image(height, width);
        source.Pixels.AsSpan().Fill(201);
        foreach (Interpolation interpolation in Enum.GetValues<Interpolation>())
        {
            Image resized = source.Resize(newHeight, newWidth, interpolation);
            Assert.Equal((newHeight, newWidth), (resized.Height, resized.Width));
            Assert.All(resized.Pixels, v => Assert.Equal(201, v));
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Nearest_makes_no_new_label(int height, int width, int newHeight, int newWidth)
    {
        byte[] labels = [.. Noise(height, width, seed: 3).Pixels.Where((_, i) => i % 3 == 0)];
        var map = new LabelMap(height, width, labels);
        LabelMap resized = map.Resize(newHeight, newWidth);
        Assert.Subset(new HashSet<byte>(labels), new HashSet<byte>(resized.Labels));
        var ids = new IdMap(height, width, Array.ConvertAll(labels, v => (int)v));
        Assert.Equal(Array.ConvertAll(resized.Labels, v => (int)v), ids.Resize(newHeight, newWidth).Ids);
    }

    [Theory]
    [InlineData(Interpolation.Nearest)]
    [InlineData(Interpolation.Bilinear)]
    [InlineData(Interpolation.Bicubic)]
    [InlineData(Interpolation.Lanczos)]
    public void The_same_size_is_an_equal_copy(Interpolation interpolation)
    {
        Image source = Noise(6, 9, seed: 1);
        Image copy = source.Resize(6, 9, interpolation);
        Assert.Equal(source.Pixels, copy.Pixels);
        Assert.NotSame(source.Pixels, copy.Pixels);
    }

    [Fact]
    public void Nearest_doubles_and_halves_by_pixel_centres()
    {
        Assert.Equal(new byte[] { 1, 1, 2, 2, 3, 3 }, new LabelMap(1, 3, [1, 2, 3]).Resize(1, 6).Labels);
        Assert.Equal(new byte[] { 2, 4 }, new LabelMap(1, 4, [1, 2, 3, 4]).Resize(1, 2).Labels);
        Assert.Equal(new byte[] { 2 }, new LabelMap(1, 3, [1, 2, 3]).Resize(1, 1).Labels);
    }

    [Fact]
    public void Shrinking_averages()
    {
        var checkers = new Image(32, 32);
        for (int y = 0; y < 32; y++)
        {
            for (int x = 0; x < 32; x++) checkers[y, x] = (x + y) % 2 == 0 ? new Rgb(255, 255, 255) : default;
        }
        Assert.All(checkers.Resize(4, 4).Pixels, v => Assert.InRange(v, 120, 135));
    }

    [Fact]
    public void A_side_below_one_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Image(2, 2).Resize(0, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LabelMap(2, 2).Resize(5, -1));
    }

    /// <summary>The definition: weights that sum to one, in double, along rows and then down columns, rounded in between.</summary>
    private static byte[] Reference(Image source, int newHeight, int newWidth, Interpolation interpolation)
    {
        byte[] wide = new byte[source.Height * newWidth * 3], result = new byte[newHeight * newWidth * 3];
        for (int i = 0; i < wide.Length; i++)
        {
            int y = i / 3 / newWidth;
            wide[i] = Sample(x => source.Pixels[(((y * source.Width) + x) * 3) + (i % 3)], source.Width, newWidth, i / 3 % newWidth, interpolation);
        }
        for (int i = 0; i < result.Length; i++)
        {
            int column = i % (newWidth * 3);
            result[i] = Sample(y => wide[(y * newWidth * 3) + column], source.Height, newHeight, i / 3 / newWidth, interpolation);
        }
        return result;
    }

    private static byte Sample(Func<int, byte> at, int length, int newLength, int index, Interpolation interpolation)
    {
        double scale = (double)length / newLength, stretch = Math.Max(1, scale), sum = 0, weights = 0;
        if (length == newLength) return at(index);
        for (int i = 0; i < length; i++)
        {
            double x = Math.Abs((i + 0.5 - ((index + 0.5) * scale)) / stretch);
            double half = interpolation switch { Interpolation.Bilinear => 1, Interpolation.Bicubic => 2, _ => 3 };
            double weight = x >= half ? 0 : interpolation switch
            {
                Interpolation.Bilinear => 1 - x,
                Interpolation.Bicubic => x < 1 ? (1.5 * x * x * x) - (2.5 * x * x) + 1 : (-0.5 * x * x * x) + (2.5 * x * x) - (4 * x) + 2,
                _ => x == 0 ? 1 : 3 * Math.Sin(Math.PI * x) * Math.Sin(Math.PI * x / 3) / (Math.PI * Math.PI * x * x),
            };
            sum += weight * at(i);
            weights += weight;
        }
        return (byte)Math.Clamp(Math.Round(sum / weights), 0, 255);
    }

    private static Image Noise(int height, int width, int seed)
    {
        var image = new Image(height, width);
        new Random(seed).NextBytes(image.Pixels);
        return image;
    }

    private static Image Golden(string name)
    {
        NpyArray array = NpyArray.Load(ReferenceFolder.Path("golden", "image_io", name + ".npy"));
        byte[] pixels = array.Shape.Length == 3 ? array.Bytes : [.. array.Bytes.SelectMany(v => new[] { v, v, v })];
        return new Image(array.Shape[0], array.Shape[1], pixels);
    }
}
