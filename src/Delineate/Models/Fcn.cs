using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>The parts of an <see cref="Fcn"/> that can be chosen.</summary>
public sealed record FcnOptions
{
    /// <summary>Classes, the background among them.</summary>
    public int NumClasses { get; init; } = 21;

    /// <summary>Depth of the residual network: 18, 34, 50 or 101.</summary>
    public int Depth { get; init; } = 50;

    /// <summary>
    /// How many times smaller than the image the scored map is: 8, 16 or 32. Smaller is finer and slower; 8 is torchvision's.
    /// </summary>
    public int OutputStride { get; init; } = 8;

    /// <summary>See <see cref="ResNetOptions.HybridDilation"/>.</summary>
    public bool HybridDilation { get; init; }

    /// <summary>A second head on the third stage, whose loss helps training (Zhao et al. 2017).</summary>
    public bool AuxiliaryHead { get; init; }

    /// <summary>Probability with which a value before the score layer is dropped while training.</summary>
    public float Dropout { get; init; } = 0.1f;

    /// <summary>Divides every inner channel count.</summary>
    public int WidthDivisor { get; init; } = 1;
}

/// <summary>
/// A fully convolutional network (Long et al. 2015) on a residual network, as torchvision builds <c>fcn_resnet50</c>: a head scores the last map,
/// and the scores are enlarged bilinearly to the size of the image. [N, H, W, 3] → [N, H, W, numClasses].
/// </summary>
public sealed class Fcn : Module
{
    private readonly ResNet backbone;
    private readonly FcnHead classifier;
    private readonly FcnHead? auxClassifier;

    public Fcn(Philox random, FcnOptions? options = null)
    {
        Options = options ?? new FcnOptions();
        backbone = Child("backbone", new ResNet(random,
            new ResNetOptions { Depth = Options.Depth, OutputStride = Options.OutputStride, HybridDilation = Options.HybridDilation, WidthDivisor = Options.WidthDivisor }));
        classifier = Child("classifier", new FcnHead(random, backbone.OutChannels.Layer4, Options.NumClasses, Options.Dropout));
        if (Options.AuxiliaryHead)
            auxClassifier = Child("aux_classifier", new FcnHead(random, backbone.OutChannels.Layer3, Options.NumClasses, Options.Dropout));
    }

    public FcnOptions Options { get; }

    /// <summary>Runs the network.</summary>
    /// <param name="x">Images, [N, H, W, 3], of any size.</param>
    /// <param name="auxiliary">Whether the auxiliary head runs too, where there is one; while training it does unless told otherwise.</param>
    public SemanticLogits Forward(Tensor x, bool? auxiliary = null)
    {
        using MemoryScope? scope = Autograd.IsEnabled ? null : TensorMemory.Scope();
        ResNetFeatures features = backbone.Forward(x);
        Tensor output = ToImageSize(classifier.Forward(features.Layer4));
        Tensor? aux = (auxiliary ?? IsTraining) && auxClassifier is not null ? ToImageSize(auxClassifier.Forward(features.Layer3)) : null;
        scope?.PassOut(output);
        if (aux is not null) scope?.PassOut(aux);
        return new SemanticLogits(output, aux);

        Tensor ToImageSize(Tensor scores) => scores.ResizeBilinear(like: x);
    }
}
