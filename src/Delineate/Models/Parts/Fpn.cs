using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// A feature pyramid (Lin et al. 2017, arXiv:1612.03144): each map of a backbone, brought to one number of channels, gets the coarser one added to it, and
/// a 3×3 convolution smooths the sum. A last map skips every second pixel of the coarsest one (torchvision's <c>LastLevelMaxPool</c>). Names equal
/// torchvision's.
/// </summary>
public sealed class Fpn : Module
{
    /// <summary>Uniform within ±√(3/fan-in): Kaiming's for a layer without a ReLU.</summary>
    private static readonly Initializer Start = (weight, random) => Init.Uniform(weight, random, Math.Sqrt(3.0 * weight.Shape[0] / weight.Length));

    private readonly ConvUnit[] inner, layer;

    /// <param name="random">Decides the starting values.</param>
    /// <param name="inChannels">Channels of the backbone's maps, the largest map first.</param>
    /// <param name="channels">Channels of every map of the pyramid.</param>
    /// <param name="norm">Makes the normalisation after each convolution; null for none.</param>
    public Fpn(Philox random, IReadOnlyList<int> inChannels, int channels, Func<int, BatchNormLayer>? norm = null)
    {
        inner = [.. inChannels.Select((count, i) => Child($"inner_blocks.{i}", new ConvUnit(random, count, channels, 1, Start, norm: norm)))];
        layer = [.. inChannels.Select((_, i) => Child($"layer_blocks.{i}", new ConvUnit(random, channels, channels, 3, Start, norm: norm)))];
    }

    /// <summary>The backbone's maps to the pyramid's, one more, the largest first. [N, h, w, Cᵢ] each → [N, h, w, C] each and [N, ⌈h/2⌉, ⌈w/2⌉, C] last.</summary>
    public Tensor[] Forward(IReadOnlyList<Tensor> maps)
    {
        ArgumentNullException.ThrowIfNull(maps);
        if (maps.Count != inner.Length) throw new ShapeException($"this pyramid stands on {inner.Length} maps, got {maps.Count}");
        var pyramid = new Tensor[maps.Count + 1];
        Tensor? above = null;
        for (int i = maps.Count - 1; i >= 0; i--)
        {
            Tensor lateral = inner[i].Forward(maps[i]);
            above = above is null ? lateral : lateral + above.ResizeNearest(like: lateral);
            pyramid[i] = layer[i].Forward(above);
        }
        pyramid[^1] = pyramid[^2].MaxPool2d(1, stride: 2);
        return pyramid;
    }
}

/// <summary>A residual network with a feature pyramid on its four stages, as torchvision's detectors have it: <c>body</c> and <c>fpn</c>.</summary>
public sealed class ResNetFpn : Module
{
    private readonly ResNet body;
    private readonly Fpn fpn;

    /// <param name="random">Decides the starting values.</param>
    /// <param name="options">Of the residual network.</param>
    /// <param name="channels">Channels of the pyramid's maps.</param>
    /// <param name="norm">Makes the normalisation after each of the pyramid's convolutions; null for none.</param>
    public ResNetFpn(Philox random, ResNetOptions options, int channels, Func<int, BatchNormLayer>? norm = null)
    {
        body = Child("body", new ResNet(random, options));
        (int c2, int c3, int c4, int c5) = body.OutChannels;
        fpn = Child("fpn", new Fpn(random, [c2, c3, c4, c5], channels, norm));
    }

    /// <summary>[N, H, W, 3] → five maps of C channels, at strides 4, 8, 16, 32 and 64.</summary>
    public Tensor[] Forward(Tensor images)
    {
        ResNetFeatures features = body.Forward(images);
        return fpn.Forward([features.Layer1, features.Layer2, features.Layer3, features.Layer4]);
    }
}
