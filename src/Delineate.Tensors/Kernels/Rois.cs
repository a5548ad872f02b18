using System.Runtime.CompilerServices;

namespace Delineate.Tensors.Kernels;

/// <summary>A region of interest in the pixels of a map: the image it lies on and its corners.</summary>
internal readonly record struct Roi(int Image, float X1, float Y1, float X2, float Y2);

/// <summary>Regions of interest as ops take them: rows of [K, 5], each the number of its image and x1, y1, x2, y2.</summary>
internal static unsafe class Rois
{
    /// <summary>Floats in a region.</summary>
    public const int Width = 5;

    /// <summary>Beyond it neighbouring floats are more than a pixel apart: no box of an image lies there.</summary>
    public const float Farthest = 1 << 24;

    /// <exception cref="ShapeException">The map, the regions or the output have not their form.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The scale is not positive.</exception>
    public static void Validate(Tensor x, Tensor rois, Size2d output, float spatialScale, [CallerMemberName] string op = "")
    {
        ArgumentNullException.ThrowIfNull(rois);
        Check.Rank(x, 4, op);
        if (rois.Shape.Rank != 2 || rois.Shape[1] != Width) throw new ShapeException($"{op} takes rois of [K, 5] (image, x1, y1, x2, y2), got {rois.Shape}");
        if (output.Height < 1 || output.Width < 1 || x.Shape[1] == 0 || x.Shape[2] == 0)
            throw new ShapeException($"{op} takes a height and width of at least 1, got input {x.Shape} and output {output}");
        if (!(spatialScale > 0 && float.IsFinite(spatialScale)))
            throw new ArgumentOutOfRangeException(nameof(spatialScale), spatialScale, $"{op} takes a positive scale from the boxes' pixels to the map's");
    }

    /// <summary>One row, brought to the map's scale.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Its image is not in the batch, or a corner is not finite or out of all bounds.</exception>
    public static Roi Read(float* rois, int row, int batch, float scale, string op)
    {
        float* roi = rois + ((long)row * Width);
        int image = (int)roi[0];
        if (!(roi[0] >= 0 && roi[0] < batch) || image != roi[0])
            throw new ArgumentOutOfRangeException(nameof(rois), roi[0], $"{op}: roi {row} lies on image {roi[0]} of a batch of {batch}");
        for (int i = 1; i < Width; i++)
        {
            // Not "beyond": a NaN is refused too.
            if (!(MathF.Abs(roi[i] * scale) <= Farthest))
                throw new ArgumentOutOfRangeException(nameof(rois), roi[i], $"{op}: roi {row} is no box on a map: ({roi[1]}, {roi[2]}, {roi[3]}, {roi[4]}) times {scale}");
        }
        return new Roi(image, roi[1] * scale, roi[2] * scale, roi[3] * scale, roi[4] * scale);
    }
}
