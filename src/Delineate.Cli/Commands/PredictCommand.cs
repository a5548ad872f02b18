using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Data.Objects;
using Delineate.Inference;
using Delineate.Models;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate predict</c>: masks, objects and overlays of a person's own images.</summary>
internal static class PredictCommand
{
    private const double UsualThreshold = 0.5;

    public static Command Create()
    {
        var predictor = new PredictorArguments();
        var detector = new DetectorArguments();
        var inputs = new Argument<string[]>("inputs") { Description = "Images, folders of images, or patterns such as 'photos/**/*.jpg'", Arity = ArgumentArity.OneOrMore, HelpName = "INPUT" };
        var output = new Option<string>("--output", "-o") { Description = "The folder for the results", Required = true, HelpName = "DIR" };
        Option<double> opacity = SharedOptions.Share("--opacity", "How strongly the colours cover the photo, 0 to 1", 0.5);
        var overwrite = new Option<bool>("--overwrite") { Description = "Replace files in the folder that no earlier 'predict' wrote; inputs are never replaced" };
        Option<double?> threshold = SharedOptions.OptionalShare("--score-threshold", "Detectors: draw objects that are at least so sure [0.5]; predictions.json has those above the model's own threshold too, 0.05 at first");
        var ids = new Option<string?>("--ids") { Description = "Detectors: a COCO file whose ids of images, by file name, and categories, by name, predictions.json takes", HelpName = "FILE" };
        Option<int?> threads = SharedOptions.Threads();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("predict", "Segment images or find objects: a mask of the original size and an overlay for each, and JSON") { inputs, output, opacity, overwrite, threshold, ids, threads, json };
        predictor.AddTo(command);
        detector.AddTo(command);
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            IReadOnlyList<string> files = InputFiles.Expand(parsed.GetValue(inputs)!);
            CocoIds? known = parsed.GetValue(ids) is { } path ? CocoIds.Load(SharedOptions.ExistingFile(path)) : null;
            Predictor loaded = predictor.Load(parsed, detector);
            var run = new Run(new Terminal(parsed.GetValue(json)), loaded, predictor.WeightsOf(parsed), files, parsed.GetValue(output)!, parsed.GetValue(opacity), parsed.GetValue(overwrite));
            if (loaded.Model is DetectionModel model) return Task.FromResult(run.FindObjects(model, parsed.GetValue(threshold) ?? UsualThreshold, known, cancel));
            if (parsed.GetValue(threshold) is not null || known is not null)
                throw new UserException($"{(known is null ? threshold.Name : ids.Name)} is for networks that find objects: {loaded.Model.Name} tells the classes of pixels");
            return Task.FromResult(run.Label(predictor.HasWindow(parsed), cancel));
        });
        return command.WithHelp(new HelpPage
        {
            Notes =
            [
                "For photo.jpg it writes photo.png, a palette PNG whose pixels are the labels, and photo_overlay.png; predictions.json lists all with the area of each class.",
                "With a detector photo.png numbers the objects in 16 bits, the surest 1 (networks without masks write none), the overlay has masks, boxes, names with scores and joints, "
                + "predictions.json is COCO's list of results, and images.json lists the images.",
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
                "delineate predict --model maskrcnn_resnet50_fpn --weights maskrcnn_resnet50_fpn_coco.pth photos/ --score-threshold 0.7 --output out",
                "delineate predict --weights runs/cells/best.safetensors data/val2017 --ids data/annotations/instances_val2017.json --output out",
            ],
        });
    }

    /// <summary>The background of a data set that has one is not drawn over the photo.</summary>
    internal static byte[] Hidden(ClassTable classes) => classes.Background is { } background ? [(byte)background, classes.IgnoreIndex] : [classes.IgnoreIndex];

    /// <summary>Predicts every image. One that cannot be read is named and left out, the others are done; the exit code is then 2.</summary>
    private sealed record Run(Terminal Terminal, Predictor Predictor, string Weights, IReadOnlyList<string> Files, string Output, double Opacity, bool Overwrite)
    {
        public int Label(bool notesReduction, CancellationToken cancel)
        {
            var folder = new PredictionFolder(Output, Files, Overwrite);
            var queue = new PredictionQueue(Terminal, Predictor, Files, new LabelOutput(Predictor.Model.Classes, Files, folder, Opacity).Write) { NotesReduction = notesReduction };
            var json = new JsonObject { ["weights"] = Weights, ["model"] = Predictor.Model.Name, ["images"] = queue.Results, ["failures"] = queue.Failures };
            Do(queue, () => folder.Save(json), cancel);
            return Tell(queue, json, $"segmented into {Output}");
        }

        public int FindObjects(DetectionModel model, double threshold, CocoIds? ids, CancellationToken cancel)
        {
            model.Detection = model.Detection with { ScoreThreshold = Math.Min(model.Detection.ScoreThreshold, (float)threshold) };
            var folder = new PredictionFolder(Output, Files, Overwrite, ObjectOutput.DrawsMasks(model), hasResults: true);
            using var output = new ObjectOutput(model, Files, folder, ids, threshold, Opacity);
            var queue = new PredictionQueue(Terminal, Predictor, Files, output.Write);
            var json = new JsonObject
            {
                ["weights"] = Weights,
                ["model"] = model.Name,
                ["score_threshold"] = threshold,
                ["results"] = folder.Results,
                ["images"] = queue.Results,
                ["failures"] = queue.Failures,
            };
            Do(queue, () =>
            {
                output.Finish();
                folder.Save(json);
            }, cancel);
            if (output.LeftOut > 0)
                Terminal.Note($"{output.LeftOut} object{(output.LeftOut == 1 ? "" : "s")} of {output.LeftOut + output.Written} are not in {folder.Results}: their classes are no categories of {ids!.File}");
            if (output is { Drawn: 0, Surest: > 0 })
                Terminal.Note(string.Create(CultureInfo.InvariantCulture, $"no object is as sure as {threshold}; the surest has a score of {output.Surest:0.00}: a lower --score-threshold draws more"));
            return Tell(queue, json, $"searched into {Output}: {output.Drawn} object{(output.Drawn == 1 ? "" : "s")} drawn, {output.Written} in {folder.Results}");
        }

        private void Do(PredictionQueue queue, Action finish, CancellationToken cancel)
        {
            try
            {
                Terminal.Progress("predicting", tell =>
                {
                    queue.Run(tell, cancel);
                    return true;
                });
            }
            finally
            {
                finish(); // interrupted too: what was written is listed, and may be replaced by the next run
            }
        }

        private int Tell(PredictionQueue queue, JsonObject json, string what)
        {
            (int done, int failed) = (queue.Results.Count, queue.Failures.Count);
            Terminal.Line($"{done} image{(done == 1 ? "" : "s")} {what}{(failed > 0 ? $", {failed} could not be done" : "")}");
            Terminal.Json(json);
            return failed == 0 ? 0 : CommandRunner.UserMistake;
        }
    }
}
