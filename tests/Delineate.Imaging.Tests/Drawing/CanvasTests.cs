using Xunit;

namespace Delineate.Imaging.Tests;

public class CanvasTests
{
    private static readonly Rgb White = new(255, 255, 255), Red = new(255, 0, 0);

    [Fact]
    public void A_rectangle_covers_its_pixels_and_no_others()
    {
        Canvas canvas = Blank(4, 5);
        canvas.FillRectangle(1, 2, 2, 9, White);
        AssertRows(canvas, ".....", "..###", "..###", ".....");
    }

    [Fact]
    public void An_outline_lies_inside_its_rectangle()
    {
        Canvas canvas = Blank(6, 7);
        canvas.Rectangle(1, 1, 4, 5, White);
        AssertRows(canvas, ".......", ".#####.", ".#...#.", ".#...#.", ".#####.", ".......");
        canvas = Blank(3, 4);
        canvas.Rectangle(0, 0, 3, 4, White, thickness: 7);
        AssertRows(canvas, "####", "####", "####");
    }

    [Fact]
    public void Half_opacity_mixes_by_halves()
    {
        Canvas canvas = Blank(1, 1);
        canvas.FillRectangle(0, 0, 1, 1, new Rgb(200, 100, 0), 0.5);
        Assert.Equal(new Rgb(100, 50, 0), canvas.Image[0, 0]);
        canvas.FillRectangle(0, 0, 1, 1, new Rgb(7, 8, 9), 1);
        Assert.Equal(new Rgb(7, 8, 9), canvas.Image[0, 0]);
    }

    [Fact]
    public void A_line_through_pixel_centres_is_crisp()
    {
        Canvas canvas = Blank(3, 6);
        canvas.Line(1.5, 1.5, 4.5, 1.5, White);
        AssertRows(canvas, "......", ".####.", "......");
        canvas = Blank(5, 3);
        canvas.Line(1.5, 3.5, 1.5, 0.5, White);
        AssertRows(canvas, ".#.", ".#.", ".#.", ".#.", "...");
    }

    [Fact]
    public void A_line_between_pixels_is_shared_by_both()
    {
        Canvas canvas = Blank(4, 20);
        canvas.Line(-5, 2, 30, 2, White);
        for (int x = 0; x < 20; x++)
        {
            Assert.Equal([0, 128, 128, 0], Enumerable.Range(0, 4).Select(y => (int)canvas.Image[y, x].R));
        }
    }

    [Theory]
    [InlineData(3.0)]
    [InlineData(7.5)]
    [InlineData(12.25)]
    public void A_disc_has_the_area_of_a_circle(double radius)
    {
        Canvas canvas = Blank(41, 41);
        canvas.Disc(20.3, 20.6, radius, White);
        Assert.InRange(canvas.Image.Pixels.Sum(v => v) / 3 / 255.0 / (Math.PI * radius * radius), 0.985, 1.015);
    }

    [Fact]
    public void A_circle_has_the_area_of_a_ring()
    {
        Canvas canvas = Blank(41, 41);
        canvas.Circle(20.3, 20.6, 12, White, 2);
        Assert.InRange(canvas.Image.Pixels.Sum(v => v) / 3 / 255.0 / (2 * Math.PI * 12 * 2), 0.98, 1.02);
        Assert.Equal(default, canvas.Image[20, 20]);
    }

    [Fact]
    public void A_slanted_line_has_the_area_of_its_length_and_width()
    {
        Canvas canvas = Blank(60, 80);
        canvas.Line(10, 10, 70, 50, White, 4);
        double area = (Math.Sqrt((60 * 60) + (40 * 40)) * 4) + (Math.PI * 2 * 2);
        Assert.InRange(canvas.Image.Pixels.Sum(v => v) / 3 / 255.0 / area, 0.99, 1.01);
    }

    [Fact]
    public void Any_coordinates_are_clipped()
    {
        int[] whole = [int.MinValue, -100_000, -7, -1, 0, 3, 8, 100_000, int.MaxValue];
        double[] points = [double.NegativeInfinity, -1e300, -1e9, -5.5, 0, 4.25, 9, 1e9, 1e300, double.PositiveInfinity, double.NaN];
        var random = new Random(1);
        Canvas canvas = Blank(8, 9);
        Font font = Font.OfSize(12);
        var picture = new Image(3, 30);
        for (int round = 0; round < 3000; round++)
        {
            int I() => whole[random.Next(whole.Length)];
            double D() => points[random.Next(points.Length)];
            canvas.FillRectangle(I(), I(), I(), I(), Red, D());
            canvas.Rectangle(I(), I(), I(), I(), Red, I());
            canvas.Line(D(), D(), D(), D(), Red, D());
            canvas.Disc(D(), D(), D(), Red);
            canvas.Circle(D(), D(), D(), Red, D());
            canvas.Keypoint(D(), D(), Red, D());
            canvas.Box(D(), D(), D(), D(), Red, "box", I(), font);
            canvas.Text("text", I(), I(), font, Red);
            canvas.Label("label", I(), I(), font, Red);
            canvas.Paste(picture, I(), I());
        }
        Assert.Equal(8 * 9 * 3, canvas.Image.Pixels.Length);
    }

    [Fact]
    public void What_lies_outside_changes_nothing()
    {
        Canvas canvas = Blank(10, 10);
        canvas.FillRectangle(-5, -5, 5, 5, Red);
        canvas.FillRectangle(10, 0, 5, 5, Red);
        canvas.Line(-20, -3, 30, -3, Red, 4);
        canvas.Disc(15, 5, 4, Red);
        canvas.Text("outside", 11, 0, Font.OfSize(12), Red);
        canvas.Text("outside", 0, -200, Font.OfSize(12), Red);
        canvas.Paste(canvas.Image.Clone(), 0, 10);
        Assert.All(canvas.Image.Pixels, v => Assert.Equal(0, v));
    }

    [Fact]
    public void Text_stays_between_its_start_and_where_the_next_would_begin()
    {
        Font font = Font.OfSize(16);
        Canvas canvas = Blank(60, 200);
        int end = canvas.Text("Hxg (42%)", 20, 30, font, White);
        Assert.Equal(30 + font.Measure("Hxg (42%)"), end);
        (int Y, int X)[] ink = [.. from y in Enumerable.Range(0, 60) from x in Enumerable.Range(0, 200) where canvas.Image[y, x].R > 0 select (y, x)];
        Assert.InRange(ink.Min(p => p.X), 29, 34);
        Assert.InRange(ink.Max(p => p.X), end - 4, end);
        Assert.InRange(ink.Min(p => p.Y), 20, 20 + font.Ascent);
        Assert.InRange(ink.Max(p => p.Y), 20 + font.Ascent, 20 + font.LineHeight - 1);
        Assert.Contains(ink, p => canvas.Image[p.Y, p.X].R is > 0 and < 255);
    }

    [Fact]
    public void A_label_is_moved_into_the_picture()
    {
        Rgb plate = new(250, 220, 0);
        Canvas canvas = Blank(40, 90);
        canvas.Label("car", 500, 500, Font.OfSize(12), plate);
        Assert.Equal(plate, canvas.Image[39, 89]);
        Assert.Contains(canvas.Image.Pixels.Chunk(3), p => p[0] == 0 && p[1] == 0);
        canvas = Blank(40, 90);
        canvas.Label("car", 0, 0, Font.OfSize(12), new Rgb(0, 0, 90));
        Assert.Contains(canvas.Image.Pixels.Chunk(3), p => p[0] > 240);
    }

    [Fact]
    public void A_box_at_the_top_has_its_name_inside()
    {
        Canvas canvas = Blank(80, 120);
        canvas.Box(10, 40.4, 110, 79.6, Red, "car");
        Assert.Equal(Red, canvas.Image[38, 11]);
        Assert.Equal(Red, canvas.Image[40, 109]);
        Assert.Equal(Red, canvas.Image[79, 60]);
        Assert.Equal(default, canvas.Image[60, 60]);
        canvas = Blank(80, 120);
        canvas.Box(10, 2, 110, 70, Red, "car");
        Assert.Equal(default, canvas.Image[1, 11]);
        Assert.Equal(Red, canvas.Image[10, 11]);
    }

    private static Canvas Blank(int height, int width) => new(new Image(height, width));

    private static void AssertRows(Canvas canvas, params string[] rows) =>
        Assert.Equal(rows, canvas.Image.Pixels.Chunk(canvas.Image.Width * 3).Select(
            row => string.Concat(row.Chunk(3).Select(p => p[0] switch { 0 => '.', 255 => '#', _ => '?' }))));
}
