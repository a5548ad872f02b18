using System.Text.Json;
using Delineate.Models;
using Delineate.Tensors.Kernels;
using Delineate.Training;
using Xunit;

namespace Delineate.Tests.Training;

/// <summary>A run that is stopped and resumed ends in the bits of one that was not. The thread team is the process's, so no other test runs beside.</summary>
[CollectionDefinition(nameof(ResumeTests), DisableParallelization = true)]
[Collection(nameof(ResumeTests))]
public sealed class ResumeTests : IDisposable
{
    private const int Steps = 6; // 7 images in batches of 2, the single one dropped: 3 steps an epoch, or 2 of accumulated batches
    private readonly TinyRun undisturbed = new(), resumed = new();

    public void Dispose()
    {
        undisturbed.Dispose();
        resumed.Dispose();
    }

    [Theory]
    [InlineData(OptimizerKind.Sgd, 1)]
    [InlineData(OptimizerKind.AdamW, 1)]
    [InlineData(OptimizerKind.Sgd, 2)]
    [InlineData(OptimizerKind.AdamW, 2)]
    public void A_run_cancelled_after_every_step_ends_in_the_same_bits(OptimizerKind optimizer, int accumulate)
    {
        Recipe recipe = TinyRun.UNetRecipe with { Optimizer = optimizer, AccumulateBatches = accumulate, LearningRate = 0.01, ClipGradientNorm = 1 };
        TrainingState whole = TinyRun.Train(Model(), recipe, undisturbed.Folder, validation: new Squares(2));
        TrainingState state = new();
        for (int session = 0; state.Epoch < recipe.Epochs; session++)
        {
            Assert.InRange(session, 0, Steps);
            state = TinyRun.Train(Model(), recipe, resumed.Folder, validation: new Squares(2), steps: 1); // a new model and trainer each time
        }
        SameBits();
        Assert.Equal(accumulate == 1 ? Steps : 4, whole.Step);
        Assert.Equal(whole.Step, state.Step);
        Assert.Equal(whole.BestEpoch, state.BestEpoch);
        Assert.Equal(whole.History.Select(r => (r.Epoch, r.Step, r.TrainLoss, r.Score)), state.History.Select(r => (r.Epoch, r.Step, r.TrainLoss, r.Score)));

        Model Model() => recipe.NewModel(new Squares(1).Classes);
    }

    [Fact]
    public void Dropout_repeats_its_draws_in_a_resumed_run()
    {
        Recipe recipe = TinyRun.UNetRecipe with { CropSize = [24, 24] };
        TinyRun.Train(TinyRun.Fcn(), recipe, undisturbed.Folder);
        TinyRun.Train(TinyRun.Fcn(), recipe, resumed.Folder, steps: 2);
        TinyRun.Train(TinyRun.Fcn(), recipe, resumed.Folder, steps: 2);
        TinyRun.Train(TinyRun.Fcn(), recipe, resumed.Folder);
        SameBits();
    }

    [Fact]
    public void Interrupted_during_an_evaluation_it_evaluates_again_and_trains_no_step_twice()
    {
        Recipe recipe = TinyRun.UNetRecipe;
        TrainingState whole = TinyRun.Train(Model(), recipe, undisturbed.Folder, validation: new Squares(3));
        TrainingState state = TinyRun.Train(Model(), recipe, resumed.Folder, validation: new Squares(3), evaluated: 2);
        Assert.Equal((0, 3, 3), (state.Epoch, state.Batch, state.Step));
        Assert.False(File.Exists(resumed.Folder.Best));
        state = TinyRun.Train(Model(), recipe, resumed.Folder, validation: new Squares(3), evaluated: 5); // the second epoch's evaluation
        Assert.Equal((1, 6), (state.Epoch, state.Step));
        state = TinyRun.Train(Model(), recipe, resumed.Folder, validation: new Squares(3));
        SameBits();
        Assert.Equal(whole.BestScore, state.BestScore);

        static Model Model() => TinyRun.UNetRecipe.NewModel(new Squares(1).Classes);
    }

    [Fact]
    public void A_copy_of_the_folder_from_inside_an_epoch_ends_in_the_same_bits_on_another_number_of_threads()
    {
        Recipe recipe = TinyRun.UNetRecipe with { CheckpointMinutes = 1e-9 };
        string crashed = resumed.Path;
        int before = ThreadTeam.Threads;
        try
        {
            ThreadTeam.Threads = 1;
            using (var trainer = new Trainer(recipe.NewModel(new Squares(1).Classes), recipe, new Squares(7), null, undisturbed.Folder)
            {
                // Two steps later than the one whose checkpoint is copied, so that the log is ahead of it, as after a crash.
                Progress = p =>
                {
                    if (p is { Epoch: 2, Done: 2 }) undisturbed.CopyTo(crashed);
                },
            })
            {
                trainer.Run();
            }
            File.AppendAllText(Path.Combine(crashed, "log.jsonl"), "{\"step\":6,\"epo"); // a line cut off
            File.WriteAllText(Path.Combine(crashed, "last.safetensors.partial"), "half");
            ThreadTeam.Threads = 2;
            using var again = new Trainer(recipe.NewModel(new Squares(1).Classes), recipe, new Squares(7), null, resumed.Folder);
            Assert.Equal((1, 1, 4), (again.State.Epoch, again.State.Batch, again.State.Step));
            again.Run();
        }
        finally
        {
            ThreadTeam.Threads = before;
        }
        SameBits();
        Assert.Empty(Directory.EnumerateFiles(crashed, "*.partial"));
        Assert.Equal(Enumerable.Range(1, Steps), LoggedSteps(crashed));
    }

    [Fact]
    public void The_log_and_the_table_go_on_without_a_gap_or_a_repetition()
    {
        Recipe recipe = TinyRun.UNetRecipe;
        TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, resumed.Folder, steps: 4);
        TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, resumed.Folder);
        Assert.Equal(Enumerable.Range(1, Steps), LoggedSteps(resumed.Path));
        string[] table = File.ReadAllLines(Path.Combine(resumed.Path, "metrics.csv"));
        Assert.StartsWith("epoch,step,rate,train_loss,cross_entropy,train_seconds,images_per_second,mean_iou", table[0], StringComparison.Ordinal);
        Assert.Equal(["1,3", "2,6"], table[1..].Select(line => string.Join(',', line.Split(',')[..2])));
    }

    [Fact]
    public void A_time_budget_that_ran_out_before_an_interrupted_evaluation_still_gets_its_evaluation()
    {
        Recipe recipe = TinyRun.UNetRecipe with { TimeBudgetMinutes = 1e-9 };
        TrainingState state = TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, resumed.Folder, validation: new Squares(3), evaluated: 1);
        Assert.Equal((0, 1), (state.Epoch, state.Step));
        Assert.NotNull(state.Stopped);
        state = TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, resumed.Folder, validation: new Squares(3));
        Assert.Equal((1, 1), (state.Epoch, state.Step));
        Assert.NotNull(Assert.Single(state.History).Score);
        Assert.True(File.Exists(resumed.Folder.Best));
    }

    [Fact]
    public void A_finished_run_resumed_changes_nothing()
    {
        Recipe recipe = TinyRun.UNetRecipe;
        TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, resumed.Folder);
        byte[] before = File.ReadAllBytes(resumed.Folder.Last);
        TrainingState state = TinyRun.Train(recipe.NewModel(new Squares(1).Classes), recipe, resumed.Folder);
        Assert.Equal(2, state.Epoch);
        Assert.Equal(before, File.ReadAllBytes(resumed.Folder.Last));
    }

    private static int[] LoggedSteps(string folder) => [.. File.ReadLines(Path.Combine(folder, "log.jsonl")).Select(line =>
    {
        using var json = JsonDocument.Parse(line);
        int step = json.RootElement.GetProperty("step").GetInt32();
        Assert.Equal(step <= 3 ? 1 : 2, json.RootElement.GetProperty("epoch").GetInt32());
        return step;
    })];

    private void SameBits()
    {
        SortedDictionary<string, float[]> expected = TinyRun.Tensors(undisturbed.Folder.Last), actual = TinyRun.Tensors(resumed.Folder.Last);
        Assert.Contains(expected.Keys, k => k.StartsWith("training/", StringComparison.Ordinal));
        Assert.Equal(expected.Keys, actual.Keys);
        foreach ((string name, float[] values) in expected) Testing.TensorAssert.SameBits(values, actual[name], name);
        if (File.Exists(undisturbed.Folder.Best))
        {
            foreach ((string name, float[] values) in TinyRun.Tensors(undisturbed.Folder.Best)) Testing.TensorAssert.SameBits(values, TinyRun.Tensors(resumed.Folder.Best)[name], $"best {name}");
        }
    }
}
