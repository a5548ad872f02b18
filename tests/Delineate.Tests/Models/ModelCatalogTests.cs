using Delineate.Models;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class ModelCatalogTests
{
    [Fact]
    public void Every_name_makes_a_network()
    {
        foreach (string name in ModelCatalog.Names) Assert.True(ModelCatalog.Create(name, 3, new Philox(1)).ParameterCount() > 1_000_000, name);
    }

    [Fact]
    public void An_unknown_name_is_refused_with_those_known() =>
        Assert.Contains("fcn_resnet50", Assert.Throws<ArgumentException>(() => ModelCatalog.Create("fcn_resnet5", 3, new Philox(1))).Message, StringComparison.Ordinal);
}
