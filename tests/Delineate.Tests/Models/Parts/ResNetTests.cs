using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class ResNetTests
{
    [Theory]
    [InlineData(18, 11_689_512)]
    [InlineData(34, 21_797_672)]
    [InlineData(50, 25_557_032)]
    [InlineData(101, 44_549_160)]
    public void Parameter_counts_equal_torchvisions(int depth, long expected) =>
        Assert.Equal(expected, new ResNetClassifier(new Philox(1), 1000, new ResNetOptions { Depth = depth }).ParameterCount());

    [ReferenceTheory]
    [InlineData(18)]
    [InlineData(50)]
    [InlineData(101)]
    public void Names_and_shapes_equal_torchvisions(int depth)
    {
        using Init.SkipScope quick = Init.Skip();
        Assert.Equal(GoldenChecks.StateList(ReferenceFolder.Path("facts", "state-dicts", $"resnet{depth}.txt")).Order(),
            GoldenChecks.StateList(new ResNetClassifier(new Philox(1), 1000, new ResNetOptions { Depth = depth })).Order());
    }

    [ReferenceTheory]
    [InlineData("resnet18", 18)]
    [InlineData("resnet50", 50)]
    public void Features_and_scores_equal_torchvisions(string folder, int depth)
    {
        Golden golden = Golden.Reference(folder);
        var options = new ResNetOptions { Depth = depth, WidthDivisor = golden.Meta.GetProperty("narrow").GetInt32() };
        ResNetClassifier network = GoldenChecks.Loaded(new ResNetClassifier(new Philox(1), golden.Meta.GetProperty("classes").GetInt32(), options), golden);
        network.Train(false);
        Tensor x = golden.ChannelsLast("in.x");
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        GoldenChecks.Close(golden, "out", network.Classify(x));
        ResNetFeatures features = network.Forward(x);
        GoldenChecks.Close(golden, "feat.layer1", features.Layer1);
        GoldenChecks.Close(golden, "feat.layer2", features.Layer2);
        GoldenChecks.Close(golden, "feat.layer3", features.Layer3);
        GoldenChecks.Close(golden, "feat.layer4", features.Layer4, depth == 50 ? GoldenChecks.IllConditioned : GoldenChecks.Outputs);
    }

    /// <summary>Dilation samples the same places as striding, so the strided map is every second (fourth, eighth) value of the dilated one.</summary>
    [Theory]
    [InlineData(18, 8)]
    [InlineData(18, 16)]
    [InlineData(34, 4)]
    [InlineData(50, 8)]
    public void A_dilated_network_computes_the_strided_ones_values_and_those_between(int depth, int outputStride)
    {
        ResNet strided = new ResNet(new Philox(3), new ResNetOptions { Depth = depth, WidthDivisor = 16 });
        ResNet dilated = new ResNet(new Philox(3), new ResNetOptions { Depth = depth, WidthDivisor = 16, OutputStride = outputStride });
        strided.Train(false);
        dilated.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor x = GradCheck.Input([1, 65, 97, 3]);
        Tensor few = strided.Forward(x).Layer4, many = dilated.Forward(x).Layer4;
        int step = 32 / outputStride;
        int[] rows = [.. Enumerable.Range(0, few.Shape[1]).Select(i => i * step)], columns = [.. Enumerable.Range(0, few.Shape[2]).Select(i => i * step)];
        Assert.Equal((65 + outputStride - 1) / outputStride, many.Shape[1]);
        TensorAssert.Close(few, many.IndexSelect(1, rows).IndexSelect(2, columns));
    }

    [Fact]
    public void The_seed_fixes_every_weight()
    {
        Assert.Equal(Weights(5), Weights(5));
        Assert.NotEqual(Weights(5), Weights(6));

        static IEnumerable<float> Weights(ulong seed) => [.. new ResNet(new Philox(seed), new ResNetOptions { Depth = 18, WidthDivisor = 16 }).StateDict().SelectMany(s => s.Tensor.ToArray())];
    }

    [Theory]
    [InlineData(19, 32, 1)]
    [InlineData(18, 12, 1)]
    [InlineData(18, 32, 3)]
    public void Impossible_options_are_refused(int depth, int stride, int divisor) =>
        Assert.Throws<ArgumentException>(() => new ResNet(new Philox(1), new ResNetOptions { Depth = depth, OutputStride = stride, WidthDivisor = divisor }));
}
