using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class AlexNetTests
{
    private static readonly Golden Reference = Golden.Local(Path.Combine(AppContext.BaseDirectory, "Goldens", "alexnet"));

    [Fact]
    public void Names_and_shapes_equal_torchvisions()
    {
        using Init.SkipScope quick = Init.Skip();
        Assert.Equal(GoldenChecks.StateList(Reference.FilePath("state.txt")), GoldenChecks.StateList(new AlexNet(new Philox(1))));
    }

    [Fact]
    public void Features_and_logits_equal_torchvisions()
    {
        AlexNet network = GoldenChecks.Loaded(new AlexNet(new Philox(1), Int("classes"), Int("narrow")), Reference);
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor x = Reference.ChannelsLast("in.x");
        GoldenChecks.Close(Reference, "feat.features", network.Features(x));
        GoldenChecks.Close(Reference, "out", network.Forward(x));
    }

    [Fact]
    public void The_classifier_sees_what_it_is_trained_on_as_it_is()
    {
        var network = new AlexNet(new Philox(1), 5, widthDivisor: 64);
        network.Train(false);
        Assert.Equal([1, 6, 6, 4], network.Features(Tensor.Zeros([1, 224, 224, 3])).Shape);
    }

    [Fact]
    public void Convolutions_take_over_what_the_fully_connected_layers_compute()
    {
        const int Narrow = 64;
        AlexNet classifier = Noisy(new AlexNet(new Philox(1), 5, Narrow));
        var network = new FcnAlexNet(new Philox(2), new FcnAlexNetOptions { NumClasses = 5, WidthDivisor = Narrow });
        Take(network, classifier);
        Dictionary<string, Tensor> mine = States(network), theirs = States(classifier);
        int[] places = [0, 3, 6, 8, 10];
        for (int i = 0; i < places.Length; i++) TensorAssert.SameBits(theirs[$"features.{places[i]}.weight"].Span, mine[$"conv{i + 1}.weight"].Span, $"conv{i + 1}");

        classifier.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor x = GradCheck.Input([2, 224, 224, 3]);
        Tensor hidden = Convolved("fc7", Convolved("fc6", classifier.Features(x))); // [2, 1, 1, 64]
        Tensor logits = hidden.Reshape(2, -1).Linear(theirs["classifier.6.weight"], theirs["classifier.6.bias"]);
        TensorAssert.Close(Array.ConvertAll(classifier.Forward(x).ToArray(), v => (double)v), logits, 1e-5, "logits");

        Tensor Convolved(string layer, Tensor of) => of.Conv2d(mine[$"{layer}.weight"], mine[$"{layer}.bias"]).Relu();
    }

    [Fact]
    public void A_classifier_of_another_width_is_refused()
    {
        var network = new FcnAlexNet(new Philox(2), new FcnAlexNetOptions { WidthDivisor = 32 });
        Assert.Throws<WeightsMismatchException>(() => Take(network, new AlexNet(new Philox(1), 5, 64)));
    }

    /// <summary>Loads the classifier's weights as 'train --weights' does.</summary>
    private static void Take(FcnAlexNet network, AlexNet classifier)
    {
        string file = Path.GetTempFileName();
        try
        {
            PyTorchFile.Save(file, classifier.StateDict());
            var classes = new ClassTable(Enumerable.Range(0, network.Options.NumClasses).Select(i => $"class {i}"));
            var model = new SemanticModel("narrow", network, x => new SemanticLogits(network.Forward(x)), 1) { Classes = classes, BackboneNames = FcnAlexNet.Names };
            ModelFile.LoadInto(model, file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static Dictionary<string, Tensor> States(Module network) => network.StateDict().ToDictionary(s => s.Name, s => s.Tensor);

    /// <summary>With biases that are not zero.</summary>
    private static AlexNet Noisy(AlexNet network)
    {
        var random = new Philox(9);
        foreach ((string name, Tensor tensor) in network.StateDict())
        {
            if (!name.EndsWith("bias", StringComparison.Ordinal)) continue;
            random.FillNormal(tensor.Span);
        }
        return network;
    }

    private static int Int(string key) => Reference.Meta.GetProperty(key).GetInt32();
}
