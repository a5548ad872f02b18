using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class ModelCatalogTests
{
    private static readonly ClassTable Classes = new(Enumerable.Range(0, 21).Select(i => $"class {i}"));

    [Theory]
    [InlineData("fcn_resnet18", 11_918_250)]
    [InlineData("fcn_resnet50", 35_322_218)]
    [InlineData("fcn_resnet101", 54_314_346)]
    [InlineData("unet", 31_038_933)]
    [InlineData("fcn32s_alexnet", 58_840_206)]
    [InlineData("sliding_window", 224_645)]
    public void Every_name_makes_a_network_with_the_published_number_of_parameters(string name, long expected)
    {
        Assert.Contains(name, ModelCatalog.Names);
        Assert.Equal(expected, ModelCatalog.Create(name, new ModelOptions(), Classes).Network.ParameterCount());
    }

    [Theory]
    [InlineData("fcn_resnet50")]
    [InlineData("deeplabv3_resnet50")]
    public void Hybrid_dilation_changes_the_scores_and_no_weight(string name)
    {
        var options = new ModelOptions { AuxiliaryHead = false };
        var plain = (SemanticModel)ModelCatalog.Create(name, options, Classes);
        var hybrid = (SemanticModel)ModelCatalog.Create(name, options with { HybridDilation = true }, Classes);
        foreach (((string key, Tensor one), (string other, Tensor another)) in plain.Network.StateDict().Zip(hybrid.Network.StateDict()))
        {
            Assert.Equal(key, other);
            Assert.True(one.Span.SequenceEqual(another.Span), key);
        }
        Tensor x = GradCheck.Input([1, 65, 65, 3]);
        float[] scores = plain.Scores(x).Out.ToArray();
        Assert.True(scores.Zip(hybrid.Scores(x).Out.ToArray(), (a, b) => Math.Abs(a - b)).Max() > 0.01f * scores.Max(MathF.Abs));
    }

    [Fact]
    public void An_unknown_name_is_refused_with_a_near_one() =>
        Assert.Contains("fcn_resnet50", Assert.Throws<UnknownModelException>(() => ModelCatalog.Create("fcn_resnet5", new ModelOptions(), Classes)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(65, 1, 8, "patchSize must be one of 15, 19, 23, 27, 31, 39, 47, 55, 63, 79, 95, 111, 127; it is 65")]
    [InlineData(15, 4, 8, "patchStride must be odd, 1 to the patch size, 15; it is 4")]
    [InlineData(15, 17, 8, "patchStride must be odd, 1 to the patch size, 15; it is 17")]
    [InlineData(15, -1, 8, "patchStride must be odd, 1 to the patch size, 15; it is -1")]
    [InlineData(15, 1, 0, "patchesPerImage must be 1 to 4096; it is 0")]
    public void Patches_that_no_network_takes_are_refused(int size, int stride, int count, string expected)
    {
        var options = new ModelOptions { PatchSize = size, PatchStride = stride, PatchesPerImage = count };
        Assert.Equal($"the model's option {expected}", Assert.Throws<ModelOptionsException>(() => ModelCatalog.Create("sliding_window", options, Classes)).Message);
    }

    [Fact]
    public void Every_name_has_a_description() => Assert.All(ModelCatalog.Names, name => Assert.NotEmpty(ModelCatalog.Describe(name)));

    [Theory]
    [InlineData("fcn_resnet18", 7, 64, 4, false, "outputStride must be 8, 16 or 32; it is 7")]
    [InlineData("unet", 8, 0, 4, false, "channels must be 1 to 512; it is 0")]
    [InlineData("unet", 8, -5, 4, false, "channels must be 1 to 512; it is -5")]
    [InlineData("unet", 8, 1_000_000_000, 4, false, "channels must be 1 to 512; it is 1000000000")]
    [InlineData("unet", 8, 65, 4, true, "channels must be even where bilinear is true; it is 65")]
    [InlineData("unet", 8, 64, 99, false, "depth must be 1 to 8; it is 99")]
    [InlineData("unet", 8, 64, 0, false, "depth must be 1 to 8; it is 0")]
    [InlineData("unet", 8, 64, 6, false, "channels must be at most 32 at depth 6, for they double on every level; it is 64")]
    public void Options_out_of_range_are_refused_before_anything_is_built(string name, int stride, int channels, int depth, bool bilinear, string expected)
    {
        var options = new ModelOptions { OutputStride = stride, Channels = channels, Depth = depth, Bilinear = bilinear };
        Assert.Equal($"the model's option {expected}", Assert.Throws<ModelOptionsException>(() => ModelCatalog.Create(name, options, Classes)).Message);
    }
}
