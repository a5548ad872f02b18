using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Spectre.Console;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate models</c>: what can be trained, and what each network costs.</summary>
internal static class ModelsCommand
{
    /// <summary>The fewest classes that a detector has: it tells things from a background.</summary>
    private static readonly ClassTable OneThing = new(["background", "thing"]) { Background = 0 };

    public static Command Create()
    {
        var name = new Argument<string?>("name") { Description = "Show what this network computes, layer by layer", Arity = ArgumentArity.ZeroOrOne, HelpName = "NAME" };
        Option<Size2d> input = SharedOptions.Size("--input", "The image's height and width for the layer table", new Size2d(480, 480));
        Option<int> classes = SharedOptions.Whole("--classes", "Count parameters for so many classes", 1, 255, 21);
        Option<bool> json = SharedOptions.Json();
        var command = new Command("models", "List the networks that can be trained, or show one layer by layer") { name, input, classes, json };
        var network = new RecipeOptions(command, networkOnly: true);
        command.SetAction(parsed =>
        {
            var terminal = new Terminal(parsed.GetValue(json));
            using Init.SkipScope quick = Init.Skip(); // nobody asks for the values
            var table = new ClassTable(Enumerable.Range(0, parsed.GetValue(classes)).Select(i => $"class {i}"));
            ModelOptions options = network.Read(parsed).Options;
            if (parsed.GetValue(name) is { } one)
            {
                Show(terminal, one, ModelCatalog.Create(one, options, table), parsed.GetValue(input));
            }
            else
            {
                List(terminal, options, table);
            }
            return 0;
        });
        return command.WithExamples("delineate models", "delineate models --classes 2 --json", "delineate models fcn_resnet50 --input 480x640", "delineate models deeplabv3_resnet50 --output-stride 16 --hybrid-dilation");
    }

    private static void List(Terminal terminal, ModelOptions options, ClassTable classes)
    {
        var list = new JsonArray();
        Table shown = new Table().Border(TableBorder.Simple).AddColumn("model").AddColumn(new TableColumn("parameters").RightAligned()).AddColumn("what it is");
        foreach (string name in ModelCatalog.Names)
        {
            Model model = ModelCatalog.Create(name, options, ModelCatalog.IsDetector(name) && classes.Count == 1 ? OneThing : classes);
            long parameters = model.Network.ParameterCount();
            string about = ModelCatalog.Describe(name);
            shown.AddRow(Markup.Escape(name), Whole(parameters), Markup.Escape(about));
            list.Add(new JsonObject { ["name"] = name, ["task"] = Task(model), ["classes"] = model.Classes.Count, ["parameters"] = parameters, ["about"] = about });
        }
        terminal.Write(shown);
        terminal.Json(new JsonObject { ["models"] = list });
    }

    /// <summary>What a network tells of an image, in one word.</summary>
    private static string Task(Model model) => model switch
    {
        DetectionModel { Network: MaskRcnn } => "instance",
        DetectionModel { Network: KeypointRcnn } => "keypoint",
        DetectionModel => "detection",
        _ => "semantic",
    };

    private static void Show(Terminal terminal, string name, Model model, Size2d size)
    {
        Summary summary;
        try
        {
            summary = model.Summarize(size);
        }
        catch (ShapeException e)
        {
            throw new UserException($"{name} cannot take an image of {size}: {e.Message}");
        }
        Table shown = new Table().Border(TableBorder.Simple).AddColumn("layer").AddColumn("op").AddColumn("output");
        foreach (string column in new[] { "parameters", "multiply-adds", "activations" }) shown.AddColumn(new TableColumn(column).RightAligned());
        var layers = new JsonArray();
        foreach (SummaryRow row in summary.Rows)
        {
            shown.AddRow(
                Markup.Escape(row.Path), Markup.Escape(row.Op), string.Join('×', row.Output), row.Parameters == 0 ? "" : Whole(row.Parameters),
                row.MultiplyAdds == 0 ? "" : Millions(row.MultiplyAdds), Megabytes(row.ActivationBytes));
            layers.Add(new JsonObject
            {
                ["layer"] = row.Path,
                ["op"] = row.Op,
                ["output"] = new JsonArray([.. row.Output.Select(s => (JsonNode)s)]),
                ["parameters"] = row.Parameters,
                ["multiply_adds"] = row.MultiplyAdds,
                ["activation_bytes"] = row.ActivationBytes,
            });
        }
        terminal.Write(shown);
        terminal.Line($"{name} at {summary.Input[1]}×{summary.Input[2]}: {Whole(summary.Parameters)} parameters ({Megabytes(4 * summary.Parameters)}), {Billions(summary.MultiplyAdds)} multiply-adds,");
        terminal.Line($"activations {Megabytes(summary.ActivationBytes)} in training; a prediction keeps {Megabytes(summary.PlanBytes)} of them at a time.");
        if (summary.Runs.Prediction > 1)
            terminal.Line($"These layers run {Whole(summary.Runs.Prediction)} times for an image, {Whole(summary.Runs.Training)} times in training: outputs are those of one run, the rest of all.");
        terminal.Json(new JsonObject
        {
            ["model"] = name,
            ["input"] = new JsonArray([.. summary.Input.Select(s => (JsonNode)s)]),
            ["classes"] = model.Classes.Count,
            ["parameters"] = summary.Parameters,
            ["multiply_adds"] = summary.MultiplyAdds,
            ["activation_bytes"] = summary.ActivationBytes,
            ["prediction_bytes"] = summary.PlanBytes,
            ["runs"] = summary.Runs.Prediction,
            ["training_runs"] = summary.Runs.Training,
            ["layers"] = layers,
        });
    }

    private static string Whole(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Millions(long number) => string.Create(CultureInfo.InvariantCulture, $"{number / 1e6:N1} M");

    private static string Billions(long number) => string.Create(CultureInfo.InvariantCulture, $"{number / 1e9:N2} G");

    private static string Megabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N1} MB");
}
