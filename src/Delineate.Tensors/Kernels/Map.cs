namespace Delineate.Tensors.Kernels;

/// <summary>
/// A map [N, H, W, C] in memory: pixels follow one another, rows and images densely, <see cref="PixelStride"/> floats (at least C) apart. So a
/// kernel can read or write a range of the channels of a wider map.
/// </summary>
internal readonly unsafe struct Map(float* data, int pixelStride)
{
    public readonly float* Data = data;
    public readonly int PixelStride = pixelStride;
}
