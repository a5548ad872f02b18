using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Delineate.Data;
using Delineate.Metrics;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Optim;

namespace Delineate.Training;

/// <summary>What the trainer is doing, for a progress line.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Epochs">Planned.</param>
/// <param name="Done">Batches (or evaluated images) done of the current pass.</param>
/// <param name="Count">Batches (or images) of the current pass.</param>
/// <param name="IsEvaluation">True while the validation set is run.</param>
/// <param name="Loss">Mean loss of the epoch so far.</param>
/// <param name="Terms">The mean of each of its terms.</param>
/// <param name="LearningRate">The base rate of the last step.</param>
/// <param name="ImagesPerSecond">Over the epoch so far.</param>
/// <param name="PeakBytes">Most memory that tensors took.</param>
public readonly record struct TrainingProgress(
    int Epoch, int Epochs, int Done, int Count, bool IsEvaluation, double Loss, IReadOnlyDictionary<string, double> Terms, double LearningRate, double ImagesPerSecond, long PeakBytes);

/// <summary>Training that cannot go on: names the step, the images and the figures.</summary>
public sealed class TrainingException(string message) : Exception(message);

/// <summary>
/// Trains a model by a recipe: one visible loop over epochs and batches, an evaluation and a checkpoint after each epoch. Killed at any
/// moment and resumed, it ends in the same weights, bit for bit, as if undisturbed: every random number is a function of (seed, epoch, image or step).
/// </summary>
public sealed class Trainer : IDisposable
{
    private const ulong StepStream = 0x5354_4550; // "STEP": keeps the draws of dropout apart from the loader's, which have the same keys

    private readonly Model model;
    private readonly Recipe recipe;
    private readonly Dataset? validation;
    private readonly DataLoader loader;
    private readonly Optimizer optimizer;
    private readonly Schedule schedule;
    private readonly RunFolder folder;
    private TrainingState state;

    /// <summary>A trainer that writes into <paramref name="folder"/> and goes on where its last checkpoint stands.</summary>
    /// <exception cref="TrainingException">There is nothing to train on, or the folder's run cannot be resumed on this data by this recipe.</exception>
    /// <exception cref="RecipeException">A figure of the recipe is out of its range.</exception>
    public Trainer(Model model, Recipe recipe, Dataset train, Dataset? validation, RunFolder folder)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(recipe);
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(folder);
        (this.model, this.recipe, this.validation, this.folder) = (model, recipe.Checked("the recipe"), validation, folder);
        if (train.Count == 0) throw new TrainingException("the training set is empty");
        bool learnsAlone = model is DetectionModel { Options.FrozenNorm: true }; // no batch normalisation, or one over hundreds of regions
        var reading = new DataLoaderOptions { BatchSize = recipe.BatchSize, Seed = recipe.Seed, LastBatch = learnsAlone ? LastBatch.Keep : LastBatch.DropIfSingle };
        recipe.Freeze(model);
        loader = new DataLoader(train, recipe.Augmentation(train, model), reading);
        optimizer = recipe.MakeOptimizer(model);
        schedule = recipe.MakeSchedule(StepsPerEpoch);
        state = folder.Restore(model, optimizer) ?? new TrainingState { Data = Fingerprint(train) };
        RefuseOtherData(folder, state, train);
        if (state.Batch > loader.BatchesPerEpoch || (state.Batch % recipe.AccumulateBatches != 0 && state.Batch < loader.BatchesPerEpoch))
            throw new TrainingException($"{folder.Path} stopped inside an epoch of other batches: resume it with the batchSize and accumulateBatches it began with");
    }

    /// <summary>Called after every batch and every evaluated image.</summary>
    public Action<TrainingProgress>? Progress { get; init; }

    /// <summary>Called after every epoch, when its checkpoint is written.</summary>
    public Action<EpochRecord>? EpochDone { get; init; }

    /// <summary>Where the run stands.</summary>
    public TrainingState State => state;

    /// <summary>What the user should know of how the data is used, one sentence each.</summary>
    public IReadOnlyList<string> Notes => loader.DroppedPerEpoch == 0 ? [] :
        [$"each epoch leaves out {loader.DroppedPerEpoch} image, another one every time: batch normalisation learns nothing from a last batch of one"];

    private int StepsPerEpoch => (loader.BatchesPerEpoch + recipe.AccumulateBatches - 1) / recipe.AccumulateBatches;

    /// <summary>Trains until the last epoch, an early stop or the end of the time budget. Cancelled, it writes a checkpoint and returns.</summary>
    /// <exception cref="TrainingException">The loss is not finite.</exception>
    public TrainingState Run(CancellationToken cancel = default)
    {
        model.Network.Train().Checkpoint(recipe.Checkpointing);
        folder.Begin(model, state);
        if (state.Step == 0) folder.Checkpoint(model, recipe, optimizer, state); // the starting weights, so that a run killed early loses nothing either
        // A time budget that ran out leaves an epoch to finish, in this session or, interrupted there, in the next.
        while (!state.IsFinished(recipe))
        {
            if (state.Stopped is null && !TrainEpoch(cancel)) break;
            try
            {
                FinishEpoch(cancel);
            }
            catch (OperationCanceledException)
            {
                // Interrupted while evaluating: the epoch's steps are done, a resumed run begins with its evaluation.
                folder.Checkpoint(model, recipe, optimizer, state);
                break;
            }
        }
        return state;
    }

    /// <exception cref="TrainingException">The state is that of a run on another training set.</exception>
    internal static void RefuseOtherData(RunFolder folder, TrainingState state, Dataset train)
    {
        if (state.Data != Fingerprint(train))
            throw new TrainingException($"{folder.Path} holds a run on another training set ({train.Count} images now): choose another output folder, or give this one the data it had");
    }

    private static string Fingerprint(Dataset train) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', train.Names))))[..16];

    /// <summary>Stops the threads that read images.</summary>
    public void Dispose() => loader.Dispose();

    /// <summary>The rest of the current epoch. False where it was cancelled.</summary>
    private bool TrainEpoch(CancellationToken cancel)
    {
        var sinceCheckpoint = Stopwatch.StartNew();
        long began = Stopwatch.GetTimestamp();
        using IEnumerator<Batch[]> groups = loader.Epoch(state.Epoch, state.Batch, CancellationToken.None).Chunk(recipe.AccumulateBatches).GetEnumerator();
        while (Next())
        {
            Batch[] group = groups.Current;
            double rate = schedule.At(state.Step);
            IReadOnlyDictionary<string, double> sums = Step(group, rate);
            double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            began = Stopwatch.GetTimestamp();
            state = state with
            {
                Step = state.Step + 1,
                Batch = state.Batch + group.Length,
                LossSums = Sum(state.LossSums, sums),
                Images = state.Images + group.Sum(b => b.Samples.Count),
                DroppedObjects = state.DroppedObjects + (model is DetectionModel ? group.Sum(b => b.Samples.Sum(s => s.Annotation.DroppedObjects)) : 0),
                EpochSeconds = state.EpochSeconds + seconds,
                ElapsedSeconds = state.ElapsedSeconds + seconds,
            };
            folder.LogStep(state, rate, sums, group.Length, seconds);
            Report(state.Batch, loader.BatchesPerEpoch, evaluation: false, rate);

            bool outOfTime = recipe.TimeBudgetMinutes is { } minutes && state.ElapsedSeconds >= 60 * minutes;
            if (cancel.IsCancellationRequested)
            {
                folder.Checkpoint(model, recipe, optimizer, state);
                return false;
            }
            if (outOfTime)
            {
                state = state with { Stopped = $"the time budget of {recipe.TimeBudgetMinutes} minutes was used up" };
                break;
            }
            if (sinceCheckpoint.Elapsed.TotalMinutes >= recipe.CheckpointMinutes)
            {
                folder.Checkpoint(model, recipe, optimizer, state);
                sinceCheckpoint.Restart();
                began = Stopwatch.GetTimestamp();
            }
        }
        return true;

        bool Next()
        {
            try
            {
                return groups.MoveNext();
            }
            catch (DatasetException)
            {
                folder.Checkpoint(model, recipe, optimizer, state); // a file that cannot be read costs no step that was taken
                throw;
            }
        }
    }

    /// <summary>
    /// One optimizer step on the gradient of a few batches: the mean of theirs, or with a summed loss their sum. Returns the sums of the loss's terms over them.
    /// </summary>
    private Dictionary<string, double> Step(Batch[] group, double rate)
    {
        using RandomScope random = RandomScope.Begin(recipe.Seed ^ StepStream, (ulong)state.Epoch, (ulong)state.Step);
        var sums = new Dictionary<string, double>();
        foreach (Batch batch in group)
        {
            using MemoryScope scope = TensorMemory.Scope();
            Models.Losses losses = model.Loss(batch);
            float total = losses.Total.Item();
            if (!float.IsFinite(total)) throw NotFinite(batch, losses, total, rate);
            sums[""] = sums.GetValueOrDefault("") + total;
            foreach ((string name, float value) in losses.Terms) sums[name] = sums.GetValueOrDefault(name) + value;
            (group.Length == 1 || recipe.SummedLoss ? losses.Total : losses.Total * (1f / group.Length)).Backward();
        }
        if (recipe.ClipGradientNorm is { } norm) GradientClipping.ByNorm(optimizer.Groups.SelectMany(g => g.Parameters.Select(p => p.Tensor)), norm);
        optimizer.Step(rate);
        model.Network.ZeroGrad();
        return sums;
    }

    /// <summary>Evaluates where it is due, keeps the best weights, closes the epoch's books and writes the checkpoint.</summary>
    private void FinishEpoch(CancellationToken cancel)
    {
        int epoch = state.Epoch + 1, batches = Math.Max(1, state.Batch);
        var record = new EpochRecord
        {
            Epoch = epoch,
            Step = state.Step,
            LearningRate = schedule.At(Math.Max(0, state.Step - 1)),
            TrainLoss = state.LossSums.GetValueOrDefault("") / batches,
            Terms = Terms(),
            TrainSeconds = state.EpochSeconds,
            ImagesPerSecond = state.Images / Math.Max(1e-9, state.EpochSeconds),
            DroppedObjects = state.DroppedObjects,
        };
        bool last = epoch == recipe.Epochs || state.Stopped is not null;
        if (validation is { Count: > 0 } && (last || epoch % recipe.EvalEvery == 0)) record = Evaluate(record, cancel);

        state = state with
        {
            Epoch = epoch,
            Batch = 0,
            LossSums = new Dictionary<string, double>(),
            Images = 0,
            DroppedObjects = 0,
            EpochSeconds = 0,
            History = [.. state.History, record],
        };
        // Without a validation set, or with one in which there is nothing to find, the training loss ranks.
        double? score = record.Score ?? (record.Scores is not null || validation is not { Count: > 0 } ? -record.TrainLoss : null);
        if (score is { } now)
        {
            bool better = state.BestScore is not { } best || now > best;
            state = better
                ? state with { BestScore = now, BestEpoch = epoch, EvaluationsSinceBest = 0 }
                : state with { EvaluationsSinceBest = state.EvaluationsSinceBest + 1 };
            if (better) folder.KeepBest(model, recipe, state);
            if (!last && recipe.EarlyStop is { } patience && state.EvaluationsSinceBest >= patience)
                state = state with { Stopped = $"no better {(record.Score is null ? "training loss" : record.Scores!.First()!.Name)} in {patience} evaluations" };
        }
        folder.Checkpoint(model, recipe, optimizer, state);
        EpochDone?.Invoke(record);
    }

    private EpochRecord Evaluate(EpochRecord record, CancellationToken cancel)
    {
        long began = Stopwatch.GetTimestamp();
        Scores scores = Evaluator.Run(model, validation!, EvaluationSize.Original, (i, _) => Report(i + 1, validation!.Count, evaluation: true, 0), cancel).Scores;
        state = state with { ElapsedSeconds = state.ElapsedSeconds + Stopwatch.GetElapsedTime(began).TotalSeconds };
        return record with { Scores = scores };
    }

    private void Report(int done, int count, bool evaluation, double rate) => Progress?.Invoke(new TrainingProgress(
        state.Epoch + 1, recipe.Epochs, done, count, evaluation, state.LossSums.GetValueOrDefault("") / Math.Max(1, state.Batch), Terms(), rate,
        state.Images / Math.Max(1e-9, state.EpochSeconds), TensorMemory.PeakBytes));

    /// <summary>The mean of each term of the loss over the current epoch's batches.</summary>
    private Dictionary<string, double> Terms() => state.LossSums.Where(t => t.Key.Length > 0).ToDictionary(t => t.Key, t => t.Value / Math.Max(1, state.Batch));

    private static Dictionary<string, double> Sum(IReadOnlyDictionary<string, double> a, IReadOnlyDictionary<string, double> b)
    {
        var sum = new Dictionary<string, double>(a);
        foreach ((string name, double value) in b) sum[name] = sum.GetValueOrDefault(name) + value;
        return sum;
    }

    private TrainingException NotFinite(Batch batch, Models.Losses losses, float total, double rate) => new(
        $"the loss is {total} at step {state.Step + 1} of epoch {state.Epoch + 1} (rate {rate:G3}); " +
        $"terms: {string.Join(", ", losses.Terms.Select(t => $"{t.Name} {t.Value:G4}"))}; images: {string.Join(", ", batch.Samples.Select(s => s.Name))}. " +
        $"Lower the learning rate, clip gradients, or look at these images; the last good weights are in {folder.Path}");
}
