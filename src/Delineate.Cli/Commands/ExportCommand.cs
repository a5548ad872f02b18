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
        var command = new Command("export", "Write a model as an ONNX file, to run it with any runtime") { weights, name, classes, output, size, dynamic, batch, preprocessing, argmax, keepNorms, json };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(size) is not null && parsed.GetValue(dynamic)) throw new UserException("--size takes one size and --dynamic any: give one of them");
            Run(new Terminal(parsed.GetValue(json)), parsed.GetValue(weights)!, parsed.GetValue(name), parsed.GetValue(classes), parsed.GetValue(output)!, new OnnxExportOptions
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
            "delineate export --model fcn_resnet50 --weights fcn_resnet50.pth -o model.onnx");
    }

    private static void Run(Terminal terminal, string weights, string? name, int? classes, string output, OnnxExportOptions options)
    {
        if (Directory.Exists(output)) throw new UserException($"{output} is a folder: --output takes the name of a file, such as {Path.Combine(output, "model.onnx")}");
        if (Path.GetFullPath(output) == Path.GetFullPath(weights)) throw new UserException($"--output would write over the model file {weights}: give it another name");
        if (Path.GetDirectoryName(Path.GetFullPath(output)) is { } folder) SharedOptions.OutputFolder(folder);
        Model model = ModelFile.LoadAs(SharedOptions.ExistingFile(weights), name, classes, out ModelCard card);
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
        terminal.Line($"  in   {file.Input}{(options.WithPreprocessing ? ": bytes of red, green, blue" : ": normalised as the metadata's 'preprocessing' says (--with-preprocessing does it in the file)")}");
        terminal.Line($"  out  {file.Output}{(options.WithArgmax ? ": the class of each pixel" : ": scores, the class is the largest along axis 1 (--with-argmax gives it)")}");
        if (model.MinimumSize > 1 && options.Size is null) terminal.Line($"  images of at least {model.MinimumSize} pixels a side");
        if (model.Preprocessing.ShortSide is { } side) terminal.Line($"  trained on images whose shorter side is {side}: resize them before");
        (string input, string result) = (options.WithPreprocessing ? "image" : "input", options.WithArgmax ? "labels" : "out");
        (string type, string quoted) = (options.WithPreprocessing ? "byte" : "float", output.Replace('\\', '/')); // a backslash would begin an escape in either language
        terminal.Line($"Python  {result} = onnxruntime.InferenceSession(\"{quoted}\").run([\"{result}\"], {{\"{input}\": {input}}})[0]");
        terminal.Line($"C#      using var outputs = new InferenceSession(\"{quoted}\").Run([NamedOnnxValue.CreateFromTensor(\"{input}\", new DenseTensor<{type}>(values, sizes))]);");
        terminal.Json(new JsonObject
        {
            ["file"] = output,
            ["model"] = model.Name,
            ["opset"] = 17,
            ["nodes"] = file.Nodes,
            ["bytes"] = bytes,
            ["input"] = file.Input,
            ["output"] = file.Output,
            ["minimum_size"] = model.MinimumSize,
        });
    }
}
