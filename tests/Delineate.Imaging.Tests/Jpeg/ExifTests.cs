using Xunit;

namespace Delineate.Imaging.Tests;

public class ExifTests
{
    // One directory at 8 with two entries: width (ignored), then the orientation.
    private static readonly byte[] _little =
        [.. "II*\0"u8, 8, 0, 0, 0, 2, 0, 0, 1, 3, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0];

    private static readonly byte[] _big =
        [.. "MM\0*"u8, 0, 0, 0, 8, 0, 2, 1, 0, 0, 3, 0, 0, 0, 1, 0, 9, 0, 0, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0];

    [Fact]
    public void Both_byte_orders_are_read()
    {
        Assert.Equal(ExifOrientation.QuarterClockwise, Exif.ReadOrientation(_little));
        Assert.Equal(ExifOrientation.QuarterClockwise, Exif.ReadOrientation(_big));
    }

    [Fact]
    public void Damaged_blocks_are_upright()
    {
        for (int length = 0; length < _little.Length; length++)
            Assert.Equal(ExifOrientation.Upright, Exif.ReadOrientation(_little.AsSpan(0, length)));
        foreach ((int at, byte value) in new (int, byte)[] { (0, (byte)'X'), (2, 43), (4, 255), (7, 255), (24, 4), (30, 9), (30, 0) })
        {
            byte[] damaged = [.. _little];
            damaged[at] = value;
            Assert.Equal(ExifOrientation.Upright, Exif.ReadOrientation(damaged));
        }
    }

    [Theory]
    [InlineData(ExifOrientation.Upright, "abc def")]
    [InlineData(ExifOrientation.MirroredHorizontally, "cba fed")]
    [InlineData(ExifOrientation.Rotated180, "fed cba")]
    [InlineData(ExifOrientation.MirroredVertically, "def abc")]
    [InlineData(ExifOrientation.Transposed, "ad be cf")]
    [InlineData(ExifOrientation.QuarterClockwise, "da eb fc")]
    [InlineData(ExifOrientation.Transversed, "fc eb da")]
    [InlineData(ExifOrientation.QuarterAnticlockwise, "cf be ad")]
    public void Pictures_are_turned_for_viewing(ExifOrientation orientation, string expected)
    {
        var stored = new Image(2, 3);
        for (int i = 0; i < 6; i++) stored[i / 3, i % 3] = new Rgb((byte)('a' + i), 1, 2);
        Image viewed = Exif.Apply(stored, orientation);
        string Row(int y) => string.Concat(Enumerable.Range(0, viewed.Width).Select(x => (char)viewed[y, x].R));
        Assert.Equal(expected, string.Join(' ', Enumerable.Range(0, viewed.Height).Select(Row)));
    }
}
