using Delineate.Cli.Commands;
using Delineate.Data;
using Delineate.Models;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class DemoCommandTests
{
    [Fact]
    public void A_folder_with_a_run_of_the_users_is_left_alone()
    {
        using var folder = new TempFolder();
        string mine = folder.Text("run/best.safetensors", "months of work");
        CliRun demo = CliRun.Of("demo", "--output", folder.Root);
        Assert.Equal((CommandRunner.UserMistake, $"error: {folder.Root} holds files that no demo wrote: choose another --output"), (demo.Code, demo.Error));
        Assert.Equal("months of work", File.ReadAllText(mine));
    }

    [Fact]
    public void Each_task_has_a_recipe_that_makes_its_network()
    {
        var classes = new ClassTable(["background", "nucleus"]) { Background = 0 };
        Assert.IsType<SemanticModel>(DemoCommand.Semantic.Checked("the demo's recipe").NewModel(classes));
        Assert.IsType<MaskRcnn>(Assert.IsType<DetectionModel>(DemoCommand.Instances.Checked("the demo's recipe").NewModel(classes)).Network);
        CliRun other = CliRun.Of("demo", "--task", "panoptic");
        Assert.Equal(CommandRunner.UserMistake, other.Code);
        Assert.Contains("--task takes semantic or instances, not 'panoptic'", other.Errors);
    }
}
