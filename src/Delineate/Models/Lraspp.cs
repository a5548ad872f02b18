using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>
/// LR-ASPP on MobileNetV3-Large (Howard et al. 2019), torchvision's <c>lraspp_mobilenet_v3_large</c>: small and quick.
/// [N, H, W, 3] → [N, H, W, numClasses].
/// </summary>
public sealed class Lraspp : Layer
{
    private readonly MobileNetV3 backbone;
    private readonly LrasppHead classifier;

    public Lraspp(Philox random, int numClasses = 21)
    {
        backbone = Child("backbone", new MobileNetV3(random, dilated: true));
        classifier = Child("classifier", new LrasppHead(random, MobileNetV3.LowChannels, MobileNetV3.OutChannels, numClasses));
    }

    protected override Tensor Apply(Tensor x)
    {
        (Tensor low, Tensor high) = backbone.Forward(x);
        return classifier.Forward(low, high).ResizeBilinear(like: x);
    }
}
