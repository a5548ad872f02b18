using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>The parts of a network between its lists of boxes: they map tensors to tensors, whatever their values, and so run through plans in evaluation, in memory that they share.</summary>
/// <param name="network">The whole network, which holds the weights.</param>
internal sealed class DenseParts(Module network)
{
    private readonly Lock gate = new(); // held while the network's mode is changed
    private readonly List<Func<Tensor[], Tensor[]>> parts = [];
    private PlanCache? plans;
    private Rounding plansRounding;

    /// <summary>Adds a part; all must be there before the first is run.</summary>
    public DensePart Add(Func<Tensor, Tensor[]> forward)
    {
        if (plans is not null) throw new InvalidOperationException("a part was added after another was run");
        parts.Add(inputs => forward(inputs[0]));
        return new DensePart(this, parts.Count - 1, forward);
    }

    /// <summary>Runs a part through a plan.</summary>
    /// <exception cref="GraphException">It cannot be traced.</exception>
    public Tensor[] Run(int part, Tensor x, Rounding rounding)
    {
        PlanCache cache;
        lock (gate)
        {
            if (plans is null || plansRounding != rounding) plans = new PlanCache(network, parts, new PlanOptions { Rounding = plansRounding = rounding });
            cache = plans;
        }
        return cache.Run([x], part);
    }

    /// <summary>A part in evaluation as a graph that stands for inputs of every size.</summary>
    public Graph TraceForAnySize(Func<Tensor, Tensor[]> forward, Shape input) => InEvaluation(() => Graph.TraceForAnySize(network, x => forward(x[0]), input));

    /// <summary>Does something while the network is in evaluation mode, one thread at a time.</summary>
    public T InEvaluation<T>(Func<T> work)
    {
        lock (gate) return network.InEvaluation(work);
    }
}

/// <summary>One of a network's <see cref="DenseParts"/>.</summary>
internal sealed class DensePart(DenseParts parts, int place, Func<Tensor, Tensor[]> forward)
{
    /// <summary>Why the part runs op by op, or null where it runs through plans.</summary>
    public string? PlanFailure { get; private set; }

    /// <summary>Runs the part as the network's mode says, on the tape where there is one.</summary>
    public Tensor[] Forward(Tensor x) => forward(x);

    /// <summary>The part in evaluation as a graph that stands for inputs of every size.</summary>
    /// <exception cref="GraphException">The part cannot be traced.</exception>
    public Graph TraceForAnySize(Shape input) => parts.TraceForAnySize(forward, input);

    /// <summary>Runs the part in evaluation. Records nothing; several threads may call it at once.</summary>
    public Tensor[] Evaluate(Tensor x, Rounding rounding)
    {
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        if (PlanFailure is null)
        {
            try
            {
                return parts.Run(place, x, rounding);
            }
            catch (GraphException e)
            {
                PlanFailure = e.Message;
            }
        }
        return parts.InEvaluation(() =>
        {
            using RoundingPolicy.RoundingScope scope = RoundingPolicy.Use(rounding);
            return forward(x);
        });
    }
}
