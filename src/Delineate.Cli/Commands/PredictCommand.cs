using System.CommandLine;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate predict</c>: masks and overlays of a person's own images.</summary>
internal static class PredictCommand
{
    public static Command Create()
    {
        Option<string> weights = SharedOptions.Weights();
        var inputs = new Argument<string[]>("inputs") { Description = "Images, folders of images, or patterns such as 'photos/**/*.jpg'", Arity = ArgumentArity.OneOrMore, HelpName = "INPUT" };
        var output = new Option<string>("--output", "-o") { Description = "The folder for the results", Required = true, HelpName = "DIR" };
        var opacity = new Option<double>("--opacity") { Description = "How strongly the colours cover the photo, 0 to 1", DefaultValueFactory = _ => 0.5 };
        opacity.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<double>() is not (>= 0 and <= 1)) r.AddError("--opacity takes 0 to 1");
        });
        Option<int?> threads = SharedOptions.Threads();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("predict", "Segment images: a palette PNG of the original size and an overlay for each, and one JSON") { weights, inputs, output, opacity, threads, json };
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            return Task.FromResult(Run(new Terminal(parsed.GetValue(json)), parsed.GetValue(weights)!, parsed.GetValue(inputs)!, parsed.GetValue(output)!, parsed.GetValue(opacity), cancel));
        });
        return command.WithExamples(
            "delineate predict --weights runs/first/best.safetensors photo.jpg --output out",
            "delineate predict --weights runs/first/best.safetensors photos/ 'more/**/*.png' --output out --json");
    }

    /// <summary>Predicts every image. One that cannot be read is named and left out, the others are done; the exit code is then 2.</summary>
    internal static int Run(Terminal terminal, string weights, string[] inputs, string output, double opacity, CancellationToken cancel)
    {
        IReadOnlyList<string> files = InputFiles.Expand(inputs), names = InputFiles.OutputNames(files);
        Model model = ModelFile.Load(weights);
        Directory.CreateDirectory(output);
        var results = new JsonArray();
        var failures = new JsonArray();
        terminal.Progress("predicting", tell =>
        {
            Task<Image> next = Read(0);
            for (int i = 0; i < files.Count; i++)
            {
                cancel.ThrowIfCancellationRequested();
                Task<Image> current = next;
                if (i + 1 < files.Count) next = Read(i + 1);
                try
                {
                    results.Add(Predict(model, current.GetAwaiter().GetResult(), files[i], Path.Combine(output, names[i]), opacity));
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    Terminal.Note($"error: {e.Message.ReplaceLineEndings(" ")}");
                    failures.Add(new JsonObject { ["file"] = files[i], ["error"] = e.Message });
                }
                tell(i + 1, files.Count, $"predicting {Path.GetFileName(files[i])}");
            }
            return true;

            Task<Image> Read(int i) => Task.Run(() => ImageFile.Load(files[i]), cancel);
        });
        var json = new JsonObject { ["weights"] = weights, ["model"] = model.Name, ["images"] = results, ["failures"] = failures };
        File.WriteAllText(Path.Combine(output, "predictions.json"), json.ToJsonString(new() { WriteIndented = true }) + "\n");
        terminal.Line($"{results.Count} image{(results.Count == 1 ? "" : "s")} segmented into {output}{(failures.Count > 0 ? $", {failures.Count} could not be read" : "")}");
        terminal.Json(json);
        return failures.Count == 0 ? 0 : CommandRunner.UserMistake;
    }

    private static JsonObject Predict(Model model, Image image, string file, string stem, double opacity)
    {
        LabelMap labels = model.Predict(new ImageBatch([image]))[0].Semantic ?? throw new InvalidOperationException($"{model.Name} predicts no label maps");
        ClassTable classes = model.Classes;
        string mask = stem + ".png", overlay = stem + "_overlay.png";
        ImageFile.SaveLabels(labels, classes.Palette, mask);
        ImageFile.Save(Overlay.Draw(image, labels, classes.Palette, classes.Names, new OverlayOptions { Opacity = opacity, Hidden = Hidden(classes) }), overlay);

        var counts = new long[256];
        foreach (byte label in labels.Labels) counts[label]++;
        var areas = new JsonObject();
        for (int c = 0; c < classes.Count; c++)
        {
            if (counts[c] > 0) areas[classes.Names[c]] = new JsonObject { ["label"] = c, ["pixels"] = counts[c], ["share"] = Math.Round((double)counts[c] / labels.Labels.Length, 6) };
        }
        return new JsonObject { ["file"] = file, ["height"] = image.Height, ["width"] = image.Width, ["mask"] = mask, ["overlay"] = overlay, ["classes"] = areas };
    }

    /// <summary>The background of a data set that has one is not drawn over the photo.</summary>
    internal static byte[] Hidden(ClassTable classes) => classes.Background is { } background ? [(byte)background, classes.IgnoreIndex] : [classes.IgnoreIndex];
}
