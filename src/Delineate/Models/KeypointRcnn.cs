using Delineate.Models.Parts;
using Delineate.Tensors;

namespace Delineate.Models;

/// <summary>
/// Keypoint R-CNN (He et al. 2017, section 5): Faster R-CNN with a branch that finds the joints of each body, names and values as torchvision's
/// <c>keypointrcnn_resnet50_fpn</c>.
/// </summary>
public sealed class KeypointRcnn : FasterRcnn
{
    /// <summary>Rows and columns to which a region is pooled before its joints are found.</summary>
    internal const int PooledSize = 14;

    /// <summary>Rows and columns of a heatmap.</summary>
    internal const int HeatmapSize = 4 * PooledSize;

    private readonly KeypointHead heatmaps;

    /// <exception cref="ArgumentException">There is no such depth, or the divisor does not divide the widths.</exception>
    public KeypointRcnn(Philox random, RcnnOptions? options = null)
        : base(random, options) => heatmaps = Child("roi_heads", new KeypointHead(random, Channels, 512 / Options.WidthDivisor, Options.Keypoints));

    /// <summary>Where each joint of the bodies in pooled regions may lie. [K, 14, 14, C] → logits [K, 56, 56, joints].</summary>
    public Tensor Heatmaps(Tensor pooled) => heatmaps.Forward(pooled);
}
