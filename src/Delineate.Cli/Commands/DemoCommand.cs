using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Drawing;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Training;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate demo</c>: the whole way on real images that the program carries with it: train, evaluate, predict, report.</summary>
internal static class DemoCommand
{
    private const string ResourcePrefix = "demo/nuclei/";

    /// <summary>What the demo's network learns.</summary>
    internal enum DemoTask
    {
        /// <summary>Which pixels are nuclei.</summary>
        Semantic,

        /// <summary>Where each nucleus is.</summary>
        Instances,
    }

    /// <summary>A narrow U-Net that finds cell nuclei after about a minute on two cores.</summary>
    internal static Recipe Semantic { get; } = new()
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

    /// <summary>A narrow Mask R-CNN that tells them apart after some minutes on two cores.</summary>
    internal static Recipe Instances { get; } = Recipe.For("maskrcnn_resnet18_fpn") with
    {
        Options = new ModelOptions
        {
            FrozenNorm = false,
            WidthDivisor = 4,
            Detection = new DetectionOptions
            {
                MinSize = 512, // most nuclei are 12 pixels wide, and the smallest anchors 32
                MaxSize = 768,
                TrainingProposalsBeforeNms = 500,
                TrainingProposalsAfterNms = 500,
                ProposalsBeforeNms = 500,
                ProposalsAfterNms = 300,
                BoxSamples = 128,
                Detections = 200,
            },
        },
        Epochs = 28,
        BatchSize = 2,
        Optimizer = OptimizerKind.AdamW,
        LearningRate = 1e-3,
        WeightDecay = 1e-2,
        Schedule = ScheduleKind.Cosine,
        Milestones = [],
        WarmupEpochs = 1,
        VerticalFlipProbability = 0.5,
        ColorJitter = 0.2,
        Standardize = true,
        EvalEvery = 14,
    };

    public static Command Create()
    {
        var output = new Option<string>("--output", "-o") { Description = "The folder for data, weights, pictures and report", DefaultValueFactory = _ => "delineate-demo", HelpName = "DIR" };
        Option<int?> threads = SharedOptions.Threads();
        Option<DemoTask> task = SharedOptions.Choice("--task", "Which pixels are nuclei, in about a minute, or where each single one is, in some minutes", DemoTask.Semantic);
        Option<int> seed = SharedOptions.Whole("--seed", "Another seed, another run", 0, int.MaxValue, 1);
        Option<bool> json = SharedOptions.Json();
        var command = new Command("demo", "Train a network on real microscope images that come with the program, and show what it learnt") { output, task, threads, seed, json };
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            return Task.FromResult(Run(new Terminal(parsed.GetValue(json)), parsed.GetValue(output)!, parsed.GetValue(task), (ulong)parsed.GetValue(seed), cancel));
        });
        return command.WithExamples("delineate demo", "delineate demo --task instances", "delineate demo --output somewhere --seed 7");
    }

    private static int Run(Terminal terminal, string output, DemoTask task, ulong seed, CancellationToken cancel)
    {
        bool isSemantic = task == DemoTask.Semantic;
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
        Recipe recipe = (isSemantic ? Semantic : Instances) with { Seed = seed };
        var folder = new RunFolder(run);
        folder.Remember(new RunData(Path.GetFullPath(data), "train", "val"), recipe);
        JsonObject? result = new TrainingSession(terminal, recipe, train, held, folder, "Cell nuclei, the demo").Run(cancel);
        if (result is null) return CommandRunner.Interrupted;

        Draw(folder.Best, held, pictures, cancel);
        JsonNode validation = result["validation"]!;
        (string what, string key, double score) = isSemantic
            ? ("IoU of the nuclei", "foreground_iou", validation["classes"]![1]!["iou"]!.GetValue<double>())
            : ("AP50 of the masks", "mask_ap50", validation["mask_ap50"]!.GetValue<double>());
        terminal.Line();
        terminal.Line(string.Create(CultureInfo.InvariantCulture, $"{what} on {held.Count} images it never saw: {100 * score:F1} %, after {clock.Elapsed.TotalSeconds:F0} s"));
        terminal.Line($"pictures: {pictures}");
        terminal.Line($"report:   {Path.Combine(run, "report.html")}");
        terminal.Line($"weights:  {folder.Best}");
        terminal.Line();
        terminal.Line("What next:");
        terminal.Line($"  delineate predict --weights {folder.Best} YOUR-IMAGE.png --output out");
        terminal.Line("  delineate data check YOUR-DATA      (a folder with images/ and masks/, or in VOC's layout)");
        terminal.Line($"  delineate train --data YOUR-DATA --model {(isSemantic ? "fcn_resnet50" : "maskrcnn_resnet50_fpn")} --output runs/first");
        result[key] = score;
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
            Prediction found = model.Predict(new ImageBatch([sample.Image]), cancel: cancel)[0];
            Image sheet = ContactSheet.SideBySide([
                (sample.Image, "image"),
                (Drawn(sample.Image, sample.Annotation.Semantic, sample.Annotation.Instances), "truth"),
                (Drawn(sample.Image, found.Semantic, found.Instances), "prediction")]);
            ImageFile.Save(sheet, Path.Combine(folder, $"{sample.Name}.png"));
        }

        Image Drawn(Image photo, LabelMap? labels, IReadOnlyList<Instance>? objects) => model is DetectionModel
            ? InstanceOverlay.Draw(photo, [.. objects!.Where(o => o.Score >= ObjectEvaluation.ShownScore)], model.Classes, new InstanceOverlayOptions { Boxes = false })
            : Overlay.Draw(photo, labels!, model.Classes.Palette, model.Classes.Names, options);
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
