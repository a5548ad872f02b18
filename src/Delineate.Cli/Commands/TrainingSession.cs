using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Metrics;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Training;

namespace Delineate.Cli.Commands;

/// <summary>A run from its recipe to its report, as 'train' and 'demo' do it: progress, interruption, evaluation of the best weights, files.</summary>
internal sealed class TrainingSession
{
    private readonly Terminal terminal;
    private readonly Recipe recipe;
    private readonly Dataset train;
    private readonly Dataset? validation;
    private readonly RunFolder folder;
    private readonly string title;
    private readonly TrainingRun run;
    private Action<int, int, string> tell = (_, _, _) => { };

    /// <summary>Makes the networks and reads the weights to start from; nothing is written yet.</summary>
    public TrainingSession(Terminal terminal, Recipe recipe, Dataset train, Dataset? validation, RunFolder folder, string title, string? weights = null)
    {
        (this.terminal, this.recipe, this.train, this.validation, this.folder, this.title) = (terminal, recipe, train, validation, folder, title);
        run = new TrainingRun(recipe, train, validation, folder, weights) { News = terminal.Note, Progress = Tell, EpochDone = PrintEpoch };
    }

    /// <summary>Trains, evaluates the best weights and writes the report. Null where the run was interrupted; it can be resumed.</summary>
    public JsonObject? Run(CancellationToken cancel)
    {
        TensorMemory.ResetPeak();
        (TrainingStage stage, TrainingState state) = terminal.Progress("training", bar =>
        {
            tell = bar;
            return run.Run(cancel);
        });
        if (!state.IsFinished(stage.Recipe))
        {
            string which = stage.Count > 1 ? $" of stage {stage.Number}" : "";
            terminal.Note($"interrupted at step {state.Step} of epoch {state.Epoch + 1}{which}; go on with: delineate train --resume {folder.Path}");
            return null;
        }
        Model best = ModelFile.Load(folder.Best);
        IReadOnlyList<StageResult> results = Results();
        var result = new JsonObject
        {
            ["model"] = best.Name,
            ["parameters"] = best.Network.ParameterCount(),
            ["epochs"] = results.Sum(r => r.State.Epoch),
            ["steps"] = results.Sum(r => r.State.Step),
            ["seconds"] = Math.Round(results.Sum(r => r.State.ElapsedSeconds), 1),
            ["best_epoch"] = state.BestEpoch,
            ["stopped"] = state.Stopped,
            ["peak_memory_mb"] = TensorMemory.PeakBytes >> 20,
            ["best"] = folder.Best,
            ["last"] = stage.Folder.Last,
        };
        if (stage.Count > 1) result["stages"] = StagesJson(results);
        if (validation is not null) result["validation"] = Report(best, validation, results, cancel);
        return result;
    }

    /// <summary>Evaluates the best weights and writes report.html and metrics.json.</summary>
    private JsonObject Report(Model best, Dataset validation, IReadOnlyList<StageResult> results, CancellationToken cancel)
    {
        EvaluationReport report = terminal.Progress("evaluating the best weights", tell =>
            EvaluationReport.Of(best, validation, progress: (done, count) => tell(done, count, "evaluating the best weights"), cancel: cancel));
        StageResult last = results[^1];
        bool staged = last.Stage.Count > 1;
        List<(string, string)> facts =
        [
            ("model", $"{best.Name}, {best.Network.ParameterCount():N0} parameters"),
            ("data", $"{train.Count} training, {validation.Count} validation images"),
            .. staged ? results.Select(r => ($"stage {r.Stage.Number}", r.Summary)) : [("best epoch", $"{last.State.BestEpoch} of {last.State.Epoch}")],
            ("time", Terminal.Duration(TimeSpan.FromSeconds(Math.Round(results.Sum(r => r.State.ElapsedSeconds))))),
            ("peak memory", $"{TensorMemory.PeakBytes >> 20} MB in tensors"),
        ];
        JsonObject json = report.Evaluation.ToJson();
        if (staged) json["stages"] = StagesJson(results);
        Terminal.SaveJson(Path.Combine(folder.Path, "metrics.json"), json);
        File.WriteAllText(Path.Combine(folder.Path, "report.html"), report.ToHtml(title, facts, History(results), recipe));
        ScoreTable.Write(terminal, report.Evaluation);
        return json;
    }

    /// <summary>Where the stages ended, as their folders have it; one whose last checkpoint somebody deleted is left out.</summary>
    private IReadOnlyList<StageResult> Results() =>
        [.. run.Stages.Select(s => s.Folder.ReadState() is { } state ? new StageResult(s, state) : null).OfType<StageResult>()];

    private static JsonArray StagesJson(IReadOnlyList<StageResult> results) => new([.. results.Select(r =>
    {
        var stage = new JsonObject
        {
            ["stage"] = r.Stage.Number,
            ["model"] = r.Stage.Recipe.Model,
            ["epochs"] = r.State.Epoch,
            ["steps"] = r.State.Step,
            ["seconds"] = Math.Round(r.State.ElapsedSeconds, 1),
            ["best_epoch"] = r.State.BestEpoch,
            ["stopped"] = r.State.Stopped,
        };
        foreach (Figure figure in r.Best?.Scores?.Figures ?? []) stage[figure.Key] = figure.Value;
        stage["train_loss"] = r.Best?.TrainLoss;
        stage["folder"] = r.Stage.Folder.Path;
        return stage;
    })]);

    /// <summary>The epochs of all stages, counted on from one to the next, as one curve.</summary>
    private static IReadOnlyList<EpochRecord> History(IReadOnlyList<StageResult> results)
    {
        var history = new List<EpochRecord>();
        (int epochs, int steps) = (0, 0);
        foreach (StageResult r in results)
        {
            history.AddRange(r.State.History.Select(e => e with { Epoch = epochs + e.Epoch, Step = steps + e.Step }));
            (epochs, steps) = (epochs + r.State.Epoch, steps + r.State.Step);
        }
        return history;
    }

    /// <summary>The bar counts the images of the whole run, all stages together; it waits while the validation set is run.</summary>
    private void Tell(TrainingStage stage, TrainingProgress p)
    {
        int before = run.Stages.Take(stage.Number - 1).Sum(s => s.Recipe.Epochs), all = run.Stages.Sum(s => s.Recipe.Epochs);
        double epochs = before + p.Epoch - 1 + (p.IsEvaluation ? 1 : (double)p.Done / p.Count);
        string place = $"{(stage.Count > 1 ? $"{stage.Name}  " : "")}epoch {p.Epoch}/{p.Epochs}  ";
        tell((int)Math.Min(int.MaxValue, epochs * train.Count), (int)Math.Min(int.MaxValue, (double)all * train.Count), place + (p.IsEvaluation
            ? $"evaluation {p.Done}/{p.Count}"
            : string.Create(CultureInfo.InvariantCulture, $"loss {Loss(p.Loss, 3)}{Terms(p.Terms)}  rate {p.LearningRate:G3}  {p.ImagesPerSecond:F1} img/s  {p.PeakBytes >> 20} MB")));
    }

    private void PrintEpoch(TrainingStage stage, EpochRecord r)
    {
        const int Told = 3;
        string score = string.Concat((r.Scores?.Figures ?? []).Take(Told).Select(f => $"  {f.Name} {Percent(f.Value)}"));
        string dropped = r.DroppedObjects > 0 ? $"  left out {r.DroppedObjects} objects of which nothing was left" : "";
        string place = $"{(stage.Count > 1 ? $"{stage.Name}, " : "")}epoch {r.Epoch}/{stage.Recipe.Epochs}";
        terminal.Note(string.Create(CultureInfo.InvariantCulture, $"{place}  loss {Loss(r.TrainLoss, 4)}{Terms(r.Terms)}{score}  {r.TrainSeconds:F0} s  {r.ImagesPerSecond:F1} img/s{dropped}"));
    }

    /// <summary>The terms of a loss that has several: <c> (classifier 0.41, box_reg 0.20, mask 0.52)</c>.</summary>
    private static string Terms(IReadOnlyDictionary<string, double> terms)
    {
        const string Prefix = "loss_"; // which torchvision's names begin with
        return terms.Count < 2 ? "" : $" ({string.Join(", ", terms.Select(t => $"{(t.Key.StartsWith(Prefix, StringComparison.Ordinal) ? t.Key[Prefix.Length..] : t.Key)} {Loss(t.Value, 2)}"))})";
    }

    private static string Percent(double? share) => share is { } s ? (100 * s).ToString("F1", CultureInfo.InvariantCulture) : "-";

    /// <summary>A loss with so many decimals; one summed over pixels has none worth showing.</summary>
    private static string Loss(double loss, int decimals) =>
        loss.ToString(Math.Abs(loss) < 1000 ? $"F{decimals}" : "F0", CultureInfo.InvariantCulture);

    private sealed record StageResult(TrainingStage Stage, TrainingState State)
    {
        /// <summary>The epoch whose weights are the stage's best.</summary>
        public EpochRecord? Best => State.History.FirstOrDefault(r => r.Epoch == State.BestEpoch);

        public string Summary
        {
            get
            {
                string score = Best?.Scores?.First() is { } first ? $", {first.Name} {Percent(first.Value)}" : "";
                return $"{Stage.Recipe.Model}, best epoch {State.BestEpoch} of {State.Epoch}{score}";
            }
        }
    }
}
