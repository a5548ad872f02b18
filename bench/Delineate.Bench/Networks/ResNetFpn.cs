using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Bench.Networks;

/// <summary>
/// ResNet-50 under a feature pyramid (Lin et al. 2017) as torchvision's <c>resnet_fpn_backbone</c>: 256 channels at strides 4 to 32, and every second
/// pixel of the last. [N, H, W, 3] → five maps.
/// </summary>
internal sealed class ResNetFpn : Module
{
    private const int Channels = 256;
    private readonly ResNet body;
    private readonly Conv2d[] inner, outer;

    public ResNetFpn(Philox random)
    {
        body = Child("body", new ResNet(random));
        (int c2, int c3, int c4, int c5) = body.OutChannels;
        inner = [.. new[] { c2, c3, c4, c5 }.Select((c, i) => Child($"fpn.inner_blocks.{i}.0", new Conv2d(random, c, Channels, 1)))];
        outer = [.. inner.Select((_, i) => Child($"fpn.layer_blocks.{i}.0", new Conv2d(random, Channels, Channels, 3, padding: 1)))];
    }

    public Tensor[] Forward(Tensor x)
    {
        (Tensor c2, Tensor c3, Tensor c4, Tensor c5) = body.Forward(x);
        Tensor[] maps = [c2, c3, c4, c5];
        var levels = new Tensor[maps.Length + 1];
        Tensor? above = null;
        for (int i = maps.Length - 1; i >= 0; i--)
        {
            Tensor lateral = inner[i].Forward(maps[i]);
            above = above is null ? lateral : lateral + above.ResizeNearest(lateral.Shape[1], lateral.Shape[2]);
            levels[i] = outer[i].Forward(above);
        }
        levels[^1] = levels[^2].MaxPool2d(1, stride: 2);
        return levels;
    }
}
