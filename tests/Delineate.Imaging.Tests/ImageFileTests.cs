using Delineate.Testing;
using Xunit;

namespace Delineate.Imaging.Tests;

public sealed class ImageFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("delineate-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Pictures_come_back_from_png_exactly_and_no_other_file_stays()
    {
        Image image = Checkers(5, 7);
        ImageFile.Save(image, At("a.PNG"));
        Assert.Equal(image.Pixels, ImageFile.Load(At("a.PNG")).Pixels);
        Assert.Equal(new ImageHeader(ImageFormat.Png, 5, 7, 3, 8, HasPalette: false), ImageFile.ReadHeader(At("a.PNG")));
        Assert.Equal(["a.PNG"], Directory.GetFileSystemEntries(folder).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("a.jpg")]
    [InlineData("a.JPEG")]
    public void Pictures_come_back_from_jpeg_nearly(string name)
    {
        var image = new Image(40, 30);
        for (int y = 0; y < 40; y++)
            for (int x = 0; x < 30; x++) image[y, x] = new Rgb((byte)(y * 4), 90, (byte)(x * 3));
        ImageFile.Save(image, At(name), jpegQuality: 95);
        Image read = ImageFile.Load(At(name));
        Assert.Equal((40, 30), (read.Height, read.Width));
        Assert.InRange(image.Pixels.Zip(read.Pixels, (a, b) => Math.Abs(a - b)).Average(), 0.0, 3.0);
        Assert.Equal(new ImageHeader(ImageFormat.Jpeg, 40, 30, 3, 8, HasPalette: false), ImageFile.ReadHeader(At(name)));
    }

    [Fact]
    public void The_bytes_decide_and_not_the_name()
    {
        File.WriteAllBytes(At("photo.jpg"), Png.Encode(Checkers(2, 2)));
        Assert.Equal(Checkers(2, 2).Pixels, ImageFile.Load(At("photo.jpg")).Pixels);
        Assert.Equal(ImageFormat.Png, ImageFile.ReadHeader(At("photo.jpg")).Format);
    }

    [Fact]
    public void Labels_and_ids_come_back_exactly()
    {
        var labels = new LabelMap(2, 3, [0, 1, 2, 20, 254, 255]);
        ImageFile.SaveLabels(labels, Palette.Voc, At("labels.png"));
        Assert.Equal(labels.Labels, ImageFile.LoadLabels(At("labels.png")).Labels);
        Assert.Equal(new ImageHeader(ImageFormat.Png, 2, 3, 1, 8, HasPalette: true), ImageFile.ReadHeader(At("labels.png")));
        Assert.Equal(Palette.Voc[20], ImageFile.Load(At("labels.png"))[1, 0]);
        ImageFile.SaveLabels(labels, null, At("grey.png"));
        Assert.Equal(labels.Labels, ImageFile.LoadLabels(At("grey.png")).Labels);
        Assert.False(ImageFile.ReadHeader(At("grey.png")).HasPalette);
        var ids = new IdMap(2, 2, [0, 1, 256, 65_535]);
        ImageFile.SaveIds(ids, At("ids.png"));
        Assert.Equal(ids.Ids, ImageFile.LoadIds(At("ids.png")).Ids);
        Assert.Equal(16, ImageFile.ReadHeader(At("ids.png")).BitDepth);
    }

    public static TheoryData<byte[], string> ForeignFiles() => new()
    {
        { [], "the file is empty" },
        { [.. "GIF89a......"u8], "the file is in GIF format, which is not read: convert it to PNG or JPEG" },
        { [.. "BM.........."u8], "the file is in BMP format" },
        { [.. "II*\0........"u8], "the file is in TIFF format" },
        { [.. "MM\0*........"u8], "the file is in TIFF format" },
        { [.. "RIFF....WEBPVP8 "u8], "the file is in WebP format" },
        { [0, 0, 0, 0x1C, .. "ftypavif"u8], "the file is in AVIF format" },
        { [0, 0, 0, 0x1C, .. "ftypheic"u8], "the file is in HEIC format" },
        { [0, 0, 0, 0x1C, .. "ftypisom"u8], "the file is in video format" },
        { [0x93, .. "NUMPY"u8], "the file is in NumPy format" },
        { [.. "version https://git-lfs.github.com/spec/v1"u8], "git lfs pull" },
        { [.. " \n<!DOCTYPE html>"u8], "a saved web page" },
        { [1, 2, 3], "it starts with 010203 (at byte 0)" },
    };

    [Theory]
    [MemberData(nameof(ForeignFiles))]
    public void Other_files_are_named_for_what_they_are(byte[] file, string reason)
    {
        File.WriteAllBytes(At("x.png"), file);
        foreach (Action read in (Action[])[
            () => ImageFile.Load(At("x.png")), () => ImageFile.ReadHeader(At("x.png")), () => ImageFile.LoadLabels(At("x.png")), () => ImageFile.LoadIds(At("x.png"))])
        {
            var e = Assert.Throws<ImageFormatException>(read);
            Assert.StartsWith(At("x.png") + ": ", e.Message, StringComparison.Ordinal);
            Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_jpeg_is_no_label_map()
    {
        File.WriteAllBytes(At("x.png"), [0xFF, 0xD8, 0xFF, 0xD9]);
        Assert.Contains("cannot hold class ids", Assert.Throws<ImageFormatException>(() => ImageFile.LoadLabels(At("x.png"))).Message, StringComparison.Ordinal);
        Assert.Contains("cannot hold object ids", Assert.Throws<ImageFormatException>(() => ImageFile.LoadIds(At("x.png"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_decide_how_files_are_written()
    {
        var labels = new LabelMap(1, 1);
        Assert.Contains("name it .png, .jpg or .jpeg", Assert.Throws<ArgumentException>(() => ImageFile.Save(new Image(1, 1), At("a.gif"))).Message, StringComparison.Ordinal);
        Assert.Contains("name it .png", Assert.Throws<ArgumentException>(() => ImageFile.SaveLabels(labels, null, At("a.jpg"))).Message, StringComparison.Ordinal);
        Assert.Contains("name it .png", Assert.Throws<ArgumentException>(() => ImageFile.SaveIds(new IdMap(1, 1), At("a.jpg"))).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder));
    }

    [Fact]
    public void A_failed_write_leaves_the_old_file_and_nothing_else()
    {
        Directory.CreateDirectory(At("taken.png")); // a folder cannot be replaced by a file
        Assert.ThrowsAny<SystemException>(() => ImageFile.Save(Checkers(2, 2), At("taken.png")));
        Assert.Equal(["taken.png"], Directory.GetFileSystemEntries(folder).Select(Path.GetFileName));
        var e = Assert.Throws<DirectoryNotFoundException>(() => ImageFile.Save(Checkers(2, 2), At("missing/a.png")));
        Assert.Contains("missing", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Saving_replaces_a_file()
    {
        ImageFile.Save(new Image(3, 3), At("a.png"));
        ImageFile.Save(Checkers(2, 2), At("a.png"));
        Assert.Equal(2, ImageFile.Load(At("a.png")).Height);
    }

    [ReferenceTheory]
    [InlineData(0, 500, 375, 3)]
    [InlineData(11, 288, 512, 1)]
    public void Real_jpeg_headers_give_size_and_channels(int index, int height, int width, int channels) =>
        Assert.Equal(
            new ImageHeader(ImageFormat.Jpeg, height, width, channels, 8, HasPalette: false),
            ImageFile.ReadHeader(ReferenceFolder.Path("golden", "image_io", $"in.{index}.jpg")));

    private string At(string name) => Path.Combine(folder, name);

    private static Image Checkers(int height, int width)
    {
        var image = new Image(height, width);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) image[y, x] = (x + y) % 2 == 0 ? new Rgb(255, 10, 30) : new Rgb(2, 200, 100);
        return image;
    }
}
