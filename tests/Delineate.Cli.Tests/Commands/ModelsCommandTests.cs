using System.Text.Json.Nodes;
using Delineate.Models;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class ModelsCommandTests
{
    [Fact]
    public void The_catalog_is_listed_with_its_parameters()
    {
        JsonArray models = CliRun.Of("models", "--json").Json["models"]!.AsArray();
        Assert.Equal(ModelCatalog.Names, models.Select(m => (string)m!["name"]!));
        Assert.Equal(35322218, (long)models.Single(m => (string)m!["name"]! == "fcn_resnet50")!["parameters"]!); // torchvision's count with 21 classes
        Assert.Contains("35,322,218", CliRun.Of("models").Output);
    }

    [Fact]
    public void A_network_is_shown_layer_by_layer()
    {
        JsonObject shown = CliRun.Of("models", "fcn_resnet18", "--input", "64x96", "--classes", "3", "--json").Json;
        Assert.Equal([1, 64, 96, 3], shown["input"]!.AsArray().Select(n => (int)n!));
        JsonArray layers = shown["layers"]!.AsArray();
        JsonNode first = layers[0]!;
        Assert.Equal(("backbone.conv1", "Conv2d", 9408L, 32L * 48 * 64 * 147), ((string)first["layer"]!, (string)first["op"]!, (long)first["parameters"]!, (long)first["multiply_adds"]!));
        Assert.Equal([1, 32, 48, 64], first["output"]!.AsArray().Select(n => (int)n!));
        Assert.Equal((long)shown["multiply_adds"]!, layers.Sum(l => (long)l!["multiply_adds"]!));
        Assert.Equal((long)shown["activation_bytes"]!, layers.Sum(l => (long)l!["activation_bytes"]!));
        Assert.InRange((long)shown["prediction_bytes"]!, 1, (long)shown["activation_bytes"]! / 4);
        string table = CliRun.Of("models", "fcn_resnet18", "--input", "64x96").Output;
        Assert.Contains("backbone.layer4.1.conv2", table, StringComparison.Ordinal);
        Assert.Contains("multiply-adds", table, StringComparison.Ordinal);
        Assert.Equal([1, 16, 16, 3], CliRun.Of("models", "unet", "--input", "3x3", "--json").Json["input"]!.AsArray().Select(n => (int)n!)); // what is smaller is padded
    }

    [Fact]
    public void A_networks_options_decide_what_is_shown()
    {
        JsonObject coarse = CliRun.Of("models", "fcn_resnet50", "--input", "64x64", "--output-stride", "32", "--hybrid-dilation", "--auxiliary-head", "false", "--json").Json;
        JsonNode last = coarse["layers"]!.AsArray().Last(l => ((string)l!["layer"]!).StartsWith("backbone.layer4", StringComparison.Ordinal))!;
        Assert.Equal([1, 2, 2, 2048], last["output"]!.AsArray().Select(n => (int)n!));
        Assert.Equal(35_322_218 - 2_365_205, (long)coarse["parameters"]!); // torchvision's count less its auxiliary head
        JsonArray small = CliRun.Of("models", "--channels", "4", "--depth", "2", "--json").Json["models"]!.AsArray();
        Assert.InRange((long)small.Single(m => (string)m!["name"]! == "unet")!["parameters"]!, 1, 20_000);
    }

    [Fact]
    public void A_network_that_looks_at_patches_is_shown_with_the_number_of_them()
    {
        string[] arguments = ["models", "sliding_window", "--input", "50x40", "--patch-size", "15", "--patch-stride", "5", "--patches-per-image", "3"];
        JsonObject shown = CliRun.Of([.. arguments, "--json"]).Json;
        Assert.Equal((80, 3), ((long)shown["runs"]!, (long)shown["training_runs"]!));
        JsonNode first = shown["layers"]!.AsArray()[0]!;
        Assert.Equal([1, 12, 12, 48], first["output"]!.AsArray().Select(n => (int)n!));
        Assert.Equal((80L * 144 * 48 * 48, 3L * 4 * 144 * 48), ((long)first["multiply_adds"]!, (long)first["activation_bytes"]!));
        Assert.Contains("80 times for an image, 3 times in training", CliRun.Of(arguments).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("outputStride must be 8, 16 or 32; it is 7", "models", "fcn_resnet50", "--output-stride", "7")]
    [InlineData("there is no option '--epochs'", "models", "unet", "--epochs", "3")]
    [InlineData("--input takes a height and a width", "models", "unet", "--input", "480")]
    [InlineData("--input takes a height and a width", "models", "unet", "--input", "0x5")]
    [InlineData("there is no model 'fcn_resnet5'", "models", "fcn_resnet5", "--input", "64x64")]
    public void Mistakes_are_told_in_one_line(string message, params string[] arguments)
    {
        CliRun run = CliRun.Of(arguments);
        Assert.Equal(CommandRunner.UserMistake, run.Code);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }
}
