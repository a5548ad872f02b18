using Delineate.Data.Sets;
using Delineate.Models;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class PublishedWeightsTests
{
    public static TheoryData<string> Names => [.. PublishedWeights.All.Select(w => w.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_is_of_a_model_and_its_name_at_the_publisher_begins_its_hash(string name)
    {
        PublishedWeights weights = PublishedWeights.Of(name);
        Assert.Contains(name, ModelCatalog.Names);
        Assert.Equal(520, ModelCatalog.PublishedPreprocessing(name).ShortSide); // it predicts as its publisher's does
        Assert.Matches("^[0-9a-f]{64}$", weights.Sha256);
        Assert.EndsWith($"-{weights.Sha256[..8]}.pth", weights.FileName, StringComparison.Ordinal);
        Assert.StartsWith(name, weights.FileName, StringComparison.Ordinal);
        Assert.Equal(("https", weights.FileName), (weights.Address.Scheme, weights.Address.Segments[^1]));
    }

    /// <summary>A checkpoint is its float32 values and buffers, names and little else.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void The_length_is_that_of_the_models_values_and_little_more(string name)
    {
        var classes = ModelCatalog.PublishedClasses(name, Voc.ClassNames.Count);
        Model model = ModelCatalog.Create(name, new ModelOptions { AuxiliaryHead = name != "lraspp_mobilenet_v3_large" }, classes);
        long values = model.Network.StateDict().Sum(s => (long)s.Tensor.Length);
        Assert.InRange(PublishedWeights.Of(name).Bytes, 4 * values, (4 * values) + (1000 * model.Network.StateDict().Count()));
    }

    [Fact]
    public void An_unknown_name_is_told_with_the_near_one()
    {
        var e = Assert.Throws<UnknownModelException>(() => PublishedWeights.Of("fcn_resnet5"));
        Assert.Equal("there are no published weights 'fcn_resnet5': did you mean 'fcn_resnet50'?", e.Message);
        Assert.Contains("known: fcn_resnet50", Assert.Throws<UnknownModelException>(() => PublishedWeights.Of("unet")).Message, StringComparison.Ordinal);
    }
}
