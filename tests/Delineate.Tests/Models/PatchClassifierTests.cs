using Delineate.Models;
using Delineate.Tensors;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class PatchClassifierTests
{
    private static readonly PatchClassifierOptions Small = new() { NumClasses = 4, PatchSize = 31, Channels = 6, Hidden = 10 };

    [Theory]
    [InlineData(15, 7)]
    [InlineData(23, 6)]
    [InlineData(31, 5)]
    [InlineData(47, 4)]
    [InlineData(63, 5)]
    [InlineData(95, 3)]
    public void All_pixels_together_get_the_scores_of_their_patches(int size, int wide)
    {
        PatchClassifier network = Network(Small with { PatchSize = size });
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor x = GradCheck.Input([2, size + 4, size + wide - 1, 3]);
        PatchCorner[] corners = [.. Enumerable.Range(0, 2 * 5 * wide).Select(i => new PatchCorner(i / (5 * wide), i / wide % 5, i % wide))];
        Tensor patches = network.Forward(x.Patches(corners, size)), dense = network.Dense(x);
        Assert.Equal([corners.Length, 1, 1, 4], patches.Shape);
        Assert.Equal([2, 5, wide, 4], dense.Shape);
        Assert.True(patches.ToArray().Distinct().Count() > corners.Length); // not the biases alone
        TensorAssert.Close(Array.ConvertAll(patches.ToArray(), v => (double)v), dense, 1e-4, "scores");
    }

    [Fact]
    public void Every_third_pixel_gets_the_same_scores()
    {
        PatchClassifier network = Network(Small);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor x = GradCheck.Input([1, 38, 41, 3]), all = network.Dense(x), some = network.Dense(x, stride: 3);
        Assert.Equal([1, 3, 4, 4], some.Shape);
        TensorAssert.Close(Array.ConvertAll(all.IndexSelect(1, [0, 3, 6]).IndexSelect(2, [0, 3, 6, 9]).ToArray(), v => (double)v), some, 1e-4, "scores");
    }

    [Fact]
    public void A_larger_image_is_scored_at_every_eighth_window()
    {
        PatchClassifier network = Network(Small);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor x = GradCheck.Input([1, 31 + 8, 31 + 16, 3]), all = network.Dense(x), strided = network.Forward(x);
        Assert.Equal(8, network.Stride);
        Assert.Equal([1, 2, 3, 4], strided.Shape);
        TensorAssert.Close(Array.ConvertAll(all.IndexSelect(1, [0, 8]).IndexSelect(2, [0, 8, 16]).ToArray(), v => (double)v), strided, 1e-4, "scores");
    }

    [Fact]
    public void Patches_have_sizes_that_no_pooling_cuts()
    {
        Assert.Equal([15, 19, 23, 27, 31, 39, 47, 55, 63, 79, 95, 111, 127], PatchClassifier.PatchSizes);
        foreach (int size in PatchClassifier.PatchSizes)
        {
            PatchClassifier network = Network(Small with { PatchSize = size });
            Tensor last = network.StateDict().Single(s => s.Name == "fc.weight").Tensor;
            Assert.Equal(size, PatchClassifier.PatchSizeOf(network.StateDict().Count(s => s.Name.StartsWith("conv", StringComparison.Ordinal)) / 2, last.Shape[1]));
            // The network sees the whole patch: one row less is too little. So the patch's middle pixel is in the middle of what it sees.
            Assert.Equal([1, 1, 1, 4], Summary.Of(Graph.Trace(network, [1, size, size, 3])).Rows[^1].Output);
            Assert.Throws<ShapeException>(() => Graph.Trace(network, [1, size - 1, size, 3]));
        }
        Assert.Contains("15, 19, 23", Assert.Throws<ArgumentException>(() => Network(Small with { PatchSize = 65 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void With_95_pixels_the_layers_are_those_of_the_paper()
    {
        Summary summary = Summary.Of(Graph.Trace(Network(new PatchClassifierOptions()), [1, 95, 95, 3]));
        Assert.Equal([92, 46, 42, 21, 18, 9, 6, 3, 1, 1], summary.Rows.Where(r => r.Op != "Relu").Select(r => r.Output[1]));
        Assert.Equal(224_645, summary.Parameters);
        Assert.Equal((92L * 92 * 48 * 48) + (42 * 42 * 48 * 1200) + (18 * 18 * 48 * 768) + (6 * 6 * 48 * 768) + (200 * 432) + (200 * 21), summary.MultiplyAdds);
    }

    private static PatchClassifier Network(PatchClassifierOptions options)
    {
        var network = new PatchClassifier(new Philox(3), options);
        var random = new Philox(4);
        foreach ((string name, Tensor tensor) in network.StateDict())
        {
            if (name.EndsWith("bias", StringComparison.Ordinal)) random.FillNormal(tensor.Span);
        }
        network.Train(false);
        return network;
    }
}
