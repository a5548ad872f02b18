using System.Buffers.Binary;
using System.IO.Compression;
using System.Text.Json;
using Delineate.Testing;
using Xunit;
using Xunit.Abstractions;

namespace Delineate.Imaging.Tests;

public class PngDecoderTests(ITestOutputHelper output)
{
    private const long SpareBytes = 64 << 20; // what a decoder may take beyond the picture

    public static TheoryData<string, byte[], string, long> WrongFiles()
    {
        (string, byte[]) header = ("IHDR", PngForge.Header(2, 3)), end = ("IEND", []), palette = ("PLTE", new byte[6]);
        (string, byte[]) data = ("IDAT", PngForge.Compress(new byte[8])), paletteHeader = ("IHDR", PngForge.Header(2, 3, color: 3));
        (string, byte[]) colorData = ("IDAT", PngForge.Compress(new byte[20])), colorHeader = ("IHDR", PngForge.Header(2, 3, color: 2));
        byte[] good = PngForge.File(header, data, end), compressed = data.Item2;
        int dataLength = compressed.Length;
        byte[] badCrc = [.. good], badAdler = [.. compressed], unknownFilter = new byte[8], lengthBeyond = [.. good], badName = [.. good];
        badCrc[35 + 8]++;
        badAdler[^1]++;
        unknownFilter[4] = 5;
        lengthBeyond[33] = 0x7F;
        badName[38] = (byte)'?';
        return new TheoryData<string, byte[], string, long>
        {
            { "another format", [.. "GIF89a and more"u8], "not a PNG file: it starts with 4749463839612061", 0 },
            { "empty", [], "not a PNG file", 0 },
            { "cut in the header", good[..30], "ends within its header", 30 },
            { "no header", PngForge.File(data, ("tEXt", new byte[9]), end), "must be an IHDR", 8 },
            { "damaged header", Changed(good, 20, 1), "chunk IHDR is damaged", 29 },
            { "no rows", PngForge.File(("IHDR", PngForge.Header(0, 3)), data, end), "declared empty (0×3)", 16 },
            { "negative width", PngForge.File(("IHDR", PngForge.Header(2, -1)), data, end), "more than PNG allows", 16 },
            { "colour type 1", PngForge.File(("IHDR", PngForge.Header(2, 3, color: 1)), data, end), "no colour type 1", 24 },
            { "4-bit RGB", PngForge.File(("IHDR", PngForge.Header(2, 3, 2, 4)), data, end), "no colour type 2 with 4 bits", 24 },
            { "16-bit palette", PngForge.File(("IHDR", PngForge.Header(2, 3, 3, 16)), data, end), "no colour type 3 with 16 bits", 24 },
            { "compression 1", PngForge.File(("IHDR", PngForge.Header(2, 3, compression: 1)), data, end), "compression method 1", 26 },
            { "filter method 1", PngForge.File(("IHDR", PngForge.Header(2, 3, filter: 1)), data, end), "filter method 1", 27 },
            { "interlace 2", PngForge.File(("IHDR", PngForge.Header(2, 3, interlace: 2)), data, end), "interlace method 2", 28 },
            { "too wide", PngForge.File(("IHDR", PngForge.Header(2, 1_000_001)), data, end), "a side may be 1000000", 16 },
            { "too many pixels", PngForge.File(("IHDR", PngForge.Header(20_000, 20_000)), data, end), "over the limit of 268435456 pixels", 16 },
            { "more than the data can hold", PngForge.File(("IHDR", PngForge.Header(10_000, 10_000)), data, end), "cannot hold 10000×10000 pixels (8-bit grey)", 41 },
            { "two headers", PngForge.File(header, header, data, end), "second IHDR", 33 },
            { "cut before the data", good[..33], "ends before its IEND", 33 },
            { "cut within a chunk", good[..50], "chunk IDAT claims", 33 },
            { "cut before the end", good[..(45 + dataLength)], "ends before its IEND", 45 + dataLength },
            { "length beyond the file", lengthBeyond, "chunk IDAT claims", 33 },
            { "bad name", badName, "a chunk is expected here", 33 },
            { "bad CRC", badCrc, "chunk IDAT is damaged", 33 },
            { "bad CRC of a chunk that is passed over", Changed(PngForge.File(header, ("tIME", new byte[7]), data, end), 42, 1), "chunk tIME is damaged", 33 },
            { "no data", PngForge.File(header, end), "no IDAT", 33 },
            { "full end", PngForge.File(header, data, ("IEND", [1])), "IEND must be empty", 45 + dataLength },
            { "unknown critical chunk", PngForge.File(header, ("ABCD", []), data, end), "chunk ABCD is unknown", 33 },
            { "data apart", PngForge.File(header, ("IDAT", compressed[..4]), ("tEXt", []), ("IDAT", compressed[4..]), end), "do not follow each other", 61 },
            { "palette after the data", PngForge.File(header, data, palette, end), "PLTE follows", 45 + dataLength },
            { "no palette", PngForge.File(paletteHeader, data, end), "PLTE chunk is missing", 33 },
            { "two palettes", PngForge.File(paletteHeader, palette, palette, data, end), "second PLTE", 51 },
            { "odd palette", PngForge.File(paletteHeader, ("PLTE", new byte[7]), data, end), "PLTE holds 7 bytes", 33 },
            { "empty palette", PngForge.File(paletteHeader, ("PLTE", []), data, end), "PLTE holds 0 bytes", 33 },
            { "large palette", PngForge.File(paletteHeader, ("PLTE", new byte[771]), data, end), "PLTE holds 771 bytes", 33 },
            { "opacity without palette", PngForge.File(paletteHeader, ("tRNS", [1]), palette, data, end), "tRNS precedes PLTE", 33 },
            { "more opacities than colours", PngForge.File(paletteHeader, palette, ("tRNS", new byte[3]), data, end), "tRNS holds 3 values for 2 colours", 51 },
            { "opacity of a file with alpha", PngForge.File(("IHDR", PngForge.Header(2, 3, 6)), ("tRNS", new byte[6]), data, end), "no place in a file with alpha", 33 },
            { "short key colour", PngForge.File(colorHeader, ("tRNS", new byte[2]), colorData, end), "tRNS holds 2 bytes, not 6", 33 },
            { "two key colours", PngForge.File(header, ("tRNS", new byte[2]), ("tRNS", new byte[2]), data, end), "second tRNS", 47 },
            { "late key colour", PngForge.File(header, data, ("tRNS", new byte[2]), end), "tRNS follows", 45 + dataLength },
            { "filter 5", PngForge.File(header, ("IDAT", PngForge.Compress(unknownFilter)), end), "names filter 5", 41 + PngForge.Compress(unknownFilter).Length },
            { "a byte too few", PngForge.File(header, ("IDAT", PngForge.Compress(new byte[7])), end), "end after 7 of 8 bytes", 41 + PngForge.Compress(new byte[7]).Length },
            { "a byte too many", PngForge.File(header, ("IDAT", PngForge.Compress(new byte[9])), end), "go on after the 8 bytes", 41 + PngForge.Compress(new byte[9]).Length },
            { "not deflate", PngForge.File(header, ("IDAT", [1, 2, 3, 4, 5, 6, 7, 8]), end), "damaged or incomplete", 49 },
            { "wrong Adler-32", PngForge.File(header, ("IDAT", badAdler), end), "damaged or incomplete", 41 + dataLength },
            { "no Adler-32", PngForge.File(header, ("IDAT", compressed[..^4]), end), "end before their checksum", 37 + dataLength },
            { "half an Adler-32", PngForge.File(header, ("IDAT", compressed[..^2]), end), "end before their checksum", 39 + dataLength },
        };
    }

    [Theory]
    [MemberData(nameof(WrongFiles))]
    public void Wrong_files_are_refused_with_name_reason_and_place(string what, byte[] file, string reason, long offset)
    {
        var e = Assert.Throws<ImageFormatException>(() => Png.Decode(file, what));
        Assert.Equal(what, e.FileName);
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        Assert.Equal(offset, e.Offset);
    }

    [Fact]
    public void Every_kind_size_and_interlacing_comes_back_exactly()
    {
        var random = new Random(11);
        foreach ((PngColorType color, int depth) in PngForge.Kinds)
            foreach (bool interlaced in (bool[])[false, true])
                for (int n = 0; n < 32; n++)
                {
                    // All sizes from 1×1 over the first passes of Adam7, then odd larger ones.
                    (int height, int width) = n < 25 ? (1 + (n / 5 * 2), 1 + (n % 5 * 2)) : (random.Next(1, 40), random.Next(1, 70));
                    var header = new PngHeader(height, width, color, depth, interlaced);
                    ushort[] samples = PngForge.RandomSamples(header, random);
                    byte[] file = PngForge.Picture(header, samples, random, dataLength: n % 3 == 0 ? 7 : int.MaxValue);
                    PngImage image = Png.Decode(file, "forged");
                    Assert.Equal(header, image.Header);
                    Assert.Equal(header, Png.ReadHeader(file.AsSpan(0, 33), "forged"));
                    ushort[] read = depth == 16 ? image.WideSamples : Array.ConvertAll(image.Samples, s => (ushort)s);
                    if (!samples.AsSpan().SequenceEqual(read)) Assert.Fail($"{header} differs");
                }
    }

    [Fact]
    public void Pictures_larger_than_the_block_of_rows_come_back_exactly()
    {
        var random = new Random(12);
        foreach (PngHeader header in (PngHeader[])[new(250, 400, PngColorType.Rgb, 8, false), new(3, 20_000, PngColorType.Rgba, 16, true), new(30_001, 9, PngColorType.Grey, 2, false)])
        {
            ushort[] samples = PngForge.RandomSamples(header, random);
            PngImage image = Png.Decode(PngForge.Picture(header, samples, random, level: CompressionLevel.Fastest), "forged");
            Assert.True(samples.AsSpan().SequenceEqual(header.BitDepth == 16 ? image.WideSamples : Array.ConvertAll(image.Samples, s => (ushort)s)));
        }
    }

    [Fact]
    public void Fixtures_decode_to_the_pixels_of_another_reader()
    {
        using JsonDocument fixtures = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "png.json")));
        Assert.Equal(30, fixtures.RootElement.GetArrayLength());
        foreach (JsonElement fixture in fixtures.RootElement.EnumerateArray())
        {
            string name = fixture.GetProperty("name").GetString()!;
            byte[] expected = fixture.GetProperty("pixels").GetBytesFromBase64();
            PngImage image = Png.Decode(fixture.GetProperty("file").GetBytesFromBase64(), name);
            byte[] rgb = image.ToImage().Pixels;
            int channels = image.Header.Channels;
            byte[] alpha = image.BitDepth == 16 // the last of each pixel's samples, where there is one
                ? [.. image.WideSamples.Where((_, i) => i % channels == channels - 1).Select(s => (byte)(s >> 8))]
                : [.. image.Samples.Where((_, i) => i % channels == channels - 1)];
            byte[] read = fixture.GetProperty("mode").GetString() switch
            {
                "P" => image.ToLabelMap().Labels,
                "RGB" => rgb,
                "L" => [.. rgb.Where((_, i) => i % 3 == 0)],
                "I" => [.. image.ToIdMap().Ids.SelectMany(BitConverter.GetBytes)],
                "LA" => [.. rgb.Where((_, i) => i % 3 == 0).Zip(alpha).SelectMany(p => (byte[])[p.First, p.Second])],
                "RGBA" => [.. rgb.Chunk(3).Zip(alpha).SelectMany(p => (byte[])[.. p.First, p.Second])],
                var other => throw new InvalidOperationException($"{name}: mode {other}"),
            };
            if (!expected.AsSpan().SequenceEqual(read)) Assert.Fail($"{name} differs");
            if (image.ColorType == PngColorType.Palette)
            {
                Assert.Equal(new byte[] { 0, 128 }, image.PaletteAlpha);
                Assert.Equal(new Rgb(37, 96, 242), image.Palette![1]);
            }
        }
    }

    [ReferenceTheory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(14)]
    [InlineData(15)]
    public void Real_files_decode_to_the_reference_pixels_and_palette(int index)
    {
        string path = ReferenceFolder.Path("golden", "image_io", $"in.{index}.png");
        var expected = NpyArray.Load(ReferenceFolder.Path("golden", "image_io", $"out.{index}.pixels.npy"));
        PngImage image = Png.Decode(File.ReadAllBytes(path), path);
        Assert.Equal((expected.Shape[0], expected.Shape[1]), (image.Height, image.Width));
        Assert.Equal(expected.Bytes, image.Samples);
        if (image.ColorType != PngColorType.Palette) return;
        Rgb[] colors = [.. NpyArray.Load(ReferenceFolder.Path("golden", "image_io", $"out.{index}.palette.npy")).Bytes.Chunk(3).Select(c => new Rgb(c[0], c[1], c[2]))];
        Assert.Equal(colors, Enumerable.Range(0, colors.Length).Select(id => image.Palette![id]));
        Assert.Equal(colors.Length, image.Palette!.Count);
    }

    [Fact]
    public void The_transparent_colour_is_kept_and_chunks_for_others_are_passed_over()
    {
        byte[] file = PngForge.File(("IHDR", PngForge.Header(1, 1, 2)), ("gAMA", new byte[4]), ("PLTE", new byte[6]), ("tRNS", [0, 1, 0, 2, 0, 3]), ("eXIf", new byte[5]),
            ("IDAT", PngForge.Compress([0, 9, 8, 7])), ("tEXt", [.. "a\0b"u8]), ("IEND", []));
        PngImage image = Png.Decode((byte[])[.. file, 1, 2, 3], "file");
        Assert.Equal(new ushort[] { 1, 2, 3 }, image.TransparentColor);
        Assert.Equal(new byte[] { 9, 8, 7 }, image.Samples);
        Assert.Null(image.Palette);
    }

    [Fact]
    public void Limits_are_the_callers_to_set()
    {
        byte[] file = Png.Encode(new Image(30, 40));
        Assert.Equal(40, Png.Decode(file, "f", new DecodeLimits { MaxPixels = 1200 }).Width);
        Assert.Throws<ImageFormatException>(() => Png.Decode(file, "f", new DecodeLimits { MaxPixels = 1199 }));
        Assert.Throws<ImageFormatException>(() => Png.Decode(file, "f", new DecodeLimits { MaxSide = 39 }));
    }

    [Fact]
    public void Damaged_files_end_in_time_within_memory_and_with_the_one_error()
    {
        int count = Fuzzer.InputCount * 3 / 4;
        FuzzReport report = Fuzzer.Run<ImageFormatException>(
            FuzzCorpus(), count, seed: 5, file => Png.Decode(file, "fuzzed").ToImage(), AllowedBytes, PngForge.MendChecksums);
        // Some faults are harmless. Where none is, the inputs no longer reach beyond the first check.
        Assert.InRange(report.Accepted, count / 200, count / 2);
        Record(report);
    }

    /// <summary>Faults in the header and in the inflated rows, which the checksums would hide if whole files were damaged.</summary>
    [Fact]
    public void Damaged_rows_under_right_checksums_end_in_time_within_memory_and_with_the_one_error()
    {
        var random = new Random(4);
        List<byte[]> corpus = [];
        foreach ((PngColorType color, int depth) in PngForge.Kinds)
        {
            var header = new PngHeader(random.Next(1, 30), random.Next(1, 30), color, depth, Interlaced: random.Next(2) == 1);
            corpus.Add([.. PngForge.Header(header), .. PngForge.Scanlines(header, PngForge.RandomSamples(header, random), random)]);
        }
        byte[] Forge(byte[] input) => PngForge.File(
            ("IHDR", input[..Math.Min(13, input.Length)]), ("PLTE", new byte[48]), ("IDAT", PngForge.Compress(input[Math.Min(13, input.Length)..])), ("IEND", []));
        int count = Fuzzer.InputCount / 4;
        FuzzReport report = Fuzzer.Run<ImageFormatException>(
            corpus, count, seed: 6, input => Png.Decode(Forge(input), "fuzzed").ToImage(), input => AllowedBytes([.. new byte[16], .. input]));
        Assert.InRange(report.Accepted, count / 10, count);
        Record(report);
    }

    private void Record(FuzzReport report) =>
        output.WriteLine($"{report.Accepted} read, {report.Refused} refused, slowest {report.SlowestMs:F1} ms, most memory {report.MostAllocatedBytes / 1e6:F1} MB");

    private static List<byte[]> FuzzCorpus()
    {
        var random = new Random(3);
        List<byte[]> corpus = [];
        for (int i = 0; i < PngForge.Kinds.Length * 2; i++)
        {
            (PngColorType color, int depth) = PngForge.Kinds[i / 2];
            var header = new PngHeader(random.Next(1, 40), random.Next(1, 40), color, depth, Interlaced: i % 2 == 1);
            // Stored blocks let a fault in the data through to the rows instead of ending the inflation.
            var level = i % 3 == 0 ? CompressionLevel.NoCompression : CompressionLevel.Optimal;
            corpus.Add(PngForge.Picture(header, PngForge.RandomSamples(header, random), random, dataLength: i % 4 == 0 ? 50 : int.MaxValue, level));
        }
        corpus.Add(Png.Encode(new LabelMap(64, 64), Palette.Voc));
        corpus.Add(Png.Encode(new Image(600, 800), new PngOptions { Text = [new("Comment", "black")] }));
        return corpus;
    }

    /// <summary>The samples, their RGB copy and 64 MB.</summary>
    private static long AllowedBytes(byte[] file)
    {
        if (file.Length < 29) return SpareBytes;
        long width = BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(16)), height = BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(20));
        return width < 1_000_000 && height < 1_000_000 && width * height <= 1 << 28 ? SpareBytes + (width * height * ((file[24] == 16 ? 8 : 4) + 3)) : SpareBytes;
    }

    private static byte[] Changed(byte[] file, int at, byte by)
    {
        byte[] changed = [.. file];
        changed[at] += by;
        return changed;
    }
}
