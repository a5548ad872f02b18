using Delineate.Tensors;

namespace Delineate.Bench.Networks;

/// <summary>The one place that decides how Delineate runs a network in evaluation mode.</summary>
internal static class OwnInference
{
    /// <summary>The ways in which a network can run, the usual one first.</summary>
    public static readonly IReadOnlyList<string> Modes = ["eager"];

    /// <summary>A function from the input to the outputs, called inside a <see cref="TensorMemory.Scope"/> with recording off.</summary>
    public static Func<Tensor, Tensor[]> Of(string mode, OwnNetwork network, Tensor input)
    {
        network.Module.Train(false);
        return mode switch
        {
            "eager" => network.Forward,
            _ => throw new ArgumentException($"Delineate runs a network of input {input.Shape} in the modes {string.Join(", ", Modes)}, not '{mode}'"),
        };
    }
}
