using System.Globalization;
using Delineate.Tensors;

namespace Delineate.Explain.Topics;

/// <summary>Ops of a network that are drawn as one box.</summary>
/// <param name="Output">The shape of what it gives to others; several outputs of one size have a plus between their channels.</param>
/// <param name="Jump">Pixels of the input between neighbouring values of the output.</param>
/// <param name="Reads">The blocks whose outputs it reads; −1 is the graph's first input, −2 its second.</param>
/// <param name="IsFusion">True for an addition of maps that came along different ways.</param>
internal sealed record NetworkBlock(string Name, string Output, Shape Shape, double Jump, long Parameters, long MultiplyAdds, IReadOnlyList<int> Reads, bool IsFusion);

/// <summary>A traced network as blocks and the edges between them, with costs that were computed a second time from the formulas.</summary>
/// <param name="Main">The blocks from the input to the output along the path that sees most of the image.</param>
internal sealed record NetworkBlocks(IReadOnlyList<NetworkBlock> Blocks, IReadOnlyList<int> Main, Summary Summary, IReadOnlyList<Shape> Inputs)
{
    /// <summary>Whether an op's name and sources make it a fusion.</summary>
    public const string Fusion = "+";

    /// <summary>Groups a graph's ops.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="name">The name of an op's block, by the op and the names of the blocks that it reads from; for a fusion it begins with +.</param>
    /// <exception cref="InvalidOperationException">Costs by the formulas differ from the summary's: a fault of the program.</exception>
    public static NetworkBlocks Of(Graph graph, Func<FlowStep, IReadOnlyList<string>, string> name)
    {
        GraphFlow flow = GraphFlow.Of(graph);
        Summary summary = Summary.Of(graph);
        ReceptiveField[] fields = ReceptiveFields.Along(flow, rows: true);
        var places = new Dictionary<string, int>();
        var members = new List<List<int>>();
        var blockOf = new int[flow.Steps.Count];
        for (int i = 0; i < blockOf.Length; i++)
        {
            string[] sources = [.. flow.Steps[i].Sources.Select(s => s < 0 ? "" : places.First(p => p.Value == blockOf[s]).Key)];
            string own = name(flow.Steps[i], sources);
            if (!places.TryGetValue(own, out int place))
            {
                places.Add(own, place = members.Count);
                members.Add([]);
            }
            blockOf[i] = place;
            members[place].Add(i);
        }
        NetworkBlock[] blocks = [.. places.OrderBy(p => p.Value).Select(p => Block(p.Key, members[p.Value]))];
        Check(blocks, flow, summary);
        IReadOnlyList<int> path = ReceptiveFields.MainPath(flow, fields, flow.Outputs[0]);
        return new NetworkBlocks(blocks, [.. path.Select(i => blockOf[i]).Distinct()], summary, flow.Inputs);

        NetworkBlock Block(string own, List<int> steps)
        {
            int[] outputs = [.. steps.Where(flow.Outputs.Contains)];
            if (outputs.Length == 0) outputs = [steps[^1]];
            Shape shape = flow.Steps[outputs[0]].Output;
            string map = Figures.Map(shape);
            if (outputs.Length > 1)
            {
                string channels = string.Join('+', outputs.Select(o => flow.Steps[o].Output[^1]));
                map = shape.Rank == 4 ? $"({channels}){map[$"{shape[^1]}".Length..]}" : channels;
            }
            int[] reads = [.. steps.SelectMany(i => flow.Steps[i].Sources.Select(s => s < 0 ? s : blockOf[s])).Where(b => b != blockOf[steps[0]]).Distinct()];
            return new NetworkBlock(own, map, shape, fields[outputs[0]].Jump, steps.Sum(i => summary.Rows[i].Parameters), steps.Sum(i => summary.Rows[i].MultiplyAdds), reads, own.StartsWith(Fusion, StringComparison.Ordinal));
        }
    }

    /// <summary>A table of the blocks' costs with a line for their sum.</summary>
    public Exhibit.Table Table(Func<NetworkBlock, string>? label = null)
    {
        var rows = new List<IReadOnlyList<Words>>();
        foreach (NetworkBlock block in Blocks)
            rows.Add([label?.Invoke(block) ?? block.Name, block.Output, Figures.Whole(block.Parameters), Figures.Millions(block.MultiplyAdds)]);
        rows.Add([new Words("total", "合计"), "", Figures.Whole(Summary.Parameters), Figures.Millions(Summary.MultiplyAdds)]);
        return new Exhibit.Table([new("stage", "阶段"), new("output C×H×W", "输出 C×H×W"), new("parameters", "参数"), new("multiply-adds", "乘加")], rows);
    }

    private static void Check(NetworkBlock[] blocks, GraphFlow flow, Summary summary)
    {
        for (int i = 0; i < flow.Steps.Count; i++)
        {
            if (flow.Steps[i].Weight is not null) Equal(Figures.MultiplyAdds(flow, flow.Steps[i]), summary.Rows[i].MultiplyAdds, $"multiply-adds of {flow.Steps[i].Path}");
        }
        Equal(blocks.Sum(b => b.Parameters), summary.Parameters, "parameters of all stages");
        Equal(blocks.Sum(b => b.MultiplyAdds), summary.MultiplyAdds, "multiply-adds of all stages");

        static void Equal(long own, long library, string what)
        {
            if (own != library) throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"the {what} are {own}, the library says {library}"));
        }
    }
}
