using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// The head of an FCN as torchvision builds it: a 3×3 convolution to a quarter of the channels, normalised and activated, dropout, and a 1×1
/// convolution to the classes. [N, h, w, C] → [N, h, w, numClasses] logits.
/// </summary>
internal sealed class FcnHead : Layer
{
    private readonly Conv2d conv;
    private readonly BatchNorm2d bn;
    private readonly Dropout dropout;
    private readonly Conv2d score;

    public FcnHead(Philox random, int inChannels, int numClasses, float dropout)
    {
        int inner = inChannels / 4;
        conv = Child("0", new Conv2d(random, inChannels, inner, 3, padding: 1, bias: false));
        bn = Child("1", new BatchNorm2d(inner));
        this.dropout = Child("3", new Dropout(dropout));
        score = Child("4", new Conv2d(random, inner, numClasses, 1));
    }

    protected override Tensor Apply(Tensor x)
    {
        Tensor y = bn.Forward(conv.Forward(x), Activation.Relu);
        Tensor left = dropout.Forward(y);
        if (left != y) y.GiveBack();
        return score.Forward(left);
    }
}
