using System.CommandLine;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Inference;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate predict</c>: masks and overlays of a person's own images.</summary>
internal static class PredictCommand
{
    private const int Steps = 1000; // of the progress bar for each image, so that an image of many windows moves it

    public static Command Create()
    {
        var predictor = new PredictorArguments();
        var inputs = new Argument<string[]>("inputs") { Description = "Images, folders of images, or patterns such as 'photos/**/*.jpg'", Arity = ArgumentArity.OneOrMore, HelpName = "INPUT" };
        var output = new Option<string>("--output", "-o") { Description = "The folder for the results", Required = true, HelpName = "DIR" };
        Option<double> opacity = SharedOptions.Share("--opacity", "How strongly the colours cover the photo, 0 to 1", 0.5);
        var overwrite = new Option<bool>("--overwrite") { Description = "Replace files in the folder that no earlier 'predict' wrote; inputs are never replaced" };
        Option<int?> threads = SharedOptions.Threads();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("predict", "Segment images: a palette PNG of the original size and an overlay for each, and one JSON") { inputs, output, opacity, overwrite, threads, json };
        predictor.AddTo(command);
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            return Task.FromResult(Run(
                new Terminal(parsed.GetValue(json)), predictor.WeightsOf(parsed), () => predictor.Load(parsed), parsed.GetValue(inputs)!, parsed.GetValue(output)!, parsed.GetValue(opacity), parsed.GetValue(overwrite), cancel));
        });
        return command.WithHelp(new HelpPage
        {
            Notes =
            [
                "For photo.jpg it writes photo.png, a palette PNG whose pixels are the labels, and photo_overlay.png; predictions.json lists all with the area of each class.",
                "Images of any size take little memory with --window: the scores of overlapping windows are blended. Published weights of torchvision's networks need --model.",
                "Images that cannot be read are named and left out; the exit code is then 2.",
            ],
            Examples =
            [
                "delineate predict --weights runs/first/best.safetensors photo.jpg --output out",
                "delineate predict --weights runs/first/best.safetensors photos/ 'more/**/*.png' --output out --json",
                "delineate predict --weights runs/first/best.safetensors aerial.png --window 512x512 --output out",
                "delineate predict --model fcn_resnet50 --weights fcn_resnet50_coco.pth photo.jpg --flip --output out",
            ],
        });
    }

    /// <summary>Predicts every image. One that cannot be read is named and left out, the others are done; the exit code is then 2.</summary>
    private static int Run(Terminal terminal, string weights, Func<Predictor> load, string[] inputs, string output, double opacity, bool overwrite, CancellationToken cancel)
    {
        IReadOnlyList<string> files = InputFiles.Expand(inputs);
        Predictor predictor = load();
        ClassTable classes = predictor.Model.Classes;
        var folder = new PredictionFolder(output, files, overwrite);
        JsonArray results = [], failures = [];
        var json = new JsonObject { ["weights"] = weights, ["model"] = predictor.Model.Name, ["images"] = results, ["failures"] = failures };
        try
        {
            terminal.Progress("predicting", tell =>
            {
                // While the network works on one image the next is read and the one before is written.
                Task<Image> next = Read(0);
                (int Number, Task<JsonObject> Written)? before = null;
                try
                {
                    for (int i = 0; i < files.Count; i++)
                    {
                        cancel.ThrowIfCancellationRequested();
                        (int number, Task<Image> current) = (i, next);
                        if (i + 1 < files.Count) next = Read(i + 1);
                        Task<JsonObject> written;
                        try
                        {
                            Image image = current.GetAwaiter().GetResult();
                            LabelMap labels = predictor.Predict(image, (done, all) => Tell(number, (double)done / all), cancel).Semantic
                                ?? throw new InvalidOperationException($"{predictor.Model.Name} predicts no label maps");
                            Finish();
                            written = Task.Run(() => Write(image, labels, classes, files[number], folder.MaskOf(number), folder.OverlayOf(number), opacity), CancellationToken.None);
                        }
                        catch (Exception e) when (IsOfTheFile(e))
                        {
                            Finish();
                            written = Task.FromException<JsonObject>(e);
                        }
                        before = (number, written);
                        Tell(i + 1, 0);
                    }
                }
                finally
                {
                    Finish();
                }
                return true;

                Task<Image> Read(int i) => Task.Run(() => ImageFile.Load(files[i]), cancel);

                void Tell(int done, double share) =>
                    tell((int)Math.Round(Steps * (done + share)), Steps * files.Count, Path.GetFileName(files[Math.Min(done, files.Count - 1)]));

                void Finish()
                {
                    if (before is not { } pending) return;
                    before = null;
                    try
                    {
                        results.Add(pending.Written.GetAwaiter().GetResult());
                    }
                    catch (Exception e) when (IsOfTheFile(e))
                    {
                        terminal.Note($"error: {e.Message.ReplaceLineEndings(" ")}");
                        failures.Add(new JsonObject { ["file"] = files[pending.Number], ["error"] = e.Message });
                    }
                }
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

    private static bool IsOfTheFile(Exception e) => e is IOException or UnauthorizedAccessException;

    private static JsonObject Write(Image image, LabelMap labels, ClassTable classes, string file, string mask, string overlay, double opacity)
    {
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
