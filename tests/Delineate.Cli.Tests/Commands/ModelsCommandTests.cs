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

    [Theory]
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
