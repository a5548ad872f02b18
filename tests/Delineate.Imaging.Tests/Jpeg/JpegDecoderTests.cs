using Delineate.Testing;
using Xunit;

namespace Delineate.Imaging.Tests;

public class JpegDecoderTests
{
    private const long SpareBytes = 64 << 20; // what a decoder may take beyond the picture

    private static readonly byte[] _good = JpegFixture.Named("4:2:0, 33x65").File;
    private static readonly byte[] _progressive = JpegFixture.Named("progressive 4:2:0, quality 50").File;
    private static readonly byte[] _separate = JpegFixture.Named("4:1:1, one scan per component").File;

    public static TheoryData<string> FixtureNames() => [.. JpegFixture.All.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(FixtureNames))]
    public void Files_of_every_kind_decode_to_the_pixels_of_another_reader(string name)
    {
        JpegFixture fixture = JpegFixture.Named(name);
        Image image = Jpeg.Decode(fixture.File, name);
        Assert.Equal((fixture.Height, fixture.Width), (image.Height, image.Width));
        Assert.Equal(fixture.Pixels, image.Pixels);
    }

    [Theory]
    [MemberData(nameof(FixtureNames))]
    public void Headers_tell_the_size_as_viewed(string name)
    {
        JpegFixture fixture = JpegFixture.Named(name);
        JpegHeader header = Jpeg.ReadHeader(fixture.File, name);
        Assert.Equal((fixture.Height, fixture.Width), (header.Height, header.Width));
        Assert.Equal(name.Contains("progressive", StringComparison.Ordinal), header.Progressive);
        bool ink = name.Contains("CMYK", StringComparison.Ordinal) || name.Contains("YCCK", StringComparison.Ordinal);
        Assert.Equal(name.Contains("grey", StringComparison.Ordinal) ? 1 : ink ? 4 : 3, header.Components);
        Assert.Equal(name.StartsWith("orientation", StringComparison.Ordinal) ? name[^1] - '0' : 1, (int)header.Orientation);
    }

    [ReferenceTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(11)]
    public void Photos_decode_to_the_goldens(int index)
    {
        NpyArray golden = NpyArray.Load(ReferenceFolder.Path("golden", "image_io", $"out.{index}.pixels.npy"));
        Image image = Jpeg.Decode(File.ReadAllBytes(ReferenceFolder.Path("golden", "image_io", $"in.{index}.jpg")), $"in.{index}.jpg");
        Assert.Equal((golden.Shape[0], golden.Shape[1]), (image.Height, image.Width));
        byte[] expected = golden.Shape.Length == 3 ? golden.Bytes : [.. golden.Bytes.SelectMany(v => new[] { v, v, v })];
        Assert.Equal(expected, image.Pixels);
    }

    [Fact]
    public void Fill_bytes_comments_and_trailing_bytes_change_nothing()
    {
        Image expected = Jpeg.Decode(_good, "good");
        byte[] padded = JpegForge.Before(_good, JpegTables.Baseline, 0xFF, 0xFF, 0xFF);
        padded = JpegForge.Before(padded, JpegTables.QuantizationTables, 0xFF, 0xFE, 0, 6, 1, 2, 0xFF, 0xD9);
        Assert.Equal(expected.Pixels, Jpeg.Decode([.. padded, 1, 2, 3, 0xFF, 0xD8], "padded").Pixels);
        Assert.Equal(expected.Pixels, Jpeg.Decode(_good.AsSpan(0, _good.Length - 2), "without its end marker").Pixels);
    }

    public static TheoryData<string, byte[], string> WrongFiles()
    {
        byte[] frame = _good[JpegForge.Find(_good, JpegTables.Baseline)..JpegForge.Find(_good, JpegTables.HuffmanTables)];
        int scan = JpegForge.Find(_good, JpegTables.StartOfScan);
        int separateScan = JpegForge.Find(_separate, JpegTables.StartOfScan);
        int lastScan = _separate.AsSpan().LastIndexOf(new byte[] { 0xFF, 0xDA });
        byte[] restarts = JpegFixture.Named("4:2:0, restart every 2").File;
        int secondRestart = restarts.AsSpan().IndexOf(new byte[] { 0xFF, 0xD1 });
        byte[] renumbered = [.. restarts];
        renumbered[secondRestart + 1] = 0xD5;
        byte[] firstScanTwice = [.. _progressive[..^2], .. _progressive[JpegForge.Find(_progressive, JpegTables.StartOfScan)..]];
        byte[] With(int offset, params byte[] bytes) => JpegForge.With(_good, JpegTables.Baseline, offset, bytes);
        byte[] Scan(int offset, params byte[] bytes) => JpegForge.With(_good, JpegTables.StartOfScan, offset, bytes);
        return new TheoryData<string, byte[], string>
        {
            { "empty", [], "not a JPEG file" },
            { "another format", [.. "\x89PNG and more"u8], "not a JPEG file" },
            { "nothing but a start", [0xFF, 0xD8], "ends before" },
            { "no picture", [0xFF, 0xD8, 0xFF, 0xD9], "holds no picture" },
            { "scan first", [0xFF, 0xD8, .. _good[scan..]], "before the frame header" },
            { "two frames", JpegForge.Before(_good, JpegTables.HuffmanTables, frame), "second frame header" },
            { "lossless", With(1, 0xC3), "lossless" },
            { "hierarchical", With(1, 0xC5), "hierarchical" },
            { "arithmetic", With(1, 0xC9), "arithmetic" },
            { "arithmetic progressive", With(1, 0xCA), "arithmetic" },
            { "12 bits", With(4, 12), "12-bit samples" },
            { "height after the scan", With(5, 0, 0), "DNL" },
            { "no columns", With(7, 0, 0), "declared empty" },
            { "too many pixels", With(5, 0xFF, 0xFF, 0xFF, 0xFF), "over the limit" },
            { "more than the data can hold", With(5, 0x20, 0, 0x20, 0), "too early for a picture of 8192×8192" },
            { "two components", With(9, 2), "2 components" },
            { "frame cut short", With(9, 4), "cut short" },
            { "no sampling", With(11, 0x02), "sampling factors 0×2" },
            { "sampling of five", With(11, 0x15), "sampling factors 1×5" },
            { "quantizer 4", With(12, 4), "quantization table 4" },
            { "a component twice", With(13, 1), "declared twice" },
            { "no quantizer", JpegForge.Without(_good, JpegTables.QuantizationTables), "table 0, which is missing" },
            { "quantizer of 24 bits", JpegForge.With(_good, JpegTables.QuantizationTables, 4, 0x20), "declared as 0x20" },
            { "quantizer cut short", JpegForge.With(_good, JpegTables.QuantizationTables, 4, 0x10), "cut short" },
            { "no Huffman table", JpegForge.Without(_good, JpegTables.HuffmanTables), "Huffman" },
            { "Huffman table of kind 2", JpegForge.With(_good, JpegTables.HuffmanTables, 4, 0x20), "declared as 0x20" },
            { "too many short codes", JpegForge.With(_good, JpegTables.HuffmanTables, 5, 3, 0, 2), "codes that cannot be" },
            { "too many codes", JpegForge.With(_good, JpegTables.HuffmanTables, 5, 255, 255), "256 are possible" },
            { "scan of no component", Scan(4, 0), "scan header is damaged" },
            { "scan of an unknown component", Scan(5, 9), "component 9, which the frame lacks" },
            { "scan of a component twice", Scan(7, 1), "component 1 twice" },
            { "scan with table 3", Scan(6, 0x33), "one is missing" },
            { "segment without length", JpegForge.With(_good, JpegTables.Baseline, 2, 0, 1), "a length of 1" },
            { "segment beyond the end", JpegForge.With(_good, JpegTables.StartOfScan, 2, 0xFF, 0xFF), "ends within a segment" },
            { "marker within the data", [.. _good[..^40], 0xFF, 0xD9], "too early, at a marker" },
            { "restart missing", [.. restarts[..secondRestart], .. restarts[(secondRestart + 2)..]], "restart marker 1 is missing" },
            { "restart misnumbered", renumbered, "restart marker 1 is missing" },
            { "scan repeated", firstScanTwice, "out of turn" },
            { "refinement first", JpegForge.With(_progressive, JpegTables.StartOfScan, 13, 0x21), "out of turn" },
            { "bits that cannot be", JpegForge.With(_progressive, JpegTables.StartOfScan, 13, 0x31), "bits 3 to 1" },
            { "means and details in one progressive scan", JpegForge.With(_progressive, JpegTables.StartOfScan, 12, 5), "coefficients 0 to 5" },
            { "progressive without its end marker", _progressive[..^2], "before its end-of-image marker" },
            { "progressive without scans of two components", JpegForge.With(_progressive, JpegTables.StartOfScan, 4, 0), "scan header is damaged" },
            { "one component's scan missing", [.. _separate[..separateScan], .. _separate[lastScan..]], "has no scan" },
        };
    }

    [Theory]
    [MemberData(nameof(WrongFiles))]
    public void Wrong_files_are_refused_by_name_and_place(string name, byte[] file, string reason)
    {
        var e = Assert.Throws<ImageFormatException>(() => Jpeg.Decode(file, name + ".jpg"));
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        Assert.Equal(name + ".jpg", e.FileName);
        Assert.InRange(e.Offset, 0, file.Length);
    }

    [Theory]
    [InlineData("4:2:0, 17x19")]
    [InlineData("progressive 4:2:2, quality 92")]
    [InlineData("4:2:0, restart every 2")]
    [InlineData("one scan per component, restart every 3")]
    [InlineData("orientation 6")]
    public void A_file_cut_short_anywhere_is_refused(string name)
    {
        byte[] file = JpegFixture.Named(name).File;
        // Every place of the short ones; the steps are odd, so that they fall on every kind of byte.
        int step = 1 + (file.Length / 700 * 2);
        for (int length = 0; length < file.Length - 2; length += step)
        {
            var e = Assert.Throws<ImageFormatException>(() => Jpeg.Decode(file.AsSpan(0, length), "cut.jpg"));
            Assert.InRange(e.Offset, 0, length);
        }
    }

    [Fact]
    public void Damaged_files_end_in_a_picture_or_a_refusal()
    {
        byte[][] corpus = [.. JpegFixture.All.Select(f => f.File)];
        FuzzReport report = Fuzzer.Run<ImageFormatException>(corpus, Fuzzer.InputCount, seed: 2, file => Jpeg.Decode(file, "fuzz"), AllowedBytes);
        Assert.True(report.Accepted > 0 && report.Refused > 0, report.ToString());
    }

    [Theory]
    [InlineData(1, "out of turn")]
    [InlineData(62, "more than 500 scans")]
    public void Endless_scans_over_a_picture_are_refused(int bands, string reason)
    {
        // Grey, 256×256: the means (1024 symbols 0 of 4 bits), then scans of one coefficient and one bit that cost next to nothing: symbol
        // 0 is 2 bits.
        byte[] grey = JpegFixture.Named("grey declared 2x2, progressive").File;
        byte[] head = JpegForge.With(grey, JpegTables.Progressive, 5, 1, 0, 1, 0)[..JpegForge.Find(grey, JpegTables.StartOfScan)];
        var file = new List<byte>(head);
        void Scan(byte first, byte bits, int bytes)
        {
            file.AddRange([0xFF, 0xDA, 0, 8, 1, 1, 0, first, first, bits]);
            file.AddRange(new byte[bytes]);
        }
        Scan(0, 0, 512);
        for (int low = 13; low >= 0; low--)
        {
            for (byte k = 1; k <= bands; k++) Scan(k, (byte)(low == 13 ? 13 : ((low + 1) << 4) | low), 256);
        }
        Scan(1, 0, 256);
        byte[] bytes = [.. file];
        var e = Assert.Throws<ImageFormatException>(() => Jpeg.Decode(bytes, "endless"));
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }

    private static long AllowedBytes(byte[] file)
    {
        try
        {
            JpegHeader header = Jpeg.ReadHeader(file, "fuzz");
            return SpareBytes + ((long)header.Height * header.Width * 3);
        }
        catch (ImageFormatException)
        {
            return SpareBytes;
        }
    }
}
