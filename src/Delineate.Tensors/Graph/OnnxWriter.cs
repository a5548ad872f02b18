using Delineate.Tensors.Weights;

namespace Delineate.Tensors;

/// <summary>How images come in where the file prepares them itself: bytes of red, green and blue, [N, H, W, 3].</summary>
public sealed record OnnxPixels
{
    /// <summary>A byte times this plus <see cref="Shift"/> is the network's input, by channel; null for images that are brought to mean 0 and deviation 1 each by its own figures.</summary>
    public IReadOnlyList<float>? Scale { get; init; }

    public IReadOnlyList<float>? Shift { get; init; }

    /// <summary>Without a scale: the least deviation of an image that is believed, in bytes, so that a blank image stays blank.</summary>
    public float LeastDeviation { get; init; } = 2.55f;
}

/// <summary>What an ONNX file takes and gives.</summary>
public sealed record OnnxOptions
{
    /// <summary>The number of images; null for any.</summary>
    public int? Batch { get; init; }

    /// <summary>The images' size; null for any.</summary>
    public Size2d? Size { get; init; }

    /// <summary>Batch norms stay ops of their own instead of moving into the weights before them: for a runtime that trains on.</summary>
    public bool KeepBatchNorm { get; init; }

    /// <summary>The file takes bytes and prepares them; null for a file that takes normalised floats, [N, 3, H, W].</summary>
    public OnnxPixels? Pixels { get; init; }

    /// <summary>The file gives the likeliest class of each pixel, bytes [N, H, W], instead of the scores.</summary>
    public bool Labels { get; init; }

    public string ProducerVersion { get; init; } = "";

    /// <summary>What else the file says of itself.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Metadata { get; init; } = [];
}

/// <summary>A written file's way in and out.</summary>
/// <param name="Input">The input's name, type and sizes: <c>input float[batch, 3, height, width]</c>.</param>
/// <param name="Outputs">Those of the outputs.</param>
/// <param name="Nodes">The number of ops.</param>
public sealed record OnnxInterface(string Input, IReadOnlyList<string> Outputs, int Nodes);

/// <summary>Writes networks as ONNX files, for any runtime. Images in and scores out have their channels second, as is the custom there.</summary>
public static class OnnxWriter
{
    /// <summary>
    /// Writes a network that takes one map and gives one. Where batch or size are free it is traced for two shapes, and what is written must not differ
    /// between them: a number that follows the image's size is found out here and not by the person who runs the file.
    /// </summary>
    /// <param name="path">The file; it is there whole or not at all.</param>
    /// <param name="name">The network's name.</param>
    /// <param name="trace">Traces the network for any size, at the given one.</param>
    /// <param name="minimumSize">The smallest height and width that it takes.</param>
    /// <param name="options">What the file takes and gives.</param>
    /// <exception cref="GraphException">An op has no form in ONNX, takes a size as a number, or the file would be too large; the message names it.</exception>
    public static OnnxInterface Save(string path, string name, Func<int, Size2d, Graph> trace, int minimumSize, OnnxOptions options)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentNullException.ThrowIfNull(options);
        int least = Math.Max(minimumSize, 64);
        // Two batches and four sides without a common measure, so that equal numbers are no accident.
        return Save(path, second => Build(name, second
            ? trace(options.Batch ?? 3, options.Size ?? ((2 * least) + 65, (2 * least) + 18))
            : trace(options.Batch ?? 2, options.Size ?? (least + 33, least + 70)), options));
    }

    /// <summary>
    /// Writes a model that is put together by hand.
    /// </summary>
    /// <param name="path">The file; it is there whole or not at all.</param>
    /// <param name="build">Puts it together. It is called twice, with false and with true, and traces its networks at two unlike sizes: both must come out the same.</param>
    /// <param name="name">The network's name.</param>
    /// <param name="options">What the file says of itself.</param>
    /// <exception cref="GraphException">An op has no form in ONNX, takes a size as a number, or the file would be too large; the message names it.</exception>
    public static OnnxInterface Save(string path, Func<bool, OnnxBuilder> build, string name, OnnxOptions options)
    {
        ArgumentNullException.ThrowIfNull(build);
        ArgumentNullException.ThrowIfNull(options);
        return Save(path, second => build(second).ToModel(name, options));
    }

    private static OnnxInterface Save(string path, Func<bool, OnnxModel> build)
    {
        OnnxModel first = build(false);
        CheckEqual(first, build(true));
        AtomicFile.Write(path, first.Write);
        return new OnnxInterface(first.Input.ToString(), [.. first.Outputs.Select(o => o.ToString())], first.Nodes.Count);
    }

    private static OnnxModel Build(string name, Graph graph, OnnxOptions options)
    {
        (GraphValue input, GraphValue result) = (graph.Inputs[0], graph.Outputs[0]);
        var onnx = new OnnxGraph();
        OnnxSize[] sizes =
        [
            new(options.Batch, "batch"), new(input.Shape[3], "channels"), new(options.Size?.Height, "height"), new(options.Size?.Width, "width"),
        ];
        OnnxPort taken = options.Pixels is null
            ? new OnnxPort("input", OnnxType.Float, sizes)
            : new OnnxPort("image", OnnxType.UInt8, [sizes[0], sizes[2], sizes[3], sizes[1]]);
        string scores = onnx.Embed(graph, options, options.Pixels is { } pixels ? Prepare(onnx, taken.Name, pixels) : taken.Name)[0];
        bool isInputSized = result.Shape.Rank == 4 && result.Shape[1] == input.Shape[1] && result.Shape[2] == input.Shape[2];
        OnnxSize[] resultSizes = isInputSized
            ? [sizes[0], new OnnxSize(result.Shape[3], "classes"), sizes[2], sizes[3]]
            : [.. Enumerable.Range(0, result.Shape.Rank).Select(i => i == 0 ? sizes[0] : new OnnxSize(null, $"out_{i}"))];
        if (options.Labels)
        {
            scores = onnx.Add("labels", "Cast", [onnx.Add("labels", "ArgMax", [scores], new("axis", 1), new("keepdims", 0))], new OnnxAttribute("to", (long)OnnxType.UInt8));
            resultSizes = [resultSizes[0], .. resultSizes[2..]];
        }
        var given = new OnnxPort(options.Labels ? "labels" : "out", options.Labels ? OnnxType.UInt8 : OnnxType.Float, resultSizes);
        onnx.Rename(scores, given.Name);
        return new OnnxModel(name, options.ProducerVersion, onnx.Nodes, [.. onnx.Tensors], taken, [given], options.Metadata);
    }

    /// <summary>Bytes, channels last → the network's input: the one transposition of the file.</summary>
    private static string Prepare(OnnxGraph onnx, string image, OnnxPixels pixels)
    {
        const string Path = "preprocessing";
        string x = onnx.Add(Path, "Cast", [image], new OnnxAttribute("to", (long)OnnxType.Float));
        x = onnx.Add(Path, "Transpose", [x], new OnnxAttribute("perm", [0, 3, 1, 2]));
        if (pixels is { Scale: { } scale, Shift: { } shift })
        {
            x = onnx.Add(Path, "Mul", [x, onnx.Numbers($"{Path}.scale", [.. scale], scale.Count, 1, 1)]);
            return onnx.Add(Path, "Add", [x, onnx.Numbers($"{Path}.shift", [.. shift], shift.Count, 1, 1)]);
        }
        string centred = onnx.Add(Path, "Sub", [x, Mean(x)]);
        string deviation = onnx.Add(Path, "Sqrt", [Mean(onnx.Add(Path, "Mul", [centred, centred]))]);
        return onnx.Add(Path, "Div", [centred, onnx.Add(Path, "Max", [deviation, onnx.Number(pixels.LeastDeviation)])]);

        string Mean(string of) => onnx.Add(Path, "ReduceMean", [of], new("axes", [2, 3]), new("keepdims", 1));
    }

    private static void CheckEqual(OnnxModel first, OnnxModel second)
    {
        for (int i = 0; i < Math.Max(first.Nodes.Count, second.Nodes.Count); i++)
        {
            OnnxNode? one = first.Nodes.ElementAtOrDefault(i), other = second.Nodes.ElementAtOrDefault(i);
            if (one is not null && other is not null && one.ToBytes().AsSpan().SequenceEqual(other.ToBytes())) continue;
            throw new GraphException(
                $"{(one ?? other)!.Name} depends on the image's size by a number, which would hold for one size only: "
                + "use the op's form that takes its size from another tensor (like), or export one size");
        }
    }
}
