namespace Delineate.Inference;

/// <summary>How windows lie along one side of an image.</summary>
/// <param name="Size">Pixels of a window.</param>
/// <param name="Overlap">The share of a window, at least, that it has in common with the next.</param>
/// <param name="Context">Pixels that are seen at least around those at which a window counts, where the image has them.</param>
/// <param name="Grid">What windows begin on a multiple of.</param>
internal readonly record struct WindowLayout(int Size, double Overlap, int Context, int Grid = WindowLayout.LargestStride)
{
    /// <summary>Networks halve maps up to five times.</summary>
    public const int LargestStride = 32;
}

/// <summary>
/// Where windows lie along one side of an image, and what each counts at each of its pixels: nothing near its edges, where it does not see all that surrounds a
/// pixel and its neighbour does. Where two count, their weights add up to 1.
/// </summary>
internal sealed class WindowAxis
{
    private const int LongestRamp = 32; // pixels over which a window gives way to the next: enough that no seam shows

    /// <summary>
    /// Windows along <paramref name="length"/> pixels; one, of the whole length, where that is shorter than a window. As few as have the overlap, evenly spread.
    /// They begin on the grid, so that a network's strides fall as on the whole image, and are seen with as much of their surroundings as the context asks for
    /// beyond the overlap. The last one ends with the image and may be smaller by less than a step of the grid.
    /// </summary>
    public WindowAxis(int length, WindowLayout layout)
    {
        (int size, int grid) = (Math.Min(layout.Size, length), layout.Grid);
        int stride = Math.Max(1, (int)(size * (1 - layout.Overlap)));
        while (grid > 1 && grid > Math.Min(stride, size / 2)) grid = grid > WindowLayout.LargestStride ? WindowLayout.LargestStride : grid / 2;
        int steps = (length - size + grid - 1) / grid, mostSteps = stride / grid; // to the last window, and from one to the next
        int count = 1 + ((steps + mostSteps - 1) / mostSteps);
        Starts = [.. Enumerable.Range(0, count).Select(i => i == 0 ? 0 : grid * (int)((long)i * steps / (count - 1)))];
        (First, Sizes, Weights) = (new int[count], new int[count], new float[count][]);

        int[] ramps = new int[count + 1]; // pixels in which a window and the one before it both count: in the middle of what they share
        int margin = layout.Context;
        for (int i = 1; i < count; i++)
        {
            int shared = Starts[i - 1] + size - Starts[i];
            // At most half the way to the next seam on either side: no pixel has more than two windows.
            int way = Math.Min(Starts[i] - Starts[i - 1], i + 1 < count ? Starts[i + 1] - Starts[i] : size);
            ramps[i] = Math.Min(LongestRamp, Math.Min(shared, way) / 2);
            First[i] = Starts[i] + ((shared - ramps[i]) / 2);
            margin = Math.Min(margin, First[i] - Starts[i]);
        }
        int more = (layout.Context - margin + grid - 1) / grid * grid; // surroundings on either side
        for (int i = 0; i < count; i++)
        {
            int end = Math.Min(length, Starts[i] + size + more);
            Starts[i] = Math.Max(0, Starts[i] - more);
            Sizes[i] = end - Starts[i];
            int next = i + 1 < count ? First[i + 1] : length;
            float[] weights = Weights[i] = new float[next + ramps[i + 1] - First[i]];
            weights.AsSpan().Fill(1);
            for (int x = 0; x < ramps[i]; x++) weights[x] = Rise(x, ramps[i]);
            for (int x = 0; x < ramps[i + 1]; x++) weights[next - First[i] + x] = 1 - Rise(x, ramps[i + 1]);
        }

        static float Rise(int x, int ramp) => (float)Math.Pow(Math.Sin(Math.PI / 2 * (x + 0.5) / ramp), 2);
    }

    /// <summary>The number of windows.</summary>
    public int Count => Starts.Length;

    /// <summary>The first pixel that is seen of each window, ascending.</summary>
    public int[] Starts { get; }

    /// <summary>The pixels that are seen of each window.</summary>
    public int[] Sizes { get; }

    /// <summary>The first pixel of the image at which each window counts, ascending.</summary>
    public int[] First { get; }

    /// <summary>What each window counts at <see cref="First"/> and the pixels after it.</summary>
    public float[][] Weights { get; }

    /// <summary>Pixels from <see cref="First"/> at which no later window counts.</summary>
    public int Done(int i) => i + 1 < Count ? First[i + 1] - First[i] : Weights[i].Length;
}
