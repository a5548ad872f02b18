using System.Text.Json.Nodes;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Testing;
using Delineate.Tests.Training;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>Exported detectors, run operator by operator; the bench's <c>onnx-detectors</c> runs them in ONNX Runtime at their full size.</summary>
[Collection(nameof(SemanticModelTests))]
public sealed class OnnxDetectorTests : IDisposable
{
    /// <summary>What operator set 17 has of what is written for detectors.</summary>
    private static readonly HashSet<string> Known =
    [
        "Abs", "Add", "And", "ArgMax", "Cast", "Ceil", "Concat", "Conv", "ConvTranspose", "Div", "Equal", "Exp", "Expand", "Flatten", "Floor", "Gather", "Gemm", "Greater",
        "GreaterOrEqual", "Identity", "LessOrEqual", "Log", "Loop", "MatMul", "Max", "MaxPool", "Min", "Mod", "Mul", "NonMaxSuppression", "NonZero", "Pad", "Range", "Reciprocal", "ReduceMax",
        "ReduceMin", "ReduceSum", "Relu", "Reshape", "Resize", "RoiAlign", "Shape", "Sigmoid", "Slice", "Softmax", "Sqrt", "Squeeze", "Sub", "TopK", "Transpose", "Unsqueeze", "Where",
    ];

    private static readonly DetectionOptions Small = new()
    {
        MinSize = 64,
        MaxSize = 100,
        ScoreThreshold = 0.05f,
        Detections = 12,
        ProposalsBeforeNms = 60,
        ProposalsAfterNms = 30,
    };

    private readonly string path = Path.Combine(Path.GetTempPath(), $"delineate-{Path.GetRandomFileName()}.onnx");

    public static TheoryData<string> Kinds => [.. ModelCatalog.Names.Where(ModelCatalog.IsDetector)];

    public void Dispose() => File.Delete(path);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_file_finds_what_the_model_finds(string name)
    {
        DetectionModel model = Tiny(name, Small);
        OnnxFile.Save(path, model);
        OnnxReader file = OnnxReader.Read(path);
        Assert.InRange(Compare(model, file, Objects.Sample(1, 51, 70).Image), 3, Small.Detections);
        Compare(model, file, Objects.Sample(2, 96, 47).Image); // a side of 100 at most
    }

    [Fact]
    public void Many_proposals_and_detections_are_told_apart_too()
    {
        // More than a thousand candidates are compared where they lie, fewer moved apart.
        DetectionModel model = Tiny("fasterrcnn_resnet50_fpn", Small with { ProposalsBeforeNms = 1000, ProposalsAfterNms = 700, ScoreThreshold = 0, Detections = 500, NmsThreshold = 0.8, ProposalNmsThreshold = 0.9 });
        OnnxFile.Save(path, model);
        Assert.InRange(Compare(model, OnnxReader.Read(path), Objects.Sample(1, 64, 80).Image), 100, 500);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Nothing_found_is_no_fault(string name)
    {
        DetectionModel model = Tiny(name, Small with { ScoreThreshold = 1 });
        Image image = Objects.Sample(1, 40, 50).Image;
        OnnxFile.Save(path, model);
        Assert.Equal(0, Compare(model, OnnxReader.Read(path), image));

        // Not one proposal either: every anchor shrinks to nothing.
        model.Network.NamedParameters().Single(p => p.Name == "rpn.head.bbox_pred.bias").Tensor.Span.Fill(-1000);
        model.Detection = Small with { ScoreThreshold = 0 };
        OnnxFile.Save(path, model);
        Assert.Equal(0, Compare(model, OnnxReader.Read(path), image));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Bytes_of_one_size_are_taken_where_it_is_asked_for(bool standardizes)
    {
        DetectionModel model = Tiny("maskrcnn_resnet50_fpn_v2", Small, new Preprocessing { Standardize = standardizes, Mean = [0.5f, 0.25f, 0.375f] });
        OnnxInterface written = OnnxFile.Save(path, model, new OnnxExportOptions { WithPreprocessing = true, KeepBatchNorm = true, Size = (51, 70), Batch = 1 });
        Assert.Equal("image uint8[1, 51, 70, 3]", written.Input);
        Assert.Equal("masks float[objects, 51, 70]", written.Outputs[3]);
        OnnxReader file = OnnxReader.Read(path);
        Assert.True(file.Count("BatchNormalization") > 0);
        Assert.InRange(Compare(model, file, Objects.Sample(3, 51, 70).Image), 1, Small.Detections);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_file_is_whole_and_the_same_each_time(string name)
    {
        DetectionModel model = Tiny(name, Small);
        OnnxInterface written = OnnxFile.Save(path, model);
        byte[] bytes = File.ReadAllBytes(path);
        OnnxFile.Save(path, model);
        Assert.Equal(bytes, File.ReadAllBytes(path));

        OnnxReader file = OnnxReader.Read(path);
        Assert.Null(file.Fault());
        Assert.Equal(17, file.Opset);
        Assert.Equal(("image", 1L), (file.Input.Name, file.Input.Type));
        Assert.Equal(["1", "3", "height", "width"], file.Input.Sizes);
        string[] branch = model.Network switch
        {
            MaskRcnn => ["masks 1 objects height width"],
            KeypointRcnn => ["keypoints 1 objects 2 3", "keypoint_scores 1 objects 2"],
            _ => [],
        };
        Assert.Equal(["boxes 1 objects 4", "labels 7 objects", "scores 1 objects", .. branch], file.Outputs.Select(o => $"{o.Name} {o.Type} {string.Join(' ', o.Sizes)}"));
        Assert.Equal(file.Outputs.Count, written.Outputs.Count);
        Assert.All(file.AllNodes, n => Assert.Contains(n.Op, Known));
        Assert.Equal(model.Network is KeypointRcnn ? 1 : 0, file.Count("Loop"));

        // Weights that three maps and more share are there once, under their own names and with PyTorch's order of axes.
        Dictionary<string, Tensor> states = model.Network.StateDict().ToDictionary(s => s.Name, s => s.Tensor);
        Assert.Equal(5, file.Nodes.Count(n => n.Inputs.Contains("rpn.head.cls_logits.weight")));
        Assert.Equal(1, file.Nodes.Count(n => n.Inputs.Contains("roi_heads.box_predictor.cls_score.weight")));
        Assert.All(file.Tensors.Values.Where(t => t.Sizes.Length == 4), t =>
        {
            Shape mine = states[t.Name].Shape;
            Assert.Equal([mine[0], mine[3], mine[1], mine[2]], t.Sizes.Select(s => (int)s));
        });
    }

    [Fact]
    public void The_metadata_tells_the_thresholds_in_use()
    {
        DetectionModel model = Tiny("maskrcnn_resnet18_fpn", Small);
        model.Detection = Small with { ScoreThreshold = 0.75f };
        OnnxFile.Save(path, model);
        JsonNode card = JsonNode.Parse(OnnxReader.Read(path).Metadata["delineate"])!;
        Assert.Equal(("maskrcnn_resnet18_fpn", 0.75f, 64), ((string)card["model"]!, (float)card["options"]!["detection"]!["scoreThreshold"]!, (int)card["options"]!["detection"]!["minSize"]!));
    }

    [Fact]
    public void What_a_detector_cannot_give_is_refused()
    {
        DetectionModel model = Tiny("maskrcnn_resnet18_fpn", Small);
        Assert.Contains("gives objects", Assert.Throws<GraphException>(() => OnnxFile.Save(path, model, new OnnxExportOptions { WithArgmax = true })).Message, StringComparison.Ordinal);
        Assert.Contains("one image at a time", Assert.Throws<GraphException>(() => OnnxFile.Save(path, model, new OnnxExportOptions { Batch = 2 })).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
    }

    /// <summary>Runs both on one image; everything must be equal but for rounding. Returns the number of objects.</summary>
    private static int Compare(DetectionModel model, OnnxReader file, Image image)
    {
        Tensor values = DetectorInput.Values(image);
        Detections mine = model.Detect([values])[0];
        OnnxArray input = file.Input.Type == OnnxArray.Byte
            ? OnnxArray.Of(OnnxArray.Byte, [1, image.Height, image.Width, 3], i => image.Pixels[i])
            : new OnnxArray(OnnxArray.Float, [1, 3, image.Height, image.Width], [.. values.Permute(2, 0, 1).ToArray().Select(v => (double)v)]);
        IReadOnlyDictionary<string, OnnxArray> theirs = new OnnxRunner(file).Run(input);
        Assert.Equal(mine.Labels, theirs["labels"].Ints);
        Near(mine.Boxes, "boxes", [mine.Count, 4], 0.01);
        Near(mine.Scores, "scores", [mine.Count], 1e-5);
        if (model.Network is MaskRcnn) Near(mine.PastedMasks()!.ToArray(), "masks", [mine.Count, image.Height, image.Width], 2e-4);
        if (model.Network is KeypointRcnn)
        {
            Near(mine.Keypoints!, "keypoints", [mine.Count, model.Options.Keypoints, 3], 0.01);
            Near(mine.KeypointScores!, "keypoint_scores", [mine.Count, model.Options.Keypoints], 1e-3);
        }
        return mine.Count;

        void Near(float[] expected, string name, int[] sizes, double tolerance)
        {
            Assert.Equal(sizes, theirs[name].Sizes);
            float[] actual = theirs[name].Floats;
            for (int i = 0; i < expected.Length; i++) Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance, $"{name}[{i}] is {actual[i]}, not {expected[i]}");
        }
    }

    /// <summary>A narrow network with norms that do something and scores that differ.</summary>
    private static DetectionModel Tiny(string name, DetectionOptions detection, Preprocessing? preprocessing = null)
    {
        var options = new ModelOptions { WidthDivisor = 16, Keypoints = 2, Detection = detection };
        var model = (DetectionModel)ModelCatalog.Create(name, options, Objects.Classes, preprocessing, seed: 9);
        var random = new Random(4);
        foreach ((string key, Tensor tensor) in model.Network.StateDict())
        {
            bool isLastNorm = key.EndsWith(name.Contains("18", StringComparison.Ordinal) ? "bn2.weight" : "bn3.weight", StringComparison.Ordinal); // small, as in trained networks
            bool isVariance = key.EndsWith("running_var", StringComparison.Ordinal), isMean = key.EndsWith("running_mean", StringComparison.Ordinal);
            float factor = key switch
            {
                "rpn.head.cls_logits.weight" => 40,
                "rpn.head.bbox_pred.weight" => 20,
                "roi_heads.box_predictor.cls_score.weight" => 8,
                "roi_heads.box_predictor.bbox_pred.weight" => 8,
                _ => isLastNorm ? 0.3f : 1,
            };
            foreach (ref float value in tensor.Span)
            {
                float noise = (random.NextSingle() * 2) - 1;
                value = isVariance ? 1 + (0.5f * noise) : isMean ? 0.1f * noise : value * factor;
            }
        }
        model.Rounding = Rounding.Direct;
        return model;
    }
}
