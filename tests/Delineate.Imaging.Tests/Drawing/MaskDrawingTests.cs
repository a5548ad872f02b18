using Xunit;

namespace Delineate.Imaging.Tests;

public class MaskDrawingTests
{
    private static readonly Palette Colors = new([new(0, 0, 0), new(250, 200, 100), new(100, 250, 240)]);

    [Fact]
    public void Colorize_gives_each_label_its_colour_and_black_to_those_beyond_the_palette() =>
        Assert.Equal(
            new byte[] { 0, 0, 0, 250, 200, 100, 100, 250, 240, 0, 0, 0 },
            new LabelMap(1, 4, [0, 1, 2, 9]).Colorize(Colors).Pixels);

    [Fact]
    public void Blending_mixes_by_the_opacity_and_leaves_the_hidden_alone()
    {
        var image = new Image(1, 3);
        image.Pixels.AsSpan().Fill(100);
        new Canvas(image).Fill(new LabelMap(1, 3, [0, 1, 255]), Colors, 0.2, [255]);
        Assert.Equal(new byte[] { 80, 80, 80, 130, 120, 100, 100, 100, 100 }, image.Pixels);
    }

    [Fact]
    public void Rounding_is_exact_for_every_sum()
    {
        for (int x = 0; x <= 255 * 255; x++) Assert.Equal((x + 127) / 255, Canvas.Over255(x));
    }

    [Fact]
    public void An_outline_lies_on_the_inside_of_its_region()
    {
        var labels = new LabelMap(7, 7);
        for (int y = 1; y < 6; y++) labels.Labels.AsSpan((y * 7) + 1, 5).Fill(1);
        var image = new Image(7, 7);
        new Canvas(image).Contour(labels, Colors, 1, [0]);
        Assert.Equal(".......\n.#####.\n.#...#.\n.#...#.\n.#...#.\n.#####.\n.......", Picture(image));
        new Canvas(image).Contour(labels, Colors, 2, [0]);
        Assert.Equal(".......\n.#####.\n.#####.\n.##.##.\n.#####.\n.#####.\n.......", Picture(image));
    }

    [Fact]
    public void The_border_of_the_picture_is_no_outline()
    {
        var image = new Image(4, 4);
        new Canvas(image).Contour(new LabelMap(4, 4, [.. Enumerable.Repeat((byte)1, 16)]), Colors, 3);
        Assert.All(image.Pixels, v => Assert.Equal(0, v));
    }

    [Fact]
    public void Neighbouring_objects_are_parted_even_where_their_colours_repeat()
    {
        var image = new Image(1, 6);
        var canvas = new Canvas(image);
        canvas.Contour(new IdMap(1, 6, [1, 1, 1, 65, 65, 65]));
        Assert.Equal("..##..", Picture(image));
        Assert.Equal(MaskDrawing.InstanceColor(1), MaskDrawing.InstanceColor(65));
    }

    [Fact]
    public void Objects_keep_their_colours_and_nothing_is_black()
    {
        Image image = new IdMap(1, 4, [0, 1, 40_000, -3]).Colorize();
        Assert.Equal(default, image[0, 0]);
        Assert.Equal(MaskDrawing.InstanceColor(1), image[0, 1]);
        Assert.Equal(MaskDrawing.InstanceColor(40_000), image[0, 2]);
        Assert.Equal(MaskDrawing.InstanceColor(-3), image[0, 3]);
        Assert.All(Enumerable.Range(1, 200), id => Assert.NotEqual(default, MaskDrawing.InstanceColor(id)));
    }

    [Fact]
    public void Sizes_that_differ_are_named()
    {
        var canvas = new Canvas(new Image(4, 5));
        Assert.Contains("4×5", Assert.Throws<ArgumentException>(() => canvas.Fill(new LabelMap(5, 4), Colors, 1)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => canvas.Contour(new IdMap(4, 4)));
    }

    private static string Picture(Image image) => string.Join('\n', Enumerable.Range(0, image.Height).Select(
        y => string.Concat(Enumerable.Range(0, image.Width).Select(x => image[y, x] == default ? '.' : '#'))));

    [Fact]
    public void An_id_apart_from_others_is_the_first_whose_colour_is_plainly_another()
    {
        Assert.Equal(1, MaskDrawing.IdApartFrom([]));
        int[] taken = [];
        while (taken.Length < 12)
        {
            int next = MaskDrawing.IdApartFrom(taken);
            Assert.DoesNotContain(next, taken);
            Assert.All(taken, t => Assert.True(DistinctColors.Distance(MaskDrawing.InstanceColor(t), MaskDrawing.InstanceColor(next)) >= 0.07, $"{t} {next}"));
            Assert.All(Enumerable.Range(1, next - 1).Except(taken), id => Assert.Contains(taken, t => DistinctColors.Distance(MaskDrawing.InstanceColor(t), MaskDrawing.InstanceColor(id)) < 0.07));
            taken = [.. taken, next];
        }
        // Where every colour is near one of them, the farthest is as good as can be.
        Assert.InRange(MaskDrawing.IdApartFrom([.. Enumerable.Range(1, MaskDrawing.InstanceColors)]), 1, MaskDrawing.InstanceColors);
        Assert.Equal(MaskDrawing.InstanceColor(5), MaskDrawing.InstanceColor(5 + MaskDrawing.InstanceColors));
    }
}
