using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors.Nn;
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
        Assert.All(Read(file).StageRecipes(), stage => Assert.Contains(stage.Model, ModelCatalog.Names));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Each_makes_its_networks(string file)
    {
        using Init.SkipScope quick = Init.Skip();
        foreach (Recipe stage in Read(file).StageRecipes())
        {
            Model model = stage.NewModel(new ClassTable(["a", "b"]));
            Assert.Equal(stage.Frozen.Count > 0, model.Network.NamedParameters().Any(p => !p.Tensor.RequiresGrad));
        }
    }

    /// <summary>The solver of the reference: base_lr 1e-10, 1e-12 and 1e-14 on an unnormalised softmax loss, lr_policy fixed, momentum 0.99, weight_decay 0.0005, iter_size 1.</summary>
    [Fact]
    public void The_first_FCNs_recipes_have_their_authors_figures()
    {
        IReadOnlyList<Recipe> stages = Read("fcn8s-staged.json").StageRecipes();
        Assert.Equal([("fcn32s_vgg16", 1e-10), ("fcn16s_vgg16", 1e-12), ("fcn8s_vgg16", 1e-14)], stages.Select(s => (s.Model, s.LearningRate)));
        Assert.Equal(stages[0].ToJson(), Read("fcn-original.json").ToJson());
        Assert.All(stages, s =>
        {
            Assert.Equal((true, 1, 1, 0.99, 5e-4, 2.0, 0.0), (s.SummedLoss, s.BatchSize, s.AccumulateBatches, s.Momentum, s.WeightDecay, s.BiasLearningRateScale, s.BiasWeightDecay));
            Assert.Equal((OptimizerKind.Sgd, ScheduleKind.Constant, 0.0), (s.Optimizer, s.Schedule, s.WarmupEpochs));
            Assert.Equal((null, null, 0.0, 0.0, null), (s.BaseSize, s.CropSize, s.FlipProbability, s.ColorJitter, s.EvalShortSide));
            Assert.Equal(["upscore"], s.Frozen);
        });
    }

    [Fact]
    public void The_first_spells_out_the_defaults() =>
        Assert.Equal(new Recipe().ToJson(), Read("fcn.json").ToJson());

    [Fact]
    public void The_detectors_recipe_spells_out_its_defaults() =>
        Assert.Equal(Recipe.For("maskrcnn_resnet50_fpn").ToJson(), Read("maskrcnn.json").ToJson());

    private static Recipe Read(string file) => Recipe.Parse(File.ReadAllText(Path.Combine(Folder(), file)), file);

    private static string Folder()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Delineate.slnx"))) folder = Path.GetDirectoryName(folder);
        return Path.Combine(folder ?? throw new DirectoryNotFoundException("the repository's root was not found"), "recipes");
    }
}
