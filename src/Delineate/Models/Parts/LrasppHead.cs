using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// The head of LR-ASPP (Howard et al. 2019) as torchvision builds it: the coarse map, weighed by what all of it holds, is enlarged to the finer
/// one, and both are scored. Maps at 1/16 and 1/8 → [N, H/8, W/8, numClasses] logits.
/// </summary>
internal sealed class LrasppHead : Module
{
    private readonly Conv2d conv, scale, lowScore, highScore;
    private readonly BatchNorm2d bn;

    public LrasppHead(Philox random, int lowChannels, int highChannels, int numClasses, int inner = 128)
    {
        conv = Child("cbr.0", new Conv2d(random, highChannels, inner, 1, bias: false));
        bn = Child("cbr.1", new BatchNorm2d(inner));
        scale = Child("scale.1", new Conv2d(random, highChannels, inner, 1, bias: false)); // place 0 is the pooling
        lowScore = Child("low_classifier", new Conv2d(random, lowChannels, numClasses, 1));
        highScore = Child("high_classifier", new Conv2d(random, inner, numClasses, 1));
    }

    public Tensor Forward(Tensor low, Tensor high)
    {
        Tensor y = bn.Forward(conv.Forward(high), Activation.Relu) * scale.Forward(high.AdaptiveAvgPool2d(1)).Sigmoid();
        y = y.ResizeBilinear(like: low);
        return lowScore.Forward(low) + highScore.Forward(y);
    }
}
