namespace Delineate.Tensors.Kernels;

/// <summary>
/// How the pixels of a map fall into the squares of a Winograd convolution. With dilation d the pixels whose rows and columns leave the same
/// remainders by d are a map of their own, in which the taps are neighbours: each remainder has its own tiles.
/// </summary>
internal sealed class WinogradTiles
{
    private readonly int[] rows;
    private readonly int[] columns;

    /// <param name="images">N.</param>
    /// <param name="map">Height and width of the map that is cut.</param>
    /// <param name="size">Pixels of a tile along each axis.</param>
    /// <param name="dilation">Distance between neighbours within a tile.</param>
    public WinogradTiles(int images, Size2d map, int size, Size2d dilation)
    {
        (Map, Size, Step) = (map, size, dilation);
        (rows, columns) = (Starts(map.Height, size, dilation.Height), Starts(map.Width, size, dilation.Width));
        Count = checked(images * rows.Length * columns.Length);
    }

    public Size2d Map { get; }

    public int Size { get; }

    public Size2d Step { get; }

    /// <summary>Tiles of all images.</summary>
    public int Count { get; }

    /// <summary>The image, and in it the row and column of a tile's first pixel; the others follow <see cref="Step"/> apart, some of them past the map's end.</summary>
    public (int Image, int Row, int Column) this[int tile]
    {
        get
        {
            (int line, int column) = Math.DivRem(tile, columns.Length);
            (int image, int row) = Math.DivRem(line, rows.Length);
            return (image, rows[row], columns[column]);
        }
    }

    /// <summary>How many of a tile's pixels lie on the map, along one axis.</summary>
    public static int Inside(int first, int step, int length, int size) => Math.Min(size, (length - first + step - 1) / step);

    private static int[] Starts(int length, int size, int step)
    {
        var starts = new List<int>();
        for (int remainder = 0; remainder < Math.Min(step, length); remainder++)
        {
            for (int at = remainder; at < length; at += size * step) starts.Add(at);
        }
        return [.. starts];
    }
}

/// <summary>
/// Squares of a map around its tiles, zeros past the edges, transformed to the points: tile t, point (i, j) at
/// target[t · row + (i · points + j) · plane]. A square begins <c>padding</c> before its tile.
/// </summary>
internal readonly unsafe struct PatchKernel<T>(WinogradTiles tiles, Size2d padding, Size2d map, Map x, int first, int count, float* target, nint row, nint plane) : ILaneKernel
    where T : IAxisTransform
{
    public int Run<V>(int from, int to)
        where V : struct, ILanes<V>
    {
        float* work = stackalloc float[2 * SquareTransform.WorkLength];
        float* patch = work + SquareTransform.WorkLength;
        int end = to - ((to - from) % V.Count);
        (int down, int across) = tiles.Step;
        nint right = (nint)across * x.PixelStride, below = (nint)down * map.Width * x.PixelStride;
        for (int tile = 0; tile < count; tile++)
        {
            (int image, int top, int left) = tiles[first + tile];
            (top, left) = (top - padding.Height, left - padding.Width);
            bool inside = top >= 0 && left >= 0 && top + ((T.Inputs - 1) * down) < map.Height && left + ((T.Inputs - 1) * across) < map.Width;
            float* pixel = x.Data + ((((((nint)image * map.Height) + top) * map.Width) + left) * x.PixelStride);
            float* point = target + (tile * row);
            for (int c = from; c < end; c += V.Count)
            {
                if (inside)
                {
                    SquareTransform.Apply<T, V>(pixel + c, below, right, work, point + c, T.Outputs * plane, plane);
                    continue;
                }
                float* value = patch;
                for (int i = 0; i < T.Inputs; i++)
                {
                    bool rowInside = (uint)(top + (i * down)) < (uint)map.Height;
                    for (int j = 0; j < T.Inputs; j++)
                    {
                        V v = rowInside && (uint)(left + (j * across)) < (uint)map.Width ? V.Load(pixel + (i * below) + (j * right) + c) : V.All(0);
                        v.Store(value);
                        value += V.Count;
                    }
                }
                SquareTransform.Apply<T, V>(patch, T.Inputs * V.Count, V.Count, work, point + c, T.Outputs * plane, plane);
            }
        }
        return end;
    }
}
