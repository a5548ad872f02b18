using System.CommandLine;
using Xunit;

namespace Delineate.Cli.Tests;

public class HelpPageTests
{
    public static TheoryData<string> Paths => [.. All(Program.Commands(), [])];

    private static IEnumerable<string> All(Command command, string[] path) =>
        command.Subcommands.SelectMany(c => All(c, [.. path, c.Name])).Prepend(string.Join(' ', path));

    [Theory]
    [MemberData(nameof(Paths))]
    public void Every_command_explains_itself_in_lines_that_fit_with_examples_at_the_end(string path)
    {
        CliRun run = CliRun.Of([.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);
        Assert.Equal(0, run.Code);
        string[] parts = run.Output.Split("\nExamples:\n");
        Assert.Equal(2, parts.Length);
        Assert.All(parts[0].Split('\n'), line => Assert.InRange(line.Length, 0, 100));
        Assert.All(parts[1].Split('\n').Where(l => l.StartsWith("  ", StringComparison.Ordinal)), line => Assert.StartsWith("  delineate ", line));
        Assert.DoesNotContain("Delineate.Cli", run.Output);
    }

    [Fact]
    public void The_recipe_does_not_bury_the_options_that_every_run_needs()
    {
        string page = CliRun.Of("train", "--help").Output;
        int recipe = page.IndexOf("\nRecipe:\n", StringComparison.Ordinal);
        foreach (string early in (string[])["--data DIR", "--output DIR", "--resume DIR", "--recipe FILE", "--json"])
            Assert.Contains(early, page[page.IndexOf("\nOptions:\n", StringComparison.Ordinal)..recipe]);
        Assert.InRange(page.IndexOf("--momentum X", StringComparison.Ordinal), recipe, int.MaxValue);
        Assert.Contains("--val-split NAME", page);
        Assert.Contains("[val]", page);
    }

    [Fact]
    public void Long_texts_are_wrapped_under_their_own_column()
    {
        var command = new Command("x", "about x") { new Option<int>("--number") { HelpName = "N", Description = "one two three four five six seven eight nine ten eleven twelve", DefaultValueFactory = _ => 7 } };
        string page = new HelpPage().Text(command, 60);
        Assert.Contains("  --number N  one two three four five six seven eight nine\n              ten eleven twelve [7]\n", page);
    }
}
