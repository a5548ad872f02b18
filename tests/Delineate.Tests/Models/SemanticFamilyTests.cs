using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>The semantic networks beside the first ones, against the reference implementations.</summary>
public sealed class SemanticFamilyTests
{
    /// <summary>Of the catalog's networks at their full size.</summary>
    [ReferenceTheory]
    [InlineData("fcn32s_vgg16")]
    [InlineData("fcn16s_vgg16")]
    [InlineData("fcn8s_vgg16")]
    [InlineData("fcn_resnet50")]
    [InlineData("fcn_resnet101")]
    [InlineData("deeplabv3_resnet50")]
    [InlineData("lraspp_mobilenet_v3_large")]
    public void Names_and_shapes_equal_the_references(string name)
    {
        using Init.SkipScope quick = Init.Skip();
        Model model = ModelCatalog.Create(name, new ModelOptions { AuxiliaryHead = true }, ModelCatalog.PublishedClasses(name, 21));
        Assert.Equal(GoldenChecks.StateList(ReferenceFolder.Path("facts", "state-dicts", $"{name}.txt")).Order(), GoldenChecks.StateList(model.Network).Order());
    }

    [ReferenceFact]
    public void Vggs_names_and_shapes_equal_torchvisions() =>
        Assert.Equal(GoldenChecks.StateList(ReferenceFolder.Path("facts", "state-dicts", "vgg16.txt")).Order(), GoldenChecks.StateList(new Vgg(new Philox(1))).Order());

    [ReferenceTheory]
    [InlineData("fcn32s", 32, false)]
    [InlineData("fcn16s", 16, false)]
    [InlineData("fcn8s", 8, false)]
    [InlineData("fcn8s_once", 8, true)]
    public void FcnVggs_logits_equal_the_references(string folder, int stride, bool atOnce)
    {
        Golden golden = Golden.Reference(folder);
        FcnVgg network = Vgg(golden, stride, atOnce);
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        GoldenChecks.Close(golden, "out", network.Forward(golden.ChannelsLast("in.x")));
    }

    [ReferenceFact]
    public void FcnVggs_loss_and_gradients_equal_the_references()
    {
        Golden golden = Golden.Reference("fcn8s_grad");
        FcnVgg network = Vgg(golden, 8, false);
        network.Train(false); // dropout off; the network has no normalisation
        Tensor logits = network.Forward(golden.ChannelsLast("in.x"));
        GoldenChecks.Close(golden, "out", logits);
        Tensor loss = logits.CrossEntropy(golden.Array("in.label").Bytes);
        TensorAssert.Close(golden.Array("out.ce").Values, loss, GoldenChecks.Losses, "loss");
        loss.Backward();
        GoldenChecks.SameGradients(golden, network);
    }

    [ReferenceFact]
    public void Vggs_features_and_logits_equal_torchvisions()
    {
        Golden golden = Golden.Reference("vgg16");
        Vgg network = GoldenChecks.Loaded(new Vgg(new Philox(1), Int(golden, "classes"), widthDivisor: Int(golden, "narrow")), golden);
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor x = golden.ChannelsLast("in.x");
        GoldenChecks.Close(golden, "feat.features", network.Features(x));
        GoldenChecks.Close(golden, "out", network.Forward(x));
    }

    [ReferenceFact]
    public void DeepLabV3s_logits_equal_torchvisions()
    {
        Golden golden = Golden.Reference("deeplabv3_resnet50");
        var options = new DeepLabV3Options { NumClasses = Int(golden, "classes"), AuxiliaryHead = true, Backbone = new ResNetOptions { OutputStride = 8, WidthDivisor = Int(golden, "narrow") } };
        DeepLabV3 network = GoldenChecks.Loaded(new DeepLabV3(new Philox(1), options), golden);
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        SemanticLogits output = network.Forward(golden.ChannelsLast("in.x"), auxiliary: true);
        GoldenChecks.Close(golden, "out.out", output.Out);
        GoldenChecks.Close(golden, "out.aux", output.Aux!);
        GoldenChecks.SameLabels(golden, output.Out, GoldenChecks.Outputs);
    }

    [ReferenceFact]
    public void LrAspps_logits_equal_torchvisions()
    {
        Golden golden = Golden.Reference("lraspp_mobilenet_v3_large");
        Lraspp network = GoldenChecks.Loaded(new Lraspp(new Philox(1), Int(golden, "classes")), golden);
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor output = network.Forward(golden.ChannelsLast("in.x"));
        GoldenChecks.Close(golden, "out.out", output);
        GoldenChecks.SameLabels(golden, output, GoldenChecks.Outputs);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(33, 70)]
    public void Scores_have_the_size_of_the_image_whatever_it_is(int height, int width)
    {
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor x = GradCheck.Input([1, height, width, 3]);
        foreach (Layer network in (Layer[])
            [
                .. new[] { 8, 16, 32 }.Select(stride => new FcnVgg(new Philox(1), new FcnVggOptions { NumClasses = 4, Stride = stride, WidthDivisor = 32 })),
                new FcnTransposed(new Philox(1), 4, new ResNetOptions { Depth = 18, WidthDivisor = 16 }),
                new Lraspp(new Philox(1), 4),
            ])
        {
            network.Train(false);
            Assert.Equal([1, height, width, 4], network.Forward(x).Shape);
        }
        DeepLabV3 mobile = DeepLabV3.OnMobileNetV3(new Philox(1), 4, auxiliaryHead: true);
        mobile.Train(false);
        SemanticLogits scores = mobile.Forward(x, auxiliary: true);
        Assert.Equal([1, height, width, 4], scores.Out.Shape);
        Assert.Equal([1, height, width, 4], scores.Aux!.Shape);
    }

    private static FcnVgg Vgg(Golden golden, int stride, bool atOnce) => GoldenChecks.Loaded(
        new FcnVgg(new Philox(1), new FcnVggOptions { NumClasses = Int(golden, "classes"), Stride = stride, AtOnce = atOnce, WidthDivisor = Int(golden, "narrow") }), golden);

    private static int Int(Golden golden, string key) => golden.Meta.GetProperty(key).GetInt32();
}
