using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Weights;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

/// <summary>What the commands do with networks that find objects.</summary>
public class DetectorRunTests
{
    private static readonly ModelOptions Narrow = new() { WidthDivisor = 16, Keypoints = 3, Detection = new DetectionOptions { MinSize = 64, MaxSize = 96, ScoreThreshold = 0, Detections = 7 } };
    private static readonly ClassTable Three = new(["background", "a", "b"]) { Background = 0 };

    [Theory]
    [InlineData("fasterrcnn_resnet50_fpn", true)]
    [InlineData("maskrcnn_resnet50_fpn_v2", false)]
    [InlineData("keypointrcnn_resnet50_fpn", false)]
    public void What_it_finds_in_a_raw_image_is_written_as_arrays(string name, bool channelsLast)
    {
        using var folder = new TempFolder();
        var model = (DetectionModel)ModelCatalog.Create(name, Narrow, Three, seed: 5);
        PyTorchFile.Save(folder.At("bare.pth"), model.Network.StateDict());
        Tensor image = Tensor.From([.. Enumerable.Range(0, 33 * 41 * 3).Select(i => (MathF.Sin(i) + 1) / 2)], [33, 41, 3]);
        Tensor given = channelsLast ? image : image.Permute(2, 0, 1);
        NpyFile.Save(folder.At("x.npy"), given.Shape, given.ToArray());
        CliRun run = CliRun.Of(
            "run", "--model", name, "--weights", folder.At("bare.pth"), "--input", folder.At("x.npy"), "--output", folder.At("out"),
            "--score-threshold", "0", "--detections", "7", "--min-size", "64", "--max-size", "96", "--json");
        Assert.Equal((0, ""), (run.Code, run.Errors));
        Detections found = model.Detect([image])[0];
        Assert.Equal(found.Count, (int?)run.Json["detections"]);
        Assert.InRange(found.Count, 1, 7);
        Same("boxes", [found.Count, 4], found.Boxes);
        Same("labels", [found.Count], Array.ConvertAll(found.Labels, l => (float)l));
        Same("scores", [found.Count], found.Scores);
        if (model.Network is MaskRcnn) Same("masks", [found.Count, 33, 41], found.PastedMasks()!.ToArray());
        if (model.Network is KeypointRcnn)
        {
            Same("keypoints", [found.Count, 3, 3], found.Keypoints!);
            Same("keypoint_scores", [found.Count, 3], found.KeypointScores!);
        }
        Assert.Equal(Directory.GetFiles(folder.At("out")).Order(), run.Json["outputs"]!.AsArray().Select(o => (string)o!["file"]!).Order());

        void Same(string head, int[] shape, float[] values)
        {
            (Shape saved, float[] read) = NpyFile.Load(folder.At($"out/{head}.npy"));
            Assert.Equal(shape, saved);
            Assert.Equal(values, read);
        }
    }

    [Fact]
    public void Options_win_over_the_model_file_and_the_epsilon_over_the_weights()
    {
        using var folder = new TempFolder();
        string weights = folder.At("model.safetensors"), x = folder.At("x.npy");
        ModelFile.Save(weights, ModelCatalog.Create("maskrcnn_resnet18_fpn", Narrow, Three, seed: 5));
        NpyFile.Save(x, [1, 3, 40, 50], new float[6000]);
        float[] own = Boxes();
        Assert.Equal(own, Boxes("--norm-epsilon", "1e-5"));
        Assert.NotEqual(own, Boxes("--norm-epsilon", "0.5"));
        Assert.NotEqual(own, Boxes("--min-size", "40"));
        Assert.Equal(8, Boxes("--detections", "2").Length);
        Assert.Empty(Boxes("--score-threshold", "1"));
        Assert.Equal([0, 40, 50], NpyFile.Load(folder.At("out/masks.npy")).Shape);

        float[] Boxes(params string[] options)
        {
            Assert.Equal(0, CliRun.Of(["run", "--weights", weights, "--input", x, "-o", folder.At("out"), .. options]).Code);
            return NpyFile.Load(folder.At("out/boxes.npy")).Values;
        }
    }

    [Fact]
    public void What_does_not_fit_is_told_in_one_line()
    {
        using var folder = new TempFolder();
        string weights = folder.At("model.safetensors"), x = folder.At("x.npy");
        ModelFile.Save(weights, ModelCatalog.Create("maskrcnn_resnet18_fpn", Narrow, Three));
        NpyFile.Save(x, [2, 3, 16, 16], new float[1536]);
        Refuses("a detector takes one image", "run", "--weights", weights, "--input", x, "-o", folder.At("out"));
        NpyFile.Save(x, [3, 16, 16], new float[768]);
        Refuses("a detector takes one image", "run", "--weights", weights, "--input", x, "-o", folder.At("out"), "--layout", "nhwc");
        Refuses("--max-size must be at least the short side, 64; it is 33", "run", "--weights", weights, "--input", x, "-o", folder.At("out"), "--max-size", "33");
        Refuses("--score-threshold takes a number from 0 to 1", "run", "--weights", weights, "--input", x, "-o", folder.At("out"), "--score-threshold", "2");
        Refuses("cannot be exported: maskrcnn_resnet18_fpn gives objects", "export", "--weights", weights, "-o", folder.At("x.onnx"), "--with-argmax");
        Refuses("takes one image at a time", "export", "--weights", weights, "-o", folder.At("x.onnx"), "--batch", "2");
        Refuses("--max-size must be at least the short side, 64; it is 33", "export", "--weights", weights, "-o", folder.At("x.onnx"), "--max-size", "33");

        static void Refuses(string message, params string[] args)
        {
            CliRun run = CliRun.Of(args);
            Assert.Equal(CommandRunner.UserMistake, run.Code);
            Assert.Contains(message, run.Error, StringComparison.Ordinal);
            Assert.Single(run.Errors.TrimEnd().Split('\n'));
        }
    }

    [Fact]
    public void Detectors_are_listed_by_what_they_find_and_timed()
    {
        JsonArray models = CliRun.Of("models", "--classes", "1", "--json").Json["models"]!.AsArray();
        Assert.Equal(
            [("fasterrcnn_resnet50_fpn", "detection"), ("keypointrcnn_resnet50_fpn", "keypoint"), ("maskrcnn_resnet18_fpn", "instance"), ("maskrcnn_resnet50_fpn", "instance"), ("maskrcnn_resnet50_fpn_v2", "instance")],
            models.Where(m => (string)m!["task"]! != "semantic").Select(m => ((string)m!["name"]!, (string)m["task"]!)).Order());
        using var folder = new TempFolder();
        string weights = folder.At("model.safetensors");
        ModelFile.Save(weights, ModelCatalog.Create("maskrcnn_resnet18_fpn", Narrow, Three));
        foreach (string[] train in new string[][] { [], ["--train"] })
        {
            JsonObject told = CliRun.Of(["bench", "maskrcnn_resnet18_fpn", "--weights", weights, "--size", "40x60", "--runs", "1", "--json", .. train]).Json;
            Assert.True((double)told["median_ms"]! > 0 && (double)told["gflops"]! > 0);
        }
        JsonObject shown = CliRun.Of("models", "keypointrcnn_resnet50_fpn", "--classes", "2", "--input", "480x640", "--json").Json;
        Assert.Equal([1, 800, 1088, 3], shown["input"]!.AsArray().Select(n => (int)n!)); // as it is resized and padded
        Assert.Equal(59_137_258, (long)shown["parameters"]!);
    }
}
