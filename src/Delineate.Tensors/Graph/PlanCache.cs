using Delineate.Tensors.Nn;

namespace Delineate.Tensors;

/// <summary>How a <see cref="PlanCache"/> computes and how much it keeps.</summary>
public sealed record PlanOptions
{
    /// <summary>How much rounding convolutions may add to be faster.</summary>
    public Rounding Rounding { get; init; }

    /// <summary>
    /// Bytes of packed weights and idle arenas that may be kept from one run to the next; what one run needs, it gets. Default: 2 GiB, or a quarter of the
    /// memory that the process may use where that is less.
    /// </summary>
    public long MostBytes { get; init; } = Math.Min(2L << 30, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4);

    /// <summary>Input shapes whose plans are kept; the least recently used goes first. A plan without its arena and weights takes some 100 kB.</summary>
    public int MostPlans { get; init; } = 32;
}

/// <summary>
/// Runs a module in evaluation mode through plans, one for each shape of its inputs, made when the shape is first seen. All plans share one packed copy
/// of the weights. Any number of threads may run at once, each in an arena of its own. Weights that changed since they were packed are packed anew.
/// </summary>
public sealed class PlanCache
{
    private readonly Module module;
    private readonly Func<Tensor[], Tensor[]>[] parts;
    private readonly PlanOptions options;
    private readonly Lock gate = new();
    private readonly Dictionary<Key, Plan> plans = [];
    private readonly List<Key> recent = []; // least recently used first
    private readonly PackedWeights weights = new();
    private readonly Stack<Arena> idle = [];
    private readonly Block[] states;
    private readonly long[] versions;
    private long running; // bytes of arenas in use

    /// <summary>A cache for a module that <paramref name="forward"/> runs: images → scores.</summary>
    public PlanCache(Module module, Func<Tensor, Tensor> forward, PlanOptions? options = null)
        : this(module, x => [forward(x[0])], options)
    {
    }

    /// <summary>The same with several inputs and outputs.</summary>
    public PlanCache(Module module, Func<Tensor[], Tensor[]> forward, PlanOptions? options = null)
        : this(module, [forward], options)
    {
    }

    /// <summary>The same for a module that runs in several parts, one after the other: they share the weights and the arenas.</summary>
    public PlanCache(Module module, IReadOnlyList<Func<Tensor[], Tensor[]>> parts, PlanOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(parts);
        foreach (Func<Tensor[], Tensor[]> forward in parts) ArgumentNullException.ThrowIfNull(forward, nameof(parts));
        (this.module, this.parts, this.options) = (module, [.. parts], options ?? new PlanOptions());
        states = [.. module.StateDict().Select(s => s.Tensor.Block)];
        versions = new long[states.Length];
    }

    /// <summary>Bytes of all arenas, running and idle, and of the packed weights.</summary>
    public long Bytes
    {
        get
        {
            lock (gate) return running + idle.Sum(a => a.Bytes) + weights.Bytes;
        }
    }

    /// <summary>The number of input shapes that have a plan now.</summary>
    public int Count
    {
        get
        {
            lock (gate) return plans.Count;
        }
    }

    /// <summary>Runs the module. The result is a new tensor.</summary>
    /// <exception cref="GraphException">The module cannot be traced.</exception>
    /// <exception cref="ShapeException">It cannot take this shape.</exception>
    public Tensor Run(Tensor x) => Run([x])[0];

    /// <summary>The same with several inputs and outputs, of one of the parts.</summary>
    /// <exception cref="GraphException">The module cannot be traced.</exception>
    /// <exception cref="ShapeException">It cannot take these shapes.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such part.</exception>
    public Tensor[] Run(Tensor[] inputs, int part = 0)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentOutOfRangeException.ThrowIfNegative(part);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(part, parts.Length);
        using Lease lease = Rent(inputs, leavesEnlargement: false, part);
        Tensor[] results = [.. lease.Plan.Outputs.Select(v => Tensor.Empty(v.Shape))];
        lease.Run.Run(inputs, results);
        return results;
    }

    /// <summary>
    /// The likeliest class of each pixel, the first of several. The scores [N, H, W, classes] of the module's only output are cut to their first
    /// <paramref name="crop"/> rows and columns and enlarged or reduced to <paramref name="size"/>, without ever lying in memory at that size: the labels are
    /// those of Slice, ResizeBilinear (where the sizes differ) and ArgMaxLabels. N × size bytes.
    /// </summary>
    /// <exception cref="GraphException">The module cannot be traced.</exception>
    /// <exception cref="ShapeException">The scores are no map of 1 to 256 classes, or smaller than the crop.</exception>
    public byte[] Labels(Tensor x, Size2d crop, Size2d size)
    {
        ArgumentNullException.ThrowIfNull(x);
        using Lease lease = Rent([x], leavesEnlargement: true);
        lease.Run.Run([x], []);
        return LabelOps.ArgMaxLabels(lease.Run.Output(0), lease.Plan.Enlargement, crop, size);
    }

    /// <summary>Lets go of all plans, idle arenas and packed weights.</summary>
    public void Clear()
    {
        lock (gate) Drop();
    }

    /// <summary>A plan with an arena of its own, until the lease is disposed.</summary>
    internal Lease Rent(ReadOnlySpan<Tensor> inputs, bool leavesEnlargement, int part = 0)
    {
        var key = new Key([.. inputs.ToArray().Select(t => t.Shape)], leavesEnlargement, part);
        Plan? plan;
        Arena? arena;
        lock (gate)
        {
            if (HaveWeightsChanged()) Drop();
            if (plans.TryGetValue(key, out plan)) recent.Remove(key);
            else plans.Add(key, plan = Make(key));
            recent.Add(key);
            Bound(key);
            if (!idle.TryPop(out arena)) arena = new Arena();
        }
        BoundPlan run;
        try
        {
            run = arena.For(plan);
        }
        catch
        {
            arena.GiveBack();
            throw;
        }
        Interlocked.Add(ref running, arena.Bytes);
        return new Lease(this, plan, run, arena);
    }

    private Plan Make(Key key)
    {
        bool training = module.IsTraining;
        if (training) module.Train(false);
        try
        {
            Plan plan = PlanBuilder.Build(Graph.Trace(module, parts[key.Part], key.Shapes), options.Rounding, key.LeavesEnlargement);
            plan.Pack(weights);
            return plan;
        }
        finally
        {
            if (training) module.Train();
        }
    }

    /// <summary>Compares the versions of all weights with those at the last call.</summary>
    private bool HaveWeightsChanged()
    {
        bool changed = false;
        for (int i = 0; i < states.Length; i++)
        {
            long version = states[i].Version;
            changed |= version != versions[i];
            versions[i] = version;
        }
        return changed;
    }

    private void Drop()
    {
        plans.Clear();
        recent.Clear();
        weights.KeepOnly(new HashSet<WeightKey>());
        foreach (Arena arena in idle) arena.KeepOnly(new HashSet<Plan>());
    }

    /// <summary>Lets the oldest plans go, never the one that is about to run.</summary>
    private void Bound(Key needed)
    {
        bool dropped = false;
        while (recent.Count > 1 && (recent.Count > options.MostPlans || weights.Bytes > options.MostBytes) && !recent[0].Equals(needed))
        {
            plans.Remove(recent[0]);
            recent.RemoveAt(0);
            weights.KeepOnly(plans.Values.SelectMany(p => p.WeightKeys).ToHashSet());
            dropped = true;
        }
        if (!dropped) return;
        foreach (Arena arena in idle) arena.KeepOnly(plans.Values.ToHashSet());
    }

    private void Return(Arena arena)
    {
        lock (gate)
        {
            Interlocked.Add(ref running, -arena.Bytes);
            if (idle.Sum(a => a.Bytes) + arena.Bytes + weights.Bytes > options.MostBytes)
            {
                arena.GiveBack();
                return;
            }
            arena.KeepOnly(plans.Values.ToHashSet());
            idle.Push(arena);
        }
    }

    /// <summary>The right to run a plan in an arena that nobody else uses.</summary>
    internal readonly struct Lease(PlanCache cache, Plan plan, BoundPlan run, Arena arena) : IDisposable
    {
        public Plan Plan => plan;

        public BoundPlan Run => run;

        public Arena Arena => arena;

        public void Dispose() => cache.Return(arena);
    }

    /// <summary>What decides on a plan: the part and its shapes, and whether the last enlargement is left out.</summary>
    private sealed class Key(Shape[] shapes, bool leavesEnlargement, int part) : IEquatable<Key>
    {
        public int Part => part;

        public Shape[] Shapes => shapes;

        public bool LeavesEnlargement => leavesEnlargement;

        public bool Equals(Key? other) => other is not null && part == other.Part && leavesEnlargement == other.LeavesEnlargement && shapes.AsSpan().SequenceEqual(other.Shapes);

        public override bool Equals(object? obj) => Equals(obj as Key);

        public override int GetHashCode()
        {
            var hash = default(HashCode);
            hash.Add(part);
            foreach (Shape shape in shapes) hash.Add(shape);
            return hash.ToHashCode();
        }
    }
}
