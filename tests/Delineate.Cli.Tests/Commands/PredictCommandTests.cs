using System.Text.Json.Nodes;
using Delineate.Cli.Commands;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Inference;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Weights;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class PredictCommandTests
{
    [Fact]
    public void Images_of_any_size_get_a_mask_of_their_own_size_and_an_overlay()
    {
        using var folder = new TempFolder();
        folder.Picture("in/one.png", 1, 1);
        folder.Picture("in/long.png", 17, 300);
        folder.Picture("in/odd.jpg", 37, 23);
        CliRun run = CliRun.Of("predict", "--weights", folder.Weights(), folder.At("in"), "-o", folder.At("out"), "--json");
        Assert.Equal(0, run.Code);
        JsonArray images = run.Json["images"]!.AsArray();
        Assert.Equal(3, images.Count);
        foreach (JsonNode? image in images)
        {
            (int height, int width) = ((int)image!["height"]!, (int)image["width"]!);
            LabelMap mask = ImageFile.LoadLabels((string)image["mask"]!);
            Assert.Equal((height, width), (mask.Height, mask.Width));
            Assert.All(mask.Labels, label => Assert.InRange(label, 0, 1));
            Assert.Equal(height * width, image["classes"]!.AsObject().Sum(c => (int)c.Value!["pixels"]!));
            Assert.True(ImageFile.Load((string)image["overlay"]!).Width >= width);
        }
        Assert.Equal(run.Output, File.ReadAllText(folder.At("out/predictions.json")));
    }

    [Fact]
    public void Strict_rounding_says_the_same_of_a_plain_picture()
    {
        using var folder = new TempFolder();
        (string photo, string weights) = (folder.Picture("in/one.png", 30, 40), folder.Weights());
        CliRun fast = CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("fast")), strict = CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("strict"), "--strict");
        Assert.Equal((0, 0), (fast.Code, strict.Code));
        Assert.Equal(ImageFile.LoadLabels(folder.At("fast/one.png")).Labels, ImageFile.LoadLabels(folder.At("strict/one.png")).Labels);
    }

    [Fact]
    public void An_unreadable_image_is_named_and_the_rest_done()
    {
        using var folder = new TempFolder();
        string bad = folder.Text("in/a.png", "no picture");
        folder.Picture("in/b.png");
        CliRun run = CliRun.Of("predict", "--weights", folder.Weights(), folder.At("in"), "-o", folder.At("out"));
        Assert.Equal(CommandRunner.UserMistake, run.Code);
        Assert.Contains($"error: {bad}: ", run.Errors);
        Assert.Contains("1 image segmented into", run.Output);
        Assert.True(File.Exists(folder.At("out/b.png")));
        Assert.False(File.Exists(folder.At("out/a.png")));
    }

    [Theory]
    [InlineData("photos", "the results would overwrite the input")]
    [InlineData("photos", "the results would overwrite the input", "--overwrite")]
    [InlineData("mine", "is there already")]
    public void Nothing_of_the_users_is_overwritten(string output, string message, params string[] more)
    {
        using var folder = new TempFolder();
        string photo = folder.Picture("photos/a.png"), mine = folder.Picture("mine/a.png", shade: 99);
        (byte[] photoBytes, byte[] mineBytes) = (File.ReadAllBytes(photo), File.ReadAllBytes(mine));
        CliRun run = CliRun.Of(["predict", "--weights", folder.Weights(), photo, "-o", folder.At(output), .. more]);
        Assert.Equal(CommandRunner.UserMistake, run.Code);
        Assert.Contains(message, run.Error);
        Assert.Equal(photoBytes, File.ReadAllBytes(photo));
        Assert.Equal(mineBytes, File.ReadAllBytes(mine));
        Assert.Single(Directory.GetFiles(folder.At(output)));
    }

    [Fact]
    public void Results_of_an_earlier_run_are_replaced()
    {
        using var folder = new TempFolder();
        string photo = folder.Picture("a.jpg"), weights = folder.Weights();
        for (int i = 0; i < 2; i++) Assert.Equal(0, CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("out")).Code);
        File.Delete(folder.At("out/predictions.json"));
        Assert.Contains("--overwrite", CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("out")).Error);
        Assert.Equal(0, CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("out"), "--overwrite").Code);
    }

    [Fact]
    public void A_file_that_is_no_model_and_an_output_that_is_a_file_are_told()
    {
        using var folder = new TempFolder();
        string photo = folder.Picture("a.png");
        CliRun noModel = CliRun.Of("predict", "--weights", photo, photo, "-o", folder.At("out"));
        Assert.Equal(CommandRunner.UserMistake, noModel.Code);
        Assert.StartsWith($"error: {photo}: not a safetensors file", noModel.Error);
        CliRun noFolder = CliRun.Of("predict", "--weights", folder.Weights(), photo, "-o", folder.Text("file", "x"));
        Assert.Equal((CommandRunner.UserMistake, $"error: {folder.At("file")} is a file: results need a folder"), (noFolder.Code, noFolder.Error));
    }

    [Fact]
    public void Files_of_the_same_name_get_results_of_their_own()
    {
        Assert.Equal(["x", "x_2", "y", "x_3"], PredictionFolder.Names(["a/x.png", "b/x.jpg", "y.png", "X.png"]).Select(n => n.ToLowerInvariant()));
        Assert.Equal(["x", "x_overlay_2"], PredictionFolder.Names(["x.png", "x_overlay.png"]));
        Assert.Equal(["x_overlay", "x_2"], PredictionFolder.Names(["x_overlay.png", "x.png"]));
    }

    [Fact]
    public void Windows_scales_and_mirrored_views_give_masks_of_the_same_size()
    {
        using var folder = new TempFolder();
        string photo = folder.Picture("a.png", 70, 150), weights = folder.Weights();
        CliRun run = CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("out"), "--window", "64x64", "--overlap", "0.5", "--scales", "0.75,1,1.25", "--flip", "--json");
        Assert.Equal((0, ""), (run.Code, run.Errors));
        LabelMap mask = ImageFile.LoadLabels(folder.At("out/a.png"));
        Assert.Equal((70, 150), (mask.Height, mask.Width));
        Assert.Contains("--scales takes numbers", CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("out"), "--scales", "1,x").Error);
        Assert.Contains("--window takes a height and a width", CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("out"), "--window", "64").Error);
        Assert.Contains("a window has at least 32×32 pixels", CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("out"), "--window", "8x8").Error);
        Assert.Contains("the overlap is a share", CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("out"), "--window", "64x64", "--overlap", "0.95").Error);
    }

    [Fact]
    public void Weights_without_a_card_take_the_models_name()
    {
        using var folder = new TempFolder();
        string photo = folder.Picture("a.png"), bare = folder.At("bare.safetensors");
        SafetensorsFile.Save(bare, ModelFile.Load(folder.Weights()).Network.StateDict());
        CliRun run = CliRun.Of("predict", "--model", "unet", "--weights", bare, photo, "-o", folder.At("out"), "--json");
        Assert.Equal((0, "unet"), (run.Code, (string?)run.Json["model"]));
        Assert.All(run.Json["images"]![0]!["classes"]!.AsObject(), c => Assert.StartsWith("class ", c.Key));
        Assert.Contains("its model must be named", CliRun.Of("predict", "--weights", bare, photo, "-o", folder.At("out")).Error);
    }

    [Fact]
    public void Many_images_are_listed_in_their_order_whatever_fails()
    {
        using var folder = new TempFolder();
        for (int i = 0; i < 6; i++)
        {
            if (i % 2 == 0) folder.Picture($"in/{i}.png", 20 + i);
            else folder.Text($"in/{i}.png", "no picture");
        }
        CliRun run = CliRun.Of("predict", "--weights", folder.Weights(), folder.At("in"), "-o", folder.At("out"), "--json");
        Assert.Equal(CommandRunner.UserMistake, run.Code);
        Assert.Equal(["0.png", "2.png", "4.png"], run.Json["images"]!.AsArray().Select(i => Path.GetFileName((string?)i!["file"])));
        Assert.Equal(["1.png", "3.png", "5.png"], run.Json["failures"]!.AsArray().Select(i => Path.GetFileName((string?)i!["file"])));
        Assert.Equal(3, run.Errors.TrimEnd().Split('\n').Length);
    }

    [Theory]
    [InlineData(1 << 25)]
    [InlineData(24 * 22)]
    [InlineData(1)]
    public void Images_that_are_alone_in_memory_give_the_same_in_the_same_order(long largePixels)
    {
        using var folder = new TempFolder();
        string[] files = [.. Enumerable.Range(0, 5).Select(i => i == 3 ? folder.Text("in/3.png", "no picture") : folder.Picture($"in/{i}.png", 20 + i))];
        var predictor = new Predictor(ModelFile.Load(folder.Weights()));
        var output = new LabelOutput(predictor.Model.Classes, files, new PredictionFolder(folder.At("out"), files, overwrite: false), opacity: 0.5);
        var queue = new PredictionQueue(new Terminal(json: false), predictor, files, output.Write) { LargePixels = largePixels };
        var told = new List<int>();
        queue.Run((done, _, _) => told.Add(done), CancellationToken.None);
        Assert.Equal(["0.png", "1.png", "2.png", "4.png"], queue.Results.Select(r => Path.GetFileName((string?)r!["file"])));
        Assert.Equal([20, 21, 22, 24], queue.Results.Select(r => (int)r!["height"]!));
        Assert.Equal(["3.png"], queue.Failures.Select(f => Path.GetFileName((string?)f!["file"])));
        Assert.Equal(told.Order(), told);
        CliRun run = CliRun.Of("predict", "--weights", folder.At("model.safetensors"), folder.At("in"), "-o", folder.At("again"));
        foreach (int i in (int[])[0, 1, 2, 4])
        {
            foreach (string file in (string[])[$"{i}.png", $"{i}_overlay.png"]) Assert.Equal(File.ReadAllBytes(folder.At("again/" + file)), File.ReadAllBytes(folder.At("out/" + file)));
        }
    }

    [Fact]
    public void A_result_that_cannot_be_written_is_named_and_the_rest_done()
    {
        using var folder = new TempFolder();
        for (int i = 0; i < 4; i++) folder.Picture($"in/{i}.png", 20 + i);
        Directory.CreateDirectory(folder.At("out/1.png")); // a folder where the mask should go
        CliRun run = CliRun.Of("predict", "--weights", folder.Weights(), folder.At("in"), "-o", folder.At("out"), "--json");
        Assert.Equal(CommandRunner.UserMistake, run.Code);
        Assert.Equal(["0.png", "2.png", "3.png"], run.Json["images"]!.AsArray().Select(i => Path.GetFileName((string?)i!["file"])));
        Assert.Equal(folder.At("in/1.png"), (string?)Assert.Single(run.Json["failures"]!.AsArray())!["file"]);
        Assert.True(File.Exists(folder.At("out/3_overlay.png")));
    }

    [Fact]
    public void Through_windows_the_engine_holds_a_few_of_them_and_not_the_images_scores()
    {
        using var folder = new TempFolder();
        string photo = folder.Picture("large.png", 1200, 1600), weights = folder.At("twelve.safetensors");
        ModelFile.Save(weights, ModelCatalog.Create("unet", new ModelOptions { Channels = 2, Depth = 1 }, new ClassTable(Enumerable.Range(0, 12).Select(i => $"class {i}"))));
        TensorMemory.Trim();
        TensorMemory.ResetPeak();
        long before = TensorMemory.PeakBytes;
        Assert.Equal(0, CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("out"), "--window", "128x128").Code);
        long scores = 1200L * 1600 * 12 * sizeof(float);
        Assert.InRange(TensorMemory.PeakBytes - before, 1, scores / 3);
    }

    [Fact]
    public void A_reduced_image_is_told_where_windows_were_asked_for()
    {
        using var folder = new TempFolder();
        string photo = folder.Picture("large.png", 150, 200), weights = folder.At("sized.safetensors");
        ModelFile.Save(weights, ModelCatalog.Create("unet", new ModelOptions { Channels = 2, Depth = 1 }, new ClassTable(["dark", "bright"]), new Preprocessing { ShortSide = 40 }));
        CliRun windows = CliRun.Of("predict", "--weights", weights, photo, photo, "-o", folder.At("a"), "--window", "32x32");
        Assert.Equal($"{photo}: 150×200 pixels are seen at 40×53, as the model's preprocessing asks for; with --own-size the network sees them all", windows.Errors.TrimEnd());
        Assert.Equal("", CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("b"), "--window", "32x32", "--own-size").Errors);
        Assert.Equal("", CliRun.Of("predict", "--weights", weights, photo, "-o", folder.At("c")).Errors);
    }
}
