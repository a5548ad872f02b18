using System.Text.Json.Nodes;
using Delineate.Models;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class WeightsCommandTests
{
    [Fact]
    public void Inspect_lists_tensors_metadata_and_the_models_that_fit()
    {
        using var folder = new TempFolder();
        string model = folder.Weights();
        JsonObject shown = CliRun.Of("weights", "inspect", model, "--json").Json;
        JsonNode first = shown["tensors"]!.AsArray()[0]!;
        Assert.Equal(("inc.double_conv.0.weight", "F32"), ((string)first["name"]!, (string)first["type"]!));
        Assert.Equal([2, 3, 3, 3], first["shape"]!.AsArray().Select(s => (int)s!));
        Assert.Equal(ModelFile.Load(model).Network.StateDict().Sum(s => (long)s.Tensor.Length), (long)shown["values"]!);
        Assert.NotNull(shown["metadata"]!["delineate"]);
        JsonNode fit = Assert.Single(shown["fits"]!.AsArray())!;
        Assert.Equal(("unet", 2), ((string)fit["model"]!, (int)fit["classes"]!));
        Assert.Contains("fits unet with 2 classes", CliRun.Of("weights", "inspect", model).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_fits_nothing_is_shown_all_the_same()
    {
        using var folder = new TempFolder();
        SafetensorsFile.Save(folder.At("w.safetensors"), [("x", Tensors.Tensor.Scalar(1))]);
        Assert.Contains("fits no model of the catalog", CliRun.Of("weights", "inspect", folder.At("w.safetensors")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Convert_to_a_checkpoint_and_back_keeps_every_bit()
    {
        using var folder = new TempFolder();
        string model = folder.Weights(), checkpoint = folder.At("w.pth"), back = folder.At("back.safetensors");
        Assert.Equal(0, CliRun.Of("weights", "convert", model, "--model", "unet", "-o", checkpoint).Code);
        CliRun run = CliRun.Of("weights", "convert", checkpoint, "--model", "unet", "-o", back, "--json");
        Assert.Equal(2, (int)run.Json["classes"]!);
        Model expected = ModelFile.Load(model), actual = ModelFile.Load(back);
        Assert.Equal(expected.Options with { AuxiliaryHead = false }, actual.Options);
        foreach (((string name, Tensors.Tensor a), (_, Tensors.Tensor b)) in expected.Network.StateDict().Zip(actual.Network.StateDict())) TensorAssert.SameBits(a.Span, b.Span, name);
    }

    [Fact]
    public void A_model_file_keeps_its_card()
    {
        using var folder = new TempFolder();
        Assert.Equal(0, CliRun.Of("weights", "convert", folder.Weights(), "--model", "unet", "-o", folder.At("b.safetensors")).Code);
        Assert.Equal(["dark", "bright"], ModelFile.LoadCard(folder.At("b.safetensors")).Classes);
    }

    [Theory]
    [InlineData("there is no model 'unett'", "--model", "unett", "-o", "x.pth")]
    [InlineData("ends in .safetensors", "--model", "unet", "-o", "x.onnx")]
    [InlineData("holds unet, not fcn_resnet18", "--model", "fcn_resnet18", "-o", "x.pth")]
    [InlineData("tells 2 classes apart, not 3", "--model", "unet", "--classes", "3", "-o", "x.pth")]
    public void Mistakes_are_told_in_one_line(string message, params string[] arguments)
    {
        using var folder = new TempFolder();
        CliRun run = CliRun.Of(["weights", "convert", folder.Weights(), .. arguments]);
        Assert.Equal(CommandRunner.UserMistake, run.Code);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_that_are_none_are_told_in_one_line()
    {
        using var folder = new TempFolder();
        Assert.Contains("there is no file", CliRun.Of("weights", "inspect", folder.At("none.pth")).Error, StringComparison.Ordinal);
        CliRun run = CliRun.Of("weights", "inspect", folder.Text("bad.pth", "nonsense and nothing else"));
        Assert.Equal(CommandRunner.UserMistake, run.Code);
        Assert.Contains("bad.pth: not a safetensors file", run.Error, StringComparison.Ordinal);
    }
}
