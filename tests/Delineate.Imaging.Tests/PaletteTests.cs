using Delineate.Imaging;
using Xunit;

namespace Delineate.Imaging.Tests;

public class PaletteTests
{
    [Theory]
    [InlineData(0, 0, 0, 0)]
    [InlineData(1, 128, 0, 0)]
    [InlineData(2, 0, 128, 0)]
    [InlineData(15, 192, 128, 128)]
    [InlineData(20, 0, 64, 128)]
    [InlineData(255, 224, 224, 192)]
    public void Voc_colours_are_those_of_the_devkit(int id, byte r, byte g, byte b) => Assert.Equal(new Rgb(r, g, b), Palette.Voc[id]);
}
