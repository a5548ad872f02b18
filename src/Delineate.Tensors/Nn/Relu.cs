namespace Delineate.Tensors.Nn;

/// <summary>max(x, 0) as a layer. Any shape → same.</summary>
public sealed class Relu : Layer
{
    protected override Tensor Apply(Tensor x) => x.Relu();
}

/// <summary>The largest value of each window as a layer. [N, H, W, C] → [N, OH, OW, C].</summary>
public sealed class MaxPool2d(Size2d kernelSize, Size2d? stride = null, Size2d? padding = null, bool ceilMode = false) : Layer
{
    protected override Tensor Apply(Tensor x) => x.MaxPool2d(kernelSize, stride, padding, ceilMode: ceilMode);
}

/// <summary>
/// Sets values to zero with probability <paramref name="p"/> while training and scales the others by 1/(1 − p) (Srivastava et al. 2014).
/// Any shape → same.
/// </summary>
public sealed class Dropout(float p) : Layer
{
    protected override Tensor Apply(Tensor x) => x.Dropout(p, IsTraining);
}

/// <summary>The same for whole channels of an image. [N, H, W, C] → same.</summary>
public sealed class Dropout2d(float p) : Layer
{
    protected override Tensor Apply(Tensor x) => x.Dropout2d(p, IsTraining);
}

/// <summary>How <see cref="Upsample"/> fills in between.</summary>
public enum ResizeMode
{
    Nearest,
    Bilinear,
}

/// <summary>Enlarges a map by whole factors. [N, H, W, C] → [N, H·factor, W·factor, C].</summary>
/// <param name="factor">How many times larger.</param>
/// <param name="mode">How values between are found.</param>
/// <param name="alignCorners">Bilinear only: the corner pixels' centres stay in the corners.</param>
public sealed class Upsample(Size2d factor, ResizeMode mode = ResizeMode.Nearest, bool alignCorners = false) : Layer
{
    protected override Tensor Apply(Tensor x)
    {
        Check.Rank(x, 4, nameof(Upsample));
        // By the factor itself where there is one for both: a graph remembers it instead of this map's size.
        if (factor.Height == factor.Width) return mode == ResizeMode.Nearest ? x.ResizeNearest((float)factor.Height) : x.ResizeBilinear((float)factor.Height, alignCorners);
        (int height, int width) = (x.Shape[1] * factor.Height, x.Shape[2] * factor.Width);
        return mode == ResizeMode.Nearest ? x.ResizeNearest(height, width) : x.ResizeBilinear(height, width, alignCorners);
    }
}
