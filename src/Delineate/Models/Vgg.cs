using System.Globalization;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>
/// VGG-16 with its classifier, as it is trained on ImageNet (Simonyan and Zisserman 2015), names equal to torchvision's <c>vgg16</c> and
/// <c>vgg16_bn</c>: the source of pretrained weights for <see cref="FcnVgg"/>. [N, H, W, 3] → [N, numClasses] logits.
/// </summary>
public sealed class Vgg : Layer
{
    private const int Pooled = 7; // rows and columns that the classifier sees
    private readonly VggStages stages;
    private readonly Linear fc6, fc7, fc8;
    private readonly Dropout drop6, drop7;

    /// <param name="random">Decides the starting values.</param>
    /// <param name="numClasses">Classes.</param>
    /// <param name="batchNorm">A normalisation after each convolution: <c>vgg16_bn</c>.</param>
    /// <param name="widthDivisor">Divides every inner channel count.</param>
    public Vgg(Philox random, int numClasses = 1000, bool batchNorm = false, int widthDivisor = 1)
    {
        stages = new VggStages(random, (stage, i, conv) => Child(ConvolutionName(stage, i, batchNorm), conv),
            batchNorm ? (stage, i, channels) => Child(Feature(Place(stage, i, batchNorm) + 1), new BatchNorm2d(channels)) : null, widthDivisor, firstPadding: 1, ceilMode: false);
        int hidden = 4096 / widthDivisor;
        fc6 = Child("classifier.0", new Linear(random, stages.OutChannels * Pooled * Pooled, hidden));
        drop6 = Child("classifier.2", new Dropout(0.5f));
        fc7 = Child("classifier.3", new Linear(random, hidden, hidden));
        drop7 = Child("classifier.5", new Dropout(0.5f));
        fc8 = Child("classifier.6", new Linear(random, hidden, numClasses));
    }

    /// <summary>The name of a convolution, by its stage and its place there, both from 0.</summary>
    internal static string ConvolutionName(int stage, int i, bool batchNorm = false) => Feature(Place(stage, i, batchNorm));

    /// <summary>The last map of the convolutions. [N, H, W, 3] → [N, H/32, W/32, 512].</summary>
    public Tensor Features(Tensor x) => stages.Forward(x)[^1];

    /// <summary>Where a convolution stands in torchvision's list, in which normalisations, activations and poolings count too.</summary>
    private static int Place(int stage, int i, bool batchNorm)
    {
        int step = batchNorm ? 3 : 2;
        return VggStages.Sizes.Take(stage).Sum(s => (s.Convolutions * step) + 1) + (i * step);
    }

    private static string Feature(int place) => string.Create(CultureInfo.InvariantCulture, $"features.{place}");

    protected override Tensor Apply(Tensor x)
    {
        Tensor features = Features(x).AdaptiveAvgPool2d(Pooled);
        // torchvision flattens channels first.
        Tensor y = features.Permute(0, 3, 1, 2).Reshape(x.Shape[0], stages.OutChannels * Pooled * Pooled);
        y = drop6.Forward(fc6.ForwardRelu(y));
        y = drop7.Forward(fc7.ForwardRelu(y));
        return fc8.Forward(y);
    }
}
