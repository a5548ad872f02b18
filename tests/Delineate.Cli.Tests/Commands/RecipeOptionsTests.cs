using System.CommandLine;
using System.Text.Json.Nodes;
using Delineate.Cli.Commands;
using Delineate.Training;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class RecipeOptionsTests
{
    private const string Apart = "summedLoss"; // not beside a Dice loss

    /// <summary>A value for each option that is not its default, and what the recipe then holds.</summary>
    private static readonly (string Key, string Text, string Json)[] Others =
    [
        ("model", "unet", "\"unet\""), ("epochs", "7", "7"), ("batchSize", "3", "3"), ("learningRate", "1e-3", "0.001"), ("cropSize", "320x160", "[320,160]"),
        ("seed", "18446744073709551615", "18446744073709551615"), ("options.outputStride", "16", "16"), ("options.hybridDilation", "true", "true"), ("options.auxiliaryHead", "false", "false"),
        ("options.channels", "8", "8"), ("options.depth", "3", "3"), ("options.bilinear", "true", "true"), ("options.patchSize", "31", "31"), ("options.patchStride", "9", "9"),
        ("options.patchesPerImage", "16", "16"), ("options.balancedPatches", "true", "true"),
        ("options.frozenNorm", "false", "false"), ("options.normEpsilon", "0", "0"), ("options.keypoints", "5", "5"), ("options.widthDivisor", "4", "4"),
        ("options.detection.minSize", "480", "480"), ("options.detection.maxSize", "640", "640"), ("options.detection.trainingMinSize", "320", "320"),
        ("options.detection.scoreThreshold", "0.5", "0.5"), ("options.detection.nmsThreshold", "0.25", "0.25"), ("options.detection.detections", "20", "20"),
        ("options.detection.proposalNmsThreshold", "0.75", "0.75"), ("options.detection.proposalsBeforeNms", "300", "300"), ("options.detection.proposalsAfterNms", "200", "200"),
        ("options.detection.trainingProposalsBeforeNms", "600", "600"), ("options.detection.trainingProposalsAfterNms", "400", "400"),
        ("options.detection.anchorSamples", "64", "64"), ("options.detection.anchorPositiveShare", "0.125", "0.125"), ("options.detection.boxSamples", "128", "128"), ("options.detection.boxPositiveShare", "0.375", "0.375"),
        ("baseSize", "none", "null"), ("minScale", "0.75", "0.75"),
        ("maxScale", "1.5", "1.5"), ("flipProbability", "0", "0"), ("verticalFlipProbability", "0.5", "0.5"), ("colorJitter", "0.25", "0.25"), ("copyPasteProbability", "0.5", "0.5"), ("standardize", "true", "true"),
        ("frozen", "upscore,aux_classifier", "[\"upscore\",\"aux_classifier\"]"), ("biasLearningRateScale", "2", "2"), ("biasWeightDecay", "0", "0"),
        ("optimizer", "adamw", "\"AdamW\""), ("accumulateBatches", "2", "2"), ("checkpointing", "true", "true"), ("schedule", "multistep", "\"MultiStep\""), ("polyPower", "2", "2"),
        ("milestones", "2,4", "[2,4]"), ("gamma", "0.5", "0.5"), ("warmupEpochs", "0.5", "0.5"), ("warmupFactor", "0.25", "0.25"), ("warmupSteps", "500", "500"),
        ("auxLearningRateScale", "1", "1"), ("momentum", "0.5", "0.5"), ("nesterov", "true", "true"), ("weightDecay", "0", "0"), ("clipGradientNorm", "5", "5"),
        ("auxWeight", "0.25", "0.25"), ("diceWeight", "1", "1"), ("labelSmoothing", "0.125", "0.125"), ("classWeights", "1,2.5", "[1,2.5]"),
        ("evalShortSide", "null", "null"), ("evalEvery", "2", "2"), ("earlyStop", "3", "3"), ("timeBudgetMinutes", "1.5", "1.5"), ("checkpointMinutes", "2", "2"),
    ];

    [Fact]
    public void Every_key_of_a_recipe_has_an_option_and_a_description()
    {
        JsonObject recipe = RecipeOptions.Defaults();
        string[] keys = [.. Keys(recipe, "")];
        Assert.Equal(keys.Order(), RecipeOptions.Keys.Select(k => k.Key).Order());
        Assert.Equal(keys.Order(), Others.Select(o => o.Key).Append(Apart).Order());
        Assert.True(Read(["--summed-loss"]).SummedLoss);
        Assert.All(RecipeOptions.Keys, k => Assert.NotEmpty(k.Description));
    }

    [Fact]
    public void Every_option_reaches_its_key()
    {
        Recipe recipe = Read([.. Others.SelectMany(o => (string[])[RecipeOptions.Name(o.Key), o.Text])]);
        JsonObject json = JsonNode.Parse(recipe.ToJson())!.AsObject();
        foreach ((string key, _, string expected) in Others)
        {
            JsonNode? value = key.Split('.').Aggregate((JsonNode?)json, (node, part) => node![part]);
            Assert.Equal($"{key} {expected}", $"{key} {value?.ToJsonString() ?? "null"}");
        }
    }

    [Fact]
    public void Options_win_over_the_file_and_the_file_over_the_defaults()
    {
        using var folder = new TempFolder();
        string file = folder.Text("recipe.json", """
            { // comments are allowed
              "model": "unet", /* and trailing commas */
              "epochs": 5, "batchSize": 2, "options": { "channels": 8 }, "baseSize": null,
            }
            """);
        Recipe recipe = Read(["--recipe", file, "--epochs", "9", "--crop", "64"]);
        Assert.Equal(("unet", 9, 2, 8, null), (recipe.Model, recipe.Epochs, recipe.BatchSize, recipe.Options.Channels, recipe.BaseSize));
        Assert.Equal([64, 64], recipe.CropSize);
        var defaults = new Recipe();
        Assert.Equal((defaults.LearningRate, defaults.Options.Depth, defaults.Momentum), (recipe.LearningRate, recipe.Options.Depth, recipe.Momentum));
    }

    [Fact]
    public void A_crop_may_be_none() => Assert.Null(Read(["--crop", "none"]).CropSize);

    [Fact]
    public void Options_win_over_the_stages_of_the_file_too()
    {
        using var folder = new TempFolder();
        string file = folder.Text("recipe.json", """
            { "epochs": 5, "stages": [{ "model": "unet", "epochs": 9, "options": { "channels": 8, "depth": 2 } }, { "model": "fcn_resnet18", "epochs": 3, "learningRate": 0.5 }] }
            """);
        IReadOnlyList<Recipe> stages = Read(["--recipe", file, "--epochs", "2", "--channels", "4", "--crop", "none"]).StageRecipes();
        Assert.Equal([("unet", 2, 4, 2), ("fcn_resnet18", 2, 4, 4)], stages.Select(s => (s.Model, s.Epochs, s.Options.Channels, s.Options.Depth)));
        Assert.Equal([new Recipe().LearningRate, 0.5], stages.Select(s => s.LearningRate));
        Assert.All(stages, s => Assert.Null(s.CropSize));
        Assert.StartsWith("--model cannot be set where the stages", Assert.Throws<UserException>(() => Read(["--recipe", file, "--model", "unet"])).Message);
        Assert.StartsWith("--warmup-epochs must be 0 to the number of epochs, 3; it is 4 (stage 2)", Assert.Throws<UserException>(() => Read(["--recipe", file, "--warmup-epochs", "4"])).Message);
    }

    [Fact]
    public void A_switch_needs_no_value() => Assert.True(Read(["--bilinear", "--epochs", "2"]).Options.Bilinear);

    [Theory]
    [InlineData("--epochs takes a whole number, not 'abc'", "--epochs", "abc")]
    [InlineData("--batch-size must be", "--batch-size", "0")]
    [InlineData("--optimizer takes sgd, adamW, not 'adamm': did you mean 'adamW'?", "--optimizer", "adamm")]
    [InlineData("--nesterov takes true or false, not 'maybe'", "--nesterov", "maybe")]
    [InlineData("--learning-rate takes a number, not 'nan'", "--lr", "nan")]
    [InlineData("--epochs takes a value, not 'none'", "--epochs", "none")]
    [InlineData("--schedule takes poly, cosine, multiStep, constant, not 'constnat': did you mean 'constant'?", "--schedule", "constnat")]
    [InlineData("--dice-weight must be 0 where summedLoss is true", "--summed-loss", "--dice-weight", "1")]
    [InlineData("--crop-size takes a whole number, not ''", "--crop", "64x")]
    [InlineData("--early-stop takes a whole number or none, not 'x'", "--early-stop", "x")]
    [InlineData("--class-weights takes a number, not 'b'", "--class-weights", "1,b")]
    public void A_wrong_value_names_the_option(string message, params string[] args) => Assert.StartsWith(message, Assert.Throws<UserException>(() => Read(args)).Message);

    [Theory]
    [InlineData("{ \"epochs\": 2,\n \"crop\": 3 }", "line 2")]
    [InlineData("{ \"epochs\": 0 }", "epochs must be")]
    [InlineData("[]", "line 1")]
    [InlineData("{ \"milestones\": null }", "milestones")]
    [InlineData("{ \"stages\": [{ \"epochs\": 0 }] }", "stage 1: epochs must be")]
    public void A_faulty_file_is_named_with_the_place(string text, string place)
    {
        using var folder = new TempFolder();
        string file = folder.Text("recipe.json", text);
        string message = Assert.Throws<RecipeException>(() => Read(["--recipe", file])).Message;
        Assert.StartsWith(file, message);
        Assert.Contains(place, message);
    }

    /// <summary>Every key at every depth, with those above it.</summary>
    private static IEnumerable<string> Keys(JsonObject recipe, string above) =>
        recipe.Where(p => p.Key != "stages").SelectMany(p => p.Value is JsonObject inner ? Keys(inner, $"{above}{p.Key}.") : [above + p.Key]);

    private static Recipe Read(string[] args)
    {
        var command = new Command("x");
        var options = new RecipeOptions(command);
        ParseResult parsed = command.Parse(args);
        Assert.Empty(parsed.Errors);
        return options.Read(parsed);
    }
}
