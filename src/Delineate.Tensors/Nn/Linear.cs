namespace Delineate.Tensors.Nn;

/// <summary>
/// A product with weights <c>[out, in]</c> over the last axis. [..., in] → [..., out]. Parameters: <c>weight</c>, <c>bias</c>.
/// </summary>
public sealed class Linear : Layer
{
    public Linear(Philox random, int inFeatures, int outFeatures, bool bias = true, Initializer? initializer = null)
    {
        Weight = Parameter("weight", Tensor.Empty([outFeatures, inFeatures]));
        (initializer ?? Init.PyTorchDefault)(Weight, random);
        if (bias) Bias = Parameter("bias", LayerSizes.Bias(random, outFeatures, Weight));
    }

    public Tensor Weight { get; }

    public Tensor? Bias { get; }

    protected override Tensor Apply(Tensor x) => x.Linear(Weight, Bias);
}

/// <summary>What the constructors of layers with weights share.</summary>
internal static class LayerSizes
{
    /// <summary>PyTorch's default for a bias: uniform within ±1/√fan-in of its weight.</summary>
    public static Tensor Bias(Philox random, int length, Tensor weight)
    {
        Tensor bias = Tensor.Empty([length]);
        Init.Uniform(bias, random, 1 / Math.Sqrt(Init.FanIn(weight)));
        return bias;
    }

    public static void Groups(int groups, int inChannels, int outChannels, string layer)
    {
        if (groups < 1 || inChannels % groups != 0 || outChannels % groups != 0)
            throw new ShapeException($"{layer} cannot cut {inChannels} input and {outChannels} output channels into {groups} groups");
    }
}
