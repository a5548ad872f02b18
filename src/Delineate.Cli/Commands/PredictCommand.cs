using System.CommandLine;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate predict</c>: masks and overlays of a person's own images.</summary>
internal static class PredictCommand
{
    public static Command Create()
    {
        Option<string> weights = SharedOptions.Weights();
        var inputs = new Argument<string[]>("inputs") { Description = "Images, folders of images, or patterns such as 'photos/**/*.jpg'", Arity = ArgumentArity.OneOrMore, HelpName = "INPUT" };
        var output = new Option<string>("--output", "-o") { Description = "The folder for the results", Required = true, HelpName = "DIR" };
        Option<double> opacity = SharedOptions.Share("--opacity", "How strongly the colours cover the photo, 0 to 1", 0.5);
        var overwrite = new Option<bool>("--overwrite") { Description = "Replace files in the folder that no earlier 'predict' wrote; inputs are never replaced" };
        Option<bool> strict = SharedOptions.Strict();
        Option<int?> threads = SharedOptions.Threads();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("predict", "Segment images: a palette PNG of the original size and an overlay for each, and one JSON") { weights, inputs, output, opacity, overwrite, strict, threads, json };
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            return Task.FromResult(Run(new Terminal(parsed.GetValue(json)), parsed.GetValue(weights)!, parsed.GetValue(inputs)!, parsed.GetValue(output)!, parsed.GetValue(opacity), parsed.GetValue(overwrite), cancel, parsed.GetValue(strict)));
        });
        return command.WithHelp(new HelpPage
        {
            Notes =
            [
                "For photo.jpg it writes photo.png, a palette PNG whose pixels are the labels, and photo_overlay.png; predictions.json lists all with the area of each class.",
                "Images that cannot be read are named and left out; the exit code is then 2.",
            ],
            Examples =
            [
                "delineate predict --weights runs/first/best.safetensors photo.jpg --output out",
                "delineate predict --weights runs/first/best.safetensors photos/ 'more/**/*.png' --output out --json",
            ],
        });
    }

    /// <summary>Predicts every image. One that cannot be read is named and left out, the others are done; the exit code is then 2.</summary>
    internal static int Run(Terminal terminal, string weights, string[] inputs, string output, double opacity, bool overwrite, CancellationToken cancel, bool strict = false)
    {
        IReadOnlyList<string> files = InputFiles.Expand(inputs);
        Model model = ModelFile.Load(SharedOptions.ExistingFile(weights));
        if (strict) model.Rounding = Rounding.Strict;
        var folder = new PredictionFolder(output, files, overwrite);
        JsonArray results = [], failures = [];
        var json = new JsonObject { ["weights"] = weights, ["model"] = model.Name, ["images"] = results, ["failures"] = failures };
        try
        {
            terminal.Progress("predicting", tell =>
            {
                Task<Image> next = Read(0);
                for (int i = 0; i < files.Count; i++)
                {
                    cancel.ThrowIfCancellationRequested();
                    Task<Image> current = next;
                    if (i + 1 < files.Count) next = Read(i + 1);
                    tell(i, files.Count, Path.GetFileName(files[i]));
                    try
                    {
                        results.Add(Predict(model, current.GetAwaiter().GetResult(), files[i], folder.MaskOf(i), folder.OverlayOf(i), opacity));
                    }
                    catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                    {
                        terminal.Note($"error: {e.Message.ReplaceLineEndings(" ")}");
                        failures.Add(new JsonObject { ["file"] = files[i], ["error"] = e.Message });
                    }
                    tell(i + 1, files.Count, Path.GetFileName(files[i]));
                }
                return true;

                Task<Image> Read(int i) => Task.Run(() => ImageFile.Load(files[i]), cancel);
            });
        }
        finally
        {
            folder.Save(json); // interrupted too: what was written is listed, and may be replaced by the next run
        }
        terminal.Line($"{results.Count} image{(results.Count == 1 ? "" : "s")} segmented into {output}{(failures.Count > 0 ? $", {failures.Count} could not be done" : "")}");
        terminal.Json(json);
        return failures.Count == 0 ? 0 : CommandRunner.UserMistake;
    }

    private static JsonObject Predict(Model model, Image image, string file, string mask, string overlay, double opacity)
    {
        LabelMap labels = model.Predict(new ImageBatch([image]))[0].Semantic ?? throw new InvalidOperationException($"{model.Name} predicts no label maps");
        ClassTable classes = model.Classes;
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
