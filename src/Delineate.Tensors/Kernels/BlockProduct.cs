namespace Delineate.Tensors.Kernels;

/// <summary>The product of two packed blocks, tile by tile. Tiles that stick out of C, or whose rows lie irregularly, go through a buffer.</summary>
internal static unsafe class BlockProduct
{
    private const int Line = 16; // floats in a line of the caches

    /// <summary>
    /// C = bias + A·B, or C += A·B where <paramref name="bias"/> is null. A comes in tiles of Tile.Rows rows, each of depth·Tile.Rows
    /// floats (rows past the last one too), whose elements lie aRow and aStep apart; B in tiles [depth, Tile.Columns]; the bias as one row
    /// padded to whole tiles. Rows of C are cRow apart, unless rowStarts gives the place of each. Meanwhile aheadLength floats from ahead on
    /// are asked for from memory.
    /// </summary>
    public static void Run(
        int rows, int columns, int depth, float* a, nint aRow, nint aStep, float* b, float* bias, float* c, nint cRow, nint* rowStarts = null,
        float* ahead = null, nint aheadLength = 0)
    {
        float* edge = stackalloc float[Tile.MaxLength];
        for (int column = 0; column < columns; column += Tile.Columns)
        {
            float* right = b + ((nint)column * depth);
            int width = Math.Min(Tile.Columns, columns - column);
            for (int row = 0; row < rows; row += Tile.Rows)
            {
                float* left = a + ((nint)row * depth);
                int height = Math.Min(Tile.Rows, rows - row);
                float* next = left + ((nint)depth * Tile.Rows);
                nint nextStep = Tile.Rows;
                if (aheadLength > 0)
                {
                    next = ahead;
                    nextStep = Line;
                    ahead += depth * Line;
                    aheadLength -= depth * Line;
                }
                if (height == Tile.Rows && width == Tile.Columns && rowStarts is null)
                {
                    float* tile = c + (row * cRow) + column;
                    if (bias is null) Tile.Run(depth, left, aRow, aStep, right, Tile.Columns, tile, cRow, tile, cRow, next, nextStep);
                    else Tile.Run(depth, left, aRow, aStep, right, Tile.Columns, bias + column, 0, tile, cRow, next, nextStep);
                    continue;
                }
                for (int i = 0; i < height && bias is null; i++) Gather.Copy(Row(row + i) + column, edge + (i * Tile.Columns), width);
                float* start = bias is null ? edge : bias + column;
                int startRow = bias is null ? Tile.Columns : 0;
                if (height > Tile.Rows - Tile.ShortRows)
                {
                    Tile.Run(depth, left, aRow, aStep, right, Tile.Columns, start, startRow, edge, Tile.Columns, next, nextStep);
                }
                else
                {
                    for (int i = 0; i < height; i += Tile.ShortRows)
                    {
                        Tile.RunShort(depth, left + (i * aRow), aRow, aStep, right, Tile.Columns, start + (i * startRow), startRow, edge + (i * Tile.Columns), Tile.Columns);
                    }
                }
                for (int i = 0; i < height; i++) Gather.Copy(edge + (i * Tile.Columns), Row(row + i) + column, width);
            }
        }

        float* Row(int row) => c + (rowStarts is null ? row * cRow : rowStarts[row]);
    }
}
