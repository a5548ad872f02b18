using System.CommandLine;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Models;
using Delineate.Training;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate train</c>: from a data set's folder to weights, scores and a report.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var data = new Option<string?>("--data") { Description = "The data set's folder: VOC layout, images/ + masks/, images/ + instances/, COCO, YOLO, labelme or CVAT", HelpName = "DIR" };
        var output = new Option<string?>("--output", "-o") { Description = "The run's folder; it must not hold another run", HelpName = "DIR" };
        var resume = new Option<string?>("--resume") { Description = "Go on with the run in this folder, exactly as if it had not stopped", HelpName = "DIR" };
        var weights = new Option<string?>("--weights") { Description = "Start from these weights: a model file or a PyTorch .pth of the same network, or of the classifier it is built on (torchvision's vgg16, resnet50, …). Layers that the file lacks start anew", HelpName = "FILE" };
        var trainSplit = new Option<string>("--train-split") { HelpName = "NAME", Description = "The split to train on", DefaultValueFactory = _ => "train" };
        var validationSplit = new Option<string>("--val-split") { HelpName = "NAME", Description = "The split to evaluate on; none trains without", DefaultValueFactory = _ => "val" };
        var skipCheck = new Option<bool>("--skip-check") { Description = "Do not look through the data first" };
        Option<int?> threads = SharedOptions.Threads();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("train", "Train a network on a folder of annotated images") { data, output, resume, weights, trainSplit, validationSplit, skipCheck, threads, json };
        var recipe = new RecipeOptions(command);
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            var terminal = new Terminal(parsed.GetValue(json));
            if (parsed.GetValue(resume) is { } folder)
            {
                Option[] settled = [data, output, weights, trainSplit, validationSplit, skipCheck];
                string? tooMany = settled.Where(o => parsed.GetResult(o) is { Implicit: false }).Select(o => o.Name).Concat(recipe.Given(parsed)).FirstOrDefault();
                if (tooMany is not null) throw new UserException($"--resume goes on exactly as the run began: {tooMany} cannot be changed. A new run can start from its weights with --weights");
                return Task.FromResult(Resume(terminal, folder, cancel));
            }
            return Task.FromResult(
                Start(terminal, new StartOptions(
                    parsed.GetValue(data) ?? throw new UserException("train needs --data DIR (or --resume DIR). See 'delineate train --help'"),
                    parsed.GetValue(output) ?? throw new UserException("train needs --output DIR for weights and report. See 'delineate train --help'"),
                    parsed.GetValue(weights), parsed.GetValue(trainSplit)!, parsed.GetValue(validationSplit)!, parsed.GetValue(skipCheck)), recipe.Read(parsed, startsAnew: parsed.GetValue(weights) is null), cancel));
        });
        return command.WithHelp(new HelpPage
        {
            Usage = ["--data DIR --output DIR [options]", "--resume DIR"],
            Groups = recipe.Groups,
            Notes =
            [
                "Interrupted with Ctrl-C, it writes a checkpoint and ends with exit code 130; --resume goes on, to the same weights as without.",
                "The run's folder gets best.safetensors, last.safetensors, recipe.json, metrics.csv, log.jsonl, metrics.json and report.html.",
                "A network that finds objects takes the data set's objects, and its recipe begins with torchvision's for detectors: 26 epochs of 2 whole images, flipped, at a rate of "
                + "0.02 for 16 images of a step, divided by 10 after 8/13 and 11/13 of the epochs. Without --weights its batch norms are trained (--frozen-norm false).",
                "A recipe with \"stages\" trains them one after the other, each from the best weights of the one before; each has a folder of its own in the run's.",
            ],
            Examples =
            [
                "delineate train --data my-data --model fcn_resnet50 --output runs/first",
                "delineate train --data cells --model unet --channels 32 --crop 256 --base-size none --eval-short-side none --output runs/cells",
                "delineate train --data cells --model maskrcnn_resnet18_fpn --min-size 256 --epochs 20 --output runs/objects",
                "delineate train --data my-data --recipe recipe.json --epochs 50 --lr 0.005 --output runs/second",
                "delineate train --data my-data --recipe recipes/fcn8s-staged.json --weights vgg16.pth --output runs/fcn8s",
                "delineate train --resume runs/second",
            ],
        });
    }

    /// <summary>What tells that a folder holds a run.</summary>
    private static readonly string[] RunFiles = ["run.json", "last.safetensors", "best.safetensors"];

    private static int Start(Terminal terminal, StartOptions options, Recipe recipe, CancellationToken cancel)
    {
        // The folder comes last, so that a mistake leaves nothing behind.
        if (RunFiles.Any(f => File.Exists(System.IO.Path.Combine(options.Output, f)))) throw new UserException($"{options.Output} holds a run already: go on with 'delineate train --resume {options.Output}', or choose another --output");
        if (!options.SkipCheck) Check(terminal, options.Data, cancel);
        (Dataset train, Dataset? validation) = Open(terminal, recipe, options.Data, options.TrainSplit, options.ValidationSplit);
        string? weights = options.Weights is { } file ? System.IO.Path.GetFullPath(SharedOptions.ExistingFile(file)) : null;
        var folder = new RunFolder(options.Output);
        var session = new TrainingSession(terminal, recipe, train, validation, folder, Title(options.Data, recipe), weights);
        SharedOptions.OutputFolder(options.Output);
        folder.Remember(new RunData(System.IO.Path.GetFullPath(options.Data), options.TrainSplit, options.ValidationSplit, weights), recipe);
        return Finish(terminal, session.Run(cancel), folder);
    }

    private static int Resume(Terminal terminal, string path, CancellationToken cancel)
    {
        if (!Directory.Exists(path)) throw new UserException($"there is no run folder {path}");
        var folder = new RunFolder(path);
        (RunData data, Recipe recipe) = folder.Recall();
        (Dataset train, Dataset? validation) = Open(terminal, recipe, data.Folder, data.TrainSplit, data.ValidationSplit);
        return Finish(terminal, new TrainingSession(terminal, recipe, train, validation, folder, Title(data.Folder, recipe), data.Weights).Run(cancel), folder);
    }

    private static int Finish(Terminal terminal, JsonObject? result, RunFolder folder)
    {
        if (result is null) return CommandRunner.Interrupted;
        terminal.Line($"best weights: {folder.Best}");
        if (result["validation"] is not null) terminal.Line($"report: {System.IO.Path.Combine(folder.Path, "report.html")}");
        terminal.Json(result);
        return 0;
    }

    /// <summary>The data with the annotations that the recipe's networks learn from.</summary>
    private static (Dataset Train, Dataset? Validation) Open(Terminal terminal, Recipe recipe, string folder, string trainSplit, string validationSplit)
    {
        DatasetVariant?[] variants = [.. recipe.StageRecipes().Select(s => ModelCatalog.AnnotationsOf(s.Model)).Distinct()];
        if (variants.Length > 1) throw new UserException("the stages of a recipe learn from the same annotations: classes of pixels, objects, or objects with joints");
        Dataset train = DatasetCatalog.Open(folder, trainSplit, variants[0]);
        foreach (string note in train.Notes) terminal.Note(note);
        if (train.Count == 0) throw new UserException($"the split '{trainSplit}' of {folder} is empty");
        return (train, validationSplit == "none" ? null : DatasetCatalog.Open(folder, validationSplit, variants[0]));
    }

    /// <summary>The short data check: errors stop the run before it costs time, the rest is said.</summary>
    private static void Check(Terminal terminal, string folder, CancellationToken cancel)
    {
        DataReport report = terminal.Progress("checking the data", tell =>
            DataCheck.Run(folder, DataCheckOptions.Short, new Reporter((done, count) => tell(done, count, "checking the data")), cancel));
        foreach (Finding finding in report.Findings.Where(f => f.Severity != Severity.Note).Take(10)) terminal.Note(DataCommand.Describe(finding));
        if (report.Errors > 0) throw new UserException($"{folder} has {report.Errors} fault{(report.Errors == 1 ? "" : "s")} that would spoil the training; 'delineate data check {folder}' lists all (--skip-check trains regardless)");
    }

    private static string Title(string data, Recipe recipe) => $"{recipe.StageRecipes()[^1].Model} on {System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(data))}";

    private sealed record StartOptions(string Data, string Output, string? Weights, string TrainSplit, string ValidationSplit, bool SkipCheck);
}

/// <summary>Hands a library's progress to a bar, on the thread that reports it.</summary>
internal sealed class Reporter(Action<int, int> tell) : IProgress<(int Done, int Total)>
{
    public void Report((int Done, int Total) value)
    {
        lock (this) tell(value.Done, value.Total);
    }
}
