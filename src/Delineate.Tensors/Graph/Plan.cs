using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>
/// A graph made ready to run over and over: batch norm lies in the weights before it, convolution, bias, residual and activation are one step, parts
/// of a concatenation are written where they belong, and all intermediate values share one arena. Holds no memory but its description; see <see cref="PlanCache"/>.
/// </summary>
internal sealed class Plan
{
    private readonly PlanStep[] steps;

    public Plan(PlanValue[] inputs, PlanStep[] steps, PlanValue[] outputs, int arenaLength, TracedResizeBilinear? enlargement)
    {
        (Inputs, this.steps, Outputs, ArenaLength, Enlargement) = (inputs, steps, outputs, arenaLength, enlargement);
    }

    /// <summary>Fills an arena with NaN before each run, so that a test sees a step that reads what nobody wrote.</summary>
    internal static bool PoisonsArenas { get; set; }

    public IReadOnlyList<PlanValue> Inputs { get; }

    public IReadOnlyList<PlanValue> Outputs { get; }

    public IReadOnlyList<PlanStep> Steps => steps;

    /// <summary>Floats of the arena.</summary>
    public int ArenaLength { get; }

    /// <summary>The last enlargement, where it was left to whoever reads the only output.</summary>
    public TracedResizeBilinear? Enlargement { get; }

    /// <summary>The packed weights that it uses.</summary>
    public IEnumerable<WeightKey> WeightKeys => steps.OfType<ConvStep>().Where(s => s.Packed is not null).Select(s => s.Packed!.Value.Key);

    public long ArenaBytes => (long)ArenaLength * sizeof(float);

    /// <summary>Packs the weights, or finds them packed.</summary>
    public void Pack(PackedWeights weights)
    {
        foreach (ConvStep step in steps.OfType<ConvStep>()) step.Pack(weights);
    }

    /// <summary>The plan over an arena of at least <see cref="ArenaLength"/> floats after its first line.</summary>
    public BoundPlan Bind(float[] arena)
    {
        var memory = new PlanMemory(arena);
        Work[] work = Array.ConvertAll(steps, step => step.Bind(memory));
        return new BoundPlan(this, arena, work, [.. Inputs.Select(v => BoundValue.Of(v, memory))], [.. Outputs.Select(v => BoundValue.Of(v, memory))]);
    }
}

/// <summary>An input or output of a bound plan: a tensor in the arena, or the place that is told where the caller's lies.</summary>
internal readonly record struct BoundValue(Tensor? Tensor, Place? Place)
{
    public static BoundValue Of(PlanValue value, PlanMemory memory) => value.IsOutside ? new(null, memory.PlaceOf(value)) : new(memory.Of(value).Tensor, null);
}

/// <summary>A plan over one arena: for one thread at a time.</summary>
internal sealed class BoundPlan(Plan plan, float[] arena, Work[] work, BoundValue[] inputs, BoundValue[] outputs)
{
    /// <summary>A result that lies in the arena, until that is used again.</summary>
    public Tensor Output(int index) => outputs[index].Tensor ?? throw new InvalidOperationException("this output lies in the caller's memory");

    /// <summary>
    /// Runs all steps. The results are written to tensors of the outputs' shapes; with none, which a plan that leaves its enlargement takes, they stay in the
    /// arena. Makes no object.
    /// </summary>
    public unsafe void Run(ReadOnlySpan<Tensor> given, ReadOnlySpan<Tensor> results)
    {
        for (int i = 0; i < given.Length; i++)
        {
            if (given[i].Shape != plan.Inputs[i].Shape) throw new ShapeException($"this plan takes an input of {plan.Inputs[i].Shape}, got {given[i].Shape}");
        }
        if (Plan.PoisonsArenas)
        {
            arena.AsSpan().Fill(float.NaN);
            foreach (Tensor result in results) result.Span.Fill(float.NaN);
        }
        for (int i = 0; i < given.Length; i++)
        {
            if (inputs[i].Place is { } place) place.Address = Pinned.Of(given[i]);
            else given[i].Span.CopyTo(inputs[i].Tensor!.Span);
        }
        for (int i = 0; i < results.Length; i++)
        {
            if (outputs[i].Place is { } place) place.Address = Pinned.Of(results[i]);
        }
        for (int i = 0; i < work.Length; i++) work[i].Run();
        for (int i = 0; i < results.Length; i++)
        {
            if (outputs[i].Tensor is { } output) output.Span.CopyTo(results[i].Span);
        }
        foreach (Tensor tensor in given) GC.KeepAlive(tensor);
        foreach (Tensor tensor in results) GC.KeepAlive(tensor);
    }
}
