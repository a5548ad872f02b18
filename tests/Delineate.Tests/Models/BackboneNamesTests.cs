using Delineate.Data;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Delineate.Tests.Training;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>Weights of classifiers, saved as PyTorch saves them, in the networks that are built on them.</summary>
public sealed class BackboneNamesTests : IDisposable
{
    private const int Narrow = 32;
    private readonly TinyRun folder = new();

    private string FilePath => Path.Combine(folder.Path, "classifier.pth");

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(32)]
    public void Vggs_convolutions_and_fully_connected_layers_become_an_FCNs(int stride)
    {
        var source = new Vgg(new Philox(4), numClasses: 10, widthDivisor: Narrow);
        PyTorchFile.Save(FilePath, source.StateDict());
        FcnVgg network = Vgg(stride);
        LoadedWeights loaded = ModelFile.LoadInto(On(network, FcnVgg.Names), FilePath);
        Assert.Equal(["classifier.6.weight", "classifier.6.bias"], loaded.Unused);
        Assert.All(loaded.Anew, name => Assert.True(name.StartsWith("score_", StringComparison.Ordinal) || name.StartsWith("upscore", StringComparison.Ordinal), name));
        Assert.Equal(30, loaded.Taken.Count);
        Assert.StartsWith("conv1_1, conv1_2, conv2_1,", loaded.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("; not used: classifier.6", loaded.ToString(), StringComparison.Ordinal);

        // An image whose last map is 7×7, through the classifier as it is and through the convolutions that came of it.
        source.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor x = GradCheck.Input([1, 224, 224, 3]);
        Dictionary<string, Tensor> of = source.StateDict().ToDictionary(s => s.Name, s => s.Tensor);
        TensorAssert.Close(source.Forward(x), Classified(source.Features(x), network, of["classifier.6.weight"], of["classifier.6.bias"]));
        foreach ((string name, string there) in (ReadOnlySpan<(string, string)>)[("features.0", "conv1_1"), ("features.5", "conv2_1"), ("features.28", "conv5_3")])
            TensorAssert.SameBits(of[$"{name}.weight"].Span, network.StateDict().Single(s => s.Name == $"{there}.weight").Tensor.Span, there);
    }

    [ReferenceFact]
    public void Torchvisions_own_file_of_a_VGG_gives_its_logits_through_the_convolutions()
    {
        Golden golden = Golden.Reference("vgg16");
        FcnVgg network = Vgg(8, golden.Meta.GetProperty("narrow").GetInt32());
        ModelFile.LoadInto(On(network, FcnVgg.Names), golden.FilePath("model.pth"));
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        using WeightFile file = WeightFile.Open(golden.FilePath("model.pth"));
        Tensor map = golden.ChannelsLast("feat.features").AdaptiveAvgPool2d(7);
        GoldenChecks.Close(golden, "out", Classified(map, network, file.Tensors["classifier.6.weight"].ToTensor(), file.Tensors["classifier.6.bias"].ToTensor()));
    }

    [Theory]
    [InlineData(18)]
    [InlineData(50)]
    public void A_ResNet_becomes_the_backbone_and_its_last_layer_is_left_out(int depth)
    {
        var source = new ResNetClassifier(new Philox(4), 10, new ResNetOptions { Depth = depth, WidthDivisor = Narrow });
        PyTorchFile.Save(FilePath, [.. source.StateDict(), ("bn1.num_batches_tracked", Tensor.Zeros([]))]);
        var network = new Fcn(new Philox(5), new FcnOptions { Depth = depth, NumClasses = 3, AuxiliaryHead = true, WidthDivisor = Narrow });
        LoadedWeights loaded = ModelFile.LoadInto(On(network, ResNetClassifier.Names), FilePath);
        Assert.Equal("backbone taken over; anew: classifier, aux_classifier; not used: fc", loaded.ToString());
        Dictionary<string, Tensor> of = source.StateDict().ToDictionary(s => $"backbone.{s.Name}", s => s.Tensor);
        Assert.Equal(of.Count - 2, loaded.Taken.Count);
        foreach ((string name, Tensor tensor) in network.StateDict().Where(s => loaded.Taken.Contains(s.Name))) TensorAssert.SameBits(of[name].Span, tensor.Span, name);
    }

    [Theory]
    [InlineData("lraspp_mobilenet_v3_large")]
    [InlineData("deeplabv3_mobilenet_v3_large")]
    public void A_MobileNetV3_becomes_the_backbone(string name)
    {
        var source = new MobileNetV3(new Philox(4), dilated: false);
        PyTorchFile.Save(FilePath, [.. source.StateDict().Select(s => ($"features.{s.Name}", s.Tensor)), ("classifier.0.weight", Tensor.Zeros([1280, 960])), ("classifier.3.bias", Tensor.Zeros([1000]))]);
        Model model = ModelCatalog.Create(name, new ModelOptions { AuxiliaryHead = false }, new ClassTable(["a", "b"]));
        Assert.Equal("backbone taken over; anew: classifier; not used: classifier", ModelFile.LoadInto(model, FilePath).ToString());
        Dictionary<string, Tensor> of = source.StateDict().ToDictionary(s => $"backbone.{s.Name}", s => s.Tensor);
        foreach ((string key, Tensor tensor) in model.Network.StateDict().Where(s => of.ContainsKey(s.Name))) TensorAssert.SameBits(of[key].Span, tensor.Span, key);
    }

    [Fact]
    public void A_classifier_of_another_kind_is_refused_and_changes_nothing()
    {
        var network = new Fcn(new Philox(5), new FcnOptions { Depth = 18, NumClasses = 3, WidthDivisor = Narrow });
        Model model = On(network, ResNetClassifier.Names);
        float[] before = [.. network.StateDict().SelectMany(s => s.Tensor.ToArray())];
        PyTorchFile.Save(FilePath, new ResNetClassifier(new Philox(4), 10, new ResNetOptions { Depth = 34, WidthDivisor = Narrow }).StateDict());
        WeightsMismatchException deeper = Assert.Throws<WeightsMismatchException>(() => ModelFile.LoadInto(model, FilePath));
        Assert.StartsWith(FilePath, deeper.Message, StringComparison.Ordinal);
        Assert.Contains("backbone.layer1.2.conv1.weight", deeper.Unexpected);
        Assert.Empty(deeper.Missing);
        Assert.Equal(before, network.StateDict().SelectMany(s => s.Tensor.ToArray()));

        PyTorchFile.Save(FilePath, new Vgg(new Philox(4), 10, batchNorm: true, Narrow).StateDict());
        WeightsMismatchException normalised = Assert.Throws<WeightsMismatchException>(() => ModelFile.LoadInto(On(Vgg(32), FcnVgg.Names), FilePath));
        Assert.Contains("features.1.running_mean", normalised.Unexpected);
        Assert.Contains("conv1_2.weight", normalised.Missing);
        // Where a model has no such names the file is another network's, as before.
        Assert.Throws<WeightsMismatchException>(() => ModelFile.LoadInto(ModelCatalog.Create("unet", new ModelOptions { Channels = 4, Depth = 1 }, new ClassTable(["a"])), FilePath));
    }

    [ReferenceTheory]
    [InlineData("vgg16", "fcn8s_vgg16", 30)]
    [InlineData("resnet18", "fcn_resnet18", 122 - 2 - 20)]
    [InlineData("resnet18", "fcn_resnet18_tconv", 122 - 2 - 20)]
    [InlineData("resnet50", "deeplabv3_resnet50", 320 - 2 - 53)]
    [InlineData("resnet101", "fcn_resnet101", 626 - 2 - 104)]
    public void Every_tensor_that_torchvision_publishes_has_its_place(string list, string name, int expected)
    {
        using Init.SkipScope quick = Init.Skip();
        Model model = ModelCatalog.Create(name, new ModelOptions(), new ClassTable(["a", "b"]));
        string[] published = [.. File.ReadAllLines(ReferenceFolder.Path("facts", "state-dicts", $"{list}.txt")).Select(l => l.Split('\t')[0]).Where(n => n.Length > 0 && !WeightLoading.IsBatchCount(n))];
        string?[] there = [.. published.Where(n => !model.BackboneNames!.IsLeftOut(n)).Select(model.BackboneNames!.InNetwork)];
        Assert.Equal(2, published.Length - there.Length);
        Assert.Equal(model.Network.StateDict().Select(s => s.Name).Where(model.BackboneNames.Cover).Order(), there.Order());
        Assert.Equal(expected, there.Length);
        Assert.DoesNotContain(there, n => model.IsScoreLayer(n!));
    }

    /// <summary>The classifier's way on a 7×7 map, by a fully convolutional network's layers: [1, 7, 7, C] → [1, classes].</summary>
    private static Tensor Classified(Tensor map, FcnVgg network, Tensor scoreWeight, Tensor scoreBias)
    {
        Dictionary<string, Tensor> of = network.StateDict().ToDictionary(s => s.Name, s => s.Tensor);
        Tensor y = map.Conv2d(of["fc6.weight"], of["fc6.bias"]).Relu();
        y = y.Conv2d(of["fc7.weight"], of["fc7.bias"]).Relu();
        return y.Reshape(1, -1).Linear(scoreWeight, scoreBias);
    }

    private static FcnVgg Vgg(int stride, int narrow = Narrow) => new(new Philox(6), new FcnVggOptions { NumClasses = 3, Stride = stride, WidthDivisor = narrow });

    private static SemanticModel On(Module network, BackboneNames names) => new("narrow", network, x => network is Fcn fcn ? fcn.Forward(x) : new SemanticLogits(((Layer)network).Forward(x)), 1)
    {
        Classes = new ClassTable(["a", "b", "c"]),
        BackboneNames = names,
    };
}
