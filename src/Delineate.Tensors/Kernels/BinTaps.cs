using System.Diagnostics;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// One axis of a region that is cut into bins: where it begins, how long a bin is, and how many samples are taken in each, in pixels of the map.
/// </summary>
internal readonly record struct BinAxis(float Start, float Bin, int Samples)
{
    /// <param name="low">Where the region begins.</param>
    /// <param name="high">Where it ends.</param>
    /// <param name="bins">How many bins it is cut into.</param>
    /// <param name="samplingRatio">Samples in a bin; 0 for as many as the bin has pixels, rounded up.</param>
    /// <param name="aligned">Pixel centres lie at half numbers; without it at whole ones, and a region is one pixel long at least.</param>
    public static BinAxis Of(float low, float high, int bins, int samplingRatio, bool aligned)
    {
        float start = aligned ? low - 0.5f : low, end = aligned ? high - 0.5f : high;
        float length = aligned ? end - start : MathF.Max(end - start, 1);
        float bin = length / bins;
        return new BinAxis(start, bin, samplingRatio > 0 ? samplingRatio : Math.Max(0, (int)MathF.Ceiling(bin)));
    }

    /// <summary>The first and last pixel that samples may read, on an axis of <paramref name="size"/> pixels; a little more at times, never less.</summary>
    public (int First, int Last) Reach(int bins, int size)
    {
        float end = Start + (Bin * bins);
        return (Pixel(MathF.Min(Start, end)) - 1, Pixel(MathF.Max(Start, end)) + 1);

        int Pixel(float place) => (int)Math.Clamp(place, 0, size - 1);
    }
}

/// <summary>
/// The pixels that the bilinear samples of each bin of a region read along one axis, with the weights that they add up to: two samples between the same
/// pixels cost what one does. In memory that the caller gives.
/// </summary>
internal readonly unsafe struct BinTaps(float* memory, int bins, int capacity)
{
    /// <summary>Bin b has the taps First[b] … First[b + 1] − 1, by rising pixel.</summary>
    public readonly int* First = (int*)memory;

    public readonly int* Pixel = (int*)memory + bins + 1;

    public readonly float* Weight = memory + bins + 1 + capacity;

    /// <summary>The most taps that an axis has: two for each sample, and no pixel twice in a bin.</summary>
    public static int Capacity(BinAxis axis, int bins, int size) => (int)Math.Min(bins * Math.Min(2L * axis.Samples, size), int.MaxValue / 4);

    /// <summary>Floats of memory for as many taps.</summary>
    public static int Floats(int bins, int capacity) => bins + 1 + (2 * capacity);

    /// <summary>
    /// Places the samples on an axis of <paramref name="size"/> pixels. A sample more than a pixel outside counts as zero, one nearer as on the edge;
    /// the weights of a bin whose samples all lie inside add up to 1.
    /// </summary>
    public void Place(BinAxis axis, int size)
    {
        int at = 0;
        float share = 1f / axis.Samples;
        for (int b = 0; b < bins; b++)
        {
            int own = First[b] = at;
            float corner = axis.Start + (b * axis.Bin);
            (int from, int to) = Near(axis, corner, size);
            for (int i = from; i < to; i++)
            {
                // By rising place, also where a region's edges are the wrong way round. In float, as the reference implementation does, so that both
                // find the same samples outside.
                int n = axis.Bin >= 0 ? i : axis.Samples - 1 - i;
                float place = corner + ((n + 0.5f) * axis.Bin / axis.Samples);
                if (place < -1 || place > size) continue;
                place = MathF.Max(place, 0);
                int pixel = Math.Min((int)place, size - 1);
                float beyond = pixel == size - 1 ? 0 : place - pixel;
                at = Add(own, at, pixel, (1 - beyond) * share);
                if (beyond > 0) at = Add(own, at, pixel + 1, beyond * share);
            }
        }
        First[bins] = at;
        Debug.Assert(at <= capacity, "more taps than an axis can have");
    }

    /// <summary>The samples that may lie on the axis: of a region far larger than the map nearly all do not.</summary>
    private static (int From, int To) Near(BinAxis axis, float corner, int size)
    {
        const double Margin = 16; // more than the places of samples round by (Rois.Farthest)
        if (axis.Bin <= 0 || axis.Samples <= size) return (0, axis.Samples);
        double step = (double)axis.Bin / axis.Samples;
        return ((int)Math.Clamp((-1 - Margin - corner) / step, 0, axis.Samples), (int)Math.Clamp(Math.Ceiling((size + Margin - corner) / step), 0, axis.Samples));
    }

    /// <summary>Adds to one of a bin's two latest taps or makes a new one: places rise, so that no others can have the pixel.</summary>
    private int Add(int own, int at, int pixel, float weight)
    {
        if (at > own && Pixel[at - 1] == pixel) Weight[at - 1] += weight;
        else if (at > own + 1 && Pixel[at - 2] == pixel) Weight[at - 2] += weight;
        else (Pixel[at], Weight[at++]) = (pixel, weight);
        return at;
    }
}
