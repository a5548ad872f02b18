namespace Delineate.Tensors;

/// <summary>What one op of a network costs.</summary>
/// <param name="Path">The module in which it runs: <c>backbone.layer4.2.conv3</c>, empty for the network itself.</param>
/// <param name="Op">The op.</param>
/// <param name="Output">What it makes.</param>
/// <param name="Parameters">Learned values that it is the first to read.</param>
/// <param name="MultiplyAdds">Products that it adds up; 0 for ops that are no sums of products.</param>
/// <param name="ActivationBytes">The memory of what it makes in a training step; 0 where that is another name for its input.</param>
public sealed record SummaryRow(string Path, string Op, Shape Output, long Parameters, long MultiplyAdds, long ActivationBytes);

/// <summary>How often a graph runs for one input, where a network looks at its parts one by one.</summary>
/// <param name="Input">The shape of the whole input.</param>
/// <param name="Prediction">Runs of one prediction.</param>
/// <param name="Training">Runs of one training step.</param>
/// <param name="AtOnce">Runs that a prediction makes together.</param>
public sealed record SummaryRuns(Shape Input, long Prediction, long Training, long AtOnce);

/// <summary>What a network costs at one input shape: parameters, multiply-adds and memory, op by op and together.</summary>
public sealed class Summary
{
    private Summary(SummaryRuns runs, IReadOnlyList<SummaryRow> rows, long parameters, long planBytes) =>
        (Runs, Rows, Parameters, PlanBytes) = (runs, rows, parameters, planBytes * runs.AtOnce);

    /// <summary>How often the ops run for one input: the costs are those of all runs, the outputs' shapes those of one.</summary>
    public SummaryRuns Runs { get; }

    /// <summary>The shape of the (first) input.</summary>
    public Shape Input => Runs.Input;

    /// <summary>The ops in the order in which they run.</summary>
    public IReadOnlyList<SummaryRow> Rows { get; }

    /// <summary>All learned values of the network, those of parts that do not run in evaluation too.</summary>
    public long Parameters { get; }

    /// <summary>Products that are added up in a prediction.</summary>
    public long MultiplyAdds => Rows.Sum(r => r.MultiplyAdds);

    /// <summary>Products that are added up in the forward pass of a training step.</summary>
    public long TrainingMultiplyAdds => MultiplyAdds / Runs.Prediction * Runs.Training;

    /// <summary>The memory of everything that the ops make: what training keeps for its way back.</summary>
    public long ActivationBytes => Rows.Sum(r => r.ActivationBytes);

    /// <summary>The memory that a prediction needs for its maps, beside the weights: values that live at different times share it.</summary>
    public long PlanBytes { get; }

    /// <summary>The summary of a traced network; of one that runs the graph more than once for an input where <paramref name="runs"/> says so.</summary>
    public static Summary Of(Graph graph, SummaryRuns? runs = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        runs ??= new SummaryRuns(graph.Inputs[0].Shape, 1, 1, 1);
        var counted = new HashSet<GraphValue>();
        var rows = new List<SummaryRow>();
        foreach (GraphNode node in graph.Nodes)
        {
            long parameters = node.Inputs.Where(v => v?.State is { RequiresGrad: true } && counted.Add(v)).Sum(v => (long)v!.Shape.Length);
            long bytes = node.Op is TracedReshape ? 0 : (long)node.Output.Shape.Length * sizeof(float);
            rows.Add(new SummaryRow(node.Path, node.Op.Name, node.Output.Shape, parameters, node.Op.MultiplyAdds(node) * runs.Prediction, bytes * runs.Training));
        }
        long all = graph.States.Where(s => s.Tensor.RequiresGrad).Sum(s => (long)s.Tensor.Length);
        return new Summary(runs, rows, all, PlanBuilder.Build(graph, Rounding.Fast).ArenaBytes);
    }
}
