using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>The parts of a <see cref="FasterRcnn"/> and its kin that can be chosen.</summary>
public sealed record RcnnOptions
{
    /// <summary>Classes, the background among them.</summary>
    public int NumClasses { get; init; } = 91;

    /// <summary>Depth of the residual network: 18, 34, 50 or 101.</summary>
    public int Depth { get; init; } = 50;

    /// <summary>
    /// Torchvision's second version (Li et al. 2021, arXiv:2111.11429): batch normalisation in pyramid and heads too, two convolutions before the region
    /// proposals, four before the boxes.
    /// </summary>
    public bool IsSecondVersion { get; init; }

    /// <summary>
    /// Whether the backbone's normalisation keeps the statistics, scale and shift that it was loaded with, as fine-tuning with a few images at a time wants
    /// it. False trains them, which a network that starts from random weights needs. The second version always trains them.
    /// </summary>
    public bool IsNormFrozen { get; init; } = true;

    /// <summary>What a frozen normalisation adds to the variance; torchvision runs the weights that it published as COCO_V1 with 0.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>Joints of a <see cref="KeypointRcnn"/>.</summary>
    public int Keypoints { get; init; } = 17;

    /// <summary>Divides every inner channel count.</summary>
    public int WidthDivisor { get; init; } = 1;
}

/// <summary>What a detector's network sees in images before any box is chosen, largest maps first.</summary>
/// <param name="Pyramid">Features at strides 4, 8, 16, 32 and 64, [N, h, w, C] each.</param>
/// <param name="Objectness">Logits of each anchor at each of their places, [N, h, w, A] each.</param>
/// <param name="Deltas">How each anchor must move to cover an object, [N, h, w, 4·A] each.</param>
public readonly record struct RcnnMaps(IReadOnlyList<Tensor> Pyramid, IReadOnlyList<Tensor> Objectness, IReadOnlyList<Tensor> Deltas);

/// <summary>
/// Faster R-CNN (Ren et al. 2015, arXiv:1506.01497) on a residual network with a feature pyramid, names and values as torchvision's
/// <c>fasterrcnn_resnet50_fpn</c>. The network is two dense parts, images to maps and pooled regions to boxes; what lies between them, lists of boxes, a
/// <see cref="DetectionModel"/> works out.
/// </summary>
public class FasterRcnn : Module
{
    /// <summary>Rows and columns to which a region is pooled before its class and box are told.</summary>
    internal const int BoxSize = 7;

    private const int Levels = 5;
    private readonly ResNetFpn backbone;
    private readonly RpnHead rpn;
    private readonly Layer boxHead;
    private readonly BoxPredictor boxPredictor;

    /// <exception cref="ArgumentException">There is no such depth, or the divisor does not divide the widths.</exception>
    public FasterRcnn(Philox random, RcnnOptions? options = null)
    {
        Options = options ?? new RcnnOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(Options.NumClasses, 2, nameof(options));
        Channels = 256 / Options.WidthDivisor;
        int features = 1024 / Options.WidthDivisor;
        bool isFrozen = Options is { IsNormFrozen: true, IsSecondVersion: false };
        if (Options.IsSecondVersion) HeadNorm = channels => new BatchNorm2d(channels);
        backbone = Child("backbone", new ResNetFpn(random, new ResNetOptions
        {
            Depth = Options.Depth,
            WidthDivisor = Options.WidthDivisor,
            Norm = channels => isFrozen ? new FrozenBatchNorm2d(channels, Options.NormEpsilon) : new BatchNorm2d(channels),
        }, Channels, HeadNorm));
        rpn = Child("rpn.head", new RpnHead(random, Channels, depth: Options.IsSecondVersion ? 2 : 1));
        boxHead = Child<Layer>("roi_heads.box_head", HeadNorm is { } norm
            ? new ConvBoxHead(random, Channels, BoxSize, features, norm)
            : new TwoMlpHead(random, Channels, BoxSize, features));
        boxPredictor = Child("roi_heads.box_predictor", new BoxPredictor(random, features, Options.NumClasses));
    }

    public RcnnOptions Options { get; }

    /// <summary>Channels of every map of the pyramid.</summary>
    internal int Channels { get; }

    /// <summary>Makes the normalisations of pyramid and heads, where they have some.</summary>
    private protected Func<int, BatchNormLayer>? HeadNorm { get; }

    /// <summary>Backbone, pyramid and the region proposals' head. [N, H, W, 3] → maps.</summary>
    public RcnnMaps Maps(Tensor images)
    {
        using MemoryScope? scope = Autograd.IsEnabled ? null : TensorMemory.Scope();
        Tensor[] pyramid = backbone.Forward(images);
        (Tensor Objectness, Tensor Deltas)[] proposals = Array.ConvertAll(pyramid, rpn.Forward);
        foreach (Tensor map in pyramid) scope?.PassOut(map);
        foreach ((Tensor objectness, Tensor deltas) in proposals)
        {
            scope?.PassOut(objectness);
            scope?.PassOut(deltas);
        }
        return new RcnnMaps(pyramid, [.. proposals.Select(p => p.Objectness)], [.. proposals.Select(p => p.Deltas)]);
    }

    /// <summary>What is in pooled regions and where its box lies. [K, 7, 7, C] → logits [K, classes] and deltas [K, 4·classes].</summary>
    public (Tensor Logits, Tensor Deltas) Boxes(Tensor pooled) => boxPredictor.Forward(boxHead.Forward(pooled));

    /// <summary>The maps as one list, as a plan gives them.</summary>
    internal static Tensor[] Listed(RcnnMaps maps) => [.. maps.Pyramid, .. maps.Objectness, .. maps.Deltas];

    /// <summary>The other way round.</summary>
    internal static RcnnMaps OfList(Tensor[] list) => new(list[..Levels], list[Levels..^Levels], list[^Levels..]);
}
