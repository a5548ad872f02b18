using System.CommandLine;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Inference;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate predict</c>: masks and overlays of a person's own images.</summary>
internal static class PredictCommand
{
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
            return Task.FromResult(Run(new Terminal(parsed.GetValue(json)), predictor, parsed, parsed.GetValue(inputs)!, parsed.GetValue(output)!, parsed.GetValue(opacity), parsed.GetValue(overwrite), cancel));
        });
        return command.WithHelp(new HelpPage
        {
            Notes =
            [
                "For photo.jpg it writes photo.png, a palette PNG whose pixels are the labels, and photo_overlay.png; predictions.json lists all with the area of each class.",
                "Images of any size take little memory with --window: the scores of overlapping windows are blended. Published weights of torchvision's networks need --model.",
                "A model that was trained at a certain short side sees images at it, through windows too; for the details of a large image add --own-size.",
                "Images that cannot be read are named and left out; the exit code is then 2.",
            ],
            Examples =
            [
                "delineate predict --weights runs/first/best.safetensors photo.jpg --output out",
                "delineate predict --weights runs/first/best.safetensors photos/ 'more/**/*.png' --output out --json",
                "delineate predict --weights runs/first/best.safetensors aerial.png --window 512x512 --own-size --output out",
                "delineate predict --model fcn_resnet50 --weights fcn_resnet50_coco.pth photo.jpg --flip --output out",
            ],
        });
    }

    /// <summary>Predicts every image. One that cannot be read is named and left out, the others are done; the exit code is then 2.</summary>
    private static int Run(Terminal terminal, PredictorArguments arguments, ParseResult parsed, string[] inputs, string output, double opacity, bool overwrite, CancellationToken cancel)
    {
        IReadOnlyList<string> files = InputFiles.Expand(inputs);
        Predictor predictor = arguments.Load(parsed);
        var folder = new PredictionFolder(output, files, overwrite);
        var queue = new PredictionQueue(terminal, predictor, files, folder) { Opacity = opacity, NotesReduction = arguments.HasWindow(parsed) };
        var json = new JsonObject { ["weights"] = arguments.WeightsOf(parsed), ["model"] = predictor.Model.Name, ["images"] = queue.Results, ["failures"] = queue.Failures };
        try
        {
            terminal.Progress("predicting", tell =>
            {
                queue.Run(tell, cancel);
                return true;
            });
        }
        finally
        {
            folder.Save(json); // interrupted too: what was written is listed, and may be replaced by the next run
        }
        (int done, int failed) = (queue.Results.Count, queue.Failures.Count);
        terminal.Line($"{done} image{(done == 1 ? "" : "s")} segmented into {output}{(failed > 0 ? $", {failed} could not be done" : "")}");
        terminal.Json(json);
        return failed == 0 ? 0 : CommandRunner.UserMistake;
    }

    /// <summary>The background of a data set that has one is not drawn over the photo.</summary>
    internal static byte[] Hidden(ClassTable classes) => classes.Background is { } background ? [(byte)background, classes.IgnoreIndex] : [classes.IgnoreIndex];
}
