using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors.Optim;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Training;

public sealed class RecipeTests
{
    /// <summary>The rates at the epochs' ends that the published ten-epoch run of fcn_resnet50 logged (WZMIAOMIAO, VOC 2012, batch 4).</summary>
    [Fact]
    public void The_published_rates_come_out_at_the_epochs_ends()
    {
        const int StepsPerEpoch = 366;
        Schedule schedule = new Recipe { Epochs = 10, LearningRate = 1e-4, WarmupEpochs = 1, WarmupFactor = 0.001, PolyPower = 0.9 }.MakeSchedule(StepsPerEpoch);
        Assert.Equal(["1.00", "0.90", "0.80", "0.69", "0.59", "0.48", "0.37", "0.26", "0.14", "0.00"],
            Enumerable.Range(1, 10).Select(epoch => (1e4 * schedule.At(epoch * StepsPerEpoch)).ToString("F2", CultureInfo.InvariantCulture)));
        Assert.Equal(1e-7, schedule.At(0), 1e-15);
    }

    [Fact]
    public void The_other_schedules_follow_their_keys()
    {
        Schedule steps = new Recipe { Schedule = ScheduleKind.MultiStep, Milestones = [2, 4], Gamma = 0.5, LearningRate = 1, WarmupEpochs = 0, Epochs = 6 }.MakeSchedule(10);
        Assert.Equal([1, 1, 0.5, 0.5, 0.25, 0.25], Enumerable.Range(0, 6).Select(e => steps.At((10 * e) + 5)));
        Schedule constant = new Recipe { Schedule = ScheduleKind.Constant, LearningRate = 1e-10, WarmupEpochs = 0, Epochs = 4 }.MakeSchedule(10);
        Assert.Equal([1e-10, 1e-10, 1e-10], new long[] { 0, 20, 1000 }.Select(constant.At));
        Schedule cosine = new Recipe { Schedule = ScheduleKind.Cosine, LearningRate = 1, WarmupEpochs = 0, Epochs = 4 }.MakeSchedule(10);
        Assert.Equal(0.5, cosine.At(20), 1e-12);
        Assert.Equal(0, cosine.At(40), 1e-12);
    }

    [Fact]
    public void A_warm_up_may_be_a_part_of_an_epoch_or_the_whole_run()
    {
        Assert.Equal(0.5, new Recipe { Epochs = 2, LearningRate = 1, WarmupEpochs = 0.5, WarmupFactor = 0 }.MakeSchedule(8).At(2));
        Assert.Equal(0.5, new Recipe { Epochs = 1, LearningRate = 1, WarmupEpochs = 1, WarmupFactor = 0 }.MakeSchedule(8).At(4));
    }

    [Fact]
    public void What_is_written_is_read_back_with_comments_between()
    {
        Recipe recipe = TinyRun.UNetRecipe with { ClassWeights = [1, 2.5f], Milestones = [3, 5], Schedule = ScheduleKind.MultiStep, Optimizer = OptimizerKind.AdamW, ClipGradientNorm = 1.5, Seed = ulong.MaxValue };
        string json = recipe.ToJson();
        Assert.Equal(json, Recipe.Parse(json, "r.json").ToJson());
        Recipe commented = Recipe.Parse("""
            {
              // how long
              "epochs": 3, /* and how */ "optimizer": "adamW",
              "options": { "depth": 2, },
            }
            """, "r.json");
        Assert.Equal((3, OptimizerKind.AdamW, 2, 64), (commented.Epochs, commented.Optimizer, commented.Options.Depth, commented.Options.Channels));
        Assert.Equal(new Recipe().LearningRate, commented.LearningRate);
    }

    [Theory]
    [InlineData("{\n\"epoch\": 3 }", "r.json, line 2: there is no key 'epoch': did you mean 'epochs'?")]
    [InlineData("{ \"options\": {\n \"chanels\": 3 } }", "r.json, line 2: there is no key 'options.chanels': did you mean 'channels'?")]
    [InlineData("{ \"epochs\": \"ten\" }", "r.json, line 1: epochs must be a whole number, not \"ten\"")]
    [InlineData("{ \"epochs\": 2.5 }", "r.json, line 1: epochs must be a whole number, not 2.5")]
    [InlineData("{ \"epochs\": null }", "r.json, line 1: epochs must be a whole number, not null")]
    [InlineData("{ \"epochs\": 99999999999 }", "r.json, line 1: epochs must be a whole number, not 99999999999")]
    [InlineData("{\n\n\"learningRate\": [1] }", "r.json, line 3: learningRate must be a number, not [1]")]
    [InlineData("{ \"nesterov\": 1 }", "r.json, line 1: nesterov must be true or false, not 1")]
    [InlineData("{ \"earlyStop\": \"no\" }", "r.json, line 1: earlyStop must be a whole number or null, not \"no\"")]
    [InlineData("{ \"optimizer\": \"adam\" }", "r.json, line 1: optimizer must be one of sgd, adamW, not \"adam\"")]
    [InlineData("{ \"cropSize\": [480, \"x\"] }", "r.json, line 1: cropSize must be a list in brackets, each a whole number, not [480, \"x\"]")]
    [InlineData("{ \"milestones\": null }", "r.json, line 1: milestones must be a list in brackets, each a whole number, not null")]
    [InlineData("{ \"schedule\": \"fixed\" }", "r.json, line 1: schedule must be one of poly, cosine, multiStep, constant, not \"fixed\"")]
    [InlineData("{ \"frozen\": \"upscore\" }", "r.json, line 1: frozen must be a list in brackets, each a text in quotes, not \"upscore\"")]
    [InlineData("{ \"summedLoss\": true, \"diceWeight\": 1 }", "r.json: diceWeight must be 0 where summedLoss is true, for a sum over all pixels drowns a Dice loss of at most 1; it is 1")]
    [InlineData("{ \"stages\": {} }", "r.json, line 1: stages must be a list in brackets, each an object in braces, not {}")]
    [InlineData("{ \"stages\": [{}, 3] }", "r.json, stage 2: a stage is an object in braces with keys of a recipe, not number")]
    [InlineData("{ \"stages\": [{}, { \"epoch\": 3 }] }", "r.json, stage 2: there is no key 'epoch': did you mean 'epochs'?")]
    [InlineData("{ \"stages\": [{ \"options\": { \"chanels\": 3 } }] }", "r.json, stage 1: there is no key 'options.chanels': did you mean 'channels'?")]
    [InlineData("{ \"stages\": [{ \"epochs\": \"ten\" }] }", "r.json, stage 1: epochs must be a whole number, not \"ten\"")]
    [InlineData("{ \"stages\": [{ \"epochs\": 0 }] }", "r.json, stage 1: epochs must be 1 to 1000000; it is 0")]
    [InlineData("{ \"warmupEpochs\": 5, \"stages\": [{}, { \"epochs\": 4 }] }", "r.json, stage 2: warmupEpochs must be 0 to the number of epochs, 4; it is 5")]
    [InlineData("{ \"stages\": [{ \"stages\": [] }] }", "r.json, stage 1: a stage has no stages of its own")]
    [InlineData("{ \"options\": null }", "r.json, line 1: options must be an object in braces, not null")]
    [InlineData("{ \"options\": 3 }", "r.json, line 1: options must be an object in braces, not 3")]
    [InlineData("{ \"model\": null }", "r.json, line 1: model must be a text in quotes, not null")]
    [InlineData("{ \"epochs\": 3,\n\"epochs\": 4 }", "r.json, line 2: the key 'epochs' is there twice")]
    [InlineData("{ \"epochs\": 3\n\"seed\": 4 }", "r.json, line 2: this is not valid JSON, at character 1: look for a missing comma, quote or bracket")]
    [InlineData("{ \"epochs\": 3", "r.json, line 1: this is not valid JSON, at character 14: look for a missing comma, quote or bracket")]
    [InlineData("[1]", "r.json, line 1: the text must be an object in braces, not [1]")]
    [InlineData("", "r.json, line 1: this is not valid JSON, at character 1: look for a missing comma, quote or bracket")]
    [InlineData("null", "r.json: a recipe is an object in braces, not null")]
    [InlineData("{ \"seed\": -1 }", "r.json, line 1: seed must be a whole number, 0 or more, not -1")]
    public void Faults_are_told_in_plain_words(string json, string expected) =>
        Assert.Equal(expected, Assert.Throws<RecipeException>(() => Recipe.Parse(json, "r.json")).Message);

    /// <summary>Every key with a range: the outermost good values, then bad ones.</summary>
    public static TheoryData<string, string[], string[]> Ranges { get; } = new()
    {
        { "model", ["\"unet\""], ["\" \""] },
        { "epochs", ["1", "1000000"], ["0", "-1", "1000001"] },
        { "batchSize", ["1", "4096"], ["0", "4097"] },
        { "accumulateBatches", ["1", "4096"], ["0", "4097"] },
        { "optimizer", ["\"sgd\"", "1"], ["7"] },
        { "learningRate", ["1e-9", "1e30"], ["0", "-1", "1e999"] },
        { "auxLearningRateScale", ["0", "100"], ["-0.1", "1e999"] },
        { "momentum", ["0", "0.99"], ["-0.1", "1"] },
        { "weightDecay", ["0", "1"], ["-0.1", "1.5"] },
        { "clipGradientNorm", ["null", "0.1"], ["0", "-1", "1e999"] },
        { "schedule", ["\"poly\"", "2", "\"constant\""], ["9"] },
        { "frozen", ["[]", "[\"upscore\", \"backbone.\"]"], ["[\"\"]", "[\" \"]"] },
        { "biasLearningRateScale", ["0", "2"], ["-1", "1e999"] },
        { "biasWeightDecay", ["null", "0", "1"], ["-0.1", "1.1"] },
        { "polyPower", ["0.1", "100"], ["0", "101"] },
        { "milestones", ["[]", "[1, 2]"], ["[0]"] },
        { "gamma", ["0.01", "1"], ["0", "1.1"] },
        { "warmupEpochs", ["0", "0.5", "30"], ["-1", "30.5"] },
        { "warmupSteps", ["null", "1"], ["0"] },
        { "warmupFactor", ["0", "1"], ["-0.1", "1.1"] },
        { "auxWeight", ["0", "2"], ["-1", "1e99"] },
        { "diceWeight", ["0", "2"], ["-1", "1e99"] },
        { "labelSmoothing", ["0", "0.5"], ["-0.1", "1"] },
        { "classWeights", ["null", "[0, 1]"], ["[]", "[0, 0]", "[-1, 1]"] },
        { "baseSize", ["null", "8", "8192"], ["7", "8193"] },
        { "minScale", ["0.1", "2"], ["0", "-1", "101", "0.001"] },
        { "maxScale", ["0.5", "100"], ["0.4", "101", "1e999"] },
        { "cropSize", ["null", "[16, 8192]"], ["[15, 16]", "[16, 8193]", "[16]", "[16, 16, 16]"] },
        { "flipProbability", ["0", "1"], ["-0.1", "1.1"] },
        { "verticalFlipProbability", ["0", "1"], ["-0.1", "1.1"] },
        { "colorJitter", ["0", "1"], ["-0.1", "1.1"] },
        { "copyPasteProbability", ["0", "1"], ["-0.1", "1.1"] },
        { "evalShortSide", ["null", "8", "8192"], ["7", "8193"] },
        { "evalEvery", ["1"], ["0"] },
        { "earlyStop", ["null", "1"], ["0"] },
        { "timeBudgetMinutes", ["null", "0.1"], ["0", "1e999"] },
        { "checkpointMinutes", ["0.001"], ["0", "-5"] },
    };

    [Theory]
    [MemberData(nameof(Ranges))]
    public void Every_figure_has_its_range(string key, string[] good, string[] bad)
    {
        foreach (string value in good) Recipe.Parse($"{{ \"{key}\": {value} }}", "r.json");
        foreach (string value in bad)
        {
            string message = Assert.Throws<RecipeException>(() => Recipe.Parse($"{{ \"{key}\": {value} }}", "r.json")).Message;
            Assert.StartsWith("r.json", message, StringComparison.Ordinal);
            Assert.Contains($"{key} must be ", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Every_figure_of_a_recipe_has_a_tested_range()
    {
        string[] free = ["options", "checkpointing", "nesterov", "standardize", "seed", "summedLoss", "stages"]; // tested elsewhere, either value, any number
        Assert.Equal(JsonNode.Parse(new Recipe().ToJson())!.AsObject().Select(p => p.Key).Except(free).Order(), Ranges.Select(r => (string)r[0]!).Order());
    }

    [Fact]
    public void A_stage_has_the_recipes_keys_save_those_that_it_sets()
    {
        Recipe recipe = Recipe.Parse("""
            {
              "model": "unet", "epochs": 7, "cropSize": null, "frozen": ["inc"],
              "options": { "channels": 8, "depth": 2 },
              "stages": [
                {}, // as above
                { "epochs": 3, "options": { "depth": 3, }, "frozen": [] },
                { "model": "fcn_resnet18", "cropSize": [32, 48], "learningRate": 1e-14 },
              ],
            }
            """, "r.json");
        IReadOnlyList<Recipe> stages = recipe.StageRecipes();
        Assert.Equal([("unet", 7), ("unet", 3), ("fcn_resnet18", 7)], stages.Select(s => (s.Model, s.Epochs)));
        Assert.Equal([(8, 2), (8, 3), (8, 2)], stages.Select(s => (s.Options.Channels, s.Options.Depth)));
        Assert.Equal([["inc"], [], ["inc"]], stages.Select(s => s.Frozen));
        Assert.Equal((null, null, 1e-14), (stages[0].CropSize, stages[1].CropSize, stages[2].LearningRate));
        Assert.Equal([32, 48], stages[2].CropSize!);
        Assert.All(stages, s => Assert.Empty(s.Stages));
        Assert.Equal(stages.Select(s => s.ToJson()), Recipe.Parse(recipe.ToJson(), "again").StageRecipes().Select(s => s.ToJson()));
        Assert.Equal([new Recipe().ToJson()], new Recipe().StageRecipes().Select(s => s.ToJson()));
    }

    [Fact]
    public void A_key_that_a_stage_has_twice_or_a_hundred_and_one_stages_are_refused()
    {
        Assert.StartsWith("r.json", Assert.Throws<RecipeException>(() => Recipe.Parse("{ \"stages\": [{ \"epochs\": 2, \"epochs\": 3 }] }", "r.json")).Message, StringComparison.Ordinal);
        string many = string.Join(", ", Enumerable.Repeat("{}", 101));
        Assert.Contains("stages must be a list of at most 100; it is one of 101", Assert.Throws<RecipeException>(() => Recipe.Parse($"{{ \"stages\": [{many}] }}", "r.json")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("upscoer", "frozen: no parameter of unet begins with 'upscoer': known: ")]
    [InlineData("outc.conf", "frozen: no parameter of unet begins with 'outc.conf': did you mean 'outc.conv'?")]
    [InlineData("", null)]
    public void A_frozen_part_that_no_network_has_is_refused_when_the_model_is_made(string beginning, string? expected)
    {
        Recipe recipe = TinyRun.UNetRecipe with { Frozen = expected is null ? ["inc", "down", "up", "outc"] : [beginning] };
        string message = Assert.Throws<RecipeException>(() => recipe.NewModel(new Squares(1).Classes)).Message;
        Assert.StartsWith(expected ?? "frozen: no parameter of unet is left to train", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_detectors_recipe_begins_with_torchvisions_for_detectors()
    {
        Recipe recipe = Recipe.Parse("""{ "model": "maskrcnn_resnet50_fpn" }""", "r.json");
        Assert.Equal(Recipe.For("maskrcnn_resnet50_fpn").ToJson(), recipe.ToJson());
        Assert.Equal((26, 2, 0.0025, 0.9, 1e-4), (recipe.Epochs, recipe.BatchSize, recipe.LearningRate, recipe.Momentum, recipe.WeightDecay));
        Assert.Equal((OptimizerKind.Sgd, ScheduleKind.MultiStep, 0.1, 1.0, 1000, 0.001), (recipe.Optimizer, recipe.Schedule, recipe.Gamma, recipe.WarmupEpochs, recipe.WarmupSteps, recipe.WarmupFactor));
        Assert.Equal([16, 22], recipe.Milestones);
        Assert.Equal((null, null, null, 0.5, null), (recipe.BaseSize, recipe.CropSize, recipe.EvalShortSide, recipe.FlipProbability, recipe.Options.Detection.TrainingMinSize));
        Recipe joints = Recipe.Parse("""{ "model": "keypointrcnn_resnet50_fpn", /* smaller */ "options": { "detection": { "minSize": 400 } } }""", "r.json");
        Assert.Equal((400, 320), (joints.Options.Detection.MinSize, joints.Options.Detection.TrainingMinSize!.Value));
        Assert.Equal(640, Recipe.For("keypointrcnn_resnet50_fpn").Options.Detection.TrainingMinSize);
        Assert.Equal(new Recipe { Model = "unet" }.ToJson(), Recipe.For("unet").ToJson());
    }

    [Fact]
    public void What_a_detectors_recipe_says_decides_what_it_does_not()
    {
        Recipe recipe = Recipe.Parse("""{ "model": "maskrcnn_resnet18_fpn", "batchSize": 4, "accumulateBatches": 2, "epochs": 13 }""", "r.json");
        Assert.Equal(0.01, recipe.LearningRate, 1e-12);
        Assert.Equal([8, 11], recipe.Milestones);
        Recipe own = Recipe.Parse("""{ "model": "maskrcnn_resnet18_fpn", "batchSize": 4, "learningRate": 0.5, "milestones": [3], "cropSize": [64, 64] }""", "r.json");
        Assert.Equal(0.5, own.LearningRate);
        Assert.Equal([3], own.Milestones);
        Assert.Equal([64, 64], own.CropSize!);
        Assert.Equal(26, Recipe.Parse("""{ "stages": [{ "model": "maskrcnn_resnet18_fpn" }] }""", "r.json").StageRecipes()[0].Epochs);
        Assert.Equal(recipe.ToJson(), Recipe.Parse(recipe.ToJson(), "again").ToJson());
    }

    [Theory]
    [InlineData("\"diceWeight\": 1", "diceWeight must be 0 for a detector, which has losses of its own; it is 1")]
    [InlineData("\"summedLoss\": true", "summedLoss must be false for a detector")]
    [InlineData("\"labelSmoothing\": 0.1", "labelSmoothing must be 0 for a detector")]
    [InlineData("\"classWeights\": [1, 2]", "classWeights must be null for a detector")]
    [InlineData("\"evalShortSide\": 400", "evalShortSide must be null for a detector, which resizes images itself")]
    public void What_a_detector_would_not_obey_is_refused(string key, string message) =>
        Assert.StartsWith($"r.json: {message}", Assert.Throws<RecipeException>(() => Recipe.Parse($"{{ \"model\": \"maskrcnn_resnet18_fpn\", {key} }}", "r.json")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_warm_up_takes_no_more_steps_than_it_may()
    {
        Recipe recipe = new() { Epochs = 4, LearningRate = 1, WarmupEpochs = 1, WarmupFactor = 0, WarmupSteps = 10, Schedule = ScheduleKind.Constant };
        Assert.Equal([0.5, 1], new[] { 5, 10 }.Select(s => recipe.MakeSchedule(100).At(s)));
        Assert.Equal([0.5, 1], new[] { 2, 4 }.Select(s => recipe.MakeSchedule(4).At(s)));
    }

    [Fact]
    public void Nesterov_needs_a_momentum() =>
        Assert.Contains("nesterov", Assert.Throws<RecipeException>(() => new Recipe { Nesterov = true, Momentum = 0 }.Checked("options")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_recipe_makes_its_model_with_loss_and_preprocessing()
    {
        Recipe recipe = TinyRun.UNetRecipe with { DiceWeight = 2, AuxWeight = 0.25f, LabelSmoothing = 0.1f, ClassWeights = [1, 3], EvalShortSide = 64 };
        var model = (SemanticModel)recipe.NewModel(new ClassTable(["a", "b"]));
        Assert.Equal(recipe.Options, model.Options);
        Assert.Equal(64, model.Preprocessing.ShortSide);
        Assert.Equal((2, 0.25f, 0.1f), (model.LossOptions.DiceWeight, model.LossOptions.AuxWeight, model.LossOptions.LabelSmoothing));
        Assert.Equal([1, 3], model.LossOptions.ClassWeights!);
        Assert.False(model.LossOptions.Summed);
        Assert.True(((SemanticModel)(TinyRun.UNetRecipe with { SummedLoss = true }).NewModel(new ClassTable(["a"]))).LossOptions.Summed);
        Assert.Contains("2 figures for 3 classes (a, b, c)", Assert.Throws<RecipeException>(() => recipe.NewModel(new ClassTable(["a", "b", "c"]))).Message, StringComparison.Ordinal);
    }
}
