using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// The keypoint branch of Mask R-CNN (He et al. 2017, section 5): eight 3×3 convolutions on a pooled region, and for each joint a heatmap, doubled by a
/// transposed convolution and doubled again bilinearly. [K, 14, 14, C] → [K, 56, 56, joints].
/// </summary>
internal sealed class KeypointHead : Module
{
    private const int Depth = 8, Kernel = 4;
    private readonly Conv2d[] convs;
    private readonly ConvTranspose2d up;

    /// <summary>Named <c>keypoint_head</c> and <c>keypoint_predictor</c>.</summary>
    public KeypointHead(Philox random, int inChannels, int channels, int keypoints)
    {
        convs = [.. Enumerable.Range(0, Depth).Select(i => // torchvision counts the activations between
            Child($"keypoint_head.{2 * i}", new Conv2d(random, i == 0 ? inChannels : channels, channels, 3, padding: 1, initializer: Init.KaimingNormalFanOut)))];
        up = Child("keypoint_predictor.kps_score_lowres", new ConvTranspose2d(random, channels, keypoints, Kernel, stride: 2, padding: (Kernel / 2) - 1, initializer: Init.KaimingNormalFanOut));
        foreach (Conv2d conv in convs) conv.Bias!.Span.Clear();
        up.Bias!.Span.Clear();
    }

    public Tensor Forward(Tensor x)
    {
        foreach (Conv2d conv in convs) x = conv.ForwardRelu(x);
        return up.Forward(x).ResizeBilinear(2f);
    }
}
