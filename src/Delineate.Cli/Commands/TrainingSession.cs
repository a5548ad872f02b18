using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Delineate.Training;

namespace Delineate.Cli.Commands;

/// <summary>A run from its recipe to its report, as 'train' and 'demo' do it: progress, interruption, evaluation of the best weights, files.</summary>
internal static class TrainingSession
{
    /// <summary>Trains, evaluates the best weights and writes the report. Null where the run was interrupted; it can be resumed.</summary>
    public static JsonObject? Run(Terminal terminal, Recipe recipe, Model model, Dataset train, Dataset? validation, RunFolder folder, string title, CancellationToken cancel)
    {
        long parameters = model.Network.ParameterCount();
        terminal.Note($"{model.Name}: {parameters:N0} parameters, {model.Classes.Count} classes; {train.Count} training images{(validation is null ? "" : $", {validation.Count} for validation")}; {ThreadTeam.Threads} threads");
        TrainingState state = terminal.Progress("training", tell =>
        {
            int batches = 0;
            using var trainer = new Trainer(model, recipe, train, validation, folder)
            {
                Progress = p =>
                {
                    // The bar counts the batches of the whole run; it waits while the validation set is run.
                    if (!p.IsEvaluation) batches = p.Count;
                    if (p.IsEvaluation) tell(p.Epoch * batches, p.Epochs * batches, $"epoch {p.Epoch}/{p.Epochs}  evaluation {p.Done}/{p.Count}");
                    else tell(((p.Epoch - 1) * batches) + p.Done, p.Epochs * batches, string.Create(CultureInfo.InvariantCulture, $"epoch {p.Epoch}/{p.Epochs}  loss {p.Loss:F3}  rate {p.LearningRate:G3}  {p.ImagesPerSecond:F1} img/s  {p.PeakBytes >> 20} MB"));
                },
                EpochDone = r => PrintEpoch(terminal, recipe, r),
            };
            if (trainer.State.Step > 0) terminal.Note($"resumed at step {trainer.State.Step} in epoch {Math.Min(recipe.Epochs, trainer.State.Epoch + 1)}");
            foreach (string note in trainer.Notes) terminal.Note(note);
            return trainer.Run(cancel);
        });
        if (state.Epoch < recipe.Epochs && state.Stopped is null)
        {
            terminal.Note($"interrupted at step {state.Step} of epoch {state.Epoch + 1}; go on with: delineate train --resume {folder.Path}");
            return null;
        }
        if (state.Stopped is { } why) terminal.Note($"stopped early: {why}");

        var result = new JsonObject
        {
            ["model"] = model.Name,
            ["parameters"] = parameters,
            ["epochs"] = state.Epoch,
            ["steps"] = state.Step,
            ["seconds"] = Math.Round(state.ElapsedSeconds, 1),
            ["best_epoch"] = state.BestEpoch,
            ["stopped"] = state.Stopped,
            ["peak_memory_mb"] = TensorMemory.PeakBytes >> 20,
            ["best"] = folder.Best,
            ["last"] = folder.Last,
        };
        if (validation is not null) result["validation"] = Report(terminal, folder, title, recipe, train, validation, state, cancel);
        return result;
    }

    /// <summary>Evaluates the best weights and writes report.html and metrics.json.</summary>
    private static JsonObject Report(Terminal terminal, RunFolder folder, string title, Recipe recipe, Dataset train, Dataset validation, TrainingState state, CancellationToken cancel)
    {
        Model best = ModelFile.Load(folder.Best);
        EvaluationReport report = terminal.Progress("evaluating the best weights", tell =>
            EvaluationReport.Of(best, validation, progress: (done, count) => tell(done, count, "evaluating the best weights"), cancel: cancel));
        List<(string, string)> facts =
        [
            ("model", $"{best.Name}, {best.Network.ParameterCount():N0} parameters"),
            ("data", $"{train.Count} training, {validation.Count} validation images"),
            ("best epoch", $"{state.BestEpoch} of {state.Epoch}"),
            ("time", Terminal.Duration(TimeSpan.FromSeconds(Math.Round(state.ElapsedSeconds)))),
            ("peak memory", $"{TensorMemory.PeakBytes >> 20} MB in tensors"),
        ];
        JsonObject json = report.ToJson();
        Terminal.SaveJson(Path.Combine(folder.Path, "metrics.json"), json);
        File.WriteAllText(Path.Combine(folder.Path, "report.html"), report.ToHtml(title, facts, state.History, recipe));
        ScoreTable.Write(terminal, report.Scores);
        return json;
    }

    private static void PrintEpoch(Terminal terminal, Recipe recipe, EpochRecord r)
    {
        string score = r.MeanIou is { } iou ? string.Create(CultureInfo.InvariantCulture, $"  mean IoU {100 * iou:F1}  pixel accuracy {100 * r.PixelAccuracy:F1}") : "";
        terminal.Note(string.Create(CultureInfo.InvariantCulture, $"epoch {r.Epoch}/{recipe.Epochs}  loss {r.TrainLoss:F4}{score}  {r.TrainSeconds:F0} s  {r.ImagesPerSecond:F1} img/s"));
    }
}
