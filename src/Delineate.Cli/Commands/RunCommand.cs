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
        var input = new Option<string>("--input") { Description = "The array: numbers of any type, [N, 3, H, W] or [N, H, W, 3], given to the network as they are", Required = true, HelpName = "X.npy" };
        var output = new Option<string>("--output", "-o") { Description = "The folder for out.npy and, where there is an auxiliary head, aux.npy", Required = true, HelpName = "DIR" };
        Option<Layout> layout = SharedOptions.Choice("--layout", "Where the array has its channels; auto sees where the axis of three is, and takes nchw where both could be", Layout.Auto);
        Option<bool> strict = SharedOptions.Strict();
        Option<int?> threads = SharedOptions.Threads();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("run", "Run a network on a raw array and write all its outputs") { model, weights, input, output, classes, layout, strict, threads, json };
        command.SetAction((parsed, cancel) =>
        {
            parsed.Use(threads);
            return Task.FromResult(Run(
                new Terminal(parsed.GetValue(json)), parsed.GetValue(model), parsed.GetValue(weights)!, parsed.GetValue(classes), parsed.GetValue(input)!, parsed.GetValue(output)!, parsed.GetValue(layout), parsed.GetValue(strict), cancel));
        });
        return command.WithHelp(new HelpPage
        {
            Notes = ["Nothing is resized or normalised, and the outputs are scores, not probabilities, with their channels where the input has them."],
            Examples =
            [
                "delineate run --model fcn_resnet50 --weights fcn_resnet50.pth --input x.npy --output out",
                "delineate run --weights runs/first/best.safetensors --input x.npy --layout nhwc --output out --json",
            ],
        });
    }

    private static int Run(Terminal terminal, string? name, string weights, int? classes, string input, string output, Layout layout, bool strict, CancellationToken cancel)
    {
        (Shape shape, float[] values) = NpyFile.Load(SharedOptions.ExistingFile(input));
        bool channelsLast = HasChannelsLast(shape, layout, input);
        SharedOptions.OutputFolder(output);
        var loading = Stopwatch.StartNew();
        Model model = ModelFile.LoadAs(SharedOptions.ExistingFile(weights), name, classes);
        loading.Stop();
        if (strict) model.Rounding = Rounding.Strict;
        SemanticModel network = model as SemanticModel ?? throw new UserException($"{model.Name} has no scores of pixels");

        var running = Stopwatch.StartNew();
        Tensor images = channelsLast ? Tensor.From(values, shape) : new RawTensor(shape, values).ToTensor();
        SemanticLogits logits = terminal.Progress("running", tell => network.Scores(images, auxiliary: true, (done, all) => tell(done, all, "running"), cancel));
        running.Stop();
        var outputs = new JsonArray();
        Write("out", logits.Out);
        if (logits.Aux is { } aux) Write("aux", aux);
        terminal.Line(string.Create(CultureInfo.InvariantCulture, $"{model.Name}, {model.Classes.Count} classes: weights read in {loading.Elapsed.TotalSeconds:F2} s, run in {running.Elapsed.TotalSeconds:F2} s"));
        terminal.Json(new JsonObject
        {
            ["model"] = model.Name,
            ["classes"] = model.Classes.Count,
            ["layout"] = channelsLast ? "nhwc" : "nchw",
            ["outputs"] = outputs,
            ["load_seconds"] = loading.Elapsed.TotalSeconds,
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
