using Delineate.Data;
using Delineate.Imaging;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Data;

public class RleGeometryTests
{
    /// <summary>Random masks, from speckles to large areas, of sizes from 1×1 on.</summary>
    public static TheoryData<int, int, int> Sizes => new() { { 1, 1, 0 }, { 1, 7, 1 }, { 9, 1, 2 }, { 5, 8, 3 }, { 13, 6, 4 }, { 20, 31, 5 } };

    private static LabelMap Random(int height, int width, int seed)
    {
        var random = new Philox((ulong)seed);
        var map = new LabelMap(height, width);
        int run = 0;
        byte value = 0;
        for (int i = 0; i < map.Labels.Length; i++)
        {
            if (run-- <= 0) (run, value) = (random.NextInt(6), (byte)random.NextInt(2));
            map.Labels[i] = value;
        }
        return map;
    }

    private static void AssertEqual(LabelMap expected, Rle mask)
    {
        Assert.Equal((expected.Height, expected.Width), (mask.Height, mask.Width));
        Assert.Equal(expected.Labels, mask.Decode());
        Assert.Equal(Rle.Encode(expected.Labels, expected.Height, expected.Width), mask); // no run of 0, none divided
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Every_change_is_that_of_the_picture(int height, int width, int seed)
    {
        LabelMap map = Random(height, width, seed);
        Rle mask = Rle.Encode(map.Labels, height, width);
        AssertEqual(map.FlipHorizontal(), mask.FlipHorizontal());
        AssertEqual(map.FlipVertical(), mask.FlipVertical());
        AssertEqual(map.Pad(2, 1, 0, 3, fill: 0), mask.Pad(2, 1, 0, 3));
        (int h, int w) = ((height / 2) + 1, (width / 3) + 1);
        for (int top = 0; top <= height - h; top++)
            for (int left = 0; left <= width - w; left++) AssertEqual(map.Crop(top, left, h, w), mask.Crop(top, left, h, w));
        foreach ((int newHeight, int newWidth) in ((int, int)[])[(1, 1), (height, width), (height * 2, width * 3), ((height / 2) + 1, width + 3), (height + 5, (width / 2) + 1)])
        {
            AssertEqual(map.Resize(newHeight, newWidth), mask.Resize(newHeight, newWidth, centers: true));
            var naive = new LabelMap(newHeight, newWidth);
            for (int y = 0; y < newHeight; y++)
                for (int x = 0; x < newWidth; x++) naive[y, x] = map[(int)(y * ((float)height / newHeight)), (int)(x * ((float)width / newWidth))];
            AssertEqual(naive, mask.Resize(newHeight, newWidth));
        }
    }

    /// <summary>Places as PyTorch 1.13's <c>interpolate(torch.arange(n), size=m, mode="nearest")</c> gives them.</summary>
    [Theory]
    [InlineData(7, 5, new[] { 0, 1, 2, 4, 5 })]
    [InlineData(5, 7, new[] { 0, 0, 1, 2, 2, 3, 4 })]
    [InlineData(10, 3, new[] { 0, 3, 6 })]
    [InlineData(3, 8, new[] { 0, 0, 0, 1, 1, 1, 2, 2 })]
    public void Nearest_pixels_are_pytorchs(int length, int newLength, int[] sources)
    {
        for (int pixel = 0; pixel < length; pixel++)
        {
            byte[] line = new byte[length];
            line[pixel] = 1;
            byte[] expected = [.. sources.Select(s => (byte)(s == pixel ? 1 : 0))];
            Assert.Equal(expected, Rle.Encode(line, 1, length).Resize(1, newLength).Decode());
            Assert.Equal(expected, Rle.Encode(line, length, 1).Resize(newLength, 1).Decode());
        }
    }

    [Fact]
    public void Windows_outside_and_negative_borders_are_refused()
    {
        var mask = Rle.Empty(4, 5);
        Assert.Throws<ArgumentOutOfRangeException>(() => mask.Crop(1, 0, 4, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => mask.Crop(0, -1, 2, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => mask.Crop(0, 0, 0, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => mask.Pad(0, 0, -1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => mask.Resize(0, 3));
    }

    [Fact]
    public void Each_id_of_a_map_gives_its_mask()
    {
        var ids = new IdMap(3, 4, [5, 5, 0, 2, 5, 0, 0, 2, 700, 700, 5, 2]);
        (int Id, Rle Mask)[] masks = [.. ids.Masks()];
        Assert.Equal([2, 5, 700], masks.Select(m => m.Id));
        foreach ((int id, Rle mask) in masks) Assert.Equal(Rle.Encode([.. ids.Ids.Select(i => (byte)(i == id ? 1 : 0))], 3, 4), mask);
        Assert.Empty(new IdMap(2, 2).Masks());
    }
}
