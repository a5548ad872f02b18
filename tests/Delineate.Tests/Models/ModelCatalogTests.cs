using Delineate.Models;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class ModelCatalogTests
{
    [Theory]
    [InlineData("fcn_resnet18", 11_918_250)]
    [InlineData("fcn_resnet50", 35_322_218)]
    [InlineData("fcn_resnet101", 54_314_346)]
    [InlineData("unet", 31_038_933)]
    public void Every_name_makes_a_network_with_the_published_number_of_parameters(string name, long expected)
    {
        Assert.Contains(name, ModelCatalog.Names);
        Assert.Equal(expected, ModelCatalog.Create(name, 21, new Philox(1)).ParameterCount());
    }

    [Fact]
    public void An_unknown_name_is_refused_with_those_known() =>
        Assert.Contains("fcn_resnet50", Assert.Throws<ArgumentException>(() => ModelCatalog.Create("fcn_resnet5", 3, new Philox(1))).Message, StringComparison.Ordinal);
}
