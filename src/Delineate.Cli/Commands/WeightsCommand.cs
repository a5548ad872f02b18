using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Delineate.Models;
using Delineate.Tensors.Weights;
using Spectre.Console;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate weights</c>: what a weight file holds, the same weights in another format, and weights that others published.</summary>
internal static class WeightsCommand
{
    private static readonly string[] CheckpointSuffixes = [".pth", ".pt"];

    public static Command Create() => new Command("weights", "Look into weight files, convert them, fetch published ones: PyTorch, safetensors, detectron2, NumPy") { CreateInspect(), CreateConvert(), WeightsPull.Create() }
        .WithExamples("delineate weights pull fcn_resnet50", "delineate weights inspect fcn_resnet50_coco.pth", "delineate weights convert fcn_resnet50_coco.pth --model fcn_resnet50 --output fcn.safetensors");

    private static Command CreateInspect()
    {
        Argument<string> file = File();
        Option<bool> json = SharedOptions.Json();
        var command = new Command("inspect", "List the tensors of a weight file and the models that it fits") { file, json };
        command.SetAction(parsed =>
        {
            Inspect(new Terminal(parsed.GetValue(json)), parsed.GetValue(file)!);
            return 0;
        });
        return command.WithExamples("delineate weights inspect model.pth", "delineate weights inspect model_final_a54504.pkl --json");
    }

    private static Command CreateConvert()
    {
        Argument<string> file = File();
        var model = new Option<string>("--model") { Description = "The network whose weights these are: see 'delineate models'", Required = true, HelpName = "NAME" };
        Option<int> classes = SharedOptions.Whole("--classes", "Classes of the network [as many as the file's score layer has]", 1, 255, 0);
        classes.DefaultValueFactory = null;
        var output = new Option<string>("--output", "-o") { Description = "The file to write: .safetensors, a model file for every command, or .pth, a state dict for PyTorch", Required = true, HelpName = "FILE" };
        Option<bool> json = SharedOptions.Json();
        var command = new Command("convert", "Write the weights of a network as a model file or for PyTorch") { file, model, classes, output, json };
        command.SetAction(parsed =>
        {
            int? count = parsed.GetResult(classes) is null ? null : parsed.GetValue(classes);
            Convert(new Terminal(parsed.GetValue(json)), parsed.GetValue(file)!, parsed.GetValue(model)!, count, parsed.GetValue(output)!);
            return 0;
        });
        return command.WithHelp(new HelpPage
        {
            Notes = ["What the weights expect of images is taken to be torchvision's normalisation; 21 classes are taken to be PASCAL VOC's, as in torchvision's published weights."],
            Examples =
            [
                "delineate weights convert fcn_resnet50_coco.pth --model fcn_resnet50 --output fcn.safetensors",
                "delineate weights convert runs/first/best.safetensors --model fcn_resnet50 --output for-pytorch.pth",
            ],
        });
    }

    private static Argument<string> File() => new("file") { Description = "A .pth, .safetensors, .pkl, .npy or .npz file; its bytes decide, not its suffix", HelpName = "FILE" };

    private static void Inspect(Terminal terminal, string path)
    {
        using WeightFile file = WeightFile.Open(SharedOptions.ExistingFile(path));
        long parameters = file.Tensors.Values.Sum(t => (long)t.Shape.Length);
        Table shown = new Table().Border(TableBorder.Simple).AddColumn("tensor").AddColumn("shape").AddColumn("type");
        var tensors = new JsonArray();
        foreach ((string name, RawTensor tensor) in file.Tensors)
        {
            shown.AddRow(Markup.Escape(name), string.Join('×', tensor.Shape), tensor.ElementType);
            tensors.Add(new JsonObject { ["name"] = name, ["shape"] = new JsonArray([.. tensor.Shape.Select(s => (JsonNode)s)]), ["type"] = tensor.ElementType });
        }
        IReadOnlyList<WeightsFit> fits = WeightsFit.All(file);
        WeightsFit[] whole = [.. fits.Where(f => f.IsWhole)];
        terminal.Write(shown);
        foreach ((string key, string value) in file.Metadata) terminal.Line($"{key}: {value}");
        terminal.Line(string.Create(CultureInfo.InvariantCulture, $"{path}: {file.Tensors.Count:N0} tensors, {parameters:N0} values"));
        foreach (WeightsFit fit in whole) terminal.Line($"fits {fit.Model} with {fit.Classes} classes{(HasAuxiliary(fit) ? " and an auxiliary head" : "")}");
        if (whole.Length == 0)
        {
            WeightsFit near = fits[0];
            terminal.Line(near.Matching == 0 ? "fits no model of the catalog" : $"fits no model of the catalog whole; nearest is {near.Model}: {near.Matching} of its {near.Count} tensors, and {near.Unknown} that it lacks");
        }
        terminal.Json(new JsonObject
        {
            ["file"] = path,
            ["tensors"] = tensors,
            ["values"] = parameters,
            ["metadata"] = new JsonObject(file.Metadata.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value))),
            ["fits"] = new JsonArray([.. whole.Select(f => new JsonObject { ["model"] = f.Model, ["classes"] = f.Classes, ["auxiliary_head"] = HasAuxiliary(f) })]),
        });
    }

    private static bool HasAuxiliary(WeightsFit fit) => fit.Options.AuxiliaryHead;

    private static void Convert(Terminal terminal, string path, string name, int? classes, string output)
    {
        bool isCheckpoint = CheckpointSuffixes.Contains(Path.GetExtension(output), StringComparer.OrdinalIgnoreCase);
        if (!isCheckpoint && !output.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
            throw new UserException($"{output}: the output's name ends in .safetensors (a model file) or .pth (for PyTorch)");
        ModelCatalog.Describe(name); // a name that is none is told before a file is read
        Model model = ModelFile.LoadAs(SharedOptions.ExistingFile(path), name, classes, out ModelCard card);
        if (isCheckpoint) PyTorchFile.Save(output, model.Network.StateDict());
        else ModelFile.Save(output, model, card);
        int count = model.Network.StateDict().Count();
        terminal.Line($"{output}: {name} with {model.Classes.Count} classes, {count} tensors");
        terminal.Json(new JsonObject { ["output"] = output, ["model"] = name, ["classes"] = model.Classes.Count, ["tensors"] = count });
    }
}
