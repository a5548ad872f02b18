using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// A convolution that keeps a map's size, a normalisation where there is one (then the convolution has no bias), a ReLU where there is one. Named as
/// torchvision's <c>Conv2dNormActivation</c>: <c>0</c> the convolution, <c>1</c> the normalisation. [N, H, W, Cin] → [N, H, W, Cout].
/// </summary>
internal sealed class ConvUnit : Layer
{
    private readonly Conv2d conv;
    private readonly BatchNormLayer? norm;
    private readonly Activation activation;

    public ConvUnit(Philox random, int inChannels, int outChannels, int kernelSize, Initializer initializer, Activation activation = Activation.None, Func<int, BatchNormLayer>? norm = null)
    {
        this.activation = activation;
        conv = Child("0", new Conv2d(random, inChannels, outChannels, kernelSize, padding: kernelSize / 2, bias: norm is null, initializer: initializer));
        conv.Bias?.Span.Clear();
        if (norm is not null) this.norm = Child("1", norm(outChannels));
    }

    /// <summary>A row of 3×3 units with ReLU, as the heads of detectors are made of.</summary>
    public static IEnumerable<ConvUnit> Row(Philox random, int inChannels, int channels, int count, Initializer initializer, Func<int, BatchNormLayer>? norm = null) =>
        Enumerable.Range(0, count).Select(i => new ConvUnit(random, i == 0 ? inChannels : channels, channels, 3, initializer, Activation.Relu, norm));

    protected override Tensor Apply(Tensor x)
    {
        if (norm is not null) return norm.Forward(conv.Forward(x), activation);
        return activation == Activation.Relu ? conv.ForwardRelu(x) : conv.Forward(x);
    }
}
