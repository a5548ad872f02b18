namespace Delineate.Tensors;

/// <summary>Which places of its input each place of an op's output reads along one axis.</summary>
public abstract record AxisRead
{
    /// <summary>Output i reads <paramref name="Kernel"/> places, <paramref name="Dilation"/> apart, from <paramref name="Stride"/>·i − <paramref name="Padding"/> on. An op on single places has a kernel of 1.</summary>
    public sealed record Window(int Kernel, int Stride, int Dilation, int Padding) : AxisRead;

    /// <summary>The other way round, as a transposed convolution has it: input i is read by <paramref name="Kernel"/> outputs, <paramref name="Dilation"/> apart, from <paramref name="Stride"/>·i − <paramref name="Padding"/> on.</summary>
    public sealed record Spread(int Kernel, int Stride, int Dilation, int Padding) : AxisRead;

    /// <summary>Output i reads the inputs about <paramref name="Step"/>·i + <paramref name="Offset"/>: both neighbours, or the one below.</summary>
    public sealed record Resized(double Step, double Offset, bool Interpolates) : AxisRead;

    /// <summary>Every output reads all places.</summary>
    public sealed record Everything : AxisRead;

    /// <summary>Output i reads input i alone.</summary>
    public static Window Pointwise { get; } = new(1, 1, 1, 0);
}

/// <summary>One op of a graph as it lies between others.</summary>
/// <param name="Path">The module in which it runs, empty for the network itself.</param>
/// <param name="Op">The op.</param>
/// <param name="Output">What it makes.</param>
/// <param name="Sources">The ops whose outputs it reads, by their places in the flow; −1 is the graph's first input, −2 its second. Weights are not among them.</param>
/// <param name="Weight">The shape of the weight of a convolution or linear layer; null for other ops.</param>
/// <param name="Rows">Which rows of its sources it reads.</param>
/// <param name="Columns">Which columns.</param>
public sealed record FlowStep(string Path, string Op, Shape Output, IReadOnlyList<int> Sources, Shape? Weight, AxisRead Rows, AxisRead Columns);

/// <summary>How data flow through a network: the ops of a <see cref="Graph"/> in the order in which they run (that of <see cref="Summary.Rows"/>), and which reads which.</summary>
public sealed class GraphFlow
{
    private GraphFlow(IReadOnlyList<Shape> inputs, IReadOnlyList<FlowStep> steps, IReadOnlyList<int> outputs) => (Inputs, Steps, Outputs) = (inputs, steps, outputs);

    /// <summary>The shapes of the graph's inputs.</summary>
    public IReadOnlyList<Shape> Inputs { get; }

    public IReadOnlyList<FlowStep> Steps { get; }

    /// <summary>The ops that make the graph's outputs; negative for an output that is an input.</summary>
    public IReadOnlyList<int> Outputs { get; }

    /// <summary>The flow of a traced network.</summary>
    public static GraphFlow Of(Graph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var places = new Dictionary<GraphValue, int>();
        for (int i = 0; i < graph.Inputs.Count; i++) places.TryAdd(graph.Inputs[i], -1 - i);
        var steps = new FlowStep[graph.Nodes.Count];
        for (int i = 0; i < steps.Length; i++)
        {
            GraphNode node = graph.Nodes[i];
            places.Add(node.Output, i);
            int[] sources = [.. node.Inputs.Where(v => v is { State: null }).Select(v => places[v!])];
            Shape? weight = node.Op is TracedConvolution && node.Inputs.Count > 1 ? node.Inputs[1]?.Shape : null;
            steps[i] = new FlowStep(node.Path, node.Op.Name, node.Output.Shape, sources, weight, Read(node, axis: 1), Read(node, axis: 2));
        }
        return new GraphFlow([.. graph.Inputs.Select(v => v.Shape)], steps, [.. graph.Outputs.Where(v => v.State is null).Select(v => places[v])]);
    }

    private static AxisRead Read(GraphNode node, int axis)
    {
        if (node.Inputs.FirstOrDefault(v => v is { State: null }) is not { } input) return AxisRead.Pointwise;
        if (input.Shape.Rank != 4 || node.Output.Shape.Rank != 4) return new AxisRead.Everything();
        (int from, int to) = (input.Shape[axis], node.Output.Shape[axis]);
        switch (node.Op)
        {
            case TracedConvolution { Geometry: var g, IsTransposed: var isTransposed }:
                (int kernel, int stride, int dilation, int padding) = (Side(g.Kernel), Side(g.Stride), Side(g.Dilation), Side(g.Padding));
                return isTransposed ? new AxisRead.Spread(kernel, stride, dilation, padding) : new AxisRead.Window(kernel, stride, dilation, padding);
            case TracedMaxPool2d { Window: var w }:
                return new AxisRead.Window(Side(w.Kernel), Side(w.Stride), Side(w.Dilation), Side(w.Padding));
            case TracedAvgPool2d { Window: var w }:
                return new AxisRead.Window(Side(w.Kernel), Side(w.Stride), Side(w.Dilation), Side(w.Padding));
            case TracedAdaptiveAvgPool2d:
                return to > 1 && from % to == 0 ? new AxisRead.Window(from / to, from / to, 1, 0) : new AxisRead.Everything();
            case TracedResizeNearest { Scale: var scale }:
                return new AxisRead.Resized(1 / (scale ?? (double)to / from), 0, Interpolates: false);
            case TracedResizeBilinear { AlignCorners: true }:
                return new AxisRead.Resized(to > 1 ? (from - 1.0) / (to - 1) : 0, 0, Interpolates: true);
            case TracedResizeBilinear { Scale: var scale }:
                double step = 1 / (scale ?? (double)to / from);
                return new AxisRead.Resized(step, (step / 2) - 0.5, Interpolates: true);
            case TracedSlice { Axis: var cut, Start: var start } when cut == axis:
                return new AxisRead.Window(1, 1, 1, -start);
            case TracedPad { Top: var top, Left: var left }:
                return new AxisRead.Window(1, 1, 1, axis == 1 ? top : left);
            default:
                return from == to ? AxisRead.Pointwise : new AxisRead.Everything();
        }

        int Side(Size2d size) => axis == 1 ? size.Height : size.Width;
    }
}
