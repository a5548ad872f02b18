using System.Text.Json.Nodes;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class ExplainCommandTests
{
    [Fact]
    public void Without_a_topic_they_are_listed()
    {
        string[] topics = [.. CliRun.Of("explain", "--json").Json["topics"]!.AsArray().Select(t => (string)t!["topic"]!)];
        Assert.Contains("conv-transpose", topics);
        string list = CliRun.Of("explain").Output;
        Assert.All(topics, topic => Assert.Contains(topic, list, StringComparison.Ordinal));
        Assert.Contains("转置卷积", CliRun.Of("explain", "--lang", "zh").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_topic_is_told_step_by_step_with_marks_that_need_no_colours()
    {
        string text = CliRun.Of("explain", "conv").Output;
        Assert.Contains("input 4×4, kernel 3×3, stride 1, padding 0, dilation 1 → output 2×2: 258 294 402 438", text, StringComparison.Ordinal);
        Assert.Contains("[ 0][ 1][ 2]  3", text, StringComparison.Ordinal);
        Assert.Contains("<258>", text, StringComparison.Ordinal);
        Assert.Contains("7. The same with unrolled windows (im2col)", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2", "0", "5 6 10 12 7 8 14 16 15 18 20 24 21 24 28 32")]
    [InlineData("1", "0", "5 16 12 22 60 40 21 52 32")]
    [InlineData("1", "1", "60")]
    public void The_transposed_convolution_takes_its_options(string stride, string padding, string values) =>
        Assert.EndsWith($": {values}", (string)CliRun.Of("explain", "conv-transpose", "--stride", stride, "--padding", padding, "--json").Json["summary"]!, StringComparison.Ordinal);

    [Fact]
    public void Numbers_come_from_text_files_and_arrays()
    {
        using var folder = new TempFolder();
        string input = folder.Text("x.csv", "1, 2\n3, 4\n"), kernel = folder.Text("k.txt", "1 0\n0\t1\n");
        Assert.EndsWith("output 1×1: 5", (string)CliRun.Of("explain", "conv", "--input", input, "--kernel", kernel, "--json").Json["summary"]!, StringComparison.Ordinal);
        string array = Path.Combine(folder.Root, "x.npy");
        Delineate.Tensors.Weights.NpyFile.Save(array, [1, 1, 2, 2], new float[] { 1, 2, 3, 4 });
        Assert.EndsWith("output 1×1: 5", (string)CliRun.Of("explain", "conv", "--input", array, "--kernel", kernel, "--json").Json["summary"]!, StringComparison.Ordinal);
        string labels = folder.Text("t.csv", "0 1\n1 255\n"), guess = folder.Text("p.csv", "0 1\n0 1\n");
        Assert.Contains("66.67 %", (string)CliRun.Of("explain", "confusion-matrix", labels, guess, "--json").Json["summary"]!, StringComparison.Ordinal);
    }

    [Fact]
    public void Pages_and_pictures_are_written_where_they_are_asked_for()
    {
        using var folder = new TempFolder();
        string page = Path.Combine(folder.Root, "sub", "up.html"), pictures = Path.Combine(folder.Root, "png");
        JsonObject json = CliRun.Of("explain", "roi-align", "--box", "10,20,100,150", "--html", page, "--png", pictures, "--lang", "zh", "--json").Json;
        Assert.StartsWith("<!DOCTYPE html>\n<html lang=\"zh-Hans\">", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.Equal(json["steps"]!.AsArray().Count, Directory.GetFiles(pictures, "roi-align-*.png").Length);
    }

    [Theory]
    [InlineData("there is no topic 'conf': ", "conf")]
    [InlineData("--rates is not for conv, which takes --input, --kernel, --stride, --padding, --dilation", "conv", "--rates", "1,2")]
    [InlineData("stride must be at least 1; it is 0", "conv", "--stride", "0")]
    [InlineData("the output would have no pixel", "conv", "--kernel", "5x5")]
    [InlineData("there is no file 4by4", "conv", "--input", "4by4")]
    [InlineData("--box takes four numbers x1,y1,x2,y2, not '1,2'", "roi-align", "--box", "1,2")]
    [InlineData("confusion-matrix takes two files, the truth and the prediction", "confusion-matrix", "a.png")]
    [InlineData("--lang takes en or zh, not 'fr'", "conv", "--lang", "fr")]
    public void Mistakes_get_one_line(string message, params string[] arguments)
    {
        CliRun run = CliRun.Of(["explain", .. arguments]);
        Assert.Equal(2, run.Code);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Errors.TrimEnd().Split('\n'));
    }

    [Theory]
    [InlineData("1,2\n3\n", "line 2 has 1 numbers, the lines before have 2")]
    [InlineData("1,b\n", "line 1: '1,b' is not numbers between commas")]
    [InlineData("\n", "holds no numbers")]
    public void Files_that_hold_no_rectangle_of_numbers_are_refused(string text, string message)
    {
        using var folder = new TempFolder();
        CliRun run = CliRun.Of("explain", "conv", "--input", folder.Text("x.csv", text));
        Assert.Equal(2, run.Code);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }
}
