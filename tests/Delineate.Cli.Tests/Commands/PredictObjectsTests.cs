using System.Text.Json.Nodes;
using Delineate.Cli.Commands;
using Delineate.Data;
using Delineate.Drawing;
using Delineate.Imaging;
using Delineate.Inference;
using Delineate.Models;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

/// <summary>What 'predict' does with networks that find objects.</summary>
public class PredictObjectsTests
{
    private static readonly ModelOptions Narrow = new() { WidthDivisor = 16, Keypoints = 17, Detection = new DetectionOptions { MinSize = 64, MaxSize = 96, ScoreThreshold = 0.1f, Detections = 12 } };
    private static readonly ClassTable Three = new(["background", "cat", "dog"]) { Background = 0 };

    /// <summary>A narrow detector with random weights, which takes everything for any of the three classes, a little more or less.</summary>
    private static DetectionModel Saved(TempFolder folder, string name = "maskrcnn_resnet18_fpn")
    {
        var model = (DetectionModel)ModelCatalog.Create(name, Narrow, Three, seed: 5);
        foreach (ref float weight in model.Network.StateDict().First(t => t.Name == "roi_heads.box_predictor.cls_score.weight").Tensor.Span) weight *= 0.05f;
        ModelFile.Save(folder.At("model.safetensors"), model);
        return (DetectionModel)ModelFile.Load(folder.At("model.safetensors"));
    }

    private static CliRun Predict(TempFolder folder, params string[] args) => CliRun.Of(["predict", "--weights", folder.At("model.safetensors"), "-o", folder.At("out"), .. args]);

    /// <summary>A score that some of the objects reach and others do not.</summary>
    private static double Between(IReadOnlyList<Instance> found)
    {
        Assert.True(found.Count >= 2 && found[0].Score > found[^1].Score, $"{found.Count} objects");
        return (found[found.Count / 2].Score + found[(found.Count / 2) - 1].Score) / 2.0;
    }

    [Theory]
    [InlineData("maskrcnn_resnet18_fpn")]
    [InlineData("fasterrcnn_resnet50_fpn")]
    [InlineData("keypointrcnn_resnet50_fpn")]
    public void Each_image_gets_its_pictures_and_all_objects_are_listed_for_coco(string name)
    {
        using var folder = new TempFolder();
        DetectionModel model = Saved(folder, name);
        string[] files = [folder.Picture("in/a.png", 60, 80), folder.Picture("in/b.jpg", 45, 90, shade: 99)];
        Image[] photos = [.. files.Select(ImageFile.Load)];
        IReadOnlyList<Instance>[] found = [.. photos.Select(p => model.Predict(new ImageBatch([p]))[0].Instances!)];
        double threshold = Between(found[0]);
        CliRun run = Predict(folder, folder.At("in"), "--score-threshold", $"{threshold}", "--json");
        Assert.Equal((0, ""), (run.Code, run.Errors));

        bool masks = model.Network is MaskRcnn;
        JsonArray list = JsonNode.Parse(File.ReadAllText(folder.At("out/predictions.json")))!.AsArray();
        Assert.Equal(found.Sum(f => f.Count), list.Count);
        int at = 0;
        for (int i = 0; i < files.Length; i++)
        {
            Instance[] sure = [.. found[i].Where(o => o.Score >= threshold)];
            JsonNode image = run.Json["images"]![i]!;
            Assert.Equal((i + 1, sure.Length, found[i].Count), ((int)image["image_id"]!, (int)image["objects"]!, (int)image["found"]!));
            Assert.Equal(sure.Length, image["classes"]!.AsObject().Sum(c => (int)c.Value!["objects"]!));
            string overlay = Path.ChangeExtension(Path.GetFileName(files[i]), null) + "_overlay.png";
            Assert.Equal(InstanceOverlay.Draw(photos[i], sure, Three, new InstanceOverlayOptions { Opacity = 0.5, Names = true }).Pixels, ImageFile.Load(folder.At("out/" + overlay)).Pixels);
            Assert.Equal(masks, File.Exists(folder.At("out/" + overlay.Replace("_overlay", ""))));
            if (masks) AssertIds(ImageFile.LoadIds((string)image["mask"]!), sure);
            foreach (Instance one in found[i])
            {
                JsonNode line = list[at++]!;
                Assert.Equal((i + 1, Path.GetFileName(files[i]), one.Label), ((int)line["image_id"]!, (string)line["file_name"]!, (int)line["category_id"]!));
                Assert.Equal(one.Score, (float)line["score"]!);
                Assert.Equal([(float)one.Box.X1, (float)one.Box.Y1, (float)one.Box.Width, (float)one.Box.Height], line["bbox"]!.AsArray().Select(v => (float)v!));
                if (masks) Assert.Equal(one.Mask, Rle.Parse((string)line["segmentation"]!["counts"]!, photos[i].Height, photos[i].Width));
                Assert.Equal(one.Keypoints?.Count * 3, line["keypoints"]?.AsArray().Count);
            }
        }
        Assert.Equal(run.Output, File.ReadAllText(folder.At("out/images.json")));
        string[] expected = ["a_overlay.png", "b_overlay.png", "images.json", "predictions.json", .. masks ? ["a.png", "b.png"] : (string[])[]];
        Assert.Equal(expected.Order(StringComparer.Ordinal), Directory.GetFiles(folder.At("out")).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));

        static void AssertIds(IdMap ids, Instance[] sure)
        {
            byte[][] masks = [.. sure.Select(o => o.Mask!.Decode())];
            for (int p = 0; p < ids.Ids.Length; p++) Assert.Equal(Array.FindIndex(masks, m => m[p] == 1) + 1, ids.Ids[p]); // the surest on top; 0 for none
        }
    }

    [Fact]
    public void Pictures_show_objects_of_half_and_more_and_the_list_what_the_model_keeps()
    {
        using var folder = new TempFolder();
        DetectionModel model = Saved(folder);
        string photo = folder.Picture("a.png", 60, 80);
        IReadOnlyList<Instance> found = model.Predict(new ImageBatch([ImageFile.Load(photo)]))[0].Instances!;
        Assert.All(found, o => Assert.InRange(o.Score, 0.1f, 0.499f)); // a third each
        CliRun run = Predict(folder, photo, "--json");
        Assert.Equal((0, 0, found.Count), (run.Code, (int)run.Json["images"]![0]!["objects"]!, (int)run.Json["images"]![0]!["found"]!));
        Assert.Contains($"no object is as sure as 0.5; the surest has a score of {found[0].Score:0.00}", run.Errors);
        Assert.Equal(found.Count, JsonNode.Parse(File.ReadAllText(folder.At("out/predictions.json")))!.AsArray().Count);
        Assert.All(ImageFile.LoadIds(folder.At("out/a.png")).Ids, id => Assert.Equal(0, id));
        Assert.Equal(ImageFile.Load(photo).Pixels, ImageFile.Load(folder.At("out/a_overlay.png")).Pixels);
        // A lower threshold than the model's own lowers that too; other sizes and numbers are asked for as of 'run'.
        Assert.True((int)Predict(folder, photo, "--json", "--score-threshold", "0").Json["images"]![0]!["found"]! >= found.Count);
        Assert.Equal(1, (int)Predict(folder, photo, "--json", "--detections", "1").Json["images"]![0]!["found"]!);
        Assert.Contains($"1 image searched into {folder.At("out")}: 0 objects drawn, 1 in", Predict(folder, photo, "--detections", "1", "--min-size", "32", "--max-size", "40").Output);
    }

    [Fact]
    public void Ids_of_images_and_categories_are_those_of_a_coco_file()
    {
        using var folder = new TempFolder();
        Saved(folder);
        folder.Picture("in/a.png", 60, 80);
        folder.Picture("in/b.png", 60, 80);
        string ids = folder.Text("ids.json", """{"images": [{"id": 77, "file_name": "val/b.png"}, {"id": 5, "file_name": "val/a.png"}], "annotations": [], "categories": [{"id": 18, "name": "dog"}]}""");
        CliRun run = Predict(folder, folder.At("in"), "--ids", ids, "--detections", "500", "--json");
        Assert.Equal(0, run.Code);
        Assert.Equal([5, 77], run.Json["images"]!.AsArray().Select(i => (int)i!["image_id"]!));
        JsonArray list = JsonNode.Parse(File.ReadAllText(folder.At("out/predictions.json")))!.AsArray();
        Assert.NotEmpty(list);
        Assert.All(list, o => Assert.Equal(18, (int)o!["category_id"]!));
        Assert.All(list, o => Assert.Equal((int)o!["image_id"]! == 5 ? "val/a.png" : "val/b.png", (string)o!["file_name"]!));
        int all = run.Json["images"]!.AsArray().Sum(i => (int)i!["found"]!);
        Assert.Contains($"{all - list.Count} object{(all - list.Count == 1 ? "" : "s")} of {all} are not in {folder.At("out/predictions.json")}: their classes are no categories of {ids}", run.Errors);

        string photo = folder.Picture("other/c.png");
        Refuses($"1 of 1 images are not listed in {ids}: {photo}", photo, "--ids", ids);
        string copy = folder.Picture("other/b.png");
        Refuses("are both image 77", folder.At("in/b.png"), copy, "--ids", ids);
        Refuses("none of the model's classes is a category of", copy, "--ids", folder.Text("bird.json", """{"images": [{"id": 77, "file_name": "b.png"}], "categories": [{"id": 18, "name": "bird"}]}"""));
        Refuses("it has no \"images\"", copy, "--ids", folder.Text("none.json", "{}"));
        Refuses("there is no file", copy, "--ids", folder.At("gone.json"));

        void Refuses(string message, params string[] args)
        {
            CliRun refused = Predict(folder, args);
            Assert.Equal(CommandRunner.UserMistake, refused.Code);
            Assert.Contains(message, refused.Error, StringComparison.Ordinal);
            Assert.Single(refused.Errors.TrimEnd().Split('\n'));
        }
    }

    [Fact]
    public void Options_of_the_other_kind_of_network_are_refused_in_one_line()
    {
        using var folder = new TempFolder();
        Saved(folder);
        string photo = folder.Picture("a.png"), pixels = folder.Weights("pixels.safetensors");
        foreach (string[] view in (string[][])[["--window", "64x64"], ["--scales", "1,2"], ["--flip"], ["--own-size"]])
            Refuses($"{view[0]} is for networks that tell the classes of pixels: maskrcnn_resnet18_fpn finds objects", Predict(folder, [photo, .. view]));
        Refuses("--overlap is about windows", Predict(folder, photo, "--overlap", "0.5"));
        Refuses("--max-size must be at least the short side, 64; it is 33", Predict(folder, photo, "--max-size", "33"));
        foreach (string[] sight in (string[][])[["--score-threshold", "0.3"], ["--ids", folder.Text("ids.json", """{"images": [], "categories": []}""")], ["--detections", "5"], ["--min-size", "64"], ["--max-size", "64"], ["--norm-epsilon", "0"]])
            Refuses($"{sight[0]} is for networks that find objects: unet tells the classes of pixels", CliRun.Of(["predict", "--weights", pixels, photo, "-o", folder.At("out"), .. sight]));
        Assert.False(Directory.Exists(folder.At("out")));

        static void Refuses(string message, CliRun run)
        {
            Assert.Equal(CommandRunner.UserMistake, run.Code);
            Assert.Contains(message, run.Error, StringComparison.Ordinal);
            Assert.Single(run.Errors.TrimEnd().Split('\n'));
        }
    }

    [Fact]
    public void Results_of_earlier_runs_of_either_kind_are_replaced_and_nothing_else()
    {
        using var folder = new TempFolder();
        Saved(folder);
        string photo = folder.Picture("a.png", 60, 80), pixels = folder.Weights("pixels.safetensors");
        string[] segment = ["predict", "--weights", pixels, photo, "-o", folder.At("out")];
        Assert.Equal(0, CliRun.Of(segment).Code);
        for (int i = 0; i < 2; i++) Assert.Equal(0, Predict(folder, photo).Code);
        Assert.Equal('[', File.ReadAllText(folder.At("out/predictions.json"))[0]);
        Assert.Equal(0, CliRun.Of(segment).Code);
        Assert.Equal('{', File.ReadAllText(folder.At("out/predictions.json"))[0]);

        foreach (string own in (string[])["predictions.json", "images.json"])
        {
            string other = folder.At($"of {own}");
            Directory.CreateDirectory(other);
            File.WriteAllText(Path.Combine(other, own), "[]");
            CliRun refused = CliRun.Of("predict", "--weights", folder.At("model.safetensors"), photo, "-o", other);
            Assert.Equal(CommandRunner.UserMistake, refused.Code);
            Assert.Contains($"{Path.Combine(other, own)} is there already and is not of 'predict'", refused.Error);
            Assert.Equal("[]", File.ReadAllText(Path.Combine(other, own)));
            Assert.Single(Directory.GetFiles(other));
        }
    }

    [Fact]
    public void An_unreadable_image_is_left_out_and_the_others_keep_their_numbers()
    {
        using var folder = new TempFolder();
        Saved(folder);
        folder.Text("in/a.png", "no picture");
        folder.Picture("in/b.png", 60, 80);
        CliRun run = Predict(folder, folder.At("in"), "--json");
        Assert.Equal(CommandRunner.UserMistake, run.Code);
        Assert.Equal(2, (int)Assert.Single(run.Json["images"]!.AsArray())!["image_id"]!);
        Assert.Equal(folder.At("in/a.png"), (string)Assert.Single(run.Json["failures"]!.AsArray())!["file"]!);
        Assert.All(JsonNode.Parse(File.ReadAllText(folder.At("out/predictions.json")))!.AsArray(), o => Assert.Equal(2, (int)o!["image_id"]!));
    }

    [Fact]
    public void The_list_grows_beside_the_old_one_which_stays_until_it_is_whole()
    {
        using var folder = new TempFolder();
        DetectionModel model = Saved(folder);
        string[] files = [folder.Picture("a.png", 60, 80), folder.Picture("b.png", 60, 80)];
        folder.Text("out/predictions.json", "old");
        var place = new PredictionFolder(folder.At("out"), files, overwrite: true, hasResults: true);
        var image = ImageFile.Load(files[0]);
        Prediction found = model.Predict(new ImageBatch([image]))[0];
        using (var broken = new ObjectOutput(model, files, place, null, 0.5, 0.5)) broken.Write(0, image, found);
        Assert.Equal("old", File.ReadAllText(folder.At("out/predictions.json")));
        Assert.DoesNotContain(Directory.GetFiles(folder.At("out")), f => f.EndsWith(".tmp", StringComparison.Ordinal));

        // Interrupted after the first of two images: what was done is in the list, which is whole.
        using var interruption = new CancellationTokenSource();
        using (var output = new ObjectOutput(model, files, place, null, 0.5, 0.5))
        {
            var queue = new PredictionQueue(new Terminal(json: false), new Predictor(model), files, output.Write);
            Assert.ThrowsAny<OperationCanceledException>(() => queue.Run((done, all, _) =>
            {
                if (2 * done >= all) interruption.Cancel();
            }, interruption.Token));
            output.Finish();
            Assert.Single(queue.Results);
        }
        Assert.All(JsonNode.Parse(File.ReadAllText(folder.At("out/predictions.json")))!.AsArray(), o => Assert.Equal(1, (int)o!["image_id"]!));
    }

    [Fact]
    public void Files_of_one_name_are_told_apart_in_the_list()
    {
        using var folder = new TempFolder();
        Saved(folder);
        string one = folder.Picture("x/a.png", 60, 80), two = folder.Picture("y/a.png", 60, 80), three = folder.Picture("y/b.png", 60, 80);
        Assert.Equal(0, Predict(folder, one, two, three).Code);
        JsonArray list = JsonNode.Parse(File.ReadAllText(folder.At("out/predictions.json")))!.AsArray();
        Assert.Equal([one, two, "b.png"], list.Select(o => (string)o!["file_name"]!).Distinct());
    }
}
