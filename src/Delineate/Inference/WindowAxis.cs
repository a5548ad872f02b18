namespace Delineate.Inference;

/// <summary>Where windows lie along one side of an image, and what each counts at each of its pixels. The weights of a pixel's windows add up to 1.</summary>
internal sealed class WindowAxis
{
    private const int Grid = 32; // networks halve maps up to five times: windows that start on their grid see what the whole image would show them

    /// <summary>Windows of <paramref name="size"/> pixels along <paramref name="length"/>; one, of the whole length, where that is shorter.</summary>
    public WindowAxis(int length, int size, double overlap)
    {
        Size = Math.Min(size, length);
        int stride = Math.Max(1, (int)(Size * (1 - overlap)));
        if (stride > Grid) stride -= stride % Grid;
        int last = length - Size;
        var starts = new List<int>();
        for (int start = 0; start < last; start += stride) starts.Add(start);
        starts.Add(last);
        Starts = [.. starts];
        Weights = [.. Starts.Select((_, i) => Ramps(i, Size - stride))];
        var sums = new double[length];
        for (int i = 0; i < Starts.Length; i++)
        {
            for (int x = 0; x < Size; x++) sums[Starts[i] + x] += Weights[i][x];
        }
        for (int i = 0; i < Starts.Length; i++)
        {
            for (int x = 0; x < Size; x++) Weights[i][x] = (float)(Weights[i][x] / sums[Starts[i] + x]);
        }
    }

    /// <summary>Pixels of a window.</summary>
    public int Size { get; }

    /// <summary>The first pixel of each window, ascending.</summary>
    public int[] Starts { get; }

    /// <summary>What each window counts at each of its pixels.</summary>
    public float[][] Weights { get; }

    /// <summary>Pixels from the start of window <paramref name="i"/> that no later window touches.</summary>
    public int Done(int i) => i + 1 < Starts.Length ? Starts[i + 1] - Starts[i] : Size;

    /// <summary>Weights that fall over the overlap towards a neighbour, as a squared sine, but not towards the image's own edges.</summary>
    private float[] Ramps(int i, int shared)
    {
        int ramp = Math.Clamp(shared, 1, Math.Max(1, Size / 2));
        var weights = new float[Size];
        for (int x = 0; x < Size; x++)
        {
            double left = i == 0 ? 1 : Math.Min(1, (x + 0.5) / ramp), right = i == Starts.Length - 1 ? 1 : Math.Min(1, (Size - x - 0.5) / ramp);
            weights[x] = (float)(Smooth(left) * Smooth(right));
        }
        return weights;

        static double Smooth(double share) => Math.Pow(Math.Sin(Math.PI / 2 * share), 2);
    }
}
