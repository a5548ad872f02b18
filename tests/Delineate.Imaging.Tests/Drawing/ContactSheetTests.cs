using Xunit;

namespace Delineate.Imaging.Tests;

public class ContactSheetTests
{
    private static readonly Rgb Red = new(255, 0, 0), Blue = new(0, 0, 255);

    [Fact]
    public void Pictures_fill_rows_and_keep_their_proportions()
    {
        Image sheet = ContactSheet.Compose(
            [(Flat(50, 100, Red), ""), (Flat(10, 10, Blue), ""), (Flat(300, 100, Red), "")], 2, 100, 100, font: Font.OfSize(12));
        Assert.Equal((12 + (2 * 112), 12 + (2 * 112)), (sheet.Height, sheet.Width));
        Assert.Equal(Rectangle(12 + 25, 12, 50, 100), Where(sheet, Red, 0, 112));
        Assert.Equal(Rectangle(12, 124, 100, 100), Where(sheet, Blue, 0, sheet.Height));
        Assert.Equal(Rectangle(124, 12 + 33, 100, 33), Where(sheet, Red, 112, sheet.Height));
    }

    [Fact]
    public void Captions_and_a_title_take_their_room_and_stay_in_it()
    {
        (Image, string)[] pictures = [(Flat(40, 40, Red), new string('w', 200)), (Flat(40, 40, Blue), "")];
        Image plain = ContactSheet.Compose([(pictures[0].Item1, ""), pictures[1]], 2, 40, 40, font: Font.OfSize(12));
        Image captioned = ContactSheet.Compose(pictures, 2, 40, 40, font: Font.OfSize(12));
        Image titled = ContactSheet.Compose(pictures, 2, 40, 40, new string('W', 300), Font.OfSize(12));
        Assert.True(plain.Height < captioned.Height && captioned.Height < titled.Height);
        for (int y = 0; y < titled.Height; y++) Assert.Equal(new Rgb(255, 255, 255), titled[y, titled.Width - 1]);
    }

    [Fact]
    public void Side_by_side_keeps_pictures_as_they_are()
    {
        var noise = new Image(33, 47);
        new Random(3).NextBytes(noise.Pixels);
        Image row = ContactSheet.SideBySide([(noise, "photo"), (Flat(33, 47, Blue), "truth"), (Flat(33, 47, Red), "prediction")], Font.OfSize(12));
        Assert.Equal(12 + (3 * (47 + 12)), row.Width);
        Assert.Equal(noise.Pixels, row.Crop(12, 12, 33, 47).Pixels);
    }

    [Fact]
    public void An_empty_sheet_is_refused()
    {
        Assert.Throws<ArgumentException>(() => ContactSheet.Compose([], 3, 10, 10));
        Assert.Throws<ArgumentOutOfRangeException>(() => ContactSheet.Compose([(Flat(1, 1, Red), "")], 0, 10, 10));
        Assert.Throws<ArgumentOutOfRangeException>(() => ContactSheet.Compose([(Flat(1, 1, Red), "")], 1, 10, 0));
    }

    private static Image Flat(int height, int width, Rgb color)
    {
        var canvas = new Canvas(new Image(height, width));
        canvas.FillRectangle(0, 0, height, width, color);
        return canvas.Image;
    }

    private static (int Top, int Left, int Height, int Width, int Count) Rectangle(int top, int left, int height, int width) =>
        (top, left, height, width, height * width);

    private static (int Top, int Left, int Height, int Width, int Count) Where(Image image, Rgb color, int fromRow, int toRow)
    {
        (int Y, int X)[] at =
        [
            .. from y in Enumerable.Range(fromRow, toRow - fromRow) from x in Enumerable.Range(0, image.Width) where image[y, x] == color select (y, x),
        ];
        (int top, int left) = (at.Min(p => p.Y), at.Min(p => p.X));
        return (top, left, at.Max(p => p.Y) - top + 1, at.Max(p => p.X) - left + 1, at.Length);
    }
}
