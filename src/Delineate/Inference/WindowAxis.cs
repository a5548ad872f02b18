namespace Delineate.Inference;

/// <summary>
/// Where windows lie along one side of an image, and what each counts at each of its pixels. A window counts in its middle only: near its edges, where it does
/// not see all that surrounds a pixel, its neighbour does. In between both count, by weights that add up to 1.
/// </summary>
internal sealed class WindowAxis
{
    /// <summary>What windows begin on a multiple of where nothing else is asked for: networks halve maps up to five times.</summary>
    public const int Grid = 32;

    private const int LongestRamp = 32; // pixels over which a window gives way to the next: enough that no seam shows

    /// <summary>
    /// Windows of <paramref name="size"/> pixels along <paramref name="length"/>; one, of the whole length, where that is shorter. As few as have at least the
    /// <paramref name="overlap"/> with their neighbours, evenly spread. They begin on multiples of <paramref name="grid"/>, so that a network's strides fall as
    /// on the whole image; the last one ends with the image and may be up to that much smaller.
    /// </summary>
    public WindowAxis(int length, int size, double overlap, int grid = Grid)
    {
        size = Math.Min(size, length);
        int stride = Math.Max(1, (int)(size * (1 - overlap)));
        while (grid > 1 && grid > Math.Min(stride, size / 2)) grid = grid > Grid ? Grid : grid / 2;
        int steps = (length - size + grid - 1) / grid, mostSteps = stride / grid; // to the last window, and from one to the next
        int count = 1 + ((steps + mostSteps - 1) / mostSteps);
        Starts = [.. Enumerable.Range(0, count).Select(i => i == 0 ? 0 : grid * (int)((long)i * steps / (count - 1)))];
        Sizes = Array.ConvertAll(Starts, start => Math.Min(size, length - start));

        (First, Weights) = (new int[count], new float[count][]);
        int[] ramps = new int[count + 1]; // pixels in which a window and the one before it both count
        for (int i = 1; i < count; i++)
        {
            int shared = Starts[i - 1] + size - Starts[i];
            // At most half the way to the next seam on either side: no pixel has more than two windows.
            int way = Math.Min(Starts[i] - Starts[i - 1], i + 1 < count ? Starts[i + 1] - Starts[i] : size);
            ramps[i] = Math.Min(LongestRamp, Math.Min(shared, way) / 2);
            First[i] = Starts[i] + ((shared - ramps[i]) / 2);
        }
        for (int i = 0; i < count; i++)
        {
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

    /// <summary>The first pixel of each window, ascending.</summary>
    public int[] Starts { get; }

    /// <summary>The pixels of each window.</summary>
    public int[] Sizes { get; }

    /// <summary>The first pixel of the image at which each window counts, ascending.</summary>
    public int[] First { get; }

    /// <summary>What each window counts at <see cref="First"/> and the pixels after it.</summary>
    public float[][] Weights { get; }

    /// <summary>Pixels from <see cref="First"/> at which no later window counts.</summary>
    public int Done(int i) => i + 1 < Count ? First[i + 1] - First[i] : Weights[i].Length;
}
