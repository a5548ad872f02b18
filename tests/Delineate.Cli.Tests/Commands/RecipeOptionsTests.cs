using System.CommandLine;
using System.Text.Json.Nodes;
using Delineate.Cli.Commands;
using Delineate.Training;
using Xunit;

namespace Delineate.Cli.Tests.Commands;

public class RecipeOptionsTests
{
    /// <summary>A value for each option that is not its default, and what the recipe then holds.</summary>
    private static readonly (string Key, string Text, string Json)[] Others =
    [
        ("model", "unet", "\"unet\""), ("epochs", "7", "7"), ("batchSize", "3", "3"), ("learningRate", "1e-3", "0.001"), ("cropSize", "320x160", "[320,160]"),
        ("seed", "18446744073709551615", "18446744073709551615"), ("options.outputStride", "16", "16"), ("options.hybridDilation", "true", "true"), ("options.auxiliaryHead", "false", "false"),
        ("options.channels", "8", "8"), ("options.depth", "3", "3"), ("options.bilinear", "true", "true"), ("baseSize", "none", "null"), ("minScale", "0.75", "0.75"),
        ("maxScale", "1.5", "1.5"), ("flipProbability", "0", "0"), ("verticalFlipProbability", "0.5", "0.5"), ("colorJitter", "0.25", "0.25"), ("copyPasteProbability", "0.5", "0.5"), ("standardize", "true", "true"),
        ("optimizer", "adamw", "\"AdamW\""), ("accumulateBatches", "2", "2"), ("checkpointing", "true", "true"), ("schedule", "multistep", "\"MultiStep\""), ("polyPower", "2", "2"),
        ("milestones", "2,4", "[2,4]"), ("gamma", "0.5", "0.5"), ("warmupEpochs", "0.5", "0.5"), ("warmupFactor", "0.25", "0.25"),
        ("auxLearningRateScale", "1", "1"), ("momentum", "0.5", "0.5"), ("nesterov", "true", "true"), ("weightDecay", "0", "0"), ("clipGradientNorm", "5", "5"),
        ("auxWeight", "0.25", "0.25"), ("diceWeight", "1", "1"), ("labelSmoothing", "0.125", "0.125"), ("classWeights", "1,2.5", "[1,2.5]"),
        ("evalShortSide", "null", "null"), ("evalEvery", "2", "2"), ("earlyStop", "3", "3"), ("timeBudgetMinutes", "1.5", "1.5"), ("checkpointMinutes", "2", "2"),
    ];

    [Fact]
    public void Every_key_of_a_recipe_has_an_option_and_a_description()
    {
        JsonObject recipe = RecipeOptions.Defaults();
        string[] keys = [.. recipe.Where(p => p.Key != "options").Select(p => p.Key), .. recipe["options"]!.AsObject().Select(p => $"options.{p.Key}")];
        Assert.Equal(keys.Order(), RecipeOptions.Keys.Select(k => k.Key).Order());
        Assert.Equal(keys.Order(), Others.Select(o => o.Key).Order());
        Assert.All(RecipeOptions.Keys, k => Assert.NotEmpty(k.Description));
    }

    [Fact]
    public void Every_option_reaches_its_key()
    {
        Recipe recipe = Read([.. Others.SelectMany(o => (string[])[RecipeOptions.Name(o.Key), o.Text])]);
        JsonObject json = JsonNode.Parse(recipe.ToJson())!.AsObject();
        foreach ((string key, _, string expected) in Others)
        {
            string[] path = key.Split('.');
            JsonNode? value = path.Length == 1 ? json[key] : json[path[0]]![path[1]];
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
    public void A_switch_needs_no_value() => Assert.True(Read(["--bilinear", "--epochs", "2"]).Options.Bilinear);

    [Theory]
    [InlineData("--epochs takes a whole number, not 'abc'", "--epochs", "abc")]
    [InlineData("--batch-size must be", "--batch-size", "0")]
    [InlineData("--optimizer takes sgd, adamW, not 'adamm': did you mean 'adamW'?", "--optimizer", "adamm")]
    [InlineData("--nesterov takes true or false, not 'maybe'", "--nesterov", "maybe")]
    [InlineData("--learning-rate takes a number, not 'nan'", "--lr", "nan")]
    [InlineData("--crop-size takes a value, not 'null'", "--crop", "null")]
    [InlineData("--crop-size takes a whole number, not ''", "--crop", "64x")]
    [InlineData("--early-stop takes a whole number or none, not 'x'", "--early-stop", "x")]
    [InlineData("--class-weights takes a number, not 'b'", "--class-weights", "1,b")]
    public void A_wrong_value_names_the_option(string message, params string[] args) => Assert.StartsWith(message, Assert.Throws<UserException>(() => Read(args)).Message);

    [Theory]
    [InlineData("{ \"epochs\": 2,\n \"crop\": 3 }", "line 2")]
    [InlineData("{ \"epochs\": 0 }", "epochs must be")]
    [InlineData("[]", "line 1")]
    [InlineData("{ \"cropSize\": null }", "cropSize")]
    public void A_faulty_file_is_named_with_the_place(string text, string place)
    {
        using var folder = new TempFolder();
        string file = folder.Text("recipe.json", text);
        string message = Assert.Throws<RecipeException>(() => Read(["--recipe", file])).Message;
        Assert.StartsWith(file, message);
        Assert.Contains(place, message);
    }

    private static Recipe Read(string[] args)
    {
        var command = new Command("x");
        var options = new RecipeOptions(command);
        ParseResult parsed = command.Parse(args);
        Assert.Empty(parsed.Errors);
        return options.Read(parsed);
    }
}
