using Delineate.Imaging;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class DataConvertCommandTests
{
    /// <summary>Six images with two objects each, the last two for validation.</summary>
    private static string Objects(TempFolder folder)
    {
        Directory.CreateDirectory(folder.At("cells/instances"));
        for (int i = 0; i < 6; i++)
        {
            folder.Picture($"cells/images/s{i}.png", shade: 10 * i);
            var ids = new IdMap(20, 24);
            for (int p = 0; p < ids.Ids.Length; p++) ids.Ids[p] = p / 24 is > 2 and < 9 ? (p % 24 is > 3 and < 10 ? 1 : p % 24 is > 12 and < 20 ? 300 : 0) : 0;
            ImageFile.SaveIds(ids, folder.At($"cells/instances/s{i}.png"));
        }
        folder.Text("cells/train.txt", "s0\ns1\ns2\ns3\n");
        folder.Text("cells/val.txt", "s4\ns5\n");
        return folder.At("cells");
    }

    [Fact]
    public void Every_format_is_written_and_read_back()
    {
        using var folder = new TempFolder();
        string cells = Objects(folder);
        foreach (string format in (string[])["coco", "voc", "yolo", "masks", "labelme"])
        {
            CliRun run = CliRun.Of("data", "convert", cells, folder.At(format), "--to", format, "--json");
            Assert.True(run.Code == 0, run.Errors);
            Assert.Equal((12, 0, 1.0), ((int)run.Json["objects"]!, (int)run.Json["lost"]!, (double)run.Json["min_iou"]!));
            Assert.Equal("val", (string)run.Json["splits"]![1]!["name"]!);
            Assert.Equal(0, CliRun.Of("data", "check", folder.At(format)).Code);
        }
        CliRun again = CliRun.Of("data", "convert", folder.At("coco"), folder.At("links"), "--to", "yolo", "--images", "link", "--tolerance", "1");
        Assert.Equal(0, again.Code);
        Assert.Contains("train 4, val 2 images, 12 objects", again.Output);
        Assert.Contains("read back: none lost", again.Output);
    }

    [Fact]
    public void Mistakes_are_one_line()
    {
        using var folder = new TempFolder();
        string cells = Objects(folder);
        folder.Text("full/mine.txt", "x");
        CliRun full = CliRun.Of("data", "convert", cells, folder.At("full"), "--to", "coco");
        Assert.Equal((CommandRunner.UserMistake, true), (full.Code, full.Error.Contains("the folder is not empty; choose another, or allow overwriting")));
        Assert.Equal(0, CliRun.Of("data", "convert", cells, folder.At("full"), "--to", "coco", "--overwrite").Code);
        Assert.Contains("--to takes coco or voc or yolo or masks or labelme, not 'csv'", CliRun.Of("data", "convert", cells, folder.At("x"), "--to", "csv").Error);
        Assert.Contains("--to", CliRun.Of("data", "convert", cells, folder.At("x")).Error);
        Assert.Contains("--tolerance takes a number of pixels", CliRun.Of("data", "convert", cells, folder.At("x"), "--to", "yolo", "--tolerance", "-1").Error);
        Assert.Contains("--variant takes instances, keypoints or vocclasses", CliRun.Of("data", "convert", cells, folder.At("x"), "--to", "yolo", "--variant", "masks").Error);
        Assert.Contains("no such folder", CliRun.Of("data", "convert", folder.At("nowhere"), folder.At("x"), "--to", "yolo").Error);
    }

    [Fact]
    public void Objects_are_counted_checked_and_drawn()
    {
        using var folder = new TempFolder();
        string cells = Objects(folder), coco = folder.At("coco");
        CliRun.Of("data", "convert", cells, coco, "--to", "coco");
        CliRun stats = CliRun.Of("data", "stats", coco, "--json");
        Assert.Equal((8, 8), ((int)stats.Json["splits"]![0]!["objects"]!["object"]!, (int)stats.Json["splits"]![0]!["object_stats"]!["count"]!));
        Assert.Equal(4 * ((6 * 6) + (6 * 7)), (int)stats.Json["splits"]![0]!["pixels"]!["object"]!);
        Assert.Contains("8 objects, 2 to an image", CliRun.Of("data", "stats", cells).Output);
        string file = Path.Combine(coco, "annotations", "instances_train.json");
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"iscrowd\":0", "\"iscrowd\":3", StringComparison.Ordinal));
        CliRun check = CliRun.Of("data", "check", coco);
        Assert.Equal(CommandRunner.UserMistake, check.Code);
        Assert.Equal(8, check.Output.Split('\n').Count(l => l.StartsWith($"error: {file}: annotation ", StringComparison.Ordinal) && l.Contains("iscrowd is 3")));
        Assert.Contains("6 images and 12 objects looked at: 8 errors", check.Output);
        Assert.Equal(0, CliRun.Of("data", "preview", coco, "-o", folder.At("sheet.png")).Code);
        Assert.True(ImageFile.Load(folder.At("sheet.png")).Width > 100);
    }
}
