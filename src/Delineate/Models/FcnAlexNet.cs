using System.Globalization;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>The parts of an <see cref="FcnAlexNet"/> that can be chosen.</summary>
public sealed record FcnAlexNetOptions
{
    /// <summary>Classes, the background among them.</summary>
    public int NumClasses { get; init; } = 21;

    /// <summary>Probability with which a channel after fc6 and fc7 is dropped while training.</summary>
    public float Dropout { get; init; } = 0.5f;

    /// <summary>Divides every inner channel count.</summary>
    public int WidthDivisor { get; init; } = 1;
}

/// <summary>
/// FCN-AlexNet (Long, Shelhamer and Darrell 2015): a hundred zeros around the image, the convolutions of AlexNet with poolings that keep broken windows, its
/// fully connected layers as convolutions of 6×6 and 1×1, a score layer, and one transposed convolution of stride 32 that begins as bilinear interpolation.
/// The backbone is torchvision's <see cref="AlexNet"/>, of one tower without response normalisation. [N, H, W, 3] → [N, H, W, numClasses].
/// </summary>
public sealed class FcnAlexNet : Layer
{
    /// <summary>torchvision's <c>alexnet</c> under this network's names; its first two fully connected layers are convolutions here.</summary>
    public static readonly BackboneNames Names = new("classifier.6.",
    [
        .. AlexNet.Places.Select((place, i) => (string.Create(CultureInfo.InvariantCulture, $"features.{place}."), string.Create(CultureInfo.InvariantCulture, $"conv{i + 1}."))),
        ("classifier.1.", "fc6."), ("classifier.4.", "fc7."),
    ]);

    private const int Padding = 100;

    // 2·stride − 1, as in the paper's reference: an odd kernel has a middle pixel, and only with one can scores and image be brought into line (below).
    private const int EnlargingKernel = (2 * AlexNetFeatures.Stride) - 1;

    // Where the first score lies. A layer of kernel k, stride s and padding p moves the middle of a map's first value by ((k − 1)/2 − p)·j pixels of the image,
    // j being the distance of its input's neighbours in the image, and multiplies j by s:
    //   conv1 11×11, stride 4, padding 100   −95   j = 4      pooling 3×3, stride 2   −83   j = 16
    //   pooling 3×3, stride 2                −91   j = 8      conv3, 4, 5             −83   j = 16
    //   conv2 5×5, padding 2                 −91   j = 8      pooling 3×3, stride 2   −67   j = 32      fc6 6×6   −67 + 2.5·32 = 13
    // Score i stands in the middle of its window, pixel 13 + 32·i. The transposed convolution puts it in the middle of its kernel, row 32·i + 31 of what it makes:
    // pixel 0 of the image is its row 31 − 13. A kernel of 64×64, with its middle at 31.5, would leave half a pixel over whatever is cut off.
    private const int Crop = 18;

    private readonly AlexNetFeatures features;
    private readonly Conv2d fc6, fc7, scoreFr;
    private readonly Dropout2d drop6, drop7;
    private readonly ConvTranspose2d upscore;

    public FcnAlexNet(Philox random, FcnAlexNetOptions? options = null)
    {
        Options = options ?? new FcnAlexNetOptions();
        (int classes, int hidden) = (Options.NumClasses, 4096 / Options.WidthDivisor);
        features = new AlexNetFeatures(
            random, (i, conv) => Child(string.Create(CultureInfo.InvariantCulture, $"conv{i + 1}"), conv), Options.WidthDivisor, Padding, ceilMode: true);
        fc6 = Child("fc6", new Conv2d(random, features.OutChannels, hidden, AlexNet.Pooled, initializer: Init.KaimingNormalFanIn));
        drop6 = Child("drop6", new Dropout2d(Options.Dropout));
        fc7 = Child("fc7", new Conv2d(random, hidden, hidden, 1, initializer: Init.KaimingNormalFanIn));
        drop7 = Child("drop7", new Dropout2d(Options.Dropout));
        scoreFr = Child("score_fr", new Conv2d(random, hidden, classes, 1, initializer: Init.Zeros)); // training starts from no opinion
        scoreFr.Bias!.Span.Clear();
        upscore = Child("upscore", new ConvTranspose2d(random, classes, classes, EnlargingKernel, stride: AlexNetFeatures.Stride, bias: false, initializer: Init.BilinearUpsampling));
    }

    public FcnAlexNetOptions Options { get; }

    protected override Tensor Apply(Tensor x)
    {
        Tensor y = features.Forward(x);
        y = drop6.Forward(fc6.ForwardRelu(y));
        y = drop7.Forward(fc7.ForwardRelu(y));
        y = upscore.Forward(scoreFr.Forward(y));
        return y.Slice(1, Crop, like: x).Slice(2, Crop, like: x);
    }
}
