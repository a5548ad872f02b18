using Delineate.Models.Parts;
using Delineate.Tensors;

namespace Delineate.Models;

/// <summary>
/// Mask R-CNN (He et al. 2017, arXiv:1703.06870): Faster R-CNN with a branch that draws the mask of each object it found, names and values as torchvision's
/// <c>maskrcnn_resnet50_fpn</c> and <c>maskrcnn_resnet50_fpn_v2</c>.
/// </summary>
public sealed class MaskRcnn : FasterRcnn
{
    /// <summary>Rows and columns to which a region is pooled before its mask is drawn.</summary>
    internal const int PooledSize = 14;

    /// <summary>Rows and columns of a mask.</summary>
    internal const int MaskSize = 2 * PooledSize;

    private readonly MaskHead masks;

    /// <exception cref="ArgumentException">There is no such depth, or the divisor does not divide the widths.</exception>
    public MaskRcnn(Philox random, RcnnOptions? options = null)
        : base(random, options) => masks = Child("roi_heads", new MaskHead(random, Channels, Options.NumClasses, HeadNorm));

    /// <summary>The mask of pooled regions for each class that they could be of. [K, 14, 14, C] → logits [K, 28, 28, classes].</summary>
    public Tensor Masks(Tensor pooled) => masks.Forward(pooled);
}
