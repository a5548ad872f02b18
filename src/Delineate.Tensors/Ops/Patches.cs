using System.Numerics.Tensors;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Where a patch begins.</summary>
/// <param name="Image">Its image in the batch.</param>
/// <param name="Top">The image's row that is its first.</param>
/// <param name="Left">The image's column that is its first.</param>
public readonly record struct PatchCorner(int Image, int Top, int Left);

public static class PatchesOp
{
    /// <summary>Equally large patches of images, in the order of their corners; they may overlap. [N, H, W, C] → [corners.Length, height, width, C].</summary>
    /// <exception cref="ShapeException">x is not of rank 4, the size is not positive, or a patch does not lie within its image.</exception>
    public static Tensor Patches(this Tensor x, ReadOnlySpan<PatchCorner> corners, Size2d size)
    {
        Check.Rank(x, 4);
        Shape shape = x.Shape;
        if (size.Height < 1 || size.Width < 1) throw new ShapeException($"Patches takes a height and width of at least 1, got {size}");
        foreach (PatchCorner c in corners)
        {
            if ((uint)c.Image >= (uint)shape[0] || c.Top < 0 || c.Left < 0 || c.Top > shape[1] - size.Height || c.Left > shape[2] - size.Width)
                throw new ShapeException($"a patch of {size} at row {c.Top} and column {c.Left} of image {c.Image} does not lie within {shape}: pad the images first");
        }
        Tracer.Refuse("its corners come from data");
        PatchCorner[] places = corners.ToArray();
        Tensor y = Tensor.Empty([places.Length, size.Height, size.Width, shape[3]]);
        Forward(x, places, y);
        return Autograd.Record(y, x, dy =>
        {
            Tensor dx = Tensor.Empty(shape);
            Backward(dy, places, dx);
            return dx;
        }, read: []);
    }

    private static void Forward(Tensor x, PatchCorner[] corners, Tensor y)
    {
        int line = y.Shape[2] * y.Shape[3];
        ThreadTeam.Ranges(corners.Length * y.Shape[1], Math.Max(1, Elementwise.Grain / Math.Max(1, line)), (from, to) =>
        {
            for (int i = from; i < to; i++)
            {
                (int patch, int row) = Math.DivRem(i, y.Shape[1]);
                x.Span.Slice(Start(x.Shape, corners[patch], row), line).CopyTo(y.Span[(i * line)..]);
            }
        });
    }

    /// <summary>What patches have in common gets the sum of their gradients: one thread adds those of an image, in order.</summary>
    private static void Backward(Tensor dy, PatchCorner[] corners, Tensor dx)
    {
        (int height, int line) = (dy.Shape[1], dy.Shape[2] * dy.Shape[3]);
        ThreadTeam.Run(dx.Shape[0], image =>
        {
            int whole = dx.Shape.Product(1, 4);
            dx.Span.Slice(image * whole, whole).Clear();
            for (int patch = 0; patch < corners.Length; patch++)
            {
                if (corners[patch].Image != image) continue;
                for (int row = 0; row < height; row++)
                {
                    Span<float> target = dx.Span.Slice(Start(dx.Shape, corners[patch], row), line);
                    TensorPrimitives.Add(target, dy.Span.Slice(((patch * height) + row) * line, line), target);
                }
            }
        });
    }

    /// <summary>The first value of a patch's row in the images.</summary>
    private static int Start(Shape images, PatchCorner corner, int row) => ((((corner.Image * images[1]) + corner.Top + row) * images[2]) + corner.Left) * images[3];
}
