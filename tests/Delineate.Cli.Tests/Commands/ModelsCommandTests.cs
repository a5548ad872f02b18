using System.Text.Json.Nodes;
using Delineate.Models;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class ModelsCommandTests
{
    [Fact]
    public void The_catalog_is_listed_with_its_parameters()
    {
        JsonArray models = CliRun.Of("models", "--json").Json["models"]!.AsArray();
        Assert.Equal(ModelCatalog.Names, models.Select(m => (string)m!["name"]!));
        Assert.Equal(35322218, (long)models.Single(m => (string)m!["name"]! == "fcn_resnet50")!["parameters"]!); // torchvision's count with 21 classes
        Assert.Contains("35,322,218", CliRun.Of("models").Output);
    }
}
