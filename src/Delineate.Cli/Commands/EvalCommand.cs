using System.CommandLine;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Inference;
using Delineate.Models;
using Delineate.Training;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate eval</c>: the table of scores of a model on a data set.</summary>
internal static class EvalCommand
{
    public static Command Create()
    {
        var predictor = new PredictorArguments();
        Option<string> data = SharedOptions.Data();
        var split = new Option<string>("--split") { HelpName = "NAME", Description = "The split to evaluate on; all takes every image with a mask", DefaultValueFactory = _ => "val" };
        Option<EvaluationSize> size = SharedOptions.Choice("--size", "Compare at the files' original size, or at the size the network sees", EvaluationSize.Original);
        var output = new Option<string?>("--output", "-o") { Description = "A folder for metrics.json and report.html", HelpName = "DIR" };
        Option<int?> threads = SharedOptions.Threads();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("eval", "Score a trained model on images with masks") { data, split, size, output, threads, json };
        predictor.AddTo(command);
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            return Task.FromResult(Run(
                new Terminal(parsed.GetValue(json)), predictor.WeightsOf(parsed), classes => predictor.Load(parsed, classes), parsed.GetValue(data)!, parsed.GetValue(split)!, parsed.GetValue(size), parsed.GetValue(output), cancel));
        });
        return command.WithExamples(
            "delineate eval --weights runs/first/best.safetensors --data my-data",
            "delineate eval --weights runs/first/best.safetensors --data my-data --split test --json",
            "delineate eval --model fcn_resnet50 --weights fcn_resnet50.pth --data VOC2012 --scales 0.75,1,1.25 --flip");
    }

    private static int Run(Terminal terminal, string weights, Func<ClassTable, Predictor> load, string data, string split, EvaluationSize size, string? output, CancellationToken cancel)
    {
        SharedOptions.ExistingFile(weights);
        Dataset dataset = DatasetCatalog.Open(data, split);
        Predictor predictor = load(dataset.Classes); // weights that do not name their classes take the data set's names
        Model model = predictor.Model;
        if (output is not null) SharedOptions.OutputFolder(output); // told now rather than after the work
        foreach (string note in dataset.Notes) terminal.Note(note);
        if (dataset.Count == 0) throw new UserException($"the split '{split}' of {data} is empty");
        if (!dataset.Classes.Names.SequenceEqual(model.Classes.Names))
            throw new UserException($"{weights} knows the classes {Names(model.Classes)}, the data set has {Names(dataset.Classes)}: the labels would be compared wrongly");
        EvaluationReport report = terminal.Progress("evaluating", tell => EvaluationReport.Of(predictor, dataset, size, (done, count) => tell(done, count, "evaluating"), cancel));
        ScoreTable.Write(terminal, report.Scores);
        JsonObject result = report.ToJson();
        result["weights"] = weights;
        result["split"] = split;
        result["size"] = size == EvaluationSize.Original ? "original" : "network";
        if (output is not null)
        {
            Terminal.SaveJson(Path.Combine(output, "metrics.json"), result);
            string title = $"{model.Name} on {Path.GetFileName(Path.TrimEndingDirectorySeparator(data))}, {split}";
            File.WriteAllText(Path.Combine(output, "report.html"), report.ToHtml(title, [("weights", weights), ("images", $"{report.Images}"), ("compared at", size == EvaluationSize.Original ? "original size" : "network size")]));
            terminal.Line($"report: {Path.Combine(output, "report.html")}");
        }
        terminal.Json(result);
        return 0;
    }

    private static string Names(ClassTable classes) => $"[{string.Join(", ", classes.Names.Take(8))}{(classes.Count > 8 ? $", … {classes.Count} in all" : "")}]";
}
