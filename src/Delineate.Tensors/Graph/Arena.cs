namespace Delineate.Tensors;

/// <summary>
/// The memory that one thread's plans run in, one plan at a time. It grows to the largest of them and shrinks again where the plans of a while needed
/// far less. Plans stay bound to it as long as it stays where it is.
/// </summary>
internal sealed class Arena
{
    private const int RunsKept = 16; // runs that need less than a third before the memory is given up
    private readonly Dictionary<Plan, BoundPlan> bound = [];
    private float[]? memory;
    private int smallRuns;

    ~Arena()
    {
        if (memory is not null) TensorMemory.ForgetPlanned(memory);
    }

    public long Bytes => memory is null ? 0 : TensorMemory.Bytes(memory);

    /// <summary>The plan over this memory.</summary>
    public BoundPlan For(Plan plan)
    {
        int needed = Math.Max(1, plan.ArenaLength);
        long usable = memory is null ? 0 : memory.Length - TensorMemory.AlignedOffset(memory);
        smallRuns = usable > 3L * needed ? smallRuns + 1 : 0;
        if (usable < needed || smallRuns > RunsKept)
        {
            GiveBack();
            memory = TensorMemory.TakeArray(needed);
            TensorMemory.CountAsPlanned(memory, true);
        }
        if (!bound.TryGetValue(plan, out BoundPlan? run)) bound.Add(plan, run = plan.Bind(memory!));
        return run;
    }

    /// <summary>Forgets the plans that are not among those given.</summary>
    public void KeepOnly(IReadOnlySet<Plan> plans)
    {
        foreach (Plan plan in bound.Keys)
        {
            if (!plans.Contains(plan)) bound.Remove(plan);
        }
    }

    /// <summary>The memory goes back to the pool, and with it all bound plans go.</summary>
    public void GiveBack()
    {
        bound.Clear();
        smallRuns = 0;
        if (memory is null) return;
        TensorMemory.CountAsPlanned(memory, false);
        TensorMemory.Return(memory);
        memory = null;
    }
}
