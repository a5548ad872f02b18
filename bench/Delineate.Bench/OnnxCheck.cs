using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;

namespace Delineate.Bench;

/// <summary>
/// Compares every model of the catalog with ONNX Runtime on the file that is exported from it: <c>onnx FOLDER [MODEL...]</c>. One file of any size for each
/// model, at three sizes and one and three images at a time; the largest difference is told relative to the largest value.
/// </summary>
internal static class OnnxCheck
{
    private const double Tolerance = 1e-4;
    private static readonly Size2d[] Sizes = [(64, 96), (97, 131), (75, 49)];
    private static readonly int[] Batches = [1, 3];

    public static int Run(string[] args)
    {
        if (args.Length == 0)
        {
            Console.Error.WriteLine("usage: Delineate.Bench onnx FOLDER [MODEL[:bilinear|:every]...]");
            return 2;
        }
        Directory.CreateDirectory(args[0]);
        string[] names = args.Length > 1 ? args[1..] : [.. ModelCatalog.Names.Where(name => !ModelCatalog.IsDetector(name)), "unet:bilinear", "sliding_window:every"];
        using Process peer = Process.Start(new ProcessStartInfo("node", [Path.Combine(Networks.Peer.PeersFolder, "onnx_check.mjs"), args[0]]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        double worst = names.Max(name => Check(peer, args[0], name));
        peer.StandardInput.Close();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"worst {worst:E2}, allowed {Tolerance:E0}"));
        return worst <= Tolerance ? 0 : 1;
    }

    private static double Check(Process peer, string folder, string name)
    {
        Model model = NewModel(name);
        Size2d[] sizes = [.. Sizes.Select(s => new Size2d(Math.Max(s.Height, model.MinimumSize), Math.Max(s.Width, model.MinimumSize)))];
        double worst = 0;
        foreach (bool keepsNorms in new[] { false, true })
        {
            OnnxInterface file = OnnxFile.Save(Path.Combine(folder, "model.onnx"), model, new OnnxExportOptions { KeepBatchNorm = keepsNorms });
            string form = keepsNorms ? "norms kept" : "norms folded";
            string models = $"{(keepsNorms ? "kept" : "folded")}.onnx";
            File.Move(Path.Combine(folder, "model.onnx"), Path.Combine(folder, models), overwrite: true);
            double largest = 0;
            foreach (Size2d size in keepsNorms ? sizes[1..2] : sizes)
            {
                foreach (int batch in keepsNorms ? [3] : Batches) largest = Math.Max(largest, Compare(peer, folder, models, model, batch, size));
            }
            worst = Math.Max(worst, largest);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-30} {form,-13} {file.Nodes,4} ops  {largest:E2}"));
        }
        OnnxFile.Save(Path.Combine(folder, "labels.onnx"), model, new OnnxExportOptions { WithPreprocessing = true, WithArgmax = true });
        (int wrong, int pixels) = CompareLabels(peer, folder, model);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-30} bytes to classes: {wrong} of {pixels} pixels differ"));
        Size2d only = sizes[1];
        OnnxFile.Save(Path.Combine(folder, "fixed.onnx"), model, new OnnxExportOptions { Size = only, Batch = 2 });
        double fixedError = Compare(peer, folder, "fixed.onnx", model, 2, only);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-30} of one size   {fixedError:E2}"));
        return Math.Max(Math.Max(worst, fixedError), wrong > pixels / 1000 ? double.PositiveInfinity : 0);
    }

    private static double Compare(Process peer, string folder, string file, Model model, int batch, Size2d size)
    {
        var random = new Random(batch + size.Width);
        Tensor nhwc = Tensor.Empty([batch, size.Height, size.Width, 3]);
        foreach (ref float value in nhwc.Span) value = (random.NextSingle() * 4) - 2;
        File.WriteAllBytes(Path.Combine(folder, "input.bin"), MemoryMarshal.AsBytes(nhwc.Permute(0, 3, 1, 2).Span).ToArray());
        float[] expected = Scores(model, nhwc).Permute(0, 3, 1, 2).ToArray();
        Ask(peer, file, "float32", [batch, 3, size.Height, size.Width], [batch, model.Classes.Count, size.Height, size.Width]);
        ReadOnlySpan<float> actual = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(folder, "output.bin")));
        if (actual.Length != expected.Length) throw new InvalidOperationException($"{file}: {actual.Length} values, not {expected.Length}");
        (double largest, double difference) = (0, 0);
        for (int i = 0; i < expected.Length; i++)
        {
            if (!float.IsFinite(actual[i])) return double.PositiveInfinity;
            (largest, difference) = (Math.Max(largest, Math.Abs(expected[i])), Math.Max(difference, Math.Abs((double)actual[i] - expected[i])));
        }
        return difference / largest;
    }

    private static (int Wrong, int Pixels) CompareLabels(Process peer, string folder, Model model)
    {
        Size2d size = Sizes[1];
        var image = new Image(size.Height, size.Width);
        new Random(5).NextBytes(image.Pixels);
        File.WriteAllBytes(Path.Combine(folder, "input.bin"), image.Pixels);
        byte[] expected = Scores(model, model.Preprocessing.ToTensor([image])).ArgMaxLabels();
        Ask(peer, "labels.onnx", "uint8", [1, size.Height, size.Width, 3], [1, size.Height, size.Width]);
        byte[] actual = File.ReadAllBytes(Path.Combine(folder, "output.bin"));
        return (actual.Length == expected.Length ? expected.Zip(actual).Count(p => p.First != p.Second) : expected.Length, expected.Length);
    }

    /// <summary>As predictions run: through a plan, and of a sliding window patch by patch.</summary>
    private static Tensor Scores(Model model, Tensor images) => ((SemanticModel)model).Scores(images).Out;

    private static void Ask(Process peer, string file, string type, int[] shape, int[] wanted)
    {
        var question = new JsonObject { ["model"] = file, ["input"] = "input.bin", ["type"] = type, ["shape"] = new JsonArray([.. shape.Select(s => (JsonNode)s)]), ["output"] = "output.bin" };
        peer.StandardInput.WriteLine(question.ToJsonString());
        peer.StandardInput.Flush();
        JsonNode answer = JsonNode.Parse(peer.StandardOutput.ReadLine() ?? throw new InvalidOperationException("onnx_check.mjs ended"))!;
        if (answer["error"] is { } error) throw new InvalidOperationException($"ONNX Runtime on {file}: {error}");
        if (!answer["shape"]!.AsArray().Select(s => (int)s!).SequenceEqual(wanted)) throw new InvalidOperationException($"{file} gave {answer["shape"]}, not {string.Join('×', wanted)}");
    }

    /// <summary>With statistics as training leaves them, and no layer at zero: what a new network hides, a file could get wrong unseen.</summary>
    private static Model NewModel(string name)
    {
        string[] parts = name.Split(':');
        var classes = new ClassTable(Enumerable.Range(0, 7).Select(i => $"class {i}"));
        ModelOptions options = parts is [_, "every"] ? new() { PatchSize = 31, PatchStride = 1 } : new() { Bilinear = parts is [_, "bilinear"] };
        Model model = ModelCatalog.Create(parts[0], options, classes);
        var random = new Random(7);
        foreach ((string key, Tensor tensor) in model.Network.StateDict())
        {
            bool isNorm = tensor.Shape.Rank == 1;
            bool isZero = !tensor.Span.ContainsAnyExcept(0f);
            if (!isNorm && !isZero) continue;
            foreach (ref float value in tensor.Span)
            {
                float noise = (random.NextSingle() * 2) - 1;
                value = key.EndsWith("running_var", StringComparison.Ordinal) ? 1 + (0.5f * noise)
                    : isNorm && key.EndsWith("weight", StringComparison.Ordinal) ? 1 + (0.3f * noise)
                    : isNorm ? 0.2f * noise
                    : 0.02f * noise;
            }
        }
        model.Network.Train(false);
        return model;
    }
}
