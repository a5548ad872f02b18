using System.Text.Json.Nodes;
using Delineate.Cli.Commands;
using Delineate.Imaging;
using Delineate.Models;
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
}
