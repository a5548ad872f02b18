using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// The mask branch of Mask R-CNN (He et al. 2017): four 3×3 convolutions on a pooled region, one transposed convolution that doubles it, and the logits of
/// a mask for every class. [K, 14, 14, C] → [K, 28, 28, classes].
/// </summary>
internal sealed class MaskHead : Module
{
    private const int Depth = 4;
    private readonly Sequential head;
    private readonly ConvTranspose2d up;
    private readonly Conv2d logits;

    /// <summary>Named <c>mask_head</c> and <c>mask_predictor</c>; a normalisation follows each convolution where <paramref name="norm"/> makes one.</summary>
    public MaskHead(Philox random, int channels, int numClasses, Func<int, BatchNormLayer>? norm)
    {
        head = Child("mask_head", new Sequential(ConvUnit.Row(random, channels, channels, Depth, Init.KaimingNormalFanOut, norm)));
        up = Child("mask_predictor.conv5_mask", new ConvTranspose2d(random, channels, channels, 2, stride: 2, initializer: Init.KaimingNormalFanOut));
        logits = Child("mask_predictor.mask_fcn_logits", new Conv2d(random, channels, numClasses, 1, initializer: Init.KaimingNormalFanOut));
    }

    public Tensor Forward(Tensor x) => logits.Forward(up.ForwardRelu(head.Forward(x)));
}
