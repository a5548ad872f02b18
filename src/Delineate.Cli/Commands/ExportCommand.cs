using System.CommandLine;
using System.Text.Json.Nodes;
using Delineate.Models;
using Delineate.Tensors;

namespace Delineate.Cli.Commands;

/// <summary><c>delineate export</c>: a model as an ONNX file.</summary>
internal static class ExportCommand
{
    public static Command Create()
    {
        Option<string> weights = SharedOptions.Weights();
        Option<string?> name = SharedOptions.Model();
        Option<int?> classes = SharedOptions.Classes();
        var output = new Option<string>("--output", "-o") { Description = "The ONNX file to write", Required = true, HelpName = "FILE" };
        Option<Size2d?> size = SharedOptions.OptionalSize("--size", "Take images of this height and width only");
        var dynamic = new Option<bool>("--dynamic") { Description = "Take images of any size, which is what happens without --size" };
        Option<int?> batch = SharedOptions.OptionalWhole("--batch", "Take so many images at a time only [any number]", 1, 4096);
        var preprocessing = new Option<bool>("--with-preprocessing") { Description = "Take bytes of red, green and blue, N×H×W×3, and normalise them in the file" };
        var argmax = new Option<bool>("--with-argmax") { Description = "Give the class of each pixel as a byte, N×H×W, instead of the scores" };
        var keepNorms = new Option<bool>("--keep-batchnorm") { Description = "Leave batch norms in the file instead of moving them into the weights" };
        Option<bool> json = SharedOptions.Json();
        var detector = new DetectorRun();
        var command = new Command("export", "Write a model as an ONNX file, to run it with any runtime") { weights, name, classes, output, size, dynamic, batch, preprocessing, argmax, keepNorms };
        detector.AddTo(command);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(size) is not null && parsed.GetValue(dynamic)) throw new UserException("--size takes one size and --dynamic any: give one of them");
            (string from, string to) = (parsed.GetValue(weights)!, parsed.GetValue(output)!);
            CheckPaths(from, to);
            Model model = ModelFile.LoadAs(SharedOptions.ExistingFile(from), parsed.GetValue(name), parsed.GetValue(classes), out ModelCard card, adjust: detector.Adjust(parsed));
            if (model is DetectionModel objects) detector.SetUp(objects, parsed);
            else if (detector.FirstGiven(parsed) is { } option) throw new UserException($"{option} is for detectors, and {model.Name} gives the class of each pixel");
            Run(new Terminal(parsed.GetValue(json)), model, card, to, new OnnxExportOptions
            {
                Size = parsed.GetValue(size),
                Batch = parsed.GetValue(batch),
                WithPreprocessing = parsed.GetValue(preprocessing),
                WithArgmax = parsed.GetValue(argmax),
                KeepBatchNorm = parsed.GetValue(keepNorms),
            });
            return 0;
        });
        return command.WithExamples(
            "delineate export --weights runs/first/best.safetensors -o model.onnx",
            "delineate export --weights runs/first/best.safetensors -o model.onnx --with-preprocessing --with-argmax",
            "delineate export --weights runs/first/best.safetensors -o model.onnx --size 512x512 --batch 1",
            "delineate export --model fcn_resnet50 --weights fcn_resnet50.pth -o model.onnx",
            "delineate export --model maskrcnn_resnet50_fpn --weights maskrcnn.pth -o model.onnx --score-threshold 0.5");
    }

    private static void CheckPaths(string weights, string output)
    {
        if (Directory.Exists(output)) throw new UserException($"{output} is a folder: --output takes the name of a file, such as {Path.Combine(output, "model.onnx")}");
        if (Path.GetFullPath(output) == Path.GetFullPath(weights)) throw new UserException($"--output would write over the model file {weights}: give it another name");
        if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } folder) SharedOptions.OutputFolder(folder);
    }

    private static void Run(Terminal terminal, Model model, ModelCard card, string output, OnnxExportOptions options)
    {
        OnnxInterface file;
        try
        {
            file = OnnxFile.Save(output, model, options, card);
        }
        catch (GraphException e)
        {
            throw new UserException($"{model.Name} cannot be exported: {e.Message}");
        }
        long bytes = new FileInfo(output).Length;
        terminal.Line(FormattableString.Invariant($"{output}: {model.Name}, {file.Nodes} ops, {bytes / 1e6:N1} MB, ONNX operators 17"));
        string input = model is DetectionModel || options.WithPreprocessing ? "image" : "input";
        string[] results = [.. file.Outputs.Select(line => line[..line.IndexOf(' ', StringComparison.Ordinal)])];
        string[] notes = model is DetectionModel objects ? AboutObjects(objects, options) : AboutPixels(model, options);
        terminal.Line($"  in   {file.Input}{notes[0]}");
        for (int i = 0; i < results.Length; i++) terminal.Line($"  {(i == 0 ? "out" : "   ")}  {file.Outputs[i]}{notes[i + 1]}");
        foreach (string note in notes[(results.Length + 1)..]) terminal.Line($"  {note}");
        (string type, string quoted) = (options.WithPreprocessing ? "byte" : "float", output.Replace('\\', '/')); // a backslash would begin an escape in either language
        string names = string.Join(", ", results.Select(r => $"\"{r}\""));
        terminal.Line($"Python  {string.Join(", ", results)} = onnxruntime.InferenceSession(\"{quoted}\").run([{names}], {{\"{input}\": {input}}}){(results.Length == 1 ? "[0]" : "")}");
        terminal.Line($"C#      using var outputs = new InferenceSession(\"{quoted}\").Run([NamedOnnxValue.CreateFromTensor(\"{input}\", new DenseTensor<{type}>(values, sizes))]);");
        terminal.Json(new JsonObject
        {
            ["file"] = output,
            ["model"] = model.Name,
            ["opset"] = 17,
            ["nodes"] = file.Nodes,
            ["bytes"] = bytes,
            ["input"] = file.Input,
            ["output"] = file.Outputs[0],
            ["outputs"] = new JsonArray([.. file.Outputs.Select(o => (JsonNode)o)]),
            ["minimum_size"] = model.MinimumSize,
        });
    }

    /// <summary>What there is to say of the input, of each output, and of the whole.</summary>
    private static string[] AboutPixels(Model model, OnnxExportOptions options)
    {
        List<string> notes =
        [
            options.WithPreprocessing ? ": bytes of red, green, blue" : ": normalised as the metadata's 'preprocessing' says (--with-preprocessing does it in the file)",
            options.WithArgmax ? ": the class of each pixel" : ": scores, the class is the largest along axis 1 (--with-argmax gives it)",
        ];
        if (model.MinimumSize > 1 && options.Size is null) notes.Add($"images of at least {model.MinimumSize} pixels a side");
        if (model.Preprocessing.ShortSide is { } side) notes.Add($"trained on images whose shorter side is {side}: resize them before");
        return [.. notes];
    }

    private static string[] AboutObjects(DetectionModel model, OnnxExportOptions options)
    {
        List<string> notes =
        [
            options.WithPreprocessing ? ": bytes of red, green, blue" : ": red, green and blue in 0 to 1 (--with-preprocessing takes bytes)",
            ": left, top, right, bottom in pixels of that image",
            ": the class, 1 is the first after the background",
            ": how sure it is, the surest first",
        ];
        if (model.Network is MaskRcnn) notes.Add(": how likely each pixel belongs to it");
        if (model.Network is KeypointRcnn) notes.AddRange([": x, y and 1 of each joint", ": how sure each joint is"]);
        DetectionOptions detection = model.Detection;
        notes.Add(FormattableString.Invariant($"resized in the file to a short side of {detection.MinSize}, a long one of {detection.MaxSize} at most; at most {detection.Detections} objects, each surer than {detection.ScoreThreshold}"));
        return [.. notes];
    }
}
