using Xunit;

namespace Delineate.Imaging.Tests;

public class GeometryTests
{
    // Rows 0 1 2 / 3 4 5, told in the red channel, and as labels and ids.
    private static readonly int[] Counting = [0, 1, 2, 3, 4, 5];

    [Fact]
    public void Flipping_left_and_right_exchanges_columns() =>
        All(new[] { 2, 1, 0, 5, 4, 3 }, 2, 3, i => i.FlipHorizontal(), l => l.FlipHorizontal(), d => d.FlipHorizontal());

    [Fact]
    public void Flipping_top_and_bottom_exchanges_rows() =>
        All(new[] { 3, 4, 5, 0, 1, 2 }, 2, 3, i => i.FlipVertical(), l => l.FlipVertical(), d => d.FlipVertical());

    [Fact]
    public void Flipping_twice_changes_nothing()
    {
        All(
            Counting, 2, 3,
            i => i.FlipHorizontal().FlipHorizontal(), l => l.FlipHorizontal().FlipHorizontal(), d => d.FlipHorizontal().FlipHorizontal());
        All(Counting, 2, 3, i => i.FlipVertical().FlipVertical(), l => l.FlipVertical().FlipVertical(), d => d.FlipVertical().FlipVertical());
    }

    [Fact]
    public void A_crop_is_the_rectangle_asked_for() =>
        All(new[] { 4, 5 }, 1, 2, i => i.Crop(1, 1, 1, 2), l => l.Crop(1, 1, 1, 2), d => d.Crop(1, 1, 1, 2));

    [Fact]
    public void Padding_surrounds_with_the_fill() => All(
        new[] { 9, 9, 9, 9, 0, 1, 2, 9, 3, 4, 5, 9, 9, 9, 9, 9, 9, 9, 9, 9 }, 5, 4,
        i => i.Pad(1, 0, 2, 1, new Rgb(9, 9, 9)), l => l.Pad(1, 0, 2, 1, 9), d => d.Pad(1, 0, 2, 1, 9));

    [Fact]
    public void Cropping_undoes_padding() =>
        All(
            Counting, 2, 3,
            i => i.Pad(3, 1, 2, 4).Crop(3, 1, 2, 3), l => l.Pad(3, 1, 2, 4, 255).Crop(3, 1, 2, 3), d => d.Pad(3, 1, 2, 4).Crop(3, 1, 2, 3));

    [Theory]
    [InlineData(-1, 0, 1, 1)]
    [InlineData(0, 0, 3, 1)]
    [InlineData(0, 2, 1, 2)]
    [InlineData(0, 0, 0, 1)]
    [InlineData(0, int.MaxValue, 1, 1)]
    public void A_crop_that_leaves_the_picture_is_refused(int top, int left, int height, int width)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Image(2, 3).Crop(top, left, height, width));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LabelMap(2, 3).Crop(top, left, height, width));
        Assert.Throws<ArgumentOutOfRangeException>(() => new IdMap(2, 3).Crop(top, left, height, width));
    }

    [Fact]
    public void A_negative_border_is_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => new LabelMap(2, 3).Pad(0, -1, 0, 0, 0));

    private static void All(int[] expected, int height, int width, Func<Image, Image> image, Func<LabelMap, LabelMap> labels, Func<IdMap, IdMap> ids)
    {
        Image picture = image(new Image(2, 3, [.. Counting.SelectMany(v => new[] { (byte)v, (byte)v, (byte)v })]));
        Assert.Equal((height, width), (picture.Height, picture.Width));
        Assert.Equal(expected.SelectMany(v => new[] { (byte)v, (byte)v, (byte)v }), picture.Pixels);
        LabelMap map = labels(new LabelMap(2, 3, Array.ConvertAll(Counting, v => (byte)v)));
        Assert.Equal((height, width), (map.Height, map.Width));
        Assert.Equal(Array.ConvertAll(expected, v => (byte)v), map.Labels);
        Assert.Equal(expected, ids(new IdMap(2, 3, (int[])Counting.Clone())).Ids);
    }
}
