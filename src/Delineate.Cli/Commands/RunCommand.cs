using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Weights;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate run</c>: a network's raw outputs for a raw array, to be compared with any other framework's.</summary>
internal static class RunCommand
{
    private const int Channels = 3;

    /// <summary>Where an array has its channels.</summary>
    internal enum Layout
    {
        /// <summary>Where the axis of three is.</summary>
        Auto,

        /// <summary>[N, 3, H, W].</summary>
        Nchw,

        /// <summary>[N, H, W, 3].</summary>
        Nhwc,
    }

    public static Command Create()
    {
        Option<string?> model = SharedOptions.Model();
        Option<string> weights = SharedOptions.Weights();
        Option<int?> classes = SharedOptions.Classes();
        var input = new Option<string>("--input") { Description = "The array: numbers of any type, [N, 3, H, W] or [N, H, W, 3], given to the network as they are; for detectors one image of values in 0 to 1, [3, H, W] or [H, W, 3]", Required = true, HelpName = "X.npy" };
        var output = new Option<string>("--output", "-o") { Description = "The folder for out.npy and, where there is an auxiliary head, aux.npy; for detectors boxes.npy and so on", Required = true, HelpName = "DIR" };
        var detector = new DetectorRun();
        Option<Layout> layout = SharedOptions.Choice("--layout", "Where the array has its channels; auto sees where the axis of three is, and takes nchw where both could be", Layout.Auto);
        Option<bool> strict = SharedOptions.Strict();
        Option<int?> threads = SharedOptions.Threads();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("run", "Run a network on a raw array and write all its outputs") { model, weights, input, output, classes, layout, strict, threads, json };
        detector.AddTo(command);
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            (string from, string to, Layout order) = (parsed.GetValue(input)!, parsed.GetValue(output)!, parsed.GetValue(layout));
            (Shape Shape, float[] Values) array = NpyFile.Load(SharedOptions.ExistingFile(from));
            var loading = Stopwatch.StartNew();
            Model loaded = ModelFile.LoadAs(SharedOptions.ExistingFile(parsed.GetValue(weights)!), parsed.GetValue(model), parsed.GetValue(classes), out ModelCard _, adjust: detector.Adjust(parsed));
            loading.Stop();
            if (parsed.GetValue(strict)) loaded.Rounding = Rounding.Strict;
            var terminal = new Terminal(parsed.GetValue(json));
            return Task.FromResult(loaded switch
            {
                DetectionModel objects => detector.Run(terminal, objects, array, from, to, order, loading.Elapsed, parsed),
                SemanticModel pixels => Run(terminal, pixels, array, from, to, order, loading.Elapsed, cancel),
                _ => throw new UserException($"{loaded.Name} has no outputs that can be written as arrays"),
            });
        });
        return command.WithHelp(new HelpPage
        {
            Notes =
            [
                "Nothing is resized or normalised, and the outputs are scores, not probabilities, with their channels where the input has them.",
                "A detector prepares the image itself, as torchvision's do, and writes what it found as float32: boxes.npy [D, 4] in pixels of the image, labels.npy and scores.npy [D], "
                + "masks.npy [D, H, W] with probabilities, keypoints.npy [D, K, 3] and keypoint_scores.npy [D, K].",
            ],
            Examples =
            [
                "delineate run --model fcn_resnet50 --weights fcn_resnet50.pth --input x.npy --output out",
                "delineate run --weights runs/first/best.safetensors --input x.npy --layout nhwc --output out --json",
                "delineate run --model maskrcnn_resnet50_fpn --weights maskrcnn.pth --input photo.npy --score-threshold 0.5 --output out",
            ],
        });
    }

    private static int Run(Terminal terminal, SemanticModel model, (Shape Shape, float[] Values) array, string input, string output, Layout layout, TimeSpan loading, CancellationToken cancel)
    {
        (Shape shape, float[] values) = array;
        bool channelsLast = HasChannelsLast(shape, layout, input);
        SharedOptions.OutputFolder(output);

        var running = Stopwatch.StartNew();
        Tensor images = channelsLast ? Tensor.From(values, shape) : new RawTensor(shape, values).ToTensor();
        SemanticLogits logits = terminal.Progress("running", tell => model.Scores(images, auxiliary: true, (done, all) => tell(done, all, "running"), cancel));
        running.Stop();
        var outputs = new JsonArray();
        Write("out", logits.Out);
        if (logits.Aux is { } aux) Write("aux", aux);
        terminal.Line(string.Create(CultureInfo.InvariantCulture, $"{model.Name}, {model.Classes.Count} classes: weights read in {loading.TotalSeconds:F2} s, run in {running.Elapsed.TotalSeconds:F2} s"));
        terminal.Json(new JsonObject
        {
            ["model"] = model.Name,
            ["classes"] = model.Classes.Count,
            ["layout"] = channelsLast ? "nhwc" : "nchw",
            ["outputs"] = outputs,
            ["load_seconds"] = loading.TotalSeconds,
            ["run_seconds"] = running.Elapsed.TotalSeconds,
        });
        return 0;

        void Write(string head, Tensor scores)
        {
            string file = Path.Combine(output, head + ".npy");
            Shape sizes = channelsLast ? scores.Shape : RawTensor.ShapeOf(scores);
            NpyFile.Save(file, sizes, channelsLast ? scores.ToArray() : RawTensor.Of(scores).ToArray());
            terminal.Line($"{file}: {sizes}");
            outputs.Add(new JsonObject { ["name"] = head, ["file"] = file, ["shape"] = new JsonArray([.. sizes.Select(s => (JsonNode)s)]) });
        }
    }

    /// <summary>Whether the array is [N, H, W, 3]. Where it could be either, it is [N, 3, H, W].</summary>
    /// <exception cref="UserException">It is neither, or empty.</exception>
    private static bool HasChannelsLast(Shape shape, Layout layout, string file)
    {
        string shown = $"{file} holds {shape}";
        if (shape.Rank != 4 || shape.Length == 0) throw new UserException($"{shown}: a network takes [N, 3, H, W] or [N, H, W, 3], none of them 0");
        bool first = shape[1] == Channels, last = shape[3] == Channels;
        return layout switch
        {
            Layout.Nhwc when last => true,
            Layout.Nchw when first => false,
            Layout.Auto when first || last => !first,
            _ => throw new UserException($"{shown}: there is no axis of {Channels} where {(layout == Layout.Auto ? "nchw or nhwc" : layout.ToString().ToLowerInvariant())} has its channels"),
        };
    }
}
