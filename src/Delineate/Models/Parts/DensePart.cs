using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// A part of a network between two lists of boxes: it maps tensors to tensors, whatever their values, and so runs through plans in evaluation.
/// </summary>
/// <param name="network">The whole network, which holds the weights.</param>
/// <param name="forward">Runs the part.</param>
/// <param name="gate">Held while the network's mode is changed; all parts of a network share one.</param>
internal sealed class DensePart(Module network, Func<Tensor, Tensor[]> forward, Lock gate)
{
    private PlanCache? plans;
    private Rounding plansRounding;

    /// <summary>Why the part runs op by op, or null where it runs through plans.</summary>
    public string? PlanFailure { get; private set; }

    /// <summary>Runs the part as the network's mode says, on the tape where there is one.</summary>
    public Tensor[] Forward(Tensor x) => forward(x);

    /// <summary>The part in evaluation as a graph that stands for inputs of every size.</summary>
    /// <exception cref="GraphException">The part cannot be traced.</exception>
    public Graph TraceForAnySize(Shape input) => InEvaluation(network, gate, () => Graph.TraceForAnySize(network, x => forward(x[0]), input));

    /// <summary>Runs the part in evaluation. Records nothing; several threads may call it at once.</summary>
    public Tensor[] Evaluate(Tensor x, Rounding rounding)
    {
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        if (PlanFailure is null)
        {
            PlanCache cache;
            lock (gate)
            {
                if (plans is null || plansRounding != rounding) plans = new PlanCache(network, inputs => forward(inputs[0]), new PlanOptions { Rounding = plansRounding = rounding });
                cache = plans;
            }
            try
            {
                return cache.Run([x]);
            }
            catch (GraphException e)
            {
                PlanFailure = e.Message;
            }
        }
        return InEvaluation(network, gate, () =>
        {
            using RoundingPolicy.RoundingScope scope = RoundingPolicy.Use(rounding);
            return forward(x);
        });
    }

    /// <summary>Does something while a network is in evaluation mode, one thread at a time.</summary>
    public static T InEvaluation<T>(Module network, Lock gate, Func<T> work)
    {
        lock (gate)
        {
            bool training = network.IsTraining;
            network.Train(false);
            try
            {
                return work();
            }
            finally
            {
                network.Train(training);
            }
        }
    }
}
