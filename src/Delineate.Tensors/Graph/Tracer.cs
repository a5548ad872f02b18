using System.Runtime.CompilerServices;
using Delineate.Tensors.Nn;

namespace Delineate.Tensors;

/// <summary>
/// Records the ops of one thread while a graph is traced. Every op asks for <see cref="Current"/> once it has checked its arguments; where there is a
/// tracer, the op hands over its record and returns what it gets: a tensor that has a shape and no memory. So a trace costs no arithmetic, and an op
/// that forgot to record fails on the first value that it reads instead of becoming a constant.
/// </summary>
internal sealed class Tracer
{
    [ThreadStatic]
    private static Tracer? current;

    private readonly Dictionary<Block, GraphValue> values = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Block, string> states = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Module, string> paths = new(ReferenceEqualityComparer.Instance);
    private readonly List<GraphNode> nodes = [];
    private string path = "";

    private Tracer(Module module, bool forAnySize)
    {
        IsForAnySize = forAnySize;
        foreach ((string name, Tensor tensor) in module.StateDict()) states.TryAdd(tensor.Block, name);
        AddPaths(module, "");
    }

    /// <summary>The tracer at work on this thread, or null.</summary>
    public static Tracer? Current => current;

    /// <summary>
    /// True where the graph stands for inputs of every size, as a file for another runtime does: ops that take their size from another tensor are recorded
    /// even if there is nothing to do at the traced size.
    /// </summary>
    public bool IsForAnySize { get; }

    /// <summary>Runs <paramref name="forward"/> on shapes alone.</summary>
    public static Graph Run(Module module, Func<Tensor[], Tensor[]> forward, ReadOnlySpan<Shape> inputs, bool forAnySize = false)
    {
        if (current is not null) throw new GraphException("a graph is being traced on this thread already");
        var tracer = new Tracer(module, forAnySize);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        current = tracer;
        try
        {
            var given = new List<GraphValue>();
            var tensors = new List<Tensor>();
            foreach (Shape shape in inputs) tensors.Add(tracer.Phantom(new GraphValue(shape), given));
            Tensor[] results = forward([.. tensors]);
            GraphValue[] outputs = [.. results.Select(r => tracer.ValueOf(r, "the result"))];
            return new Graph(given, tracer.nodes, outputs, [.. module.StateDict()]);
        }
        finally
        {
            current = null;
        }
    }

    /// <summary>Says that an op cannot be part of a graph, where one is traced.</summary>
    /// <exception cref="GraphException">One is.</exception>
    public static void Refuse(string why, [CallerMemberName] string op = "")
    {
        if (current is not null) throw new GraphException($"{op} cannot be part of a graph: {why}");
    }

    /// <summary>Records an op. The inputs are the caller's, the missing ones null; the result stands for the op's output.</summary>
    /// <exception cref="GraphException">An input is neither the graph's, nor an op's output, nor a parameter or buffer of the module.</exception>
    public Tensor Add(GraphOp op, Shape output, params ReadOnlySpan<Tensor?> inputs) => AddSized(op, output, null, inputs);

    /// <summary>The same for an op that takes nothing but a size from the tensor <paramref name="like"/>: what depends on the input's size is recorded as a relation, not as a number.</summary>
    public Tensor AddSized(GraphOp op, Shape output, Tensor? like, params ReadOnlySpan<Tensor?> inputs)
    {
        var read = new GraphValue?[inputs.Length];
        string where = path;
        for (int i = 0; i < inputs.Length; i++)
        {
            if (inputs[i] is not { } tensor) continue;
            read[i] = ValueOf(tensor, op.Name);
            if (where == path && read[i]!.StateName is { } name) where = name[..Math.Max(0, name.LastIndexOf('.'))];
        }
        var value = new GraphValue(output);
        var node = new GraphNode(op, read, value, where) { Like = like is null ? null : ValueOf(like, op.Name) };
        value.Producer = node;
        nodes.Add(node);
        return Phantom(value, null);
    }

    /// <summary>Runs a layer under its own name.</summary>
    public Tensor Within(Module layer, Tensor x, Func<Tensor, Tensor> apply)
    {
        string outer = path;
        if (paths.TryGetValue(layer, out string? own)) path = own;
        try
        {
            return apply(x);
        }
        finally
        {
            path = outer;
        }
    }

    private Tensor Phantom(GraphValue value, List<GraphValue>? list)
    {
        list?.Add(value);
        var block = Block.Phantom(value.Shape.Length);
        values.Add(block, value);
        return new Tensor(value.Shape, block);
    }

    private GraphValue ValueOf(Tensor tensor, string reader)
    {
        if (!values.TryGetValue(tensor.Block, out GraphValue? value))
        {
            if (!states.TryGetValue(tensor.Block, out string? name))
            {
                string where = path.Length > 0 ? $" in {path}" : "";
                throw new GraphException(
                    $"{reader}{where} reads a tensor of {tensor.Shape} that is neither an input, nor an op's output, nor a parameter or buffer of the traced module: "
                    + "register it (Module.Buffer) or use the op's form that takes a number");
            }
            values.Add(tensor.Block, value = new GraphValue(tensor.Shape) { State = tensor, StateName = name });
        }
        if (value.Shape != tensor.Shape) throw new GraphException($"{reader} reads a tensor of {value.Shape} as {tensor.Shape} without Reshape");
        return value;
    }

    private void AddPaths(Module module, string own)
    {
        if (!paths.TryAdd(module, own)) return;
        foreach ((string name, Module child) in module.Children) AddPaths(child, own.Length == 0 ? name : $"{own}.{name}");
    }
}
