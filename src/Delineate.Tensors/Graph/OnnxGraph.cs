using System.Globalization;
using System.Runtime.InteropServices;
using Delineate.Tensors.Weights;

namespace Delineate.Tensors;

/// <summary>
/// A graph on its way into ONNX: what an op's own form is written with. Values of four axes, [N, H, W, C] here, are [N, C, H, W] there, all of them, so no
/// transposition stands between two ops: an op maps the axes that it names (<see cref="Axis"/>) and weights change their order as they do in a PyTorch file.
/// </summary>
internal sealed class OnnxGraph
{
    private readonly Dictionary<GraphValue, string> names = [];
    private readonly Dictionary<string, OnnxTensor> tensors = [];
    private readonly Dictionary<(Tensor, string), string> states = [];
    private readonly Dictionary<(GraphValue, int, int), string> sizes = [];
    private readonly Dictionary<GraphValue, List<GraphNode>> readers = [];
    private readonly HashSet<GraphNode> folded = [];
    private readonly HashSet<string> taken = [];
    private OnnxOptions options = new();

    public List<OnnxNode> Nodes { get; private set; } = [];

    public IReadOnlyCollection<OnnxTensor> Tensors => tensors.Values;

    /// <summary>The axis of a value as ONNX counts it: of four axes the last comes second.</summary>
    public static int Axis(GraphValue value, int axis) => value.Shape.Rank != 4 ? axis : axis switch { 0 => 0, 3 => 1, _ => axis + 1 };

    public static GraphException Refusal(GraphNode node, string why) =>
        new($"{node.Op.Name}{(node.Path.Length > 0 ? $" in {node.Path}" : "")} cannot be written to an ONNX file: {why}");

    /// <summary>
    /// Adds the ops of a traced graph that lead to its outputs, and gives the outputs' names. Several graphs may come one after the other: of a network that they
    /// share each weight is written once.
    /// </summary>
    /// <param name="graph">Traced for any size.</param>
    /// <param name="known">What is known of the inputs, and whether batch norms stay.</param>
    /// <param name="inputs">The names of the graph's inputs.</param>
    public string[] Embed(Graph graph, OnnxOptions known, params string[] inputs)
    {
        options = known;
        List<GraphNode> nodes = Live(graph);
        foreach (GraphNode node in nodes)
        {
            foreach (GraphValue? input in node.Inputs)
            {
                if (input is null) continue;
                if (!readers.TryGetValue(input, out List<GraphNode>? list)) readers.Add(input, list = []);
                list.Add(node);
            }
        }
        foreach (GraphValue result in graph.Outputs) readers.Remove(result); // read from outside too: nothing may be folded over it
        for (int i = 0; i < inputs.Length; i++) names.Add(graph.Inputs[i], inputs[i]);
        foreach (GraphNode node in nodes) node.Op.ToOnnx(this, node);
        return [.. graph.Outputs.Select(Of)];
    }

    /// <summary>The ops that <paramref name="write"/> adds, which are not among the file's own.</summary>
    public List<OnnxNode> Aside(Action write)
    {
        List<OnnxNode> outer = Nodes;
        Nodes = [];
        try
        {
            write();
            return Nodes;
        }
        finally
        {
            Nodes = outer;
        }
    }

    /// <summary>The name of a value: an op's output, an input, or a parameter under its own name.</summary>
    public string Of(GraphValue value) => names.TryGetValue(value, out string? name) ? name
        : value.State is { } state ? State(value.StateName!, state, SizesOf(state.Shape), null)
        : throw new GraphException("a value was read before it was made");

    /// <summary>Says under which name a node's output goes on.</summary>
    public void Set(GraphNode node, string name) => names.Add(node.Output, name);

    /// <summary>Adds an op; its name begins with where the node ran. Returns its output's name.</summary>
    public string Add(GraphNode node, string op, string[] inputs, params OnnxAttribute[] attributes) => Add(node.Path, op, inputs, attributes);

    public string Add(string path, string op, string[] inputs, params OnnxAttribute[] attributes) => AddSeveral(path, op, inputs, 1, attributes)[0];

    /// <summary>The same for an op with several outputs.</summary>
    public string[] AddSeveral(string path, string op, string[] inputs, int outputs, OnnxAttribute[] attributes)
    {
        string name = Free(path.Length == 0 ? op : $"{path}.{op}");
        string[] made = [.. Enumerable.Range(0, outputs).Select(i => i == 0 ? $"{name}_output" : $"{name}_output_{i}")];
        Nodes.Add(new OnnxNode(name, op, inputs, made, attributes));
        return made;
    }

    /// <summary>Adds the op that makes a node's output.</summary>
    public void Result(GraphNode node, string op, string[] inputs, params OnnxAttribute[] attributes) => Set(node, Add(node, op, inputs, attributes));

    /// <summary>A constant number.</summary>
    public string Number(float value) => Constant(string.Create(CultureInfo.InvariantCulture, $"number_{value:R}"), OnnxType.Float, [], [value]);

    /// <summary>A constant whole number.</summary>
    public string Scalar(long value) => Constant(string.Create(CultureInfo.InvariantCulture, $"scalar_{value}"), OnnxType.Int64, [], [value]);

    /// <summary>The same number several times.</summary>
    public string Numbers(string name, float value, int count) => Numbers(name, [.. Enumerable.Repeat(value, count)], count);

    public string Numbers(string name, float[] values, params long[] shape) => Constant(name, OnnxType.Float, shape, values);

    /// <summary>A constant list of whole numbers.</summary>
    public string Whole(params long[] values) => Constant($"whole_{string.Join('_', values)}", OnnxType.Int64, [values.Length], values);

    /// <summary>
    /// The sizes of a value's axes <paramref name="from"/> … <paramref name="to"/> − 1, in ONNX's order: numbers where they are the same for every input that the
    /// file takes, else asked of the value when the file runs.
    /// </summary>
    public string Sizes(GraphNode node, GraphValue value, int from, int to)
    {
        long[] known = SizesOf(value.Shape)[from..to];
        if (Enumerable.Range(from, to - from).All(axis => IsKnown(value, axis))) return Whole(known);
        if (!sizes.TryGetValue((value, from, to), out string? name))
            sizes.Add((value, from, to), name = Add(node, "Shape", [Of(value)], new("start", from), new("end", to)));
        return name;
    }

    /// <summary>Adds a resize, by a factor or to the sizes of the node's likeness.</summary>
    public void Resize(GraphNode node, float? scale, params OnnxAttribute[] attributes)
    {
        GraphValue x = node.Inputs[0]!;
        if (scale is { } factor)
        {
            Result(node, "Resize", [Of(x), "", Numbers(string.Create(CultureInfo.InvariantCulture, $"scales_{factor:R}"), [1, 1, factor, factor], 4)], attributes);
            return;
        }
        bool areKnown = IsKnown(x, 0) && (node.Like is null || IsKnown(x, 2));
        string target = areKnown
            ? Whole([.. SizesOf(x.Shape)[..2], .. SizesOf(node.Output.Shape)[2..]])
            : Add(node, "Concat", [Sizes(node, x, 0, 2), node.Like is null ? Whole(SizesOf(node.Output.Shape)[2..]) : Sizes(node, node.Like, 2, 4)], new OnnxAttribute("axis", 0));
        Result(node, "Resize", [Of(x), "", "", target], attributes);
    }

    /// <summary>An operand of an op that broadcasts: axes are added before those that it has, which is another place once the channels come second.</summary>
    public string Broadcast(GraphNode node, int operand)
    {
        GraphValue value = node.Inputs[operand]!;
        (int rank, int needed) = (value.Shape.Rank, node.Output.Shape.Rank);
        if (rank is 0 || rank == needed || needed < 4) return Of(value);
        if (rank == 1 && value.State is { } state) return State(value.StateName!, state, [state.Length, 1, 1], null);
        throw Refusal(node, $"it spreads {value.Shape} over {node.Output.Shape}: give both the same number of axes");
    }

    /// <summary>What a reduction reads, over which axes, and whether they stay.</summary>
    public (string Input, long[] Axes, OnnxAttribute KeepDims) Reduced(GraphNode node, int[] axes)
    {
        GraphValue x = node.Inputs[0]!;
        bool keeps = node.Output.Shape.Rank == x.Shape.Rank;
        if (!keeps && x.Shape.Rank == 4 && !axes.Contains(3) && !(axes.Contains(1) && axes.Contains(2)))
            throw Refusal(node, "the axes that it leaves would change their order: keep them (keepDims)");
        return (Of(x), [.. axes.Select(axis => (long)Axis(x, axis)).Order()], new OnnxAttribute("keepdims", keeps ? 1 : 0));
    }

    /// <summary>True for a batch norm whose figures are in the weights before it.</summary>
    public bool IsFolded(GraphNode norm) => folded.Contains(norm);

    /// <summary>
    /// The weight and bias of a convolution or product, with the batch norm after it where nothing else reads what lies between: weight · scale and
    /// (bias − mean) · scale + shift, computed in double.
    /// </summary>
    public (string Weight, string? Bias) Weights(GraphNode node)
    {
        GraphValue weight = node.Inputs[1]!;
        GraphValue? bias = node.Inputs[2];
        bool folds = !options.KeepBatchNorm && node.Op is TracedConv2d && weight.State is not null && bias is null or { State: not null };
        if (!folds || OnlyReader(node) is not { Op: TracedBatchNorm op } norm || norm.Inputs[0] != node.Output
            || norm.Inputs.Skip(1).Take(4).Any(v => v is { State: null }))
        {
            return (Of(weight), bias is null ? null : Of(bias));
        }
        folded.Add(norm);
        int channels = weight.Shape[0];
        (double[] factors, float[] shifts) = (new double[channels], new float[channels]);
        for (int c = 0; c < channels; c++)
        {
            factors[c] = Figure(norm.Inputs[1], c, 1) / Math.Sqrt(Figure(norm.Inputs[4], c, 1) + op.Epsilon);
            shifts[c] = (float)(((Figure(bias, c, 0) - Figure(norm.Inputs[3], c, 0)) * factors[c]) + Figure(norm.Inputs[2], c, 0));
        }
        string name = bias?.StateName ?? $"{node.Path}.bias";
        if (!taken.Add(name)) name = Free($"{name}.folded");
        tensors.Add(name, Values(name, OnnxType.Float, [channels], shifts));
        return (State(weight.StateName!, weight.State!, SizesOf(weight.Shape), factors), name);

        static double Figure(GraphValue? value, int place, double missing) => value is null ? missing : value.State!.Block.Values[place];
    }

    /// <summary>The one op that reads what a node makes; null where there are others.</summary>
    public GraphNode? OnlyReader(GraphNode node) => readers.TryGetValue(node.Output, out List<GraphNode>? next) && next is [var only] ? only : null;

    /// <summary>Gives an op's output another name wherever it stands; what no op made is passed on under it.</summary>
    public void Rename(string name, string wanted)
    {
        if (Nodes.Exists(n => n.Outputs.Contains(name))) Rename(Nodes, name, wanted);
        else Nodes.Add(new OnnxNode(Free("Identity"), "Identity", [name], [wanted], []));
    }

    private static void Rename(List<OnnxNode> nodes, string name, string wanted)
    {
        for (int i = 0; i < nodes.Count; i++)
        {
            OnnxNode node = nodes[i];
            nodes[i] = node with { Outputs = Array.ConvertAll(node.Outputs, Renamed), Inputs = Array.ConvertAll(node.Inputs, Renamed) };
            foreach (OnnxAttribute attribute in node.Attributes)
            {
                if (attribute.Body is { } body) Rename(body.Nodes, name, wanted);
            }
        }

        string Renamed(string other) => other == name ? wanted : other;
    }

    /// <summary>The nodes that lead to the results, in order; those of whose outputs only the size is asked too.</summary>
    private static List<GraphNode> Live(Graph graph)
    {
        var needed = new HashSet<GraphValue>(graph.Outputs);
        var live = new List<GraphNode>();
        foreach (GraphNode node in graph.Nodes.Reverse())
        {
            if (!needed.Contains(node.Output)) continue;
            live.Add(node);
            foreach (GraphValue? value in node.Inputs.Append(node.Like))
            {
                if (value is not null) needed.Add(value);
            }
        }
        live.Reverse();
        return live;
    }

    private static long[] SizesOf(Shape shape) => [.. (shape.Rank == 4 ? ChannelOrder.ToSecond(shape) : shape).Select(s => (long)s)];

    private bool IsKnown(GraphValue value, int axis) => value.Shape.Rank == 4
        ? axis switch { 0 => options.Batch is not null, 1 => true, _ => options.Size is not null }
        : options.Batch is not null && options.Size is not null;

    /// <summary>A parameter or buffer under its own name; another form of one that is there already gets a number.</summary>
    private string State(string name, Tensor tensor, long[] shape, double[]? factors)
    {
        string form = $"{string.Join('x', shape)}{(factors is null ? "" : $" times {factors.GetHashCode()}")}";
        if (states.TryGetValue((tensor, form), out string? known)) return known;
        name = Free(name);
        states.Add((tensor, form), name);
        tensors.Add(name, new OnnxTensor(name, OnnxType.Float, shape, stream => WriteChannelsSecond(tensor, factors, stream)));
        return name;
    }

    /// <summary>Row by row of the outermost axis, which keeps its place.</summary>
    private static void WriteChannelsSecond(Tensor tensor, double[]? factors, Stream stream)
    {
        ReadOnlySpan<float> values = tensor.Block.Values[..tensor.Length];
        if (tensor.Shape.Rank != 4 || tensor.Length == 0)
        {
            stream.Write(MemoryMarshal.AsBytes(values));
            return;
        }
        Shape row = tensor.Shape.With(0, 1);
        float[] line = new float[row.Length];
        for (int i = 0; i < tensor.Shape[0]; i++)
        {
            ChannelOrder.ToSecond(row, values.Slice(i * row.Length, row.Length), line);
            for (int k = 0; factors is not null && k < line.Length; k++) line[k] = (float)(line[k] * factors[i]);
            stream.Write(MemoryMarshal.AsBytes<float>(line));
        }
    }

    /// <summary>Constants under a name: those of the same name are the same.</summary>
    public string Constant<T>(string name, OnnxType type, long[] shape, T[] values)
        where T : unmanaged
    {
        tensors.TryAdd(name, Values(name, type, shape, values));
        taken.Add(name);
        return name;
    }

    private static OnnxTensor Values<T>(string name, OnnxType type, long[] shape, T[] values)
        where T : unmanaged => new(name, type, shape, stream => stream.Write(MemoryMarshal.AsBytes<T>(values)));

    /// <summary>The name, with a number where it is taken.</summary>
    public string Free(string name)
    {
        string free = name;
        for (int i = 2; !taken.Add(free); i++) free = $"{name}_{i}";
        return free;
    }
}
