using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

/// <summary>Detectors trained and scored from the command line, on a small folder in COCO's layout.</summary>
public class DetectorTrainTests
{
    private static readonly string[] Tiny =
    [
        "--model", "maskrcnn_resnet18_fpn", "--width-divisor", "16", "--min-size", "64", "--max-size", "96", "--training-proposals-before-nms", "60", "--training-proposals-after-nms", "40",
        "--proposals-before-nms", "60", "--proposals-after-nms", "30", "--box-samples", "32", "--anchor-samples", "64", "--score-threshold", "0", "--detections", "9", "--epochs", "1",
    ];

    /// <summary>Four images to train on and three to evaluate on, one of each without objects: bright boxes of two categories, with joints.</summary>
    private static string Coco(TempFolder folder, bool masks = true)
    {
        var random = new Philox(4);
        foreach ((string split, int count) in (ReadOnlySpan<(string, int)>)[("train", 4), ("val", 3)])
        {
            Directory.CreateDirectory(folder.At($"coco/{split}"));
            JsonArray images = [], annotations = [];
            for (int i = 0; i < count; i++)
            {
                var image = new Image(48, 64);
                for (int p = 0; p < image.Pixels.Length; p++) image.Pixels[p] = (byte)random.NextInt(60);
                images.Add(new JsonObject { ["id"] = 100 + i, ["file_name"] = $"{split}{i}.png", ["height"] = 48, ["width"] = 64 });
                for (int k = 0; k < (i == 1 ? 0 : 2); k++)
                {
                    (int w, int h, int x, int y) = (k == 0 ? (10, 24, random.NextInt(20), random.NextInt(20)) : (26, 12, 30 + random.NextInt(8), random.NextInt(30)));
                    for (int py = y; py < y + h; py++)
                        for (int px = x; px < x + w; px++) image[py, px] = k == 0 ? new Rgb(230, 30, 30) : new Rgb(30, 30, 230);
                    var annotation = new JsonObject { ["id"] = annotations.Count + 1, ["image_id"] = 100 + i, ["category_id"] = k == 0 ? 7 : 3, ["bbox"] = new JsonArray(x, y, w, h), ["area"] = w * h, ["iscrowd"] = 0 };
                    if (masks) annotation["segmentation"] = new JsonArray(new JsonArray(x, y, x + w, y, x + w, y + h, x, y + h));
                    annotations.Add(annotation);
                }
                ImageFile.Save(image, folder.At($"coco/{split}/{split}{i}.png"));
            }
            var file = new JsonObject
            {
                ["images"] = images,
                ["annotations"] = annotations,
                ["categories"] = new JsonArray(new JsonObject { ["id"] = 3, ["name"] = "wide" }, new JsonObject { ["id"] = 7, ["name"] = "tall" }),
            };
            folder.Text($"coco/annotations/instances_{split}.json", file.ToJsonString());
        }
        return folder.At("coco");
    }

    [Fact]
    public void A_detector_is_trained_scored_and_reported()
    {
        using var folder = new TempFolder();
        (string data, string run) = (Coco(folder), folder.At("run"));
        CliRun train = CliRun.Of(["train", "--data", data, "--output", run, "--json", .. Tiny]);
        Assert.True(train.Code == 0, train.Errors);
        Assert.Contains("3 classes; 4 training images, 3 for validation", train.Errors);
        Assert.Contains("1 of 4 images have no object", train.Errors);
        Assert.Contains("epoch 1/1  loss ", train.Errors);
        foreach (string part in (string[])["(classifier ", "box_reg ", "mask ", "objectness ", "rpn_box_reg ", "  mask AP ", "  mask AP50 "]) Assert.Contains(part, train.Errors);
        JsonNode recipe = JsonNode.Parse(File.ReadAllText(Path.Combine(run, "recipe.json")))!;
        Assert.Equal((false, 2, 0.0025), ((bool)recipe["options"]!["frozenNorm"]!, (int)recipe["batchSize"]!, (double)recipe["learningRate"]!));
        Assert.Equal(3, (int)train.Json["validation"]!["images"]!);
        Assert.InRange((double)train.Json["validation"]!["mask_ap"]!, 0, 1);
        string report = File.ReadAllText(Path.Combine(run, "report.html"));
        foreach (string part in (string[])["Precision and recall", "mask AP50", "average recall, large objects, at most 100", "IoU 0.75", "missed, ", "rpn_box_reg"]) Assert.Contains(part, report);

        string best = Path.Combine(run, "best.safetensors");
        CliRun eval = CliRun.Of("eval", "--weights", best, "--data", data, "--output", folder.At("eval"));
        Assert.True(eval.Code == 0, eval.Errors);
        foreach (string part in (string[])["mask AP", "tall", "wide", "APsmall", "AR100", "average precision, IoU 0.50 to 0.95", "; 3 images"]) Assert.Contains(part, eval.Output);
        Assert.Equal(
            ((double)train.Json["validation"]!["mask_ap"]!).ToString("R", CultureInfo.InvariantCulture),
            ((double)JsonNode.Parse(File.ReadAllText(folder.At("eval/metrics.json")))!["mask_ap"]!).ToString("R", CultureInfo.InvariantCulture));
        CliRun json = CliRun.Of("eval", "--weights", best, "--data", data, "--split", "train", "--json");
        Assert.Equal(["tall", "wide"], json.Json["classes"]!.AsArray().Select(c => (string)c!["name"]!).Order());

        CliRun resumed = CliRun.Of("train", "--resume", run, "--json");
        Assert.True(resumed.Code == 0, resumed.Errors);
        Assert.Equal(train.Json["validation"]!.ToJsonString(), resumed.Json["validation"]!.ToJsonString());
        Refuses("--size network is for classes of pixels", "eval", "--weights", best, "--data", data, "--size", "network");
        Refuses("is for networks that tell the classes of pixels", "eval", "--weights", best, "--data", data, "--flip");
        Refuses("its masks tell the classes of pixels, not one object from another", "eval", "--weights", best, "--data", folder.Data());
    }

    [Fact]
    public void The_same_folder_trains_a_network_that_labels_pixels()
    {
        using var folder = new TempFolder();
        CliRun train = CliRun.Of(["train", "--data", Coco(folder), "--output", folder.At("run"), "--json", .. TempFolder.TinyRecipe]);
        Assert.True(train.Code == 0, train.Errors);
        Assert.Equal(["background", "wide", "tall"], train.Json["validation"]!["classes"]!.AsArray().Select(c => (string)c!["name"]!));
        Assert.InRange((double)train.Json["validation"]!["mean_iou"]!, 0, 1);
    }

    [Fact]
    public void Data_that_does_not_tell_what_a_detector_learns_is_refused_in_one_line()
    {
        using var folder = new TempFolder();
        string[] train = ["train", "--skip-check", "--output", folder.At("run")];
        Refuses("its masks tell the classes of pixels, not one object from another; add instances/NAME.png", [.. train, "--data", folder.Data(), .. Tiny]);
        Refuses("has a box and no mask, which maskrcnn_resnet18_fpn learns from", [.. train, "--data", Coco(folder, masks: false), .. Tiny]);
        Refuses("its objects have no joints", [.. train, "--data", folder.Data(), "--model", "keypointrcnn_resnet50_fpn", "--width-divisor", "16"]);
        Refuses("--dice-weight must be 0 for a detector", [.. train, "--data", Coco(folder), .. Tiny, "--dice-weight", "1"]);
        string recipe = folder.Text("mixed.json", """{ "stages": [{ "model": "maskrcnn_resnet18_fpn" }, { "model": "unet" }] }""");
        Refuses("the stages of a recipe learn from the same annotations", [.. train, "--data", Coco(folder), "--recipe", recipe]);
        Assert.False(Directory.Exists(folder.At("run")));
    }

    [Fact]
    public void Boxes_alone_train_the_network_that_finds_boxes()
    {
        using var folder = new TempFolder();
        CliRun train = CliRun.Of(["train", "--data", Coco(folder, masks: false), "--output", folder.At("run"), "--json", .. Tiny, "--model", "fasterrcnn_resnet50_fpn"]);
        Assert.NotEqual(0, train.Code); // --model is there twice
        string[] faster = [.. Tiny.Select(a => a == "maskrcnn_resnet18_fpn" ? "fasterrcnn_resnet50_fpn" : a)];
        train = CliRun.Of(["train", "--data", Coco(folder, masks: false), "--output", folder.At("run"), "--json", .. faster]);
        Assert.True(train.Code == 0, train.Errors);
        Assert.InRange((double)train.Json["validation"]!["box_ap"]!, 0, 1);
        Assert.Null(train.Json["validation"]!["mask_ap"]);
    }

    [Fact]
    public void Results_of_any_tool_are_scored()
    {
        using var folder = new TempFolder();
        string data = Coco(folder);
        JsonArray truth = JsonNode.Parse(File.ReadAllText(Path.Combine(data, "annotations", "instances_val.json")))!["annotations"]!.AsArray();
        string results = folder.Text("results.json", new JsonArray([.. truth.Skip(1).Select(a => new JsonObject
        {
            ["image_id"] = (int)a!["image_id"]!, ["category_id"] = (int)a["category_id"]!, ["score"] = 0.9, ["bbox"] = a["bbox"]!.DeepClone(), ["segmentation"] = a["segmentation"]!.DeepClone(),
        })]).ToJsonString());
        CliRun eval = CliRun.Of("eval", "--results", results, "--data", data, "--json", "--output", folder.At("out"));
        Assert.True(eval.Code == 0, eval.Errors);
        Assert.Equal((3, 3), ((int)eval.Json["images"]!, (int)eval.Json["objects"]!));
        // One of two tall things is missing: precision 1 up to a recall of a half, 51 of 101 places; the wide ones are all there.
        Assert.Equal(((51 / 101.0) + 1) / 2, (double)eval.Json["mask_ap"]!, 1e-9);
        Assert.Equal((double)eval.Json["mask_ap"]!, (double)eval.Json["box_ap"]!, 1e-9);
        Assert.Contains("1 found, 1 missed, 0 false", File.ReadAllText(folder.At("out/report.html")));
        using var other = new TempFolder();
        CliRun boxes = CliRun.Of("eval", "--results", results, "--data", Coco(other, masks: false), "--json");
        Assert.Contains("the data set's objects have boxes and no masks: boxes are compared", boxes.Errors);
        Assert.Equal(((double)eval.Json["box_ap"]!, false), ((double)boxes.Json["box_ap"]!, boxes.Json.ContainsKey("mask_ap")));
        Refuses("eval needs --weights FILE of a model, or --results FILE", "eval", "--data", data);
        Refuses("--flip is about a model: --results are scored as they are", "eval", "--data", data, "--results", results, "--flip");
        Refuses("--size is about a model", "eval", "--data", data, "--results", results, "--size", "network");
        Refuses("there is no file", "eval", "--data", data, "--results", folder.At("no.json"));
        Refuses("entry 1 has no image_id", "eval", "--data", data, "--results", folder.Text("bad.json", "[{}]"));
    }

    [Fact]
    public void Weights_to_start_from_keep_their_norms()
    {
        using var folder = new TempFolder();
        string weights = folder.At("start.safetensors");
        var options = new ModelOptions { WidthDivisor = 16, Detection = new DetectionOptions { MinSize = 64, MaxSize = 96 } };
        ModelFile.Save(weights, ModelCatalog.Create("maskrcnn_resnet18_fpn", options, new ClassTable(["background", "thing"]) { Background = 0 }));
        CliRun train = CliRun.Of(["train", "--data", Coco(folder), "--output", folder.At("run"), "--weights", weights, "--json", .. Tiny]);
        Assert.True(train.Code == 0, train.Errors);
        Assert.True((bool)JsonNode.Parse(File.ReadAllText(folder.At("run/recipe.json")))!["options"]!["frozenNorm"]!);
        Assert.Contains("anew: roi_heads.box_predictor", train.Errors);
    }

    private static void Refuses(string message, params string[] args)
    {
        CliRun run = CliRun.Of(args);
        Assert.Equal(CommandRunner.UserMistake, run.Code);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }
}
