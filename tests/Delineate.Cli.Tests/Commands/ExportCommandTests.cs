using System.Text.Json.Nodes;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class ExportCommandTests
{
    [Fact]
    public void A_file_is_written_and_its_use_is_told()
    {
        using var folder = new TempFolder();
        CliRun run = CliRun.Of("export", "--weights", folder.Weights(), "-o", folder.At("out/model.onnx"));
        Assert.Equal(0, run.Code);
        Assert.True(new FileInfo(folder.At("out/model.onnx")).Length > 1000);
        Assert.Contains("input float[batch, 3, height, width]", run.Output, StringComparison.Ordinal);
        Assert.Contains("out float[batch, 2, height, width]", run.Output, StringComparison.Ordinal);
        Assert.Contains("onnxruntime.InferenceSession(", run.Output, StringComparison.Ordinal);
        Assert.Contains("NamedOnnxValue.CreateFromTensor(\"input\"", run.Output, StringComparison.Ordinal);

        JsonObject json = CliRun.Of("export", "--weights", folder.Weights(), "-o", folder.At("model.onnx"), "--size", "16x24", "--batch", "2", "--with-preprocessing", "--with-argmax", "--json").Json;
        Assert.Equal(("image uint8[2, 16, 24, 3]", "labels uint8[2, 16, 24]"), ((string)json["input"]!, (string)json["output"]!));
    }

    [Fact]
    public void Mistakes_are_told_in_one_line()
    {
        using var folder = new TempFolder();
        string weights = folder.Weights();
        Refused("--size takes one size and --dynamic any", "-o", folder.At("a.onnx"), "--size", "32x32", "--dynamic");
        Refused("is a folder", "-o", folder.Root);
        Refused("would write over the model file", "-o", weights);
        Refused("at least", "-o", folder.At("a.onnx"), "--size", "1x32");
        Refused("--batch takes a whole number", "-o", folder.At("a.onnx"), "--batch", "0");

        void Refused(string message, params string[] arguments)
        {
            CliRun run = CliRun.Of(["export", "--weights", weights, .. arguments]);
            Assert.Equal(CommandRunner.UserMistake, run.Code);
            Assert.Contains(message, run.Error, StringComparison.Ordinal);
        }
    }
}
