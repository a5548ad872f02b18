using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>The structure of exported files; the bench's <c>onnx</c> runs them in ONNX Runtime and compares the outputs.</summary>
public sealed class OnnxFileTests : IDisposable
{
    private readonly string path = Path.Combine(Path.GetTempPath(), $"delineate-{Path.GetRandomFileName()}.onnx");

    public static TheoryData<string> Networks => ["fcn", "tconv", "fcn32s", "fcn16s", "fcn8s", "deeplab", "deeplab_mobile", "lraspp", "unet", "unet_bilinear", "alexnet", "sliding1", "sliding5"];

    public void Dispose() => File.Delete(path);

    [Theory]
    [MemberData(nameof(Networks))]
    public void Every_network_takes_any_number_of_images_of_any_size(string network)
    {
        Model model = NewModel(network);
        OnnxFile.Save(path, model);
        OnnxReader file = OnnxReader.Read(path);
        Assert.Null(file.Fault());
        Assert.Equal(["batch", "3", "height", "width"], file.Input.Sizes);
        Assert.Equal(["batch", "3", "height", "width"], file.Output.Sizes);
        Assert.Equal(("input", "out"), (file.Input.Name, file.Output.Name));
        Assert.Equal(0, file.Count("Transpose"));
        Assert.Equal(0, file.Count("BatchNormalization"));

        // Parameters keep their names and have PyTorch's order of axes; nothing else has values to speak of.
        Dictionary<string, Tensor> states = model.Network.StateDict().ToDictionary(s => s.Name, s => s.Tensor);
        foreach (OnnxReadTensor tensor in file.Tensors.Values.Where(t => t.Sizes.Length == 4))
        {
            Shape mine = states[tensor.Name].Shape;
            Assert.Equal([mine[0], mine[3], mine[1], mine[2]], tensor.Sizes.Select(s => (int)s));
        }
        Assert.All(file.Tensors.Values.Where(t => !states.ContainsKey(t.Name)), t => Assert.True(t.Sizes.Length <= 1, t.Name));
        Assert.Equal(file.Count("Conv") + file.Count("ConvTranspose"), file.Tensors.Values.Count(t => t.Sizes.Length == 4));
    }

    [Fact]
    public void One_size_needs_no_shapes_at_run_time()
    {
        OnnxFile.Save(path, NewModel("unet"), new OnnxExportOptions { Batch = 1, Size = (33, 47) });
        OnnxReader file = OnnxReader.Read(path);
        Assert.Equal(["1", "3", "33", "47"], file.Input.Sizes);
        Assert.Equal(0, file.Count("Shape"));
        Assert.Contains("at least", Assert.Throws<ShapeException>(() => OnnxFile.Save(path, NewModel("unet"), new OnnxExportOptions { Size = (3, 47) })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Bytes_become_classes_where_it_is_asked_for(bool standardizes)
    {
        OnnxFile.Save(path, NewModel("unet", standardizes), new OnnxExportOptions { WithPreprocessing = true, WithArgmax = true, KeepBatchNorm = true });
        OnnxReader file = OnnxReader.Read(path);
        Assert.Null(file.Fault());
        Assert.Equal(["batch", "height", "width", "3"], file.Input.Sizes);
        Assert.Equal(["batch", "height", "width"], file.Output.Sizes);
        Assert.Equal(1, file.Count("Transpose"));
        Assert.Equal(standardizes ? 1 : 0, file.Count("Sqrt"));
        Assert.True(file.Count("BatchNormalization") > 0);
    }

    [Fact]
    public void The_metadata_says_what_the_model_knows()
    {
        OnnxFile.Save(path, NewModel("unet"), card: ModelCard.Of(NewModel("unet")) with { License = "CC0" });
        IReadOnlyDictionary<string, string> metadata = OnnxReader.Read(path).Metadata;
        Assert.Equal(["sky", "road", "tree"], JsonNode.Parse(metadata["classes"])!.AsArray().Select(n => (string)n!));
        Assert.Equal(3, JsonNode.Parse(metadata["palette"])!.AsArray().Count);
        Assert.Equal(0.485f, (float)JsonNode.Parse(metadata["preprocessing"])!["mean"]![0]!);
        Assert.Equal(("unet", "255", "4", "CC0"), (metadata["model"], metadata["ignore_index"], metadata["minimum_size"], metadata["license"]));
        Assert.Equal("unet", (string)JsonNode.Parse(metadata["delineate"])!["model"]!);
    }

    private static Model NewModel(string network, bool standardizes = false)
    {
        const int Classes = 3;
        var random = new Philox(1);
        var narrow = new ResNetOptions { Depth = 18, WidthDivisor = 16 };
        using Init.SkipScope quick = Init.Skip();
        return network switch
        {
            "fcn" => Residual(new Fcn(random, new FcnOptions { NumClasses = Classes, Depth = 18, WidthDivisor = 16 })),
            "tconv" => Plain(new FcnTransposed(random, Classes, narrow)),
            "fcn32s" or "fcn16s" or "fcn8s" => Plain(new FcnVgg(random, new FcnVggOptions { NumClasses = Classes, Stride = int.Parse(network[3..^1], null), AtOnce = network == "fcn8s", WidthDivisor = 32 })),
            "deeplab" => Deep(new DeepLabV3(random, new DeepLabV3Options { NumClasses = Classes, Backbone = narrow with { OutputStride = 8 } })),
            "deeplab_mobile" => Deep(DeepLabV3.OnMobileNetV3(random, Classes)),
            "lraspp" => Plain(new Lraspp(random, Classes)),
            "alexnet" => Plain(new FcnAlexNet(random, new FcnAlexNetOptions { NumClasses = Classes, WidthDivisor = 32 })),
            "sliding1" or "sliding5" => Sliding(new ModelOptions { PatchSize = 31, PatchStride = network[^1] - '0' }),
            _ => Plain(new UNet(random, new UNetOptions { NumClasses = Classes, Channels = 2, Depth = 2, Decoder = network == "unet" ? UNetDecoder.TransposedConvolution : UNetDecoder.Bilinear }), 4),
        };

        Model Residual(Fcn fcn) => Of(fcn, x => fcn.Forward(x));

        Model Deep(DeepLabV3 deepLab) => Of(deepLab, x => deepLab.Forward(x));

        Model Plain(Layer layer, int minimumSize = 1) => Of(layer, x => new SemanticLogits(layer.Forward(x)), minimumSize);

        Model Sliding(ModelOptions options) => new SlidingWindowModel(network, new PatchClassifier(random, new PatchClassifierOptions { NumClasses = Classes, PatchSize = options.PatchSize }), options)
        {
            Classes = new ClassTable(["sky", "road", "tree"]),
        };

        Model Of(Module module, Func<Tensor, SemanticLogits> forward, int minimumSize = 1) => new SemanticModel(module is UNet ? "unet" : network, module, forward, minimumSize)
        {
            Classes = new ClassTable(["sky", "road", "tree"]),
            Preprocessing = new Preprocessing { Standardize = standardizes },
        };
    }
}
