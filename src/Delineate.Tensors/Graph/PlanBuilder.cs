using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Turns a graph into a plan: what nobody reads goes, constants are computed, neighbours are fused, values get their places.</summary>
internal sealed class PlanBuilder
{
    private readonly Rounding rounding;
    private readonly Dictionary<GraphValue, PlanValue> values = [];
    private readonly Dictionary<GraphValue, int> uses = [];
    private readonly List<PlanValue> all = [];
    private readonly List<PlanStep> steps = [];

    private PlanBuilder(Rounding rounding) => this.rounding = rounding;

    /// <summary>
    /// The plan of a graph. With <paramref name="leavesEnlargement"/> a bilinear resize that ends it is not part of the plan: its input becomes the output
    /// and the resize is <see cref="Plan.Enlargement"/>.
    /// </summary>
    public static Plan Build(Graph graph, Rounding rounding, bool leavesEnlargement = false)
    {
        GraphValue[] results = [.. graph.Outputs];
        TracedResizeBilinear? enlargement = null;
        if (leavesEnlargement && results is [{ Producer: { Op: TracedResizeBilinear resize } last }] && last.Inputs[0]!.State is null)
            (results, enlargement) = ([last.Inputs[0]!], resize);

        var builder = new PlanBuilder(rounding);
        List<GraphNode> nodes = builder.Live(graph, results);
        foreach (GraphValue input in graph.Inputs) builder.Add(input, new PlanValue(input.Shape) { IsInput = true });
        foreach (GraphNode node in nodes) builder.Add(node);
        PlanValue[] outputs = [.. results.Select(builder.Of)];
        foreach (PlanValue output in outputs) output.IsOutput = true;
        builder.JoinParts();
        builder.ReuseMemory();
        builder.SpacePixels();
        builder.LeaveOutside(leavesEnlargement ? [] : outputs);
        int length = builder.Place();
        return new Plan([.. graph.Inputs.Select(builder.Of)], [.. builder.steps], outputs, length, enlargement);
    }

    /// <summary>The nodes that lead to a result, in order, and how often each value is read.</summary>
    private List<GraphNode> Live(Graph graph, GraphValue[] results)
    {
        foreach (GraphValue result in results) Use(result);
        var live = new List<GraphNode>();
        foreach (GraphNode node in graph.Nodes.Reverse())
        {
            if (!uses.ContainsKey(node.Output)) continue;
            live.Add(node);
            foreach (GraphValue? input in node.Inputs)
            {
                if (input is not null) Use(input);
            }
        }
        live.Reverse();
        return live;

        void Use(GraphValue value) => uses[value] = uses.GetValueOrDefault(value) + 1;
    }

    private PlanValue Of(GraphValue value) => values.TryGetValue(value, out PlanValue? known) ? known : Add(value, new PlanValue(value.Shape) { Constant = value.State });

    private PlanValue Add(GraphValue value, PlanValue planned)
    {
        values.Add(value, planned);
        all.Add(planned);
        return planned;
    }

    private void Add(GraphNode node)
    {
        PlanValue?[] inputs = [.. node.Inputs.Select(v => v is null ? null : Of(v))];
        PlanValue output = Add(node.Output, new PlanValue(node.Output.Shape));
        if (Array.TrueForAll(inputs, v => v is null or { Constant: not null }))
        {
            output.Constant = Fold(node, inputs);
            return;
        }
        switch (node.Op)
        {
            case TracedConvolution op when IsConstant(inputs[1]) && IsConstant(inputs[2]):
                Append(new ConvStep(op, inputs[0]!, new ConvSource(inputs[1]!.Constant!, inputs[2]?.Constant, null), output, rounding));
                break;
            case TracedBatchNorm norm when OnlyReader(node, 0) is { Source.Norm: null, IsOpen: true } before && inputs[1..5].All(IsConstant) && inputs[5] is null or { Constant: null }:
                before.Source = before.Source with { Norm = new NormFold(inputs[1]?.Constant, inputs[2]?.Constant, inputs[3]!.Constant!, inputs[4]!.Constant!, norm.Epsilon) };
                Extend(before, output, inputs[5], norm.Activation);
                break;
            case TracedMap<ReluOp> when OnlyReader(node, 0) is { Activation: Activation.None } before:
                Extend(before, output, before.Residual, Activation.Relu);
                break;
            case TracedZip<AddOp> when inputs[0]!.Shape == inputs[1]!.Shape && inputs[0]!.Constant is null && inputs[1]!.Constant is null && LaterOpen(node) is (ConvStep before, int other):
                Extend(before, output, inputs[other], Activation.None);
                break;
            case TracedReshape:
                output.View(inputs[0]!);
                break;
            case TracedConcat concat when concat.Axis == node.Output.Shape.Rank - 1:
                for (int i = 0, channel = 0; i < inputs.Length; channel += inputs[i++]!.Channels) steps.Add(new CopyStep(inputs[i]!, output, channel));
                break;
            default:
                Append(new OpStep(node.Op, inputs, output));
                break;
        }
    }

    private static bool IsConstant(PlanValue? value) => value is null or { Constant: not null };

    private void Append(PlanStep step)
    {
        step.Output.Writer = step;
        steps.Add(step);
    }

    /// <summary>The convolution that makes an input which nobody but this node reads, or null.</summary>
    private ConvStep? OnlyReader(GraphNode node, int input) => uses[node.Inputs[input]!] == 1 ? Of(node.Inputs[input]!).Writer as ConvStep : null;

    /// <summary>Of the two summands the convolution that can take the other one as its residual, the later one of two, and which the other is.</summary>
    private (ConvStep, int Other)? LaterOpen(GraphNode node)
    {
        (ConvStep? left, ConvStep? right) = (OnlyReader(node, 0), OnlyReader(node, 1));
        if (left is { IsOpen: false }) left = null;
        if (right is { IsOpen: false }) right = null;
        if (left is null && right is null) return null;
        return right is null || (left is not null && steps.IndexOf(left) > steps.IndexOf(right)) ? (left!, 1) : (right, 0);
    }

    /// <summary>A convolution does what came after it too, at the place where that came: by then its residual is there.</summary>
    private void Extend(ConvStep step, PlanValue output, PlanValue? residual, Activation activation)
    {
        all.Remove(step.Output);
        (step.Output, step.Residual, step.Activation) = (output, residual, activation);
        steps.Remove(step);
        Append(step);
    }

    private static Tensor Fold(GraphNode node, PlanValue?[] inputs)
    {
        Tensor result = Tensor.Unpooled(node.Output.Shape);
        Operand[] operands = Array.ConvertAll(inputs, v => v is null ? default : Operand.Of(new Tensor(v.Shape, v.Constant!.Block.ReadOnly())));
        node.Op.Bind(operands, Operand.Of(result)).Run();
        GC.KeepAlive(inputs);
        return result;
    }

    /// <summary>Writes the parts of concatenations where they belong, if all who write and read them can work with pixels that lie apart.</summary>
    private void JoinParts()
    {
        foreach (CopyStep copy in steps.OfType<CopyStep>().ToArray())
        {
            PlanValue part = copy.Inputs[0]!;
            if (part.Host is not null || part.IsViewed || part.Constant is not null || part.IsInput || part.IsOutput) continue;
            if (part.Writer is { WritesSpaced: false } || steps.Exists(s => s.Reads(part) && !s.ReadsSpaced(part))) continue;
            part.TakePart(copy.Output, copy.Channel);
            steps.Remove(copy);
        }
    }

    /// <summary>Lets a step write over its first input where nobody needs that any more.</summary>
    private void ReuseMemory()
    {
        for (int at = 0; at < steps.Count; at++)
        {
            if (steps[at] is not OpStep { Op.RunsInPlace: true } step) continue;
            (PlanValue x, PlanValue y) = (step.Inputs[0]!, step.Output);
            if (x.Constant is not null || x.Shape != y.Shape || y.Host is not null || IsInParts(x)) continue;
            PlanValue root = x.Root;
            if (Array.Exists(step.Inputs, v => v is not null && v != x && v.Root == root)) continue; // read under another name, maybe in another order
            bool isNeeded = all.Exists(v => v.Root == root && (v.IsOutput || steps.FindLastIndex(s => s.Reads(v)) > at || steps.FindLastIndex(s => s.Output == v) > at));
            if (!isNeeded) y.View(x);
        }
    }

    /// <summary>True where the value, or one whose memory it has, is a range of another's channels.</summary>
    private static bool IsInParts(PlanValue value) => value.Host is { } host && (value.IsPart || IsInParts(host));

    /// <summary>
    /// Pixels that lie a multiple of 256 floats apart fall on few sets of the caches: such maps get a line more between their pixels, where all who
    /// write and read them can work with it.
    /// </summary>
    private void SpacePixels()
    {
        const int Aliasing = 256, Line = 16;
        foreach (PlanValue value in all)
        {
            if (value.Host is not null || value.Constant is not null || value.Shape.Rank != 4 || value.Channels == 0 || value.Channels % Aliasing != 0) continue;
            bool canBe = all.TrueForAll(v => v.Root != value || (!v.IsViewed && !v.IsInput && !v.IsOutput
                && steps.TrueForAll(s => (s.Output != v || s.WritesSpaced) && (!s.Reads(v) || s.ReadsSpaced(v)))));
            if (canBe) value.OwnStride = value.Channels + Line;
        }
    }

    /// <summary>
    /// Inputs and outputs that only convolutions touch lie in the caller's tensors: nothing is copied. Other steps are bound to an address for good.
    /// </summary>
    private void LeaveOutside(PlanValue[] outputs)
    {
        foreach (PlanValue value in all)
        {
            if (value.Host is not null || value.Constant is not null || all.Exists(v => v != value && v.Root == value)) continue;
            bool isResult = outputs.Count(v => v == value) == 1; // else several tensors have its values
            if (value.IsInput ? value.IsOutput : !isResult) continue;
            value.IsOutside = steps.TrueForAll(s => s is ConvStep || (s.Output != value && !s.Reads(value)));
        }
    }

    /// <summary>Gives every value that has memory of its own a place in the arena. Returns the arena's floats.</summary>
    private int Place()
    {
        PlanValue[] roots = [.. all.Where(v => v.Host is null && v.Constant is null && !v.IsOutside)];
        var life = roots.ToDictionary(v => v, _ => (First: int.MaxValue, Last: -1));
        foreach (PlanValue value in all)
        {
            if (value.IsInput) Touch(value, -1);
            if (value.IsOutput) Touch(value, steps.Count);
        }
        for (int i = 0; i < steps.Count; i++)
        {
            Touch(steps[i].Output, i);
            foreach (PlanValue? input in steps[i].Inputs)
            {
                if (input is not null) Touch(input, i);
            }
        }
        roots = [.. roots.Where(v => life[v].First != int.MaxValue)];
        (int[] places, int length) = ArenaLayout.Of([.. roots.Select(v => new ArenaLayout.Item(v.Size, life[v].First, life[v].Last))]);
        for (int i = 0; i < roots.Length; i++) roots[i].Place = places[i];
        return length;

        void Touch(PlanValue value, int step)
        {
            if (value.Constant is not null || value.IsOutside) return;
            (int first, int last) = life[value.Root];
            life[value.Root] = (Math.Min(first, step), Math.Max(last, step));
        }
    }
}
