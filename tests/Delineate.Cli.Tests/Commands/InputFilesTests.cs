using Delineate.Cli.Commands;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class InputFilesTests
{
    [Theory]
    [InlineData("p", "p/a.png p/b.JPG")]
    [InlineData("p/*.png", "p/a.png")]
    [InlineData("p/?.*", "p/a.png p/b.JPG")]
    [InlineData("p/**/*.png", "p/a.png p/q/c.png p/q/r/d.png")]
    [InlineData("p/q/**", "p/q/c.png p/q/r/d.png")]
    [InlineData("*/q/c.png", "p/q/c.png")]
    [InlineData("p/a.png p p/*.png", "p/a.png p/b.JPG")]
    [InlineData("p/notes.txt", "p/notes.txt")]
    public void Files_folders_and_patterns_are_expanded_in_order_and_once(string inputs, string expected)
    {
        using var folder = new TempFolder();
        foreach (string file in (string[])["p/a.png", "p/b.JPG", "p/notes.txt", "p/q/c.png", "p/q/r/d.png"]) folder.Text(file, "");
        IReadOnlyList<string> found = InputFiles.Expand(inputs.Split(' ').Select(i => folder.Root + "/" + i));
        Assert.Equal(expected.Split(' '), found.Select(f => Path.GetRelativePath(folder.Root, f).Replace('\\', '/')));
    }

    [Fact]
    public void What_matches_nothing_is_a_mistake()
    {
        using var folder = new TempFolder();
        Assert.Contains("matches no PNG or JPEG image", Assert.Throws<UserException>(() => InputFiles.Expand([folder.Root])).Message);
        Assert.Contains("matches no PNG or JPEG image", Assert.Throws<UserException>(() => InputFiles.Expand([folder.At("*.png")])).Message);
        Assert.Contains("there is no file or folder", Assert.Throws<UserException>(() => InputFiles.Expand([folder.At("x.png")])).Message);
    }
}
