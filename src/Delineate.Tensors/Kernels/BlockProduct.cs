namespace Delineate.Tensors.Kernels;

/// <summary>What a product A·B is added to, and what becomes of the sum: C = max(floor, start + bias + A·B).</summary>
/// <param name="accumulates">True: the start is C itself. False: it is the residual or, where there is none, zero.</param>
/// <param name="residual">Null, or a matrix with C's rows.</param>
/// <param name="residualRow">Floats from one row of the residual to the next.</param>
/// <param name="bias">Null, or one row, padded to whole tiles.</param>
/// <param name="floor">0 for a ReLU, −∞ for none.</param>
/// <param name="past">True: whole tiles that begin on a cache line are stored around the caches.</param>
internal readonly unsafe struct ProductEnds(
    bool accumulates, float* residual = null, nint residualRow = 0, float* bias = null, float floor = float.NegativeInfinity, bool past = false)
{
    public readonly bool Accumulates = accumulates;
    public readonly float* Residual = residual;
    public readonly nint ResidualRow = residualRow;
    public readonly float* Bias = bias;
    public readonly float Floor = floor;
    public readonly bool Past = past;
}

/// <summary>
/// The left matrix of a product, in tiles of Tile.Rows rows that begin <see cref="TileStep"/> apart. Its elements lie <see cref="Row"/> and
/// <see cref="Step"/> apart within a tile.
/// </summary>
internal readonly unsafe struct LeftMatrix(float* data, nint tileStep, nint row, nint step)
{
    public readonly float* Data = data;
    public readonly nint TileStep = tileStep;
    public readonly nint Row = row;
    public readonly nint Step = step;

    /// <summary>Rows packed one after the other, those past the last up to a whole tile too.</summary>
    public static LeftMatrix Rows(float* data, nint depth) => new(data, depth * Tile.Rows, depth, 1);

    /// <summary>Panels [depth, Tile.Rows].</summary>
    public static LeftMatrix Across(float* data, nint depth) => new(data, depth * Tile.Rows, 1, Tile.Rows);
}

/// <summary>The product of two blocks, tile by tile. Tiles that stick out of C, or whose rows do not lie equally far apart, go through a buffer.</summary>
internal static unsafe class BlockProduct
{
    private const int Line = 16; // floats in a line of the caches

    /// <summary>
    /// Multiplies into C, whose rows are cRow apart unless rowStarts gives the place of each. B comes in tiles [depth, Tile.Columns].
    /// Meanwhile aheadLength floats from ahead on are asked for from memory, then the next tile of B or, where there is only one, of A.
    /// </summary>
    public static void Run(
        int rows, int columns, int depth, LeftMatrix a, float* b, ProductEnds ends, float* c, nint cRow, nint* rowStarts = null, float* ahead = null, nint aheadLength = 0)
    {
        float* edge = stackalloc float[Tile.MaxLength];
        int tiles = (rows + Tile.Rows - 1) / Tile.Rows;
        nint panelStep = columns <= Tile.Columns ? 0 : Math.Min(Line, (Tile.Columns + tiles - 1) / tiles);
        for (int column = 0; column < columns; column += Tile.Columns)
        {
            float* right = b + ((nint)column * depth);
            float* bias = ends.Bias is null ? Tile.Zeros : ends.Bias + column;
            int width = Math.Min(Tile.Columns, columns - column);
            float* left = a.Data;
            float* panel = right + (Tile.Columns * depth);
            for (int row = 0; row < rows; row += Tile.Rows, left += a.TileStep)
            {
                int height = Math.Min(Tile.Rows, rows - row);
                float* next = panelStep > 0 ? panel : left + a.TileStep;
                nint nextStep = panelStep > 0 ? panelStep : Tile.Rows;
                panel += panelStep * depth;
                if (aheadLength > 0)
                {
                    next = ahead;
                    nextStep = Line;
                    ahead += depth * Line;
                    aheadLength -= depth * Line;
                }
                float* residual = ends.Residual + (row * ends.ResidualRow) + column;
                if (height == Tile.Rows && width == Tile.Columns && (rowStarts is null || AreEquallyFar(rowStarts + row)))
                {
                    float* tile = Row(row) + column;
                    nint tileRow = rowStarts is null ? cRow : rowStarts[row + 1] - rowStarts[row];
                    float* begin = ends.Accumulates ? tile : ends.Residual is null ? Tile.Zeros : residual;
                    nint beginRow = ends.Accumulates ? tileRow : ends.Residual is null ? 0 : ends.ResidualRow;
                    bool past = ends.Past && (nint)tile % (Line * sizeof(float)) == 0 && tileRow % Line == 0;
                    Tile.Run(depth, left, a.Row, a.Step, right, Tile.Columns, begin, beginRow, bias, ends.Floor, tile, tileRow, next, nextStep, past);
                    continue;
                }
                bool fromZero = !ends.Accumulates && ends.Residual is null;
                float* start = fromZero ? Tile.Zeros : edge;
                nint startRow = fromZero ? 0 : Tile.Columns;
                for (int i = 0; i < height && !fromZero; i++) Gather.Copy(ends.Accumulates ? Row(row + i) + column : residual + (i * ends.ResidualRow), edge + (i * Tile.Columns), width);
                if (height > Tile.Rows - Tile.ShortRows)
                {
                    Tile.Run(depth, left, a.Row, a.Step, right, Tile.Columns, start, startRow, bias, ends.Floor, edge, Tile.Columns, next, nextStep);
                }
                else
                {
                    for (int i = 0; i < height; i += Tile.ShortRows)
                    {
                        Tile.RunShort(depth, left + (i * a.Row), a.Row, a.Step, right, Tile.Columns, start + (i * startRow), startRow, bias, ends.Floor, edge + (i * Tile.Columns), Tile.Columns);
                    }
                }
                for (int i = 0; i < height; i++) Gather.Copy(edge + (i * Tile.Columns), Row(row + i) + column, width);
            }
        }

        float* Row(int row) => c + (rowStarts is null ? row * cRow : rowStarts[row]);
    }

    /// <summary>True where the rows of a tile lie as far apart as its first two.</summary>
    private static bool AreEquallyFar(nint* rowStarts)
    {
        for (int i = 2; i < Tile.Rows; i++)
        {
            if (rowStarts[i] - rowStarts[i - 1] != rowStarts[1] - rowStarts[0]) return false;
        }
        return true;
    }
}
