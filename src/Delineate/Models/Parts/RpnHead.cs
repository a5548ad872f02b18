using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// The head of a region proposal network (Ren et al. 2015): at every place of a map, how likely each anchor there is an object, and how it must move to
/// cover it. The same for all maps of a pyramid.
/// </summary>
internal sealed class RpnHead : Module
{
    private static readonly Initializer Small = (weight, random) => Init.Normal(weight, random, 0.01);

    private readonly Sequential conv;
    private readonly Conv2d objectness, deltas;

    /// <param name="random">Decides the starting values.</param>
    /// <param name="channels">Of the maps.</param>
    /// <param name="depth">3×3 convolutions before the two outputs.</param>
    public RpnHead(Philox random, int channels, int depth)
    {
        conv = Child("conv", new Sequential(ConvUnit.Row(random, channels, channels, depth, Small)));
        objectness = Child("cls_logits", new Conv2d(random, channels, Anchors.PerPlace, 1, initializer: Small));
        deltas = Child("bbox_pred", new Conv2d(random, channels, 4 * Anchors.PerPlace, 1, initializer: Small));
        objectness.Bias!.Span.Clear();
        deltas.Bias!.Span.Clear();
    }

    /// <summary>[N, h, w, C] → logits [N, h, w, A] and deltas [N, h, w, 4·A].</summary>
    public (Tensor Objectness, Tensor Deltas) Forward(Tensor map)
    {
        Tensor y = conv.Forward(map);
        return (objectness.Forward(y), deltas.Forward(y));
    }
}
