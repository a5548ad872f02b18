using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Training;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate demo</c>: the whole way on real images that the program carries with it: train, evaluate, predict, report.</summary>
internal static class DemoCommand
{
    private const string ResourcePrefix = "demo/nuclei/";

    /// <summary>A narrow U-Net that finds cell nuclei after about a minute on two cores.</summary>
    internal static Recipe Recipe { get; } = new()
    {
        Model = "unet",
        Options = new ModelOptions { Channels = 16, Depth = 3 },
        Epochs = 20,
        BatchSize = 4,
        Optimizer = OptimizerKind.AdamW,
        LearningRate = 2e-3,
        WeightDecay = 1e-3,
        DiceWeight = 1,
        BaseSize = null,
        CropSize = [192, 192],
        VerticalFlipProbability = 0.5,
        ColorJitter = 0.2,
        Standardize = true,
        EvalShortSide = null,
        EvalEvery = 5,
    };

    public static Command Create()
    {
        var output = new Option<string>("--output", "-o") { Description = "The folder for data, weights, pictures and report", DefaultValueFactory = _ => "delineate-demo", HelpName = "DIR" };
        Option<int?> threads = SharedOptions.Threads();
        Option<int> seed = SharedOptions.Whole("--seed", "Another seed, another run", 0, int.MaxValue, 1);
        Option<bool> json = SharedOptions.Json();
        var command = new Command("demo", "Train a U-Net on real microscope images that come with the program, and show what it learnt") { output, threads, seed, json };
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            return Task.FromResult(Run(new Terminal(parsed.GetValue(json)), parsed.GetValue(output)!, (ulong)parsed.GetValue(seed), cancel));
        });
        return command.WithExamples("delineate demo", "delineate demo --output somewhere --seed 7");
    }

    private static int Run(Terminal terminal, string output, ulong seed, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        string data = Path.Combine(output, "data"), run = Path.Combine(output, "run"), pictures = Path.Combine(output, "pictures");
        SharedOptions.OutputFolder(output);
        if (((string[])[data, run, pictures]).Any(f => Directory.Exists(f) || File.Exists(f)))
        {
            if (!IsEarlierDemo(data)) throw new UserException($"{output} holds files that no demo wrote: choose another --output");
            if (Directory.Exists(run)) Directory.Delete(run, recursive: true); // the demo always begins anew
        }
        Extract(data);
        Dataset train = DatasetCatalog.Open(data, "train"), held = DatasetCatalog.Open(data, "val");
        Recipe recipe = Recipe with { Seed = seed };
        var folder = new RunFolder(run);
        folder.Remember(new RunData(Path.GetFullPath(data), "train", "val"), recipe);
        JsonObject? result = new TrainingSession(terminal, recipe, train, held, folder, "Cell nuclei, the demo").Run(cancel);
        if (result is null) return CommandRunner.Interrupted;

        Draw(folder.Best, held, pictures, cancel);
        double iou = result["validation"]!["classes"]![1]!["iou"]!.GetValue<double>();
        terminal.Line();
        terminal.Line(string.Create(CultureInfo.InvariantCulture, $"IoU of the nuclei on {held.Count} images it never saw: {100 * iou:F1} %, after {clock.Elapsed.TotalSeconds:F0} s"));
        terminal.Line($"pictures: {pictures}");
        terminal.Line($"report:   {Path.Combine(run, "report.html")}");
        terminal.Line($"weights:  {folder.Best}");
        terminal.Line();
        terminal.Line("What next:");
        terminal.Line($"  delineate predict --weights {folder.Best} YOUR-IMAGE.png --output out");
        terminal.Line("  delineate data check YOUR-DATA      (a folder with images/ and masks/, or in VOC's layout)");
        terminal.Line("  delineate train --data YOUR-DATA --model fcn_resnet50 --output runs/first");
        result["foreground_iou"] = iou;
        result["pictures"] = pictures;
        result["report"] = Path.Combine(run, "report.html");
        terminal.Json(result);
        return 0;
    }

    /// <summary>Photo, truth and prediction of every held-out image side by side.</summary>
    private static void Draw(string weights, Dataset held, string folder, CancellationToken cancel)
    {
        Model model = ModelFile.Load(weights);
        Directory.CreateDirectory(folder);
        var options = new OverlayOptions { Hidden = PredictCommand.Hidden(model.Classes), Legend = LegendPlace.None };
        for (int i = 0; i < held.Count; i++)
        {
            cancel.ThrowIfCancellationRequested();
            Sample sample = held.Load(i);
            LabelMap labels = model.Predict(new ImageBatch([sample.Image]), cancel: cancel)[0].Semantic!;
            Image sheet = ContactSheet.SideBySide([
                (sample.Image, "image"),
                (Overlay.Draw(sample.Image, sample.Annotation.Semantic!, model.Classes.Palette, model.Classes.Names, options), "truth"),
                (Overlay.Draw(sample.Image, labels, model.Classes.Palette, model.Classes.Names, options), "prediction")]);
            ImageFile.Save(sheet, Path.Combine(folder, $"{sample.Name}.png"));
        }
    }

    /// <summary>Whether the data folder is one that <see cref="Extract"/> made: it has the note of where the images come from.</summary>
    private static bool IsEarlierDemo(string data)
    {
        string note = Path.Combine(data, "PROVENANCE.md");
        using Stream ours = typeof(DemoCommand).Assembly.GetManifestResourceStream(ResourcePrefix + "PROVENANCE.md")!;
        return File.Exists(note) && File.ReadAllText(note) == new StreamReader(ours).ReadToEnd();
    }

    /// <summary>Writes the embedded data set as the folder that 'train' would take.</summary>
    private static void Extract(string folder)
    {
        Assembly assembly = typeof(DemoCommand).Assembly;
        foreach (string resource in assembly.GetManifestResourceNames().Where(n => n.StartsWith(ResourcePrefix, StringComparison.Ordinal)))
        {
            string path = Path.Combine(folder, resource[ResourcePrefix.Length..]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using Stream from = assembly.GetManifestResourceStream(resource)!;
            using FileStream to = File.Create(path);
            from.CopyTo(to);
        }
    }
}
