using System.CommandLine;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Inference;
using Delineate.Metrics;
using Delineate.Models;
using Delineate.Training;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate eval</c>: the table of scores of a model, or of results that were made before, on a data set.</summary>
internal static class EvalCommand
{
    public static Command Create()
    {
        var predictor = new PredictorArguments(needsWeights: false);
        var detector = new DetectorArguments();
        Option<string> data = SharedOptions.Data();
        var results = new Option<string?>("--results") { Description = "Score the objects of this file instead of a model's: COCO's results, by any tool", HelpName = "FILE" };
        var split = new Option<string>("--split") { HelpName = "NAME", Description = "The split to evaluate on; all takes every annotated image", DefaultValueFactory = _ => "val" };
        Option<EvaluationSize> size = SharedOptions.Choice("--size", "Compare at the files' original size, or at the size the network sees", EvaluationSize.Original);
        var output = new Option<string?>("--output", "-o") { Description = "A folder for metrics.json and report.html", HelpName = "DIR" };
        Option<int?> threads = SharedOptions.Threads();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("eval", "Score a trained model on annotated images") { data, results, split, size, output, threads, json };
        predictor.AddTo(command);
        detector.AddTo(command);
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            var terminal = new Terminal(parsed.GetValue(json));
            var set = new SetOptions(parsed.GetValue(data)!, parsed.GetValue(split)!, parsed.GetValue(output));
            if (parsed.GetValue(results) is not { } file)
            {
                if (!predictor.HasWeights(parsed)) throw new UserException("eval needs --weights FILE of a model, or --results FILE with what was found. See 'delineate eval --help'");
                Func<ClassTable, Predictor> load = classes => predictor.Load(parsed, detector, classes);
                return Task.FromResult(OfModel(terminal, predictor.WeightsOf(parsed), predictor.NameOf(parsed), load, set, parsed.GetValue(size), cancel));
            }
            string? odd = predictor.Given(parsed).FirstOrDefault() ?? detector.Given(parsed)?.Name ?? (parsed.GetResult(size) is { Implicit: false } ? size.Name : null);
            if (odd is not null) throw new UserException($"{odd} is about a model: --results are scored as they are");
            return Task.FromResult(OfResults(terminal, SharedOptions.ExistingFile(file), set, cancel));
        });
        return command.WithExamples(
            "delineate eval --weights runs/first/best.safetensors --data my-data",
            "delineate eval --weights runs/first/best.safetensors --data my-data --split test --json",
            "delineate eval --model fcn_resnet50 --weights fcn_resnet50.pth --data VOC2012 --scales 0.75,1,1.25 --flip",
            "delineate eval --results predictions.json --data coco --split val");
    }

    private static int OfModel(Terminal terminal, string weights, string? name, Func<ClassTable, Predictor> load, SetOptions set, EvaluationSize size, CancellationToken cancel)
    {
        Dataset dataset = DatasetCatalog.Open(set.Data, set.Split, ModelCatalog.AnnotationsOf(name ?? ""));
        Predictor predictor = load(dataset.Classes); // weights that do not name their classes take the data set's names
        Model model = predictor.Model;
        Prepare(terminal, dataset, set);
        if (!dataset.Classes.Names.SequenceEqual(model.Classes.Names))
            throw new UserException($"{weights} knows the classes {Names(model.Classes)}, the data set has {Names(dataset.Classes)}: the labels would be compared wrongly");
        if (model is DetectionModel && size == EvaluationSize.Network)
            throw new UserException($"{model.Name} finds objects, which are compared at the files' original size: --size network is for classes of pixels");
        EvaluationReport report = terminal.Progress("evaluating", tell => EvaluationReport.Of(predictor, dataset, size, (done, count) => tell(done, count, "evaluating"), cancel));
        string at = size == EvaluationSize.Original ? "original" : "network";
        return Finish(terminal, report, set, model.Name, ("weights", weights), [("compared at", $"{at} size")], [("size", at)]);
    }

    /// <summary>Joints are compared where the file has some, masks where it has some for every object, and boxes.</summary>
    private static int OfResults(Terminal terminal, string file, SetOptions set, CancellationToken cancel)
    {
        Dataset dataset = DatasetCatalog.Open(set.Data, set.Split, CocoResultFile.TellsKeypoints(file) ? DatasetVariant.Keypoints : DatasetVariant.Instances);
        Prepare(terminal, dataset, set);
        var results = CocoResultFile.Read(file, dataset);
        List<InstanceSimilarity> similarities = [];
        if (results.HasKeypoints) similarities.Add(InstanceSimilarity.Keypoints);
        if (results.HasMasks && HasMasks(dataset)) similarities.Add(InstanceSimilarity.Masks);
        else if (results.HasMasks) terminal.Note("the data set's objects have boxes and no masks: boxes are compared");
        if (results.HasBoxes) similarities.Add(InstanceSimilarity.Boxes);
        if (similarities.Count == 0) throw new UserException($"{file}: some of its objects have boxes, some masks, some joints, and no kind is there for all of them");
        EvaluationReport report = terminal.Progress("comparing", tell => EvaluationReport.Of(results, dataset, similarities, (done, count) => tell(done, count, "comparing"), cancel));
        return Finish(terminal, report, set, Path.GetFileName(file), ("results", file), [("objects", $"{results.Count}")], [("objects", results.Count)]);
    }

    /// <summary>Whether the first objects of a data set have masks.</summary>
    private static bool HasMasks(Dataset dataset)
    {
        for (int i = 0; i < dataset.Count; i++)
        {
            if (dataset.Load(i).Annotation.Instances is { Count: > 0 } objects) return objects.All(o => o.Mask is not null);
        }
        return true;
    }

    /// <summary>What can be told before the work.</summary>
    private static void Prepare(Terminal terminal, Dataset dataset, SetOptions set)
    {
        if (set.Output is not null) SharedOptions.OutputFolder(set.Output);
        foreach (string note in dataset.Notes) terminal.Note(note);
        if (dataset.Count == 0) throw new UserException($"the split '{set.Split}' of {set.Data} is empty");
    }

    private static int Finish(
        Terminal terminal, EvaluationReport report, SetOptions set, string what, (string Name, string Value) source, (string Name, string Value)[] facts, (string Key, JsonNode Value)[] more)
    {
        ScoreTable.Write(terminal, report.Evaluation);
        JsonObject result = report.Evaluation.ToJson();
        result[source.Name] = source.Value;
        result["split"] = set.Split;
        foreach ((string key, JsonNode value) in more) result[key] = value;
        if (set.Output is { } output)
        {
            Terminal.SaveJson(Path.Combine(output, "metrics.json"), result);
            string title = $"{what} on {Path.GetFileName(Path.TrimEndingDirectorySeparator(set.Data))}, {set.Split}";
            File.WriteAllText(Path.Combine(output, "report.html"), report.ToHtml(title, [source, ("images", $"{report.Evaluation.Images}"), .. facts]));
            terminal.Line($"report: {Path.Combine(output, "report.html")}");
        }
        terminal.Json(result);
        return 0;
    }

    private static string Names(ClassTable classes) => $"[{string.Join(", ", classes.Names.Take(8))}{(classes.Count > 8 ? $", … {classes.Count} in all" : "")}]";

    private sealed record SetOptions(string Data, string Split, string? Output);
}
