using System.Collections.Concurrent;
using Delineate.Data;
using Delineate.Imaging;
using Xunit;

namespace Delineate.Tests.Data;

public class DataCheckTests
{
    /// <summary>A data set of three classes with twelve faults, each in a file of its own.</summary>
    private static TempDataset TwelveFaults()
    {
        TempDataset set = new TempDataset().Text("dataset.json", """{ "classes": ["background", "cell", "debris", "never"] }""");
        string[] sound = ["t0", "t1", "t2", "v0", "v1"];
        foreach (string name in sound) set.Picture($"images/{name}.png").Mask($"masks/{name}.png", [0, 1, 2]);
        byte[] Whole(string path) => File.ReadAllBytes(set.At(path));

        set.Picture("images/1_no_mask.png");
        set.Mask("masks/2_no_image.png", [0, 1]);
        set.Bytes("images/3_broken.png", Whole("images/t0.png")[..60]).Mask("masks/3_broken.png", [0, 1]);
        set.Picture("images/4_broken_mask.png").Bytes("masks/4_broken_mask.png", "not a picture"u8.ToArray());
        set.Picture("images/5_size.png").Mask("masks/5_size.png", [0, 1], height: 7);
        set.Picture("images/6_label.png").Mask("masks/6_label.png", [.. Enumerable.Repeat((byte)0, 18), 9]);
        set.Picture("images/7_rgb.png").ColorMask("masks/7_rgb.png", [default, new Rgb(200, 10, 10)]);
        set.Picture("images/8_wide.png").Ids("masks/8_wide.png", [0, 1, 4000]);
        set.Bytes("images/9_copy.png", Whole("images/t1.png")).Mask("masks/9_copy.png", [0, 1]);
        set.Picture("images/10_ignored.png").Mask("masks/10_ignored.png", [255]);
        set.Text("train.txt", "t0\nt1\nt2\n1_no_mask\n3_broken\n4_broken_mask\n5_size\n6_label\n7_rgb\n8_wide\n10_ignored\nt2");
        set.Text("val.txt", "v0\nv1\nt0\n9_copy\nv_gone");
        return set.Text("test.txt", "\n");
    }

    [Theory]
    [InlineData("images/1_no_mask.png", Severity.Error, "has no mask", "1_no_mask.png")]
    [InlineData("masks/2_no_image.png", Severity.Warning, "has no image", "named 2_no_image")]
    [InlineData("images/3_broken.png", Severity.Error, "cannot be read", null)]
    [InlineData("masks/4_broken_mask.png", Severity.Error, "cannot be used", null)]
    [InlineData("masks/5_size.png", Severity.Error, "7×8 but its image is 6×8", "size of its image")]
    [InlineData("masks/6_label.png", Severity.Error, "pixel (2, 2) holds label 9", "\"9\": \"ignore\"")]
    [InlineData("masks/7_rgb.png", Severity.Error, "colours", "\"colors\"")]
    [InlineData("masks/8_wide.png", Severity.Error, "16-bit mask holds 4000", "\"instances\"")]
    [InlineData("images/9_copy.png", Severity.Error, "same pixels as t1.png of 'train'", "take it out of one")]
    [InlineData("masks/10_ignored.png", Severity.Warning, "every pixel of the mask is ignored", null)]
    [InlineData("val.txt", Severity.Error, "'t0' is in the split 'val' and in 'train'", "take it out of one")]
    [InlineData("val.txt", Severity.Error, "lists 'v_gone', but there is no such file", null)]
    [InlineData("train.txt", Severity.Warning, "lists 't2' 2 times", null)]
    [InlineData("test.txt", Severity.Error, "'test' is empty", null)]
    [InlineData("dataset.json", Severity.Warning, "'never' (label 3) occurs in no mask", null)]
    public void Each_seeded_fault_is_found_with_its_file(string file, Severity severity, string message, string? remedy)
    {
        using TempDataset set = TwelveFaults();
        DataReport report = DataCheck.Run(set.Root);
        Finding finding = Assert.Single(report.Findings, f => f.File == set.At(file) && f.Message.Contains(message, StringComparison.Ordinal));
        Assert.Equal(severity, finding.Severity);
        if (remedy is not null) Assert.Contains(remedy, finding.Remedy);
    }

    [Fact]
    public void Sound_files_of_a_faulty_set_are_blamed_for_nothing()
    {
        using TempDataset set = TwelveFaults();
        DataReport report = DataCheck.Run(set.Root);
        Assert.DoesNotContain(report.Findings, f => Path.GetFileName(f.File) is "t0.png" or "t2.png" or "v0.png" or "v1.png");
        Assert.Equal((11, 4), (report.Errors, report.Warnings));
        Assert.Equal(report.Findings.OrderByDescending(f => f.Severity), report.Findings);
    }

    [Fact]
    public void Pixels_of_each_class_are_counted_for_each_split()
    {
        using TempDataset set = TempDataset.Plain(3).Text("train.txt", "s00\ns01").Text("val.txt", "s02");
        DataReport report = DataCheck.Run(set.Root);
        Assert.Empty(report.Findings);
        Assert.Equal((3, 3), (report.ImagesChecked, report.MasksDecoded));
        SplitCensus train = report.Splits[0];
        Assert.Equal(("train", 2, 2), (train.Name, train.Listed, train.MasksCounted));
        Assert.Equal([32L, 64L], train.Pixels.Take(2)); // 48 pixels a mask, every third of them 0
        Assert.Equal([2, 2], train.Images.Take(2));
        Assert.Equal([16L, 32L], report.Splits[1].Pixels.Take(2));
    }

    [Fact]
    public void Masks_of_0_and_255_that_are_not_read_as_binary_raise_a_warning()
    {
        using TempDataset set = new TempDataset().Picture("JPEGImages/a.png").Mask("SegmentationClass/a.png", [0, 255])
            .Picture("JPEGImages/b.png").Mask("SegmentationClass/b.png", [0, 255]);
        Finding finding = Assert.Single(DataCheck.Run(set.Root).Findings, f => f.Message.Contains("only 0 and 255"));
        Assert.Equal(Severity.Warning, finding.Severity);
        Assert.Contains("\"binary\"", finding.Remedy);
    }

    [Fact]
    public void The_short_form_reads_headers_and_a_few_masks()
    {
        using TempDataset set = TempDataset.Plain(20).Mask("masks/s03.png", [0, 1], height: 9);
        byte[] image = File.ReadAllBytes(set.At("images/s05.png"));
        set.Bytes("images/s05.png", image[..^20]); // its header is whole
        DataReport report = DataCheck.Run(set.Root, DataCheckOptions.Short);
        Assert.Equal(16, report.MasksDecoded);
        Assert.Contains(report.Findings, f => f.File == set.At("masks/s03.png") && f.Severity == Severity.Error);
        Assert.DoesNotContain(report.Findings, f => f.File == set.At("images/s05.png"));
        Assert.Contains(DataCheck.Run(set.Root).Findings, f => f.File == set.At("images/s05.png"));
    }

    [Fact]
    public void A_faulty_manifest_is_a_finding_and_a_strange_folder_an_exception()
    {
        using TempDataset set = TempDataset.Plain(1, """{ "clases": [] }""");
        Finding finding = Assert.Single(DataCheck.Run(set.Root).Findings);
        Assert.Equal(set.At("dataset.json"), finding.File);
        using var empty = new TempDataset();
        Assert.Throws<DatasetException>(() => DataCheck.Run(empty.Root));
    }

    [Fact]
    public void Duplicates_within_a_split_are_a_warning_and_files_left_out_are_told()
    {
        using TempDataset set = TempDataset.Plain(6).Text("train.txt", "s00\ns01\ns02\ns03").Text("val.txt", "s04\ns05").Text("masks/s01.tif", "x").Text("images/notes.txt", "x");
        set.Bytes("images/s03.png", File.ReadAllBytes(set.At("images/s00.png")));
        DataReport report = DataCheck.Run(set.Root);
        Assert.Contains(report.Findings, f => f.Severity == Severity.Warning && f.File == set.At("images/s03.png") && f.Message.Contains("same pixels as s00.png"));
        Assert.Contains(report.Findings, f => f.Severity == Severity.Warning && f.File == set.At("masks/s01.tif"));
        Assert.Contains(report.Findings, f => f.Severity == Severity.Note && f.File == set.At("images/notes.txt"));
        Assert.Equal(0, report.Errors);
    }

    [Fact]
    public void Progress_is_reported_and_cancellation_obeyed()
    {
        using TempDataset set = TempDataset.Plain(10);
        var seen = new Seen();
        DataCheck.Run(set.Root, progress: seen);
        Assert.Equal(Enumerable.Range(1, 10).Select(i => (i, 10)), seen.Reports.Order());
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => DataCheck.Run(set.Root, cancellation: cancelled.Token));
    }

    private sealed class Seen : IProgress<(int Done, int Total)>
    {
        public ConcurrentBag<(int Done, int Total)> Reports { get; } = [];

        public void Report((int Done, int Total) value) => Reports.Add(value);
    }
}
