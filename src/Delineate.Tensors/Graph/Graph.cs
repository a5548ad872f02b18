using Delineate.Tensors.Nn;

namespace Delineate.Tensors;

/// <summary>
/// What a module does to inputs of given shapes: its ops in the order in which they ran, from one forward pass on shapes alone. A
/// <see cref="Summary"/> tells what it costs, a plan runs it.
/// </summary>
public sealed class Graph
{
    internal Graph(IReadOnlyList<GraphValue> inputs, IReadOnlyList<GraphNode> nodes, IReadOnlyList<GraphValue> outputs, IReadOnlyList<(string Name, Tensor Tensor)> states) =>
        (Inputs, Nodes, Outputs, States) = (inputs, nodes, outputs, states);

    internal IReadOnlyList<GraphValue> Inputs { get; }

    internal IReadOnlyList<GraphNode> Nodes { get; }

    internal IReadOnlyList<GraphValue> Outputs { get; }

    /// <summary>The module's parameters and buffers, those that no op read too.</summary>
    internal IReadOnlyList<(string Name, Tensor Tensor)> States { get; }

    /// <summary>Traces a layer in evaluation mode.</summary>
    /// <exception cref="GraphException">It is in training mode, depends on values, or reads tensors that are not its own.</exception>
    /// <exception cref="ShapeException">It cannot take an input of this shape.</exception>
    public static Graph Trace(Layer layer, Shape input)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return Trace(layer, layer.Forward, input);
    }

    /// <summary>Traces what <paramref name="forward"/> does with <paramref name="module"/> in evaluation mode to an input of a shape.</summary>
    /// <exception cref="GraphException">The module is in training mode, depends on values, or reads tensors that are not its own.</exception>
    /// <exception cref="ShapeException">It cannot take an input of this shape.</exception>
    public static Graph Trace(Module module, Func<Tensor, Tensor> forward, Shape input)
    {
        ArgumentNullException.ThrowIfNull(forward);
        return Trace(module, x => [forward(x[0])], [input]);
    }

    /// <summary>The same with several inputs and outputs.</summary>
    /// <exception cref="GraphException">The module is in training mode, depends on values, or reads tensors that are not its own.</exception>
    /// <exception cref="ShapeException">It cannot take inputs of these shapes.</exception>
    public static Graph Trace(Module module, Func<Tensor[], Tensor[]> forward, params ReadOnlySpan<Shape> inputs)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(forward);
        return Tracer.Run(module, forward, inputs);
    }

    /// <summary>
    /// Traces for inputs of every size, as a file for another runtime wants it: ops that take their size from another tensor are part of the graph even
    /// where there is nothing to do at this one.
    /// </summary>
    /// <exception cref="GraphException">The module is in training mode, depends on values, or reads tensors that are not its own.</exception>
    /// <exception cref="ShapeException">It cannot take an input of this shape.</exception>
    public static Graph TraceForAnySize(Module module, Func<Tensor, Tensor> forward, Shape input)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(forward);
        return Tracer.Run(module, x => [forward(x[0])], [input], forAnySize: true);
    }

    /// <summary>The same with several inputs and outputs.</summary>
    /// <exception cref="GraphException">The module is in training mode, depends on values, or reads tensors that are not its own.</exception>
    /// <exception cref="ShapeException">It cannot take inputs of these shapes.</exception>
    public static Graph TraceForAnySize(Module module, Func<Tensor[], Tensor[]> forward, params ReadOnlySpan<Shape> inputs)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(forward);
        return Tracer.Run(module, forward, inputs, forAnySize: true);
    }
}

/// <summary>A tensor of a graph: an input, what a node made, or a parameter or buffer of the module.</summary>
internal sealed class GraphValue(Shape shape)
{
    public Shape Shape { get; } = shape;

    /// <summary>The node that makes it, or null.</summary>
    public GraphNode? Producer { get; set; }

    /// <summary>The module's own tensor, or null.</summary>
    public Tensor? State { get; init; }

    /// <summary>Its key in the state dict: <c>backbone.conv1.weight</c>.</summary>
    public string? StateName { get; init; }
}

/// <summary>One op of a graph with what it reads (null where an input is missing) and makes.</summary>
internal sealed class GraphNode(GraphOp op, GraphValue?[] inputs, GraphValue output, string path)
{
    public GraphOp Op { get; } = op;

    /// <summary>In the op's order.</summary>
    public IReadOnlyList<GraphValue?> Inputs { get; } = inputs;

    public GraphValue Output { get; } = output;

    /// <summary>The value whose height, width or other size the output has, where the op was told to follow one; nothing else of it is read.</summary>
    public GraphValue? Like { get; init; }

    /// <summary>The module in which it ran: <c>backbone.layer4.2.conv3</c>, empty for the traced module itself.</summary>
    public string Path { get; } = path;
}
