using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// The head of DeepLabV3 (Chen et al. 2017) as torchvision builds it: atrous spatial pyramid pooling, a 3×3 convolution, and a 1×1
/// convolution to the classes. [N, h, w, C] → [N, h, w, numClasses] logits.
/// </summary>
internal sealed class DeepLabHead : Layer
{
    private readonly Aspp aspp;
    private readonly Conv2d conv, score;
    private readonly BatchNorm2d bn;

    public DeepLabHead(Philox random, int inChannels, int numClasses, IReadOnlyList<int> rates, float dropout, int inner)
    {
        aspp = Child("0", new Aspp(random, inChannels, inner, rates, dropout));
        conv = Child("1", new Conv2d(random, inner, inner, 3, padding: 1, bias: false));
        bn = Child("2", new BatchNorm2d(inner));
        score = Child("4", new Conv2d(random, inner, numClasses, 1));
    }

    protected override Tensor Apply(Tensor x) => score.Forward(bn.Forward(conv.Forward(aspp.Forward(x)), Activation.Relu));
}

/// <summary>
/// Atrous spatial pyramid pooling: the map seen through a 1×1 convolution, through 3×3 convolutions at several rates, and as its mean, side by
/// side, projected to one map. [N, h, w, C] → [N, h, w, inner].
/// </summary>
internal sealed class Aspp : Layer
{
    private readonly List<(Conv2d Conv, BatchNorm2d Norm)> branches = [];
    private readonly (Conv2d Conv, BatchNorm2d Norm) pooled, project;
    private readonly Dropout drop;

    public Aspp(Philox random, int inChannels, int inner, IReadOnlyList<int> rates, float dropout)
    {
        drop = Child("project.3", new Dropout(dropout));
        branches.Add(Unit("convs.0", 0, new Conv2d(random, inChannels, inner, 1, bias: false), inner));
        for (int i = 0; i < rates.Count; i++) branches.Add(Unit($"convs.{i + 1}", 0, new Conv2d(random, inChannels, inner, 3, padding: rates[i], dilation: rates[i], bias: false), inner));
        pooled = Unit($"convs.{rates.Count + 1}", 1, new Conv2d(random, inChannels, inner, 1, bias: false), inner); // place 0 is the pooling
        project = Unit("project", 0, new Conv2d(random, (rates.Count + 2) * inner, inner, 1, bias: false), inner);

        (Conv2d, BatchNorm2d) Unit(string name, int place, Conv2d conv, int channels) =>
            (Child($"{name}.{place}", conv), Child($"{name}.{place + 1}", new BatchNorm2d(channels)));
    }

    protected override Tensor Apply(Tensor x)
    {
        List<Tensor> views = branches.ConvertAll(b => Run(b, x));
        Tensor mean = Run(pooled, x.AdaptiveAvgPool2d(1));
        views.Add(mean.ResizeBilinear(like: x)); // of one pixel: the same everywhere
        return drop.Forward(Run(project, Tensor.Concat([.. views], 3)));
    }

    private static Tensor Run((Conv2d Conv, BatchNorm2d Norm) unit, Tensor x) => unit.Norm.Forward(unit.Conv.Forward(x), Activation.Relu);
}
