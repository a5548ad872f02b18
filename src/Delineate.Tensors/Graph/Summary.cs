namespace Delineate.Tensors;

/// <summary>What one op of a network costs.</summary>
/// <param name="Path">The module in which it runs: <c>backbone.layer4.2.conv3</c>, empty for the network itself.</param>
/// <param name="Op">The op.</param>
/// <param name="Output">What it makes.</param>
/// <param name="Parameters">Learned values that it is the first to read.</param>
/// <param name="MultiplyAdds">Products that it adds up; 0 for ops that are no sums of products.</param>
/// <param name="ActivationBytes">The memory of what it makes; 0 where that is another name for its input.</param>
public sealed record SummaryRow(string Path, string Op, Shape Output, long Parameters, long MultiplyAdds, long ActivationBytes);

/// <summary>What a network costs at one input shape: parameters, multiply-adds and memory, op by op and together.</summary>
public sealed class Summary
{
    private Summary(Shape input, IReadOnlyList<SummaryRow> rows, long parameters, long planBytes) => (Input, Rows, Parameters, PlanBytes) = (input, rows, parameters, planBytes);

    /// <summary>The shape of the (first) input.</summary>
    public Shape Input { get; }

    /// <summary>The ops in the order in which they run.</summary>
    public IReadOnlyList<SummaryRow> Rows { get; }

    /// <summary>All learned values of the network, those of parts that do not run in evaluation too.</summary>
    public long Parameters { get; }

    /// <summary>Products that are added up in one forward pass.</summary>
    public long MultiplyAdds => Rows.Sum(r => r.MultiplyAdds);

    /// <summary>The memory of everything that the ops make: what training keeps for its way back.</summary>
    public long ActivationBytes => Rows.Sum(r => r.ActivationBytes);

    /// <summary>The memory that a prediction needs for its maps, beside the weights: values that live at different times share it.</summary>
    public long PlanBytes { get; }

    /// <summary>The summary of a traced network.</summary>
    public static Summary Of(Graph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var counted = new HashSet<GraphValue>();
        var rows = new List<SummaryRow>();
        foreach (GraphNode node in graph.Nodes)
        {
            long parameters = node.Inputs.Where(v => v?.State is { RequiresGrad: true } && counted.Add(v)).Sum(v => (long)v!.Shape.Length);
            long bytes = node.Op is TracedReshape ? 0 : (long)node.Output.Shape.Length * sizeof(float);
            rows.Add(new SummaryRow(node.Path, node.Op.Name, node.Output.Shape, parameters, node.Op.MultiplyAdds(node), bytes));
        }
        long all = graph.States.Where(s => s.Tensor.RequiresGrad).Sum(s => (long)s.Tensor.Length);
        return new Summary(graph.Inputs[0].Shape, rows, all, PlanBuilder.Build(graph, Rounding.Fast).ArenaBytes);
    }
}
