using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>
/// The FCN that textbooks teach: a residual network without its last two layers, a 1×1 convolution to the classes, and one transposed convolution of
/// 64×64 at stride 32 that begins as bilinear interpolation and is learned (Zhang et al., Dive into Deep Learning, 14.11). [N, H, W, 3] → [N, H, W, numClasses].
/// </summary>
public sealed class FcnTransposed : Layer
{
    private const int Stride = 32;
    private readonly ResNet backbone;
    private readonly Conv2d finalConv;
    private readonly ConvTranspose2d transposeConv;

    public FcnTransposed(Philox random, int numClasses = 21, ResNetOptions? backbone = null)
    {
        backbone ??= new ResNetOptions { Depth = 18 };
        if (backbone.OutputStride != Stride) throw new ArgumentException($"this network enlarges its scores {Stride} times: the output stride is {Stride}, not {backbone.OutputStride}", nameof(backbone));
        this.backbone = Child("backbone", new ResNet(random, backbone));
        finalConv = Child("final_conv", new Conv2d(random, this.backbone.OutChannels.Layer4, numClasses, 1, initializer: Init.XavierUniform));
        transposeConv = Child("transpose_conv", new ConvTranspose2d(random, numClasses, numClasses, 2 * Stride, stride: Stride, padding: Stride / 2, initializer: Init.BilinearUpsampling));
    }

    protected override Tensor Apply(Tensor x)
    {
        Tensor y = transposeConv.Forward(finalConv.Forward(backbone.Forward(x).Layer4));
        // Scores come in whole strides; an image of another size ends before its last one does.
        return y.Slice(1, 0, like: x).Slice(2, 0, like: x);
    }
}
