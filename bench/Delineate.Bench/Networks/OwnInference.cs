using Delineate.Tensors;

namespace Delineate.Bench.Networks;

/// <summary>The one place that decides how Delineate runs a network in evaluation mode. A mode is a way to run, and after a dash what rounding it allows.</summary>
internal static class OwnInference
{
    /// <summary>The ways in which a network can run, the usual one first.</summary>
    private static readonly string[] Ways = ["plan", "eager"];

    /// <summary>Every mode, the usual one first: <c>plan</c>, <c>plan-strict</c>, <c>plan-direct</c>, <c>eager</c> ….</summary>
    public static IReadOnlyList<string> Modes { get; } = [.. Ways.SelectMany(w => Enum.GetValues<Rounding>().Select(r => r == Rounding.Fast ? w : $"{w}-{r.ToString().ToLowerInvariant()}"))];

    public static Rounding RoundingOf(string mode) => mode.Split('-') is [_, var rounding] ? Enum.Parse<Rounding>(rounding, ignoreCase: true) : Rounding.Fast;

    /// <summary>The mode of a training step that rounds as this one.</summary>
    public static string Training(string mode) => mode.Split('-') is [_, var rounding] ? $"training-{rounding}" : "training";

    /// <summary>A function from the input to the outputs, called inside a <see cref="TensorMemory.Scope"/> with recording off and the mode's rounding allowed.</summary>
    public static Func<Tensor, Tensor[]> Of(string mode, OwnNetwork network, Tensor input)
    {
        network.Module.Train(false);
        return mode.Split('-')[0] switch
        {
            "plan" => network.Planned ?? Planned(),
            "eager" => network.Forward,
            var way => throw new ArgumentException($"Delineate runs an input of {input.Shape} in these ways: {string.Join(", ", Ways)}; not {way}"),
        };

        Func<Tensor, Tensor[]> Planned()
        {
            var plans = new PlanCache(network.Module, x => network.Forward(x[0]), new PlanOptions { Rounding = RoundingOf(mode) });
            return x => plans.Run([x]);
        }
    }
}
