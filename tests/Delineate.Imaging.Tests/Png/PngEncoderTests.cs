using System.Buffers.Binary;
using Xunit;

namespace Delineate.Imaging.Tests;

public class PngEncoderTests
{
    [Theory]
    [InlineData(PngEffort.Small)]
    [InlineData(PngEffort.Fast)]
    public void Pictures_of_every_width_come_back_exactly_and_deterministically(PngEffort effort)
    {
        var options = new PngOptions { Effort = effort };
        for (int width = 1; width < 50; width++)
        {
            Image image = Gradient(1 + (width % 7), width);
            byte[] file = Png.Encode(image, options);
            PngImage read = Png.Decode(file, "file");
            Assert.Equal(new PngHeader(image.Height, width, PngColorType.Rgb, 8, false), read.Header);
            Assert.Equal(image.Pixels, read.ToImage().Pixels);
            Assert.Equal(file, Png.Encode(image, options));
        }
    }

    [Theory]
    [InlineData(100, 1)]
    [InlineData(600, 2)]
    public void Compressed_pixels_come_in_chunks_of_at_most_a_megabyte(int side, int chunks)
    {
        var image = new Image(side, side);
        new Random(1).NextBytes(image.Pixels);
        byte[] file = Png.Encode(image);
        var lengths = new List<int>();
        for (int at = 8; at < file.Length; at += BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at)) + 12)
        {
            if (file.AsSpan(at + 4, 4).SequenceEqual("IDAT"u8)) lengths.Add(BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at)));
        }
        Assert.Equal(chunks, lengths.Count);
        Assert.All(lengths, length => Assert.InRange(length, 1, 1 << 20));
        Assert.Equal(image.Pixels, Png.Decode(file, "noise").ToImage().Pixels);
    }

    [Fact]
    public void Smooth_pictures_become_small()
    {
        Image image = Gradient(200, 300);
        int small = Png.Encode(image).Length, fast = Png.Encode(image, new PngOptions { Effort = PngEffort.Fast }).Length;
        Assert.InRange(small, 100, image.Pixels.Length / 20);
        Assert.InRange(fast, small, image.Pixels.Length / 3);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 2)]
    [InlineData(15, 4)]
    [InlineData(16, 8)]
    [InlineData(255, 8)]
    public void Labels_are_the_indices_of_a_palette_file(int largest, int minimalDepth)
    {
        LabelMap labels = RandomLabels(13, 21, largest);
        PngImage usual = Png.Decode(Png.Encode(labels, Palette.Voc), "usual");
        Assert.Equal((PngColorType.Palette, 8, 256), (usual.ColorType, usual.BitDepth, usual.Palette!.Count));
        Assert.Equal(labels.Labels, usual.ToLabelMap().Labels);
        PngImage minimal = Png.Decode(Png.Encode(labels, Palette.Voc, new PngOptions { MinimalBitDepth = true }), "minimal");
        Assert.Equal((minimalDepth, 1 << minimalDepth), (minimal.BitDepth, minimal.Palette!.Count));
        Assert.Equal(labels.Labels, minimal.ToLabelMap().Labels);
        for (int id = 0; id < minimal.Palette.Count; id++) Assert.Equal(Palette.Voc[id], minimal.Palette[id]);
    }

    [Fact]
    public void Labels_beyond_a_short_palette_get_black_entries()
    {
        var labels = new LabelMap(1, 3, [0, 1, 255]);
        PngImage image = Png.Decode(Png.Encode(labels, new Palette([new Rgb(1, 2, 3), new Rgb(4, 5, 6)])), "file");
        Assert.Equal(256, image.Palette!.Count);
        Assert.Equal(new byte[] { 1, 2, 3, 4, 5, 6, 0, 0, 0 }, image.ToImage().Pixels);
        Assert.Equal(labels.Labels, image.ToLabelMap().Labels);
    }

    [Fact]
    public void Labels_without_a_palette_become_grey()
    {
        LabelMap labels = RandomLabels(9, 10, 255);
        PngImage image = Png.Decode(Png.Encode(labels), "file");
        Assert.Equal((PngColorType.Grey, 8), (image.ColorType, image.BitDepth));
        Assert.Equal(labels.Labels, image.ToLabelMap().Labels);
    }

    [Fact]
    public void Ids_keep_sixteen_bits()
    {
        var ids = new IdMap(2, 2, [0, 255, 256, 65_535]);
        PngImage image = Png.Decode(Png.Encode(ids), "file");
        Assert.Equal((PngColorType.Grey, 16), (image.ColorType, image.BitDepth));
        Assert.Equal(ids.Ids, image.ToIdMap().Ids);
    }

    [Theory]
    [InlineData(65_536)]
    [InlineData(-1)]
    public void Ids_that_do_not_fit_are_refused_with_their_place(int id)
    {
        var e = Assert.Throws<ArgumentException>(() => Png.Encode(new IdMap(2, 3, [0, 0, 0, 0, id, 0])));
        Assert.Contains($"pixel (1, 1) holds id {id}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Notes_are_stored_before_the_pixels()
    {
        byte[] file = Png.Encode(new Image(1, 1), new PngOptions { Text = [new("Software", "Delineate é")] });
        Assert.True(file.AsSpan(33).StartsWith((byte[])[0, 0, 0, 20, .. "tEXtSoftware\0Delineate "u8, 0xE9]));
        Assert.Equal(1, Png.Decode(file, "file").Width);
    }

    [Theory]
    [InlineData("", "text")]
    [InlineData("Key", "snow ☃")]
    [InlineData("Key", "zero \0")]
    public void Notes_that_the_format_cannot_hold_are_refused(string keyword, string text) =>
        Assert.Throws<ArgumentException>(() => Png.Encode(new Image(1, 1), new PngOptions { Text = [new(keyword, text)] }));

    private static Image Gradient(int height, int width)
    {
        var image = new Image(height, width);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) image[y, x] = new Rgb((byte)(x + y), (byte)((2 * x) - y), (byte)(y * y / 64));
        return image;
    }

    private static LabelMap RandomLabels(int height, int width, int largest)
    {
        var random = new Random(largest);
        var labels = new LabelMap(height, width);
        for (int i = 0; i < labels.Labels.Length; i++) labels.Labels[i] = (byte)random.Next(largest + 1);
        labels[height - 1, width - 1] = (byte)largest;
        return labels;
    }
}
