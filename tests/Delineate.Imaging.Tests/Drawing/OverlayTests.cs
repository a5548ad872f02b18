using Xunit;

namespace Delineate.Imaging.Tests;

public class OverlayTests
{
    private static readonly Palette Colors = new([new(0, 0, 0), new(250, 200, 100), new(100, 250, 240)]);
    private static readonly string[] Names = ["background", "road", "sky"];

    [Fact]
    public void The_photo_is_blended_above_a_legend_and_itself_left_alone()
    {
        (Image photo, LabelMap labels) = Scene(200, 300);
        Image drawn = Overlay.Draw(photo, labels, Colors, Names, new OverlayOptions { Opacity = 1, ContourThickness = 0, Hidden = [0] });
        Assert.Equal(300, drawn.Width);
        Assert.True(drawn.Height > 200);
        Assert.Equal(new Rgb(60, 60, 60), drawn[0, 0]);
        Assert.Equal(Colors[1], drawn[150, 10]);
        Assert.Equal(Colors[2], drawn[150, 290]);
        Assert.All(photo.Pixels, v => Assert.Equal(60, v));
        Assert.Contains(Colors[1], Below(drawn, 200));
        Assert.DoesNotContain(Colors[0], Below(drawn, 200));
    }

    [Fact]
    public void It_is_the_photo_filled_and_outlined_on_a_canvas()
    {
        var random = new Random(3);
        var photo = new Image(90, 70);
        random.NextBytes(photo.Pixels);
        var labels = new LabelMap(90, 70);
        for (int i = 0; i < labels.Labels.Length; i++) labels.Labels[i] = (byte)(((i / 70 / 11) + (i % 70 / 13)) % 4 == 3 ? 255 : ((i / 70 / 11) + (i % 70 / 13)) % 4);
        var canvas = new Canvas(photo.Clone());
        canvas.Fill(labels, Colors, 0.4, [255]);
        canvas.Contour(labels, Colors, 3, [255]);
        var options = new OverlayOptions { Opacity = 0.4, ContourThickness = 3 };
        Image plain = Overlay.Draw(photo, labels, Colors, Names, options with { Legend = LegendPlace.None });
        Assert.Equal(canvas.Image.Pixels, plain.Pixels);
        Image right = Overlay.Draw(photo, labels, Colors, Names, options with { Legend = LegendPlace.Right }), below = Overlay.Draw(photo, labels, Colors, Names, options);
        Assert.Equal(plain.Pixels, right.Crop(0, 0, 90, 70).Pixels);
        Assert.Equal(plain.Pixels, below.Crop(0, (below.Width - 70) / 2, 90, 70).Pixels);
    }

    [Theory]
    [InlineData(LegendPlace.None)]
    [InlineData(LegendPlace.Below)]
    [InlineData(LegendPlace.Right)]
    public void A_file_holds_what_is_drawn(LegendPlace legend)
    {
        string path = Path.Combine(Path.GetTempPath(), $"delineate-{Path.GetRandomFileName()}");
        (Image photo, LabelMap labels) = Scene(200, 300);
        var options = new OverlayOptions { Legend = legend };
        Image drawn = Overlay.Draw(photo, labels, Colors, Names, options);
        try
        {
            Overlay.Save(path + ".png", photo, labels, Colors, Names, options);
            Image saved = ImageFile.Load(path + ".png");
            Assert.Equal((drawn.Height, drawn.Width), (saved.Height, saved.Width));
            Assert.Equal(drawn.Pixels, saved.Pixels);
            Overlay.Save(path + ".jpg", photo, labels, Colors, Names, options);
            Assert.Equal(drawn.Width, ImageFile.Load(path + ".jpg").Width);
            Assert.Throws<ArgumentException>(() => Overlay.Save(path + ".gif", photo, labels, Colors, Names, options));
        }
        finally
        {
            File.Delete(path + ".png");
            File.Delete(path + ".jpg");
        }
    }

    [Fact]
    public void Writing_a_file_takes_no_memory_of_the_pictures_size()
    {
        string path = Path.Combine(Path.GetTempPath(), $"delineate-{Path.GetRandomFileName()}.png");
        (Image photo, LabelMap labels) = Scene(1500, 2000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            Overlay.Save(path, photo, labels, Colors, Names);
            ImageFile.SaveLabels(labels, Colors, path);
        }
        finally
        {
            File.Delete(path);
        }
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, photo.Pixels.Length / 2);
    }

    [Fact]
    public void Contours_are_drawn_in_the_full_colour()
    {
        (Image photo, LabelMap labels) = Scene(200, 300);
        Image drawn = Overlay.Draw(photo, labels, Colors, Names, new OverlayOptions { Opacity = 0, Legend = LegendPlace.None });
        Assert.Equal((200, 300), (drawn.Height, drawn.Width));
        Assert.Equal(Colors[1], drawn[150, 149]);
        Assert.Equal(Colors[2], drawn[150, 150]);
        Assert.Equal(new Rgb(60, 60, 60), drawn[150, 148]);
    }

    [Fact]
    public void The_legend_stands_to_the_right_when_asked()
    {
        (Image photo, LabelMap labels) = Scene(200, 300);
        Image drawn = Overlay.Draw(photo, labels, Colors, Names, new OverlayOptions { Legend = LegendPlace.Right });
        Assert.Equal(200, drawn.Height);
        Assert.True(drawn.Width > 340);
    }

    [Fact]
    public void A_photo_too_small_for_a_legend_is_centred_above_one()
    {
        (Image photo, LabelMap labels) = Scene(10, 12);
        Image drawn = Overlay.Draw(photo, labels, Colors, Names, new OverlayOptions { Opacity = 0, ContourThickness = 0 });
        Assert.True(drawn.Width > 100);
        Assert.Equal(new Rgb(60, 60, 60), drawn[5, drawn.Width / 2]);
        Assert.Equal(new Rgb(255, 255, 255), drawn[5, 0]);
    }

    [Fact]
    public void Classes_without_a_name_and_pictures_without_a_class_are_drawn()
    {
        var photo = new Image(100, 200);
        Assert.True(Overlay.Draw(photo, new LabelMap(100, 200, [.. Enumerable.Repeat((byte)77, 20_000)]), Colors, []).Height > 100);
        Assert.Equal(photo.Pixels, Overlay.Draw(photo, new LabelMap(100, 200, [.. Enumerable.Repeat((byte)255, 20_000)]), Colors, Names).Pixels);
    }

    [Fact]
    public void Objects_are_filled_outlined_and_named()
    {
        var photo = new Image(100, 200);
        var ids = new IdMap(100, 200);
        for (int y = 20; y < 80; y++) ids.Ids.AsSpan((y * 200) + 20, 160).Fill(7);
        Image plain = Overlay.Draw(photo, ids), named = Overlay.Draw(photo, ids, new Dictionary<int, string> { [7] = "cell", [8] = "absent" });
        Assert.Equal(default, plain[10, 10]);
        Assert.NotEqual(default, plain[30, 30]);
        Assert.Equal(plain[30, 30], named[30, 30]);
        Assert.Equal(MaskDrawing.InstanceColor(7), named[50 - 6, 100]);
        Assert.NotEqual(plain.Pixels, named.Pixels);
    }

    [Fact]
    public void A_name_stands_above_an_object_that_it_would_hide()
    {
        var photo = new Image(100, 200);
        var ids = new IdMap(100, 200);
        for (int y = 50; y < 60; y++) ids.Ids.AsSpan((y * 200) + 95, 10).Fill(3);
        Image plain = Overlay.Draw(photo, ids), named = Overlay.Draw(photo, ids, new Dictionary<int, string> { [3] = "cell" });
        Assert.Equal(plain.Crop(49, 0, 51, 200).Pixels, named.Crop(49, 0, 51, 200).Pixels);
        Assert.Equal(MaskDrawing.InstanceColor(3), named[48, 100]);
    }

    [Fact]
    public void Sizes_that_differ_are_refused() =>
        Assert.Throws<ArgumentException>(() => Overlay.Draw(new Image(4, 5), new LabelMap(5, 4), Colors, Names));

    /// <summary>A grey photo whose lower half is road on the left and sky on the right.</summary>
    private static (Image Photo, LabelMap Labels) Scene(int height, int width)
    {
        var photo = new Image(height, width);
        photo.Pixels.AsSpan().Fill(60);
        var labels = new LabelMap(height, width);
        for (int y = height / 2; y < height; y++)
        {
            for (int x = 0; x < width; x++) labels[y, x] = (byte)(x < width / 2 ? 1 : 2);
        }
        return (photo, labels);
    }

    private static HashSet<Rgb> Below(Image drawn, int top) =>
        [.. drawn.Pixels.Skip(top * drawn.Width * 3).Chunk(3).Select(p => new Rgb(p[0], p[1], p[2]))];
}
