namespace Delineate.Tensors;

/// <summary>
/// An ONNX file that is put together by hand: traced graphs with ops between them that no graph holds, lists of boxes for one. Values of four axes have their
/// channels second, [N, C, H, W], as everywhere in ONNX. <see cref="OnnxWriter"/> writes it.
/// </summary>
public sealed class OnnxBuilder
{
    private readonly OnnxGraph graph = new();
    private readonly List<OnnxPort> outputs = [];
    private OnnxPort? input;

    /// <summary>What the names of the ops that follow begin with.</summary>
    public string Path { get; set; } = "";

    /// <summary>Declares what the file takes. Axes are numbers or names.</summary>
    public OnnxValue Input(string name, OnnxType type, params OnnxSize[] sizes)
    {
        input = new OnnxPort(name, type, sizes);
        return new OnnxValue(this, name);
    }

    /// <summary>Declares one of the file's outputs, in their order.</summary>
    public void Output(string name, OnnxType type, OnnxValue value, params OnnxSize[] sizes)
    {
        graph.Rename(value.Name, name);
        outputs.Add(new OnnxPort(name, type, sizes));
    }

    /// <summary>Adds the ops of a graph that was traced for any size, and gives its outputs. Weights that several graphs share are written once.</summary>
    /// <param name="traced">With one input.</param>
    /// <param name="known">What is known of the input's batch and size, and whether batch norms stay.</param>
    /// <param name="x">The input.</param>
    /// <exception cref="GraphException">An op has no form in ONNX; the message names it.</exception>
    public OnnxValue[] Embed(Graph traced, OnnxOptions known, OnnxValue x)
    {
        ArgumentNullException.ThrowIfNull(traced);
        ArgumentNullException.ThrowIfNull(known);
        return Array.ConvertAll(graph.Embed(traced, known, x.Name), Value);
    }

    /// <summary>Adds an op with one output; default stands for an input that is left out.</summary>
    public OnnxValue Add(string op, OnnxValue[] inputs, params OnnxAttribute[] attributes) => Add(1, op, inputs, attributes)[0];

    /// <summary>Adds an op with several outputs.</summary>
    public OnnxValue[] Add(int outputs, string op, OnnxValue[] inputs, params OnnxAttribute[] attributes) =>
        Array.ConvertAll(graph.AddSeveral(Path, op, Array.ConvertAll(inputs, x => x.Name), outputs, attributes), Value);

    /// <summary>A constant number.</summary>
    public OnnxValue Number(float value) => Value(graph.Number(value));

    /// <summary>A constant whole number.</summary>
    public OnnxValue Whole(long value) => Value(graph.Scalar(value));

    /// <summary>A constant list of whole numbers.</summary>
    public OnnxValue Wholes(params long[] values) => Value(graph.Whole(values));

    /// <summary>Constant numbers under a name of their own.</summary>
    public OnnxValue Numbers(string name, float[] values, params long[] sizes) => Value(graph.Numbers(name, values, sizes));

    /// <summary>Values one behind the other.</summary>
    public OnnxValue Concat(int axis, params OnnxValue[] parts) => Add("Concat", parts, new OnnxAttribute("axis", axis));

    /// <summary>0, 1, … up to a whole number without axes.</summary>
    public OnnxValue Range(OnnxValue count) => Add("Range", [Whole(0), count, Whole(1)]);

    /// <summary>Of each place the first value where the condition holds, else the second.</summary>
    public OnnxValue Where(OnnxValue condition, OnnxValue yes, OnnxValue no) => Add("Where", [condition, yes, no]);

    /// <summary>
    /// Runs ops once for each of 0 … count − 1, which they get as a whole number without axes, and stacks what they make: sizes [...] become [count, ...].
    /// </summary>
    /// <param name="count">A whole number.</param>
    /// <param name="body">Adds the ops; it may read what was made before.</param>
    /// <param name="made">The type and sizes of each of its results.</param>
    public OnnxValue[] ForEach(OnnxValue count, Func<OnnxValue, OnnxValue[]> body, params (OnnxType Type, OnnxSize[] Sizes)[] made)
    {
        ArgumentNullException.ThrowIfNull(body);
        string name = graph.Free(Path.Length == 0 ? "body" : $"{Path}.body");
        string step = $"{name}_step", goesOn = $"{name}_goes_on";
        OnnxValue[] results = [], last = [];
        List<OnnxNode> nodes = graph.Aside(() =>
        {
            results = body(Value(step));
            last = [Add("Identity", [Value(goesOn)])];
        });
        OnnxPort[] given = [new(step, OnnxType.Int64, []), new(goesOn, OnnxType.Bool, [])];
        OnnxPort[] taken = [new(last[0].Name, OnnxType.Bool, []), .. results.Select((result, i) => new OnnxPort(result.Name, made[i].Type, made[i].Sizes))];
        return Add(results.Length, "Loop", [count, default], new OnnxAttribute("body", new OnnxBody(name, nodes, given, taken)));
    }

    internal OnnxModel ToModel(string name, OnnxOptions options) => new(
        name, options.ProducerVersion, graph.Nodes, [.. graph.Tensors], input ?? throw new InvalidOperationException("a file needs an input"), outputs, options.Metadata);

    private OnnxValue Value(string name) => new(this, name);
}
