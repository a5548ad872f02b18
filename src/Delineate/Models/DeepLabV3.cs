using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>The parts of a <see cref="DeepLabV3"/> on a residual network that can be chosen.</summary>
public sealed record DeepLabV3Options
{
    /// <summary>Classes, the background among them.</summary>
    public int NumClasses { get; init; } = 21;

    /// <summary>The network below the head, its output stride and its dilation.</summary>
    public ResNetOptions Backbone { get; init; } = new() { OutputStride = 8 };

    /// <summary>Rates of the pyramid's 3×3 convolutions: 12, 24 and 36 at output stride 8, half of them at 16.</summary>
    public IReadOnlyList<int> Rates { get; init; } = [12, 24, 36];

    /// <summary>A second head, an FCN's, on the third stage, whose loss helps training.</summary>
    public bool AuxiliaryHead { get; init; }

    /// <summary>Probability with which a value of the pyramid is dropped while training.</summary>
    public float Dropout { get; init; } = 0.5f;
}

/// <summary>
/// DeepLabV3 (Chen et al. 2017) as torchvision builds it, on a dilated residual network or on MobileNetV3. [N, H, W, 3] → [N, H, W, numClasses].
/// </summary>
public sealed class DeepLabV3 : Module
{
    private const int Inner = 256;
    private readonly Func<Tensor, (Tensor Last, Tensor Middle)> backbone;
    private readonly DeepLabHead classifier;
    private readonly FcnHead? auxClassifier;

    /// <summary>The network on a residual one.</summary>
    public DeepLabV3(Philox random, DeepLabV3Options? options = null)
    {
        options ??= new DeepLabV3Options();
        ResNet resNet = Child("backbone", new ResNet(random, options.Backbone));
        backbone = x => resNet.Forward(x) is var features ? (features.Layer4, features.Layer3) : default;
        (classifier, auxClassifier) = Heads(random, resNet.OutChannels.Layer4, resNet.OutChannels.Layer3, options.NumClasses, options.AuxiliaryHead, options.Rates, options.Dropout, Inner / options.Backbone.WidthDivisor);
    }

    private DeepLabV3(Philox random, int numClasses, bool auxiliaryHead, float dropout)
    {
        MobileNetV3 mobile = Child("backbone", new MobileNetV3(random, dilated: true));
        backbone = x => mobile.Forward(x) is var (low, high) ? (high, low) : default;
        (classifier, auxClassifier) = Heads(random, MobileNetV3.OutChannels, MobileNetV3.LowChannels, numClasses, auxiliaryHead, [12, 24, 36], dropout, Inner);
    }

    /// <summary>The network on MobileNetV3-Large: torchvision's <c>deeplabv3_mobilenet_v3_large</c>.</summary>
    public static DeepLabV3 OnMobileNetV3(Philox random, int numClasses = 21, bool auxiliaryHead = false, float dropout = 0.5f) => new(random, numClasses, auxiliaryHead, dropout);

    /// <summary>Runs the network.</summary>
    /// <param name="x">Images, [N, H, W, 3], of any size.</param>
    /// <param name="auxiliary">Whether the auxiliary head runs too, where there is one; while training it does unless told otherwise.</param>
    public SemanticLogits Forward(Tensor x, bool? auxiliary = null)
    {
        using MemoryScope? scope = Autograd.IsEnabled ? null : TensorMemory.Scope();
        (Tensor last, Tensor middle) = backbone(x);
        Tensor output = ToImageSize(classifier.Forward(last));
        Tensor? aux = (auxiliary ?? IsTraining) && auxClassifier is not null ? ToImageSize(auxClassifier.Forward(middle)) : null;
        scope?.PassOut(output);
        if (aux is not null) scope?.PassOut(aux);
        return new SemanticLogits(output, aux);

        Tensor ToImageSize(Tensor scores) => scores.ResizeBilinear(like: x);
    }

    private (DeepLabHead, FcnHead?) Heads(Philox random, int lastChannels, int middleChannels, int numClasses, bool auxiliary, IReadOnlyList<int> rates, float dropout, int inner) =>
        (Child("classifier", new DeepLabHead(random, lastChannels, numClasses, rates, dropout, inner)),
            auxiliary ? Child("aux_classifier", new FcnHead(random, middleChannels, numClasses, 0.1f)) : null);
}
