namespace Delineate.Tensors.Kernels;

/// <summary>
/// Filters of three by three taps at the points of <see cref="Winograd"/>: a matrix [in channels, out channels] for each point, in panels
/// [in channels, <see cref="Tile.Columns"/>] with zeros past the last column.
/// </summary>
internal static unsafe class WinogradFilters
{
    private const int Rows = 16; // in channels that are re-laid together: a cache line of the weight

    /// <summary>
    /// Transforms a panel from column <paramref name="column"/> on, and of it the rows of <paramref name="length"/> in channels: row k of point p
    /// goes to <c>panel[p · plane + k · Columns]</c>. For the adjoint the filters are turned around and their two channels change places.
    /// </summary>
    public static void Transform(ConvGeometry g, bool adjoint, int size, float* weight, int column, int from, int length, float* panel, nint plane)
    {
        int width = Math.Min(Tile.Columns, (adjoint ? g.InChannels : g.OutChannels) - column);
        float* taps = stackalloc float[9 * Rows * Tile.MaxColumns];
        nint tapStep = Rows * Tile.Columns;
        if (adjoint && width < Tile.Columns) new Span<float>(taps, 9 * (int)tapStep).Clear();
        for (int first = 0; first < length; first += Rows)
        {
            int rows = Math.Min(Rows, length - first);
            for (int tap = 0; tap < 9; tap++)
            {
                float* to = taps + (tap * tapStep);
                if (adjoint)
                {
                    float* source = weight + ((((nint)(from + first) * 9) + 8 - tap) * g.InChannels) + column;
                    for (int k = 0; k < rows; k++) Gather.Copy(source + ((nint)k * 9 * g.InChannels), to + (k * Tile.Columns), width);
                }
                else
                {
                    float* source = weight + ((((nint)column * 9) + tap) * g.InChannels) + from + first;
                    nint stride = 9 * (nint)g.InChannels;
                    WeightPacking.Transpose(source, stride, width, rows, to);
                    if (first + Rows < length) Tile.PrefetchRows(source + Rows, stride, width);
                }
            }
            LaneLoop.Over(new FilterKernel(size, taps, tapStep, rows, panel + ((nint)first * Tile.Columns), plane), Tile.Columns);
        }
    }

    private readonly struct FilterKernel(int size, float* taps, nint tapStep, int rows, float* panel, nint plane) : ILaneKernel
    {
        public int Run<V>(int from, int end)
            where V : struct, ILanes<V>
        {
            float* work = stackalloc float[SquareTransform.WorkLength];
            for (int k = 0; k < rows; k++)
            {
                for (int c = from; c + V.Count <= end; c += V.Count)
                {
                    float* source = taps + (k * Tile.Columns) + c, to = panel + (k * Tile.Columns) + c;
                    if (size == 6) SquareTransform.Apply<Winograd6.Filter, V>(source, 3 * tapStep, tapStep, work, to, 8 * plane, plane);
                    else if (size == 4) SquareTransform.Apply<Winograd4.Filter, V>(source, 3 * tapStep, tapStep, work, to, 6 * plane, plane);
                    else SquareTransform.Apply<Winograd2.Filter, V>(source, 3 * tapStep, tapStep, work, to, 4 * plane, plane);
                }
            }
            return end - ((end - from) % V.Count);
        }
    }
}
