using Delineate.Models;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Training;

/// <summary>The recipes that come with the project.</summary>
public sealed class RecipeFilesTests
{
    public static TheoryData<string> Files => new(Directory.EnumerateFiles(Folder(), "*.json").Select(f => Path.GetFileName(f)!));

    [Theory]
    [MemberData(nameof(Files))]
    public void Each_is_read_and_names_a_model(string file)
    {
        Recipe recipe = Recipe.Parse(File.ReadAllText(Path.Combine(Folder(), file)), file);
        Assert.Contains(recipe.Model, ModelCatalog.Names);
    }

    [Fact]
    public void The_first_spells_out_the_defaults() =>
        Assert.Equal(new Recipe().ToJson(), Recipe.Parse(File.ReadAllText(Path.Combine(Folder(), "fcn.json")), "fcn.json").ToJson());

    private static string Folder()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Delineate.slnx"))) folder = Path.GetDirectoryName(folder);
        return Path.Combine(folder ?? throw new DirectoryNotFoundException("the repository's root was not found"), "recipes");
    }
}
