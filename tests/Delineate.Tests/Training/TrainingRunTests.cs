using Delineate.Data;
using Delineate.Losses;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Training;

/// <summary>Runs of several stages.</summary>
public sealed class TrainingRunTests : IDisposable
{
    /// <summary>The first FCNs, very narrow: 3 steps an epoch, so 6, 3 and 6 steps.</summary>
    private static readonly Recipe Fcns = Recipe.Parse("""
        {
          "model": "fcn32s_vgg16", "epochs": 2, "batchSize": 2, "learningRate": 1e-5, "schedule": "constant", "warmupEpochs": 0, "summedLoss": true,
          "biasLearningRateScale": 2, "biasWeightDecay": 0, "frozen": ["upscore"], "baseSize": null, "cropSize": null, "evalShortSide": null,
          "stages": [{}, { "model": "fcn16s_vgg16", "epochs": 1 }, { "model": "fcn8s_vgg16", "learningRate": 1e-6 }]
        }
        """, "fcns.json");

    private const int Steps = 15;
    private readonly TinyRun undisturbed = new(), resumed = new();

    public void Dispose()
    {
        undisturbed.Dispose();
        resumed.Dispose();
    }

    [Fact]
    public void Cancelled_after_every_step_of_every_stage_it_ends_in_the_same_bits()
    {
        (TrainingStage stage, TrainingState state) = NewRun(undisturbed).Run();
        Assert.Equal((3, 3, "fcn8s_vgg16"), (stage.Number, stage.Count, stage.Recipe.Model));
        Assert.True(state.IsFinished(stage.Recipe));

        var places = new List<(int Stage, int Step)>();
        do
        {
            Assert.InRange(places.Count, 0, Steps);
            (stage, state) = Cancelled(resumed, afterSteps: 1);
            places.Add((stage.Number, state.Step));
        }
        while (!(stage.Number == 3 && state.IsFinished(stage.Recipe)));
        Assert.Equal([(1, 1), (1, 2), (1, 3), (1, 4), (1, 5)], places[..5]);
        Assert.Equal([1, 2, 3], places.Select(p => p.Stage).Distinct());
        SameBits();
    }

    [Fact]
    public void Cancelled_in_an_evaluation_of_each_stage_it_ends_in_the_same_bits()
    {
        NewRun(undisturbed).Run();
        foreach (int number in (int[])[1, 2, 3])
        {
            (TrainingStage stage, TrainingState state) = Cancelled(resumed, inEvaluationOfStage: number);
            Assert.Equal((number, false), (stage.Number, state.IsFinished(stage.Recipe)));
        }
        NewRun(resumed).Run();
        SameBits();
    }

    [Fact]
    public void Killed_between_two_stages_it_begins_with_the_second()
    {
        NewRun(undisturbed).Run();
        KilledAfterTheFirstStage(resumed);
        Assert.True(File.Exists(Path.Combine(resumed.Path, "stage1", "best.safetensors")));
        Assert.False(Directory.Exists(Path.Combine(resumed.Path, "stage2")));
        var stages = new List<int>();
        NewRun(resumed, epochDone: (s, _) => stages.Add(s.Number)).Run();
        Assert.Equal([2, 3, 3], stages);
        SameBits();
    }

    [Fact]
    public void The_second_stage_goes_on_without_the_first_ones_checkpoint()
    {
        NewRun(undisturbed).Run();
        Cancelled(resumed, afterSteps: 8); // two of the second stage
        File.Delete(Path.Combine(resumed.Path, "stage1", "last.safetensors"));
        var stages = new List<int>();
        NewRun(resumed, epochDone: (s, _) => stages.Add(s.Number)).Run();
        Assert.Equal([2, 3, 3], stages);
        SameBits("stage1");
    }

    [Fact]
    public void A_stage_starts_from_the_best_weights_of_the_one_before_and_what_is_new_begins_as_the_paper_says()
    {
        var news = new List<string>();
        Assert.Throws<InvalidOperationException>(() => NewRun(resumed, news: news.Add, progress: (s, _) =>
        {
            if (s.Number == 2) throw new InvalidOperationException("before the second checkpoint of the second stage");
        }).Run());
        SortedDictionary<string, float[]> before = TinyRun.Tensors(Path.Combine(resumed.Path, "stage1", "best.safetensors"));
        SortedDictionary<string, float[]> start = TinyRun.Tensors(Path.Combine(resumed.Path, "stage2", "last.safetensors"));
        foreach ((string name, float[] values) in before.Where(t => !t.Key.StartsWith("upscore", StringComparison.Ordinal))) TensorAssert.SameBits(values, start[name], name);
        Assert.All(start["score_pool4.weight"], v => Assert.Equal(0, v));
        Assert.All(start["score_pool4.bias"], v => Assert.Equal(0, v));
        Assert.Equal([0.0625f, 0.1875f, 0.1875f, 0.0625f], start["upscore2.weight"][..4]); // the corner row of a bilinear kernel of four
        Assert.Contains(before["fc7.weight"], v => v != 0);

        Assert.StartsWith("stage 1/3, fcn32s_vgg16: ", news[0], StringComparison.Ordinal);
        Assert.Contains(" frozen), 2 classes; 7 training images, 2 for validation; ", news[0], StringComparison.Ordinal);
        Assert.Equal("weights from stage 1, fcn32s_vgg16: conv1_1, conv1_2, conv2_1, conv2_2, conv3_1, conv3_2, conv3_3, conv4_1, conv4_2, conv4_3, conv5_1, conv5_2, conv5_3, "
            + "fc6, fc7, score_fr taken over; anew: score_pool4, upscore2, upscore16; not used: upscore", news[3]);
    }

    [Fact]
    public void It_is_the_best_weights_not_the_last_that_the_next_stage_takes()
    {
        KilledAfterTheFirstStage(resumed);
        Model other = Narrow(Fcns with { Seed = 77 });
        ModelFile.Save(Path.Combine(resumed.Path, "stage1", "best.safetensors"), other);
        Cancelled(resumed, afterSteps: 1);
        SortedDictionary<string, float[]> start = TinyRun.Tensors(Path.Combine(resumed.Path, "stage2", "last.safetensors"));
        float[] expected = RawTensor.Of(other.Network.StateDict().Single(s => s.Name == "fc7.weight").Tensor).ToArray();
        TensorAssert.Close(Array.ConvertAll(expected, v => (double)v), start["fc7.weight"], 1e-3);
    }

    [Fact]
    public void Frozen_upsampling_stays_bilinear_to_the_end()
    {
        NewRun(undisturbed).Run();
        SortedDictionary<string, float[]> end = TinyRun.Tensors(Path.Combine(undisturbed.Path, "stage3", "last.safetensors"));
        var fresh = Narrow(Fcns.StageRecipes()[2]).Network.StateDict().ToDictionary(s => s.Name, s => RawTensor.Of(s.Tensor).ToArray());
        foreach (string name in (string[])["upscore2.weight", "upscore_pool4.weight", "upscore8.weight"]) TensorAssert.SameBits(fresh[name], end[name], name);
        Assert.Contains(end["score_pool3.weight"], v => v != 0);
        Assert.DoesNotContain(end.Keys, k => k.StartsWith("training/momentum.upscore", StringComparison.Ordinal));
    }

    [Fact]
    public void Each_stage_has_its_folder_and_the_run_the_last_ones_best_weights()
    {
        // Any models: here one network that first sees small crops.
        Recipe recipe = TinyRun.UNetRecipe with { Stages = Recipe.Parse("""{ "stages": [{ "epochs": 1 }, { "cropSize": [20, 20], "learningRate": 0.01 }] }""", "r").Stages };
        var progress = new List<(string, int)>();
        (TrainingStage stage, TrainingState state) = new TrainingRun(recipe, new Squares(7), new Squares(2), undisturbed.Folder) { Progress = (s, p) => progress.Add((s.Name, p.Epoch)) }.Run();
        Assert.Equal([("stage 1/2, unet", 1), ("stage 2/2, unet", 1), ("stage 2/2, unet", 2)], progress.Distinct());
        Assert.Equal((2, 2), (stage.Number, state.Epoch));
        foreach (string folder in (string[])["stage1", "stage2"])
        {
            foreach (string file in (string[])["best.safetensors", "last.safetensors", "metrics.csv", "log.jsonl"]) Assert.True(File.Exists(Path.Combine(undisturbed.Path, folder, file)), file);
        }
        Assert.Equal(File.ReadAllBytes(Path.Combine(undisturbed.Path, "stage2", "best.safetensors")), File.ReadAllBytes(undisturbed.Folder.Best));
        ModelFile.Load(undisturbed.Folder.Best, out ModelCard card);
        Assert.Equal(state.BestScore, card.Metrics!["mean_iou"]);
        Assert.Equal(1, new RunFolder(Path.Combine(undisturbed.Path, "stage1")).ReadState()!.Epoch);
        byte[] before = File.ReadAllBytes(stage.Folder.Last);
        new TrainingRun(recipe, new Squares(7), new Squares(2), undisturbed.Folder).Run(); // finished: nothing is left to do
        Assert.Equal(before, File.ReadAllBytes(stage.Folder.Last));
    }

    [Fact]
    public void A_recipe_without_stages_is_one_training_in_the_runs_own_folder()
    {
        Recipe recipe = TinyRun.UNetRecipe;
        TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, undisturbed.Folder, validation: new Squares(2));
        (TrainingStage stage, _) = new TrainingRun(recipe, new Squares(7), new Squares(2), resumed.Folder).Run();
        Assert.Equal((1, 1, "unet", resumed.Path), (stage.Number, stage.Count, stage.Name, stage.Folder.Path));
        Assert.Empty(Directory.EnumerateDirectories(resumed.Path));
        foreach ((string name, float[] values) in TinyRun.Tensors(undisturbed.Folder.Last)) TensorAssert.SameBits(values, TinyRun.Tensors(resumed.Folder.Last)[name], name);
    }

    [Fact]
    public void The_first_stage_starts_from_given_weights_and_a_resumed_one_does_not_again()
    {
        Recipe recipe = TinyRun.UNetRecipe with { LearningRate = 1e-30 };
        string weights = Path.Combine(undisturbed.Path, "start.safetensors");
        ModelFile.Save(weights, (recipe with { Seed = 9 }).NewModel(new Squares(1).Classes));
        var news = new List<string>();
        new TrainingRun(recipe, new Squares(7), null, resumed.Folder, weights) { News = news.Add }.Run();
        Assert.Equal($"weights from {weights}: all taken over", news[1]);
        TensorAssert.SameBits(TinyRun.Tensors(weights)["inc.double_conv.0.weight"], TinyRun.Tensors(resumed.Folder.Last)["inc.double_conv.0.weight"]);
        File.Delete(weights);
        new TrainingRun(recipe, new Squares(7), null, resumed.Folder, weights).Run();
    }

    [Theory]
    [InlineData("""{ "model": "unett" }""", "did you mean 'unet'?")]
    [InlineData("""{ "options": { "depth": 9 } }""", "depth must be 1 to 8")]
    [InlineData("""{ "classWeights": [1, 2, 3] }""", "3 figures for 2 classes")]
    [InlineData("""{ "frozen": ["upscore"] }""", "no parameter of unet begins with 'upscore'")]
    [InlineData("""{ "model": "fcn_resnet18" }""", "stage 2: fcn_resnet18 has no tensor in common with stage 1, unet")]
    public void A_mistake_in_the_last_stage_is_found_before_the_first_begins(string stage, string expected)
    {
        Recipe recipe = TinyRun.UNetRecipe with { Stages = Recipe.Parse($$"""{ "stages": [{}, {{stage}}] }""", "r").Stages };
        string path = Path.Combine(undisturbed.Path, "run");
        Exception e = Assert.ThrowsAny<Exception>(() => new TrainingRun(recipe, new Squares(7), null, new RunFolder(path)));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(path));
    }

    [Fact]
    public void Another_training_set_cannot_go_on_with_the_next_stage()
    {
        KilledAfterTheFirstStage(resumed);
        Assert.Contains("another training set", Assert.Throws<TrainingException>(() => new TrainingRun(Fcns, new Squares(8), null, resumed.Folder, newModel: (r, _) => Narrow(r))).Message, StringComparison.Ordinal);
    }

    private static TrainingRun NewRun(
        TinyRun into, Action<TrainingStage, TrainingProgress>? progress = null, Action<TrainingStage, EpochRecord>? epochDone = null, Action<string>? news = null) =>
        new(Fcns, new Squares(7), new Squares(2), into.Folder, newModel: (recipe, _) => Narrow(recipe)) { Progress = progress, EpochDone = epochDone, News = news };

    /// <summary>A run cancelled after so many steps of its own, or in the first evaluation of a stage.</summary>
    private static (TrainingStage Stage, TrainingState State) Cancelled(TinyRun into, int? afterSteps = null, int? inEvaluationOfStage = null)
    {
        using var cancel = new CancellationTokenSource();
        int steps = 0;
        return NewRun(into, progress: (stage, p) =>
        {
            if (p.IsEvaluation ? stage.Number == inEvaluationOfStage : ++steps == afterSteps) cancel.Cancel();
        }).Run(cancel.Token);
    }

    private static void KilledAfterTheFirstStage(TinyRun into) => Assert.Throws<InvalidOperationException>(() => NewRun(into, epochDone: (s, r) =>
    {
        if (s.Number == 1 && r.Epoch == 2) throw new InvalidOperationException("the plug was pulled");
    }).Run());

    private static SemanticModel Narrow(Recipe recipe)
    {
        int stride = recipe.Model switch { "fcn32s_vgg16" => 32, "fcn16s_vgg16" => 16, _ => 8 };
        var network = new FcnVgg(new Philox(recipe.Seed), new FcnVggOptions { NumClasses = 2, Stride = stride, WidthDivisor = 32 });
        var model = new SemanticModel(recipe.Model, network, x => new SemanticLogits(network.Forward(x)), minimumSize: 1)
        {
            Classes = new Squares(1).Classes,
            LossOptions = new SemanticLossOptions { Summed = recipe.SummedLoss },
        };
        recipe.Freeze(model);
        return model;
    }

    /// <summary>Every checkpoint and best file of both runs is the same, metadata aside.</summary>
    private void SameBits(params string[] withoutLast)
    {
        string[] files = ["best.safetensors", .. ((string[])["stage1", "stage2", "stage3"]).SelectMany(s => (string[])[$"{s}/best.safetensors", .. withoutLast.Contains(s) ? [] : new[] { $"{s}/last.safetensors" }])];
        foreach (string file in files)
        {
            SortedDictionary<string, float[]> expected = TinyRun.Tensors(Path.Combine(undisturbed.Path, file)), actual = TinyRun.Tensors(Path.Combine(resumed.Path, file));
            Assert.Equal(expected.Keys, actual.Keys);
            foreach ((string name, float[] values) in expected) TensorAssert.SameBits(values, actual[name], $"{file} {name}");
        }
    }
}
