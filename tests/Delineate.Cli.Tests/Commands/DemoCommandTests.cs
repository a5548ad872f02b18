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
}
