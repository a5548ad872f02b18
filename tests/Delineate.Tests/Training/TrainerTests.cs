using Delineate.Data;
using Delineate.Losses;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Optim;
using Delineate.Testing;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Training;

/// <summary>The memory counters are the process's, so these tests run while no other does.</summary>
[CollectionDefinition(nameof(TrainerTests), DisableParallelization = true)]
[Collection(nameof(TrainerTests))]
public sealed class TrainerTests : IDisposable
{
    private readonly TinyRun run = new();

    public void Dispose() => run.Dispose();

    [Fact]
    public void The_auxiliary_head_has_a_group_of_its_own_at_ten_times_the_rate()
    {
        SemanticModel model = TinyRun.Fcn();
        Optimizer optimizer = new Recipe().MakeOptimizer(model);
        Assert.Equal([1, 10], optimizer.Groups.Select(g => g.LearningRateScale));
        Assert.All(optimizer.Groups[1].Parameters, p => Assert.StartsWith("aux_classifier.", p.Name, StringComparison.Ordinal));
        Assert.DoesNotContain(optimizer.Groups[0].Parameters, p => p.Name.StartsWith("aux_classifier.", StringComparison.Ordinal));
        Assert.Equal(model.Network.NamedParameters().Count(), optimizer.Groups.Sum(g => g.Parameters.Count));
        Assert.Single(new Recipe().MakeOptimizer(Pointwise()).Groups);
    }

    [Fact]
    public void Accumulated_batches_step_along_the_mean_gradient_of_the_large_one()
    {
        // No normalisation and no ignored pixel: the mean over 4 images is the mean of the means over 2.
        Recipe recipe = TinyRun.UNetRecipe with { Epochs = 1, BaseSize = null, CropSize = [20, 20], ColorJitter = 0, WarmupEpochs = 0, BatchSize = 4 };
        var data = new Renamed([1, 2, 4, 5, 7, 8, 10, 11]); // none of them has an ignored border
        float[] large = Trained(recipe), accumulated = Trained(recipe with { BatchSize = 2, AccumulateBatches = 2 }), small = Trained(recipe with { BatchSize = 2 });
        TensorAssert.Close(Array.ConvertAll(large, v => (double)v), accumulated, 1e-5);
        Assert.Throws<Xunit.Sdk.FailException>(() => TensorAssert.Close(Array.ConvertAll(large, v => (double)v), small, 1e-5));

        float[] Trained(Recipe recipe)
        {
            using var own = new TinyRun();
            SemanticModel model = Pointwise();
            TinyRun.Train(model, recipe, own.Folder, data);
            return [.. model.Network.StateDict().SelectMany(s => s.Tensor.ToArray())];
        }
    }

    [Fact]
    public void Accumulated_batches_of_a_summed_loss_step_along_the_sum()
    {
        // The sum over the pixels of 4 images is the sum of the sums over 2, whatever is ignored in them.
        Recipe recipe = Plain with { BatchSize = 4, SummedLoss = true, LearningRate = 1e-5 };
        double[] large = Array.ConvertAll(Trained(recipe), v => (double)v);
        TensorAssert.Close(large, Trained(recipe with { BatchSize = 2, AccumulateBatches = 2 }), 1e-5);
        Assert.Throws<Xunit.Sdk.FailException>(() => TensorAssert.Close(large, Trained(recipe with { BatchSize = 2, AccumulateBatches = 2, LearningRate = 5e-6 }), 1e-5));

        float[] Trained(Recipe recipe)
        {
            using var own = new TinyRun();
            SemanticModel model = Pointwise(summed: true);
            TinyRun.Train(model, recipe, own.Folder, new Squares(8));
            return [.. model.Network.StateDict().SelectMany(s => s.Tensor.ToArray())];
        }
    }

    [Fact]
    public void Clipping_bounds_the_gradient_of_the_whole_step()
    {
        SemanticModel model = Pointwise(summed: true);
        double[] before = Values(model);
        Recipe recipe = Plain with { SummedLoss = true, AccumulateBatches = 4, BatchSize = 1, LearningRate = 0.5, Momentum = 0, WeightDecay = 0, ClipGradientNorm = 0.25 };
        Assert.Equal(1, TinyRun.Train(model, recipe, run.Folder, new Squares(4)).Step);
        Assert.Equal(0.5 * 0.25, Math.Sqrt(Values(model).Zip(before, (a, b) => (a - b) * (a - b)).Sum()), 1e-6);
    }

    [Fact]
    public void Biases_learn_at_their_own_multiple_of_the_rate_and_without_decay()
    {
        SemanticModel model = Pointwise();
        Batch batch = new([new Squares(2).Load(0), new Squares(2).Load(1)]);
        model.Loss(batch).Total.Backward();
        (string Name, double[] Values, double[] Gradient)[] before = [.. model.Network.NamedParameters().Select(p =>
            (p.Name, Doubles(p.Tensor), Doubles(p.Tensor.Gradient!)))];
        model.Network.ZeroGrad();
        Recipe recipe = Plain with { BatchSize = 2, LearningRate = 0.1, Momentum = 0, WeightDecay = 0.5, BiasLearningRateScale = 2, BiasWeightDecay = 0 };
        TinyRun.Train(model, recipe, run.Folder, new Squares(2));
        foreach ((string name, double[] values, double[] gradient) in before)
        {
            double[] expected = [.. values.Zip(gradient, (w, g) => name == "bias" ? w - (0.2 * g) : w - (0.1 * (g + (0.5 * w))))];
            TensorAssert.Close(expected, model.Network.NamedParameters().Single(p => p.Name == name).Tensor, 1e-5, name);
        }
    }

    [Fact]
    public void Biases_apart_make_a_group_beside_each_other_group()
    {
        SemanticModel model = TinyRun.Fcn();
        Optimizer optimizer = new Recipe { BiasLearningRateScale = 2, BiasWeightDecay = 0 }.MakeOptimizer(model);
        Assert.Equal([(1, null), (2, 0), (10, null), (20, 0)], optimizer.Groups.Select(g => (g.LearningRateScale, g.WeightDecay)));
        Assert.Equal(model.Network.NamedParameters().Count(), optimizer.Groups.Sum(g => g.Parameters.Count));
        Assert.All(optimizer.Groups[1].Parameters.Concat(optimizer.Groups[3].Parameters), p => Assert.EndsWith(".bias", p.Name, StringComparison.Ordinal));
        Assert.DoesNotContain(optimizer.Groups[0].Parameters.Concat(optimizer.Groups[2].Parameters), p => p.Name.EndsWith(".bias", StringComparison.Ordinal));
        Assert.Equal([(1, null), (1, 0)], new Recipe { BiasWeightDecay = 0 }.MakeOptimizer(Pointwise()).Groups.Select(g => (g.LearningRateScale, g.WeightDecay)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_frozen_keeps_its_values_and_the_rest_learns(bool checkpointing)
    {
        Recipe recipe = TinyRun.UNetRecipe with { CropSize = [24, 24], Frozen = ["backbone.conv1", "backbone.layer", "aux_classifier"], Checkpointing = checkpointing };
        SemanticModel model = TinyRun.Fcn();
        Dictionary<string, float[]> before = model.Network.NamedParameters().ToDictionary(p => p.Name, p => p.Tensor.ToArray());
        TinyRun.Train(model, recipe, run.Folder, steps: 2);
        model = TinyRun.Fcn();
        TinyRun.Train(model, recipe, run.Folder); // the rest of it, resumed
        foreach ((string name, Tensor tensor) in model.Network.NamedParameters())
        {
            if (recipe.Frozen.Any(f => name.StartsWith(f, StringComparison.Ordinal))) TensorAssert.SameBits(before[name], tensor.Span, name);
            else Assert.False(before[name].AsSpan().SequenceEqual(tensor.Span), name);
            Assert.Null(tensor.Gradient);
        }
        string[] state = [.. TinyRun.Tensors(run.Folder.Last).Keys.Where(k => k.StartsWith("training/momentum.", StringComparison.Ordinal))];
        Assert.Contains("training/momentum.backbone.bn1.weight", state);
        Assert.DoesNotContain(state, k => k.Contains("backbone.layer", StringComparison.Ordinal) || k.Contains("aux_", StringComparison.Ordinal));
        using var whole = new TinyRun();
        TinyRun.Train(TinyRun.Fcn(), recipe with { Checkpointing = false }, whole.Folder);
        SortedDictionary<string, float[]> expected = TinyRun.Tensors(whole.Folder.Last), actual = TinyRun.Tensors(run.Folder.Last);
        Assert.Equal(expected.Keys, actual.Keys);
        foreach ((string name, float[] values) in expected) TensorAssert.SameBits(values, actual[name], name);
    }

    [Fact]
    public void Whole_images_of_any_size_train_without_a_crop()
    {
        var sizes = new List<(int, int)>();
        var network = new Conv2d(new Philox(5), 3, 2, 1);
        var model = new SemanticModel("pointwise", network, Seen, minimumSize: 1) { Classes = new Squares(1).Classes };
        TinyRun.Train(model, Plain with { BatchSize = 1 }, run.Folder, new Squares(3, side: 27));
        Assert.Equal([(27, 27), (27, 27), (27, 27)], sizes);

        SemanticLogits Seen(Tensor x)
        {
            sizes.Add((x.Shape[1], x.Shape[2]));
            return new SemanticLogits(network.Forward(x));
        }
    }

    [Fact]
    public void Checkpointing_ends_in_the_same_weights()
    {
        Recipe recipe = TinyRun.UNetRecipe with { CropSize = [24, 24] };
        TensorAssert.SameBits(Trained(recipe, out bool plain), Trained(recipe with { Checkpointing = true }, out bool checkpointing));
        Assert.Equal((false, true), (plain, checkpointing));

        static float[] Trained(Recipe recipe, out bool checkpointing)
        {
            using var own = new TinyRun();
            SemanticModel model = TinyRun.Fcn();
            TinyRun.Train(model, recipe, own.Folder);
            checkpointing = model.Network.IsCheckpointing;
            return [.. model.Network.StateDict().SelectMany(s => s.Tensor.ToArray())];
        }
    }

    [Fact]
    public void The_loss_falls_and_the_best_weights_are_those_of_the_best_evaluation()
    {
        Recipe recipe = TinyRun.UNetRecipe with { Epochs = 6, Optimizer = OptimizerKind.AdamW, LearningRate = 0.02, ColorJitter = 0 };
        Dataset validation = new Squares(3);
        TrainingState state = TinyRun.Train(recipe.NewModel(validation.Classes), recipe, run.Folder, new Squares(8), validation);
        Assert.Equal(Enumerable.Range(1, 6), state.History.Select(r => r.Epoch));
        Assert.True(state.History[^1].TrainLoss < 0.7 * state.History[0].TrainLoss);
        Assert.Equal(state.History.Max(r => r.Score), state.BestScore);
        Assert.Equal(state.BestScore, state.History[state.BestEpoch - 1].Score);
        Model best = ModelFile.Load(run.Folder.Best, out ModelCard card);
        Assert.Equal(state.BestScore, Evaluator.Run(best, validation).Scores.Figures[0].Value);
        Assert.Equal(state.BestScore, card.Metrics!["mean_iou"]);
        Assert.Equal(state.BestEpoch, card.Metrics["epoch"]);
    }

    [Fact]
    public void Without_a_validation_set_the_lowest_training_loss_is_best()
    {
        TrainingState state = TinyRun.Train(TinyRun.UNetRecipe.NewModel(new Squares(1).Classes), TinyRun.UNetRecipe, run.Folder);
        Assert.Equal(-state.History.Min(r => r.TrainLoss), state.BestScore);
        Assert.All(state.History, r => Assert.Null(r.Scores));
        Assert.True(File.Exists(run.Folder.Best));
    }

    [Fact]
    public void Evaluation_comes_every_so_many_epochs_and_after_the_last()
    {
        Recipe recipe = TinyRun.UNetRecipe with { Epochs = 5, EvalEvery = 2 };
        TrainingState state = TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, run.Folder, new Squares(2), new Squares(1));
        Assert.Equal([2, 4, 5], state.History.Where(r => r.Score is not null).Select(r => r.Epoch));
    }

    [Fact]
    public void A_run_without_progress_stops_early_and_says_why()
    {
        Recipe recipe = TinyRun.UNetRecipe with { Epochs = 9, LearningRate = 1e-30, WarmupEpochs = 0, EarlyStop = 2, EvalShortSide = null };
        SemanticModel model = Pointwise();
        TrainingState state = TinyRun.Train(model, recipe, run.Folder, new Squares(2), new Squares(1));
        Assert.Equal((3, 1), (state.Epoch, state.BestEpoch));
        Assert.Equal("no better mean IoU in 2 evaluations", state.Stopped);
    }

    [Fact]
    public void A_used_up_time_budget_stops_after_the_step_and_evaluates()
    {
        Recipe recipe = TinyRun.UNetRecipe with { TimeBudgetMinutes = 1e-9 };
        TrainingState state = TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, run.Folder, validation: new Squares(1));
        Assert.Equal(1, state.Step);
        Assert.Contains("time budget", state.Stopped, StringComparison.Ordinal);
        Assert.NotNull(Assert.Single(state.History).Score);
    }

    [Fact]
    public void A_loss_that_is_not_finite_stops_and_names_step_images_and_terms()
    {
        Recipe recipe = TinyRun.UNetRecipe with { LearningRate = 1e30, WarmupEpochs = 0, DiceWeight = 1 };
        TrainingException e = Assert.Throws<TrainingException>(() => TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, run.Folder));
        foreach (string part in (string[])["step 2 of epoch 1", "cross_entropy", "dice", "square", "rate", run.Path]) Assert.Contains(part, e.Message, StringComparison.Ordinal);
        Assert.All(TinyRun.Tensors(run.Folder.Last), t => Assert.All(t.Value, v => Assert.True(float.IsFinite(v)))); // the starting weights
    }

    [Fact]
    public void Weights_that_are_not_finite_never_replace_a_checkpoint()
    {
        Recipe recipe = TinyRun.UNetRecipe with { LearningRate = 1e38, WeightDecay = 1, WarmupEpochs = 0, Epochs = 1, Momentum = 0 };
        SemanticModel model = Pointwise();
        foreach ((_, Tensor tensor) in model.Network.NamedParameters()) tensor.Span.Fill(100); // rate · decay · 100 is beyond a float
        TrainingException e = Assert.Throws<TrainingException>(() => TinyRun.Train(model, recipe, run.Folder, new Squares(2)));
        Assert.Contains("no longer finite after step 1", e.Message, StringComparison.Ordinal);
        Assert.Equal(100, TinyRun.Tensors(run.Folder.Last)["weight"][0]);
    }

    [Fact]
    public void A_last_batch_of_one_is_left_out_and_said()
    {
        Recipe recipe = TinyRun.UNetRecipe with { Epochs = 1 };
        using var trainer = new Trainer(recipe.NewModel(new Squares(1).Classes), recipe, new Squares(5), null, run.Folder);
        Assert.Contains("leaves out 1 image", Assert.Single(trainer.Notes), StringComparison.Ordinal);
        Assert.Equal(2, trainer.Run().Step);
    }

    [Fact]
    public void A_training_set_of_one_image_trains()
    {
        TrainingState state = TinyRun.Train(TinyRun.UNetRecipe.NewModel(new Squares(1).Classes), TinyRun.UNetRecipe, run.Folder, new Squares(1));
        Assert.Equal(2, state.Step);
        Assert.True(double.IsFinite(state.History[^1].TrainLoss));
    }

    [Fact]
    public void An_empty_training_set_is_refused() =>
        Assert.Contains("empty", Assert.Throws<TrainingException>(() => TinyRun.Train(Pointwise(), TinyRun.UNetRecipe, run.Folder, new Squares(0))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_file_that_cannot_be_read_is_named_and_costs_no_step()
    {
        bool broken = true;
        var data = new Squares(6)
        {
            Reading = i =>
            {
                if (i == 4 && broken) throw new DatasetException("images/square4.png", "cut short", null);
            },
        };
        // Which step meets the image depends on the order alone.
        int place = Array.IndexOf(new DataLoader(data, options: new DataLoaderOptions { BatchSize = 2, Seed = TinyRun.UNetRecipe.Seed }).Order(0), 4) / 2;
        DatasetException e = Assert.Throws<DatasetException>(() => TinyRun.Train(Model(), TinyRun.UNetRecipe, run.Folder, data));
        Assert.Contains("images/square4.png", e.Message, StringComparison.Ordinal);
        broken = false; // mended
        using (var trainer = new Trainer(Model(), TinyRun.UNetRecipe, data, null, run.Folder)) Assert.Equal(place, trainer.State.Step);
        Assert.Equal(6, TinyRun.Train(Model(), TinyRun.UNetRecipe, run.Folder, data).Step);

        static Model Model() => TinyRun.UNetRecipe.NewModel(new Squares(1).Classes);
    }

    [Fact]
    public void Nothing_but_weights_and_optimizer_state_stays_in_memory()
    {
        Recipe recipe = TinyRun.UNetRecipe with { Epochs = 4, BaseSize = null };
        Model model = recipe.NewModel(new Squares(1).Classes);
        using var trainer = new Trainer(model, recipe, new Squares(6), new Squares(2), run.Folder);
        long before = TensorMemory.BytesInUse;
        trainer.Run();
        Assert.InRange(TensorMemory.BytesInUse, 0, before); // falls only when the collector takes what other tests left
    }

    [Fact]
    public void Steps_take_no_new_memory_once_the_first_are_done()
    {
        Recipe recipe = TinyRun.UNetRecipe with { Epochs = 4, BaseSize = null };
        var peaks = new List<long>();
        int before = ThreadTeam.Threads;
        ThreadTeam.Threads = 1; // how many threads want scratch at the same moment is chance
        try
        {
            using var trainer = new Trainer(recipe.NewModel(new Squares(1).Classes), recipe, new Squares(6), null, run.Folder) { Progress = _ => peaks.Add(TensorMemory.PeakBytes) };
            TensorMemory.Trim();
            TensorMemory.ResetPeak();
            trainer.Run();
        }
        finally
        {
            ThreadTeam.Threads = before;
        }
        Assert.Equal(12, peaks.Count);
        Assert.Equal(peaks[3], peaks[^1]);
    }

    [Fact]
    public void Another_training_set_another_batch_size_or_another_optimizer_cannot_go_on_with_a_run()
    {
        TinyRun.Train(Model(), TinyRun.UNetRecipe, run.Folder, steps: 1);
        Assert.Contains("another training set", Refusal(TinyRun.UNetRecipe, new Squares(8)), StringComparison.Ordinal);
        Assert.Contains("other batches", Refusal(TinyRun.UNetRecipe with { AccumulateBatches = 2 }, new Squares(7)), StringComparison.Ordinal);
        Assert.Contains("another optimizer", Refusal(TinyRun.UNetRecipe with { Optimizer = OptimizerKind.AdamW }, new Squares(7)), StringComparison.Ordinal);

        string Refusal(Recipe recipe, Dataset data) => Assert.Throws<TrainingException>(() => new Trainer(Model(), recipe, data, null, run.Folder)).Message;

        static Model Model() => TinyRun.UNetRecipe.NewModel(new Squares(1).Classes);
    }

    /// <summary>One epoch over images as they are.</summary>
    private static Recipe Plain => TinyRun.UNetRecipe with { Epochs = 1, BaseSize = null, CropSize = null, ColorJitter = 0, FlipProbability = 0, WarmupEpochs = 0, Schedule = ScheduleKind.Constant };

    /// <summary>One 1×1 convolution: what comes out of it can be computed by hand.</summary>
    private static SemanticModel Pointwise(bool summed = false)
    {
        var network = new Conv2d(new Philox(5), 3, 2, 1);
        return new SemanticModel("pointwise", network, x => new SemanticLogits(network.Forward(x)), minimumSize: 1) { Classes = new Squares(1).Classes, LossOptions = new SemanticLossOptions { Summed = summed } };
    }

    private static double[] Values(Model model) => [.. model.Network.StateDict().SelectMany(s => Doubles(s.Tensor))];

    private static double[] Doubles(Tensor tensor) => Array.ConvertAll(tensor.ToArray(), v => (double)v);

    /// <summary>Some of the squares.</summary>
    private sealed class Renamed(int[] indices) : Dataset
    {
        private readonly Squares all = new(indices.Max() + 1);

        public override ClassTable Classes => all.Classes;

        public override IReadOnlyList<string> Names { get; } = [.. indices.Select(i => $"square{i}")];

        public override Sample Load(int index) => all.Load(indices[index]);
    }
}
