using Delineate.Data;
using Delineate.Models;
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
    public void Every_name_makes_a_network_with_the_published_number_of_parameters(string name, long expected)
    {
        Assert.Contains(name, ModelCatalog.Names);
        Assert.Equal(expected, ModelCatalog.Create(name, new ModelOptions(), Classes).Network.ParameterCount());
    }

    [Fact]
    public void An_unknown_name_is_refused_with_a_near_one() =>
        Assert.Contains("fcn_resnet50", Assert.Throws<UnknownModelException>(() => ModelCatalog.Create("fcn_resnet5", new ModelOptions(), Classes)).Message, StringComparison.Ordinal);

    [Fact]
    public void Every_name_has_a_description() => Assert.All(ModelCatalog.Names, name => Assert.NotEmpty(ModelCatalog.Describe(name)));
}
