using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors.Weights;
using Delineate.Testing;
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
    public void With_preprocessing_and_argmax_the_lines_that_run_it_take_bytes_and_give_labels()
    {
        using var folder = new TempFolder();
        CliRun run = CliRun.Of("export", "--weights", folder.Weights(), "-o", folder.At("model.onnx"), "--with-preprocessing", "--with-argmax");
        Assert.Equal((0, ""), (run.Code, run.Errors));
        string file = folder.At("model.onnx").Replace('\\', '/');
        Assert.Contains("  in   image uint8[batch, height, width, 3]: bytes of red, green, blue\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("  out  labels uint8[batch, height, width]: the class of each pixel\n", run.Output, StringComparison.Ordinal);
        Assert.Contains($"Python  labels = onnxruntime.InferenceSession(\"{file}\").run([\"labels\"], {{\"image\": image}})[0]\n", run.Output, StringComparison.Ordinal);
        Assert.Contains($"new InferenceSession(\"{file}\").Run([NamedOnnxValue.CreateFromTensor(\"image\", new DenseTensor<byte>(values, sizes))]);", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_file_says_what_the_model_knows_and_weights_alone_take_the_models_name()
    {
        using var folder = new TempFolder();
        (string weights, string bare, string file) = (folder.At("sized.safetensors"), folder.At("bare.safetensors"), folder.At("model.onnx"));
        Model model = ModelCatalog.Create("unet", new ModelOptions { Channels = 2, Depth = 1 }, new ClassTable(["dark", "bright"]), new Preprocessing { ShortSide = 48 });
        ModelFile.Save(weights, model);
        SafetensorsFile.Save(bare, model.Network.StateDict());
        Assert.Contains("shorter side is 48", CliRun.Of("export", "--weights", weights, "-o", file).Output, StringComparison.Ordinal);
        OnnxReader named = OnnxReader.Read(file);
        Assert.Equal("""["dark","bright"]""", named.Metadata["classes"]);
        Assert.Equal("""["#000000","#800000"]""", named.Metadata["palette"]);
        JsonNode preprocessing = JsonNode.Parse(named.Metadata["preprocessing"])!;
        Assert.Equal((48, 0.485f, 0.229f), ((int)preprocessing["shortSide"]!, (float)preprocessing["mean"]![0]!, (float)preprocessing["deviation"]![0]!));
        Assert.Equal("unet", named.Metadata["model"]);

        Assert.Contains("its model must be named", CliRun.Of("export", "--weights", bare, "-o", file).Error, StringComparison.Ordinal);
        Assert.Equal(0, CliRun.Of("export", "--model", "unet", "--weights", bare, "-o", file).Code);
        OnnxReader unnamed = OnnxReader.Read(file);
        Assert.Equal("""["class 0","class 1"]""", unnamed.Metadata["classes"]);
        Assert.Equal(named.Tensors.Keys.Order(), unnamed.Tensors.Keys.Order());
    }

    [Fact]
    public void A_detectors_file_gives_objects_and_keeps_its_thresholds()
    {
        using var folder = new TempFolder();
        string weights = folder.At("model.safetensors"), file = folder.At("model.onnx");
        var options = new ModelOptions { WidthDivisor = 16, Keypoints = 3, Detection = new DetectionOptions { MinSize = 64, MaxSize = 96 } };
        ModelFile.Save(weights, ModelCatalog.Create("keypointrcnn_resnet50_fpn", options, new ClassTable(["background", "person"]) { Background = 0 }));
        CliRun run = CliRun.Of("export", "--weights", weights, "-o", file, "--score-threshold", "0.5", "--detections", "7", "--min-size", "48");
        Assert.Equal((0, ""), (run.Code, run.Errors));
        Assert.Contains("  in   image float[1, 3, height, width]: red, green and blue in 0 to 1", run.Output, StringComparison.Ordinal);
        Assert.Contains("  out  boxes float[objects, 4]: left, top, right, bottom", run.Output, StringComparison.Ordinal);
        Assert.Contains("keypoints float[objects, 3, 3]", run.Output, StringComparison.Ordinal);
        Assert.Contains("a short side of 48, a long one of 96 at most; at most 7 objects, each surer than 0.5", run.Output, StringComparison.Ordinal);
        Assert.Contains("""Python  boxes, labels, scores, keypoints, keypoint_scores = onnxruntime.InferenceSession(""", run.Output, StringComparison.Ordinal);
        OnnxReader read = OnnxReader.Read(file);
        Assert.Null(read.Fault());
        Assert.Equal(["boxes", "labels", "scores", "keypoints", "keypoint_scores"], read.Outputs.Select(o => o.Name));
        Assert.Equal(0.5f, (float)JsonNode.Parse(read.Metadata["delineate"])!["options"]!["detection"]!["scoreThreshold"]!);

        JsonObject json = CliRun.Of("export", "--weights", weights, "-o", file, "--size", "33x41", "--batch", "1", "--with-preprocessing", "--json").Json;
        Assert.Equal("image uint8[1, 33, 41, 3]", (string)json["input"]!);
        Assert.Equal(5, json["outputs"]!.AsArray().Count);
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
        Refused("--score-threshold is for detectors", "-o", folder.At("a.onnx"), "--score-threshold", "0.5");
        Refused("--batch takes a whole number", "-o", folder.At("a.onnx"), "--batch", "0");

        void Refused(string message, params string[] arguments)
        {
            CliRun run = CliRun.Of(["export", "--weights", weights, .. arguments]);
            Assert.Equal(CommandRunner.UserMistake, run.Code);
            Assert.Contains(message, run.Error, StringComparison.Ordinal);
        }
    }
}
