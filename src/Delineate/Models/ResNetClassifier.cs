using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>
/// A residual network with its classifier, as it is trained on ImageNet (He et al. 2016): the source of pretrained backbones.
/// </summary>
public sealed class ResNetClassifier : ResNet
{
    /// <summary>torchvision's ResNets under the names of the networks that are built on one.</summary>
    public static readonly BackboneNames Names = new("fc.", [("", "backbone.")]);

    private readonly Linear fc;

    public ResNetClassifier(Philox random, int numClasses = 1000, ResNetOptions? options = null)
        : base(random, options)
    {
        fc = Child("fc", new Linear(random, OutChannels.Layer4, numClasses));
    }

    /// <summary>Scores an image as a whole. [N, H, W, 3] → [N, numClasses] logits.</summary>
    public Tensor Classify(Tensor x)
    {
        using MemoryScope? scope = Autograd.IsEnabled ? null : TensorMemory.Scope();
        Tensor logits = fc.Forward(Forward(x).Layer4.Mean([1, 2]));
        scope?.PassOut(logits);
        return logits;
    }
}
