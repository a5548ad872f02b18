using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Weights;

namespace Delineate.Cli.Commands;

/// <summary>What <c>delineate run</c> does with a detector, and the options that only detectors have, which <c>delineate export</c> has too.</summary>
internal sealed class DetectorRun
{
    private readonly Option<double?> scoreThreshold = SharedOptions.OptionalShare("--score-threshold", "Detectors: leave out what is less sure [the model's, 0.05 at first]");
    private readonly DetectorArguments arguments = new();

    public void AddTo(Command command)
    {
        command.Options.Add(scoreThreshold);
        arguments.AddTo(command);
    }

    /// <summary>What the options change in a network that is about to be made, or null.</summary>
    public Func<ModelOptions, ModelOptions>? Adjust(ParseResult parsed) => arguments.Adjust(parsed);

    /// <summary>The first option that only detectors take and that was given, or null.</summary>
    public string? FirstGiven(ParseResult parsed) =>
        parsed.GetResult(scoreThreshold) is { Implicit: false } ? scoreThreshold.Name : arguments.Given(parsed)?.Name;

    /// <summary>Changes how a detector finds objects as the options say.</summary>
    /// <exception cref="UserException">They contradict each other.</exception>
    public void SetUp(DetectionModel model, ParseResult parsed)
    {
        DetectionOptions options = arguments.Applied(model.Detection, parsed);
        model.Detection = options with { ScoreThreshold = (float?)parsed.GetValue(scoreThreshold) ?? options.ScoreThreshold };
    }

    /// <summary>Finds the objects in one image and writes them as arrays.</summary>
    public int Run(Terminal terminal, DetectionModel model, (Shape Shape, float[] Values) array, string input, string output, RunCommand.Layout layout, TimeSpan loading, ParseResult parsed)
    {
        Tensor image = Image(array.Shape.ToArray(), array.Values, input, layout);
        SetUp(model, parsed);
        SharedOptions.OutputFolder(output);
        var running = Stopwatch.StartNew();
        Detections found = model.Detect([image])[0];
        Tensor? masks = found.PastedMasks();
        running.Stop();
        var outputs = new JsonArray();
        Write("boxes", [found.Count, 4], found.Boxes);
        Write("labels", [found.Count], Array.ConvertAll(found.Labels, label => (float)label));
        Write("scores", [found.Count], found.Scores);
        if (masks is not null) Write("masks", masks.Shape, masks.ToArray());
        if (found is { Keypoints: { } joints, KeypointScores: { } sure })
        {
            Write("keypoints", [found.Count, model.Options.Keypoints, 3], joints);
            Write("keypoint_scores", [found.Count, model.Options.Keypoints], sure);
        }
        terminal.Line(string.Create(CultureInfo.InvariantCulture, $"{model.Name}, {model.Classes.Count} classes: {found.Count} objects, weights read in {loading.TotalSeconds:F2} s, run in {running.Elapsed.TotalSeconds:F2} s"));
        terminal.Json(new JsonObject
        {
            ["model"] = model.Name,
            ["classes"] = model.Classes.Count,
            ["detections"] = found.Count,
            ["outputs"] = outputs,
            ["load_seconds"] = loading.TotalSeconds,
            ["run_seconds"] = running.Elapsed.TotalSeconds,
        });
        return 0;

        void Write(string head, Shape shape, float[] values)
        {
            string file = Path.Combine(output, head + ".npy");
            NpyFile.Save(file, shape, values);
            terminal.Line($"{file}: {shape}");
            outputs.Add(new JsonObject { ["name"] = head, ["file"] = file, ["shape"] = new JsonArray([.. shape.ToArray().Select(s => (JsonNode)s)]) });
        }
    }

    /// <summary>An array as an image of [H, W, 3].</summary>
    /// <exception cref="UserException">It is none.</exception>
    private static Tensor Image(int[] shape, float[] values, string file, RunCommand.Layout layout)
    {
        const int Channels = 3;
        if (shape is [1, _, _, _]) shape = shape[1..];
        bool first = shape.Length == 3 && shape[0] == Channels && layout != RunCommand.Layout.Nhwc, last = shape.Length == 3 && shape[2] == Channels && layout != RunCommand.Layout.Nchw;
        if (values.Length == 0 || !(first || last)) throw new UserException($"{file} holds [{string.Join(", ", shape)}]: a detector takes one image, [3, H, W] or [H, W, 3], neither of them 0");
        return first ? Tensor.From(values, Shape.Of(shape)).Permute(1, 2, 0) : Tensor.From(values, Shape.Of(shape));
    }
}
