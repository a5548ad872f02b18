using Delineate.Imaging;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class DataCommandTests
{
    [Fact]
    public void A_sound_data_set_passes_and_is_counted()
    {
        using var folder = new TempFolder();
        string data = folder.Data();
        CliRun check = CliRun.Of("data", "check", data, "--json");
        Assert.Equal((0, 0, 6), (check.Code, (int)check.Json["errors"]!, (int)check.Json["images_checked"]!));
        Assert.Contains("6 images and 6 masks looked at: 0 errors, 0 warnings", CliRun.Of("data", "check", data).Output);
        CliRun stats = CliRun.Of("data", "stats", data, "--json");
        Assert.Equal(4 * 20 * 12, (int)stats.Json["splits"]![0]!["pixels"]!["dark"]!);
    }

    [Fact]
    public void Each_fault_is_a_line_with_its_file_and_the_exit_code_2()
    {
        using var folder = new TempFolder();
        string data = folder.Data();
        folder.Picture("data/images/extra.png");
        folder.Text("data/images/s0.png", "no picture");
        File.WriteAllText(folder.At("data/train.txt"), "s0\ns1\ns2\ns3\nextra\ngone\n");
        CliRun run = CliRun.Of("data", "check", data);
        Assert.Equal(CommandRunner.UserMistake, run.Code);
        string[] lines = run.Output.Split('\n');
        foreach (string file in (string[])["images/extra.png", "images/s0.png", "train.txt"])
            Assert.Contains(lines, l => l.StartsWith($"error: {folder.At("data/" + file)}: ", StringComparison.Ordinal));
        Assert.Equal((int)CliRun.Of("data", "check", data, "--json").Json["errors"]!, lines.Count(l => l.StartsWith("error: ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("\"segmentation\": [[2, 1, 12, 9]]", "error: {0}: annotation 50 of image a.png: its outline has 2 points: three are the least; draw it again, or delete it")]
    [InlineData("\"bbox\": [3, 4, -5, 2]", "error: {0}: annotation 50 of image a.png: its box [3, 4, -5, 2] has a negative width; draw it again, or delete it")]
    [InlineData("\"bbox\": [3, 4, NaN, 2]", "error: {0}: annotation 50 of image a.png: its box has a coordinate that is no number")]
    [InlineData("\"segmentation\": {\"size\": [20, 24], \"counts\": \"3~~\"}", "error: {0}: annotation 50 of image a.png: character 2 of the mask's compressed text is '~', which it cannot hold; write the mask again from its picture")]
    [InlineData("\"bbox\": [3, 4, 5, 2]}, {\"id\": 50, \"image_id\": 1, \"category_id\": 1, \"bbox\": [4, 4, 5, 2]", "error: {0}: annotation 50 of image a.png: another annotation has the same id; tools that look annotations up by id lose one of them")]
    [InlineData("\"bbox\": [3, 4, 5, 2", "error: {0}: the JSON is cut short: the file ends in element 1 of \"annotations\", at byte 218; copy or download it again", true)]
    public void A_fault_of_a_coco_file_is_one_line_with_annotation_image_and_remedy(string fields, string line, bool cut = false)
    {
        using var folder = new TempFolder();
        folder.Picture("data/images/a.png");
        string json = $$"""
            {"images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 24}], "categories": [{"id": 1, "name": "cell"}],
             "annotations": [{"id": 50, "image_id": 1, "category_id": 1, {{fields}}
            """;
        string file = folder.Text("data/annotations.json", cut ? json.PadRight(218) : json + "}]}");
        CliRun run = CliRun.Of("data", "check", folder.At("data"));
        Assert.Equal((CommandRunner.UserMistake, ""), (run.Code, run.Errors));
        Assert.Contains(string.Format(line, file), run.Output.Split('\n').Select(l => l.TrimEnd()));
    }

    [Fact]
    public void A_preview_is_a_picture_and_its_suffix_is_checked()
    {
        using var folder = new TempFolder();
        string data = folder.Data(), sheet = folder.At("sheet.png");
        Assert.Equal((0, sheet), (CliRun.Of("data", "preview", data, "-o", sheet, "--count", "2") is var run ? run.Code : -1, run.Output.TrimEnd()));
        Assert.True(ImageFile.Load(sheet).Width > 100);
        CliRun gif = CliRun.Of("data", "preview", data, "-o", folder.At("sheet.gif"));
        Assert.Equal(CommandRunner.UserMistake, gif.Code);
        Assert.Contains("must be named .png, .jpg or .jpeg", gif.Error);
    }
}
