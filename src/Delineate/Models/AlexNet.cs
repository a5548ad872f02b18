using System.Globalization;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>
/// AlexNet with its classifier, as it is trained on ImageNet (Krizhevsky et al. 2012, in the form of one tower of Krizhevsky 2014), names equal to
/// torchvision's <c>alexnet</c>: the source of pretrained weights for <see cref="FcnAlexNet"/>. [N, H, W, 3] → [N, numClasses] logits.
/// </summary>
public sealed class AlexNet : Layer
{
    internal const int Pooled = 6; // rows and columns that the classifier sees

    internal static readonly IReadOnlyList<int> Places = [0, 3, 6, 8, 10]; // in torchvision's list, where activations and poolings count too
    private readonly AlexNetFeatures features;
    private readonly Linear fc6, fc7, fc8;
    private readonly Dropout drop6, drop7;

    /// <param name="random">Decides the starting values.</param>
    /// <param name="numClasses">Classes.</param>
    /// <param name="widthDivisor">Divides every inner channel count.</param>
    public AlexNet(Philox random, int numClasses = 1000, int widthDivisor = 1)
    {
        features = new AlexNetFeatures(
            random, (i, conv) => Child(string.Create(CultureInfo.InvariantCulture, $"features.{Places[i]}"), conv), widthDivisor, firstPadding: null, ceilMode: false);
        int hidden = 4096 / widthDivisor;
        drop6 = Child("classifier.0", new Dropout(0.5f));
        fc6 = Child("classifier.1", new Linear(random, features.OutChannels * Pooled * Pooled, hidden));
        drop7 = Child("classifier.3", new Dropout(0.5f));
        fc7 = Child("classifier.4", new Linear(random, hidden, hidden));
        fc8 = Child("classifier.6", new Linear(random, hidden, numClasses));
    }

    /// <summary>The last map of the convolutions. [N, H, W, 3] → [N, H/32, W/32, 256], less what the windows leave over: 6×6 for the 224×224 of ImageNet.</summary>
    public Tensor Features(Tensor x) => features.Forward(x);

    protected override Tensor Apply(Tensor x)
    {
        Tensor pooled = Features(x).AdaptiveAvgPool2d(Pooled);
        // torchvision flattens channels first.
        Tensor y = pooled.Permute(0, 3, 1, 2).Reshape(x.Shape[0], features.OutChannels * Pooled * Pooled);
        y = fc6.ForwardRelu(drop6.Forward(y));
        y = fc7.ForwardRelu(drop7.Forward(y));
        return fc8.Forward(y);
    }
}
