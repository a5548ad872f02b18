namespace Delineate.Tensors.Kernels;

/// <summary>
/// The product of a gathered matrix and packed weights, one per group, written to a lattice of pixels of the output map: one
/// convolution, or one phase of a strided transposed one. Rows are cut into blocks whose packed copy stays in the second-level cache.
/// </summary>
internal sealed unsafe class GatherProduct
{
    private const int MostRows = 120; // a multiple of every tile's rows; 120 × 512 floats are a quarter of a 1 MB cache
    private const int BlocksWanted = 8; // fewer leave some thread without work, so that columns are cut too
    private const int DepthBlock = 512; // C is read and written once for each block
    private const int AliasedStride = 1024;

    private readonly Gather gather;
    private readonly Size2d lattice;
    private readonly Size2d targetMap;
    private readonly Size2d targetStep;
    private readonly Size2d targetStart;
    private readonly int groups;
    private readonly int columns;
    private readonly int paddedColumns;
    private readonly int blockDepth;
    private readonly int blockRows;
    private readonly int rowBlocks;
    private readonly int blockColumns;
    private readonly int columnBlocks;
    private readonly bool contiguous;
    private readonly bool inPlace;

    public GatherProduct(Gather gather, Size2d lattice, Size2d targetMap, Size2d targetStep, Size2d targetStart, int columns, int groups)
    {
        (this.gather, this.lattice, this.targetMap, this.targetStep, this.targetStart) = (gather, lattice, targetMap, targetStep, targetStart);
        (this.columns, this.groups) = (columns, groups);
        paddedColumns = Padded(columns);
        blockDepth = BlockDepth(gather.Depth);
        // Blocks of equal length, a multiple of four of them, so that two or four threads end together.
        int blocks = (gather.Rows + MostRows - 1) / MostRows;
        if (blocks > 4) blocks = (blocks + 3) / 4 * 4;
        blockRows = Math.Max(1, (((gather.Rows + Math.Max(1, blocks) - 1) / Math.Max(1, blocks)) + Tile.Rows - 1) / Tile.Rows) * Tile.Rows;
        rowBlocks = (gather.Rows + blockRows - 1) / blockRows;
        int tilesAcross = paddedColumns / Tile.Columns;
        int parts = rowBlocks * groups >= BlocksWanted ? 1 : Math.Min(Math.Max(1, tilesAcross), BlocksWanted / Math.Max(1, rowBlocks * groups));
        blockColumns = Math.Max(1, (tilesAcross + parts - 1) / parts) * Tile.Columns;
        columnBlocks = Math.Max(1, (paddedColumns + blockColumns - 1) / blockColumns);
        contiguous = targetStep == 1 && targetStart == 0 && lattice == targetMap;
        // Rows a multiple of this apart would all lie in the same few lines of a first-level cache.
        inPlace = gather.IsPlain && gather.RowStride % AliasedStride != 0;
    }

    /// <summary>Pieces of work that may run on any thread.</summary>
    public int Pieces => rowBlocks * columnBlocks * groups;

    /// <summary>Floats of packed weights: groups × depth × columns rounded up to whole tiles.</summary>
    public int PackedLength => groups * gather.Depth * paddedColumns;

    public static int Padded(int columns) => (columns + Tile.Columns - 1) / Tile.Columns * Tile.Columns;

    /// <summary>Depth in blocks of equal length, at most <see cref="DepthBlock"/>.</summary>
    public static int BlockDepth(int depth)
    {
        int blocks = Math.Max(1, (depth + DepthBlock - 1) / DepthBlock);
        return (depth + blocks - 1) / blocks;
    }

    /// <summary>True where rows of the result lie as far apart as their pixels, one after the other: only then can a residual be added.</summary>
    public bool IsContiguous => contiguous;

    /// <summary>
    /// One block of rows and columns of one group: target = max(floor, source·weights + bias + residual). Packed weights lie group by group, in each
    /// for every block of the depth, for every tile of columns, [depth, Tile.Columns]; each group's bias is padded with zeros to whole tiles.
    /// </summary>
    public void Run(int piece, float* source, float* packed, float* bias, Map residual, float floor, Map target)
    {
        (int group, int block) = Math.DivRem(piece, rowBlocks * columnBlocks);
        (int columnBlock, int rowBlock) = Math.DivRem(block, rowBlocks);
        (int firstRow, int firstColumn) = (rowBlock * blockRows, columnBlock * blockColumns);
        int rows = Math.Min(blockRows, gather.Rows - firstRow);
        int width = Math.Min(blockColumns, columns - firstColumn);
        packed += (nint)group * gather.Depth * paddedColumns;
        bias += (group * paddedColumns) + firstColumn;
        float* output = target.Data + (group * columns) + firstColumn;
        nint outputRow = target.PixelStride, residualRow = residual.PixelStride;

        nint* rowStarts = stackalloc nint[MostRows];
        FindRows(firstRow, rows, target.PixelStride, rowStarts);
        if (contiguous) output += rowStarts[0];
        float* added = residual.Data is null ? null : residual.Data + (group * columns) + firstColumn + (firstRow * residualRow);
        int tiles = (rows + Tile.Rows - 1) / Tile.Rows;
        // A map whose rows are its pixels is read where it lies, save a last tile that would reach past its end.
        int read = inPlace ? rows / Tile.Rows * Tile.Rows : 0;
        using Scratch panels = Scratch.Floats(((tiles * Tile.Rows) - read) * Math.Max(1, blockDepth));
        float* panel = Pinned.Of(panels);
        // What this thread will probably take next comes from memory while it multiplies.
        int nextRow = firstRow + (ThreadTeam.Threads * blockRows);
        (nint aheadStart, nint aheadLength) = gather.NewLines(nextRow, Math.Min(blockRows, gather.Rows - nextRow));
        // What the whole product reads and writes once does not stay in the caches until the next layer: its lines need not be read before they are written.
        bool past = (long)gather.Rows * (gather.RowStride + ((long)columns * groups * (added is null ? 1 : 2))) >= LaneLoop.PastCaches;
        int from = 0;
        do
        {
            int depth = Math.Min(blockDepth, gather.Depth - from);
            bool isFirst = from == 0, isLast = from + depth >= gather.Depth;
            float* weights = packed + ((nint)from * paddedColumns) + ((nint)firstColumn * depth);
            if (read > 0)
            {
                var left = new LeftMatrix(source + (group * gather.Depth) + ((nint)firstRow * gather.RowStride) + from, (nint)gather.RowStride * Tile.Rows, gather.RowStride, 1);
                BlockProduct.Run(read, width, depth, left, weights, Ends(0), output, outputRow, contiguous ? null : rowStarts, source + aheadStart, isFirst ? aheadLength : 0);
            }
            if (read < rows)
            {
                gather.Pack(source, group, firstRow + read, rows - read, from, from + depth, panel, depth);
                // Rows past the last one are multiplied but never stored.
                new Span<float>(panel + ((nint)(rows - read) * depth), ((tiles * Tile.Rows) - rows) * depth).Clear();
                BlockProduct.Run(
                    rows - read, width, depth, LeftMatrix.Rows(panel, depth), weights, Ends(read), contiguous ? output + (read * outputRow) : output, outputRow, contiguous ? null : rowStarts + read,
                    source + aheadStart, isFirst && read == 0 ? aheadLength : 0);
            }
            from += depth;

            ProductEnds Ends(int row) => new(!isFirst, added is null ? null : added + (row * residualRow), residualRow, isLast ? bias : null, isLast ? floor : float.NegativeInfinity, past && isFirst && isLast);
        }
        while (from < gather.Depth);
    }

    /// <summary>Where in the output map each row of the block begins.</summary>
    private void FindRows(int firstRow, int rows, int pixelStride, nint* starts)
    {
        (int pixel, int ox) = Math.DivRem(firstRow, lattice.Width);
        (int image, int oy) = Math.DivRem(pixel, lattice.Height);
        for (int i = 0; i < rows; i++)
        {
            nint y = ((nint)image * targetMap.Height) + (oy * targetStep.Height) + targetStart.Height;
            starts[i] = ((y * targetMap.Width) + (ox * targetStep.Width) + targetStart.Width) * pixelStride;
            if (++ox == lattice.Width)
            {
                ox = 0;
                if (++oy == lattice.Height) (oy, image) = (0, image + 1);
            }
        }
    }
}
