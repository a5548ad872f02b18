namespace Delineate.Tensors.Kernels;

/// <summary>
/// The product of a gathered matrix and packed weights, one per group, written to a lattice of pixels of the output map: one
/// convolution, or one phase of a strided transposed one. Rows are cut into blocks whose packed copy stays in the second-level cache.
/// </summary>
internal sealed unsafe class GatherProduct
{
    private const int RowBlock = 240; // a multiple of every tile's rows; 240 × 256 floats are a quarter of a 1 MB cache
    private const int DepthBlock = 256;

    private readonly Gather gather;
    private readonly Size2d lattice;
    private readonly Size2d targetMap;
    private readonly Size2d targetStep;
    private readonly Size2d targetStart;
    private readonly int groups;
    private readonly int columns;
    private readonly int paddedColumns;
    private readonly int blockDepth;
    private readonly int rowBlocks;
    private readonly bool contiguous;

    public GatherProduct(Gather gather, Size2d lattice, Size2d targetMap, Size2d targetStep, Size2d targetStart, int columns, int groups)
    {
        (this.gather, this.lattice, this.targetMap, this.targetStep, this.targetStart) = (gather, lattice, targetMap, targetStep, targetStart);
        (this.columns, this.groups) = (columns, groups);
        paddedColumns = Padded(columns);
        blockDepth = BlockDepth(gather.Depth);
        rowBlocks = (gather.Rows + RowBlock - 1) / RowBlock;
        contiguous = targetStep == 1 && targetStart == 0 && lattice == targetMap;
    }

    /// <summary>Pieces of work that may run on any thread.</summary>
    public int Pieces => rowBlocks * groups;

    /// <summary>Floats of packed weights: groups × depth × columns rounded up to whole tiles.</summary>
    public int PackedLength => groups * gather.Depth * paddedColumns;

    public static int Padded(int columns) => (columns + Tile.Columns - 1) / Tile.Columns * Tile.Columns;

    /// <summary>Depth in blocks of equal length, at most <see cref="DepthBlock"/>.</summary>
    public static int BlockDepth(int depth)
    {
        int blocks = Math.Max(1, (depth + DepthBlock - 1) / DepthBlock);
        return (depth + blocks - 1) / blocks;
    }

    /// <summary>
    /// One block of rows of one group, all columns. Packed weights lie group by group, in each for every block of the depth, for every tile
    /// of columns, [depth, Tile.Columns]; each group's bias is padded with zeros to whole tiles.
    /// </summary>
    public void Run(int piece, float* source, float* packed, float* bias, float* target)
    {
        (int group, int block) = Math.DivRem(piece, rowBlocks);
        int firstRow = block * RowBlock;
        int rows = Math.Min(RowBlock, gather.Rows - firstRow);
        int channels = columns * groups;
        packed += (nint)group * gather.Depth * paddedColumns;
        bias += group * paddedColumns;
        target += group * columns;

        nint* rowStarts = stackalloc nint[RowBlock];
        FindRows(firstRow, rows, channels, rowStarts);
        int tiles = (rows + Tile.Rows - 1) / Tile.Rows;
        using Scratch panels = Scratch.Floats(tiles * Tile.Rows * Math.Max(1, blockDepth));
        fixed (float* panel = panels.Span)
        {
            // What this thread will probably take next comes from memory while it multiplies.
            int nextRow = firstRow + (ThreadTeam.Threads * RowBlock);
            (nint aheadStart, nint aheadLength) = gather.NewLines(nextRow, Math.Min(RowBlock, gather.Rows - nextRow));
            int from = 0;
            do
            {
                int depth = Math.Min(blockDepth, gather.Depth - from);
                gather.Pack(source, group, firstRow, rows, from, from + depth, panel, depth);
                // Rows past the last one are multiplied but never stored.
                new Span<float>(panel + ((nint)rows * depth), ((tiles * Tile.Rows) - rows) * depth).Clear();
                float* weights = packed + ((nint)from * paddedColumns);
                BlockProduct.Run(rows, columns, depth, panel, depth, 1, weights, from == 0 ? bias : null, contiguous ? target + rowStarts[0] : target, channels, contiguous ? null : rowStarts, source + aheadStart, from == 0 ? aheadLength : 0);
                from += depth;
            }
            while (from < gather.Depth);
        }
    }

    /// <summary>Where in the output map each row of the block begins.</summary>
    private void FindRows(int firstRow, int rows, int channels, nint* starts)
    {
        (int pixel, int ox) = Math.DivRem(firstRow, lattice.Width);
        (int image, int oy) = Math.DivRem(pixel, lattice.Height);
        for (int i = 0; i < rows; i++)
        {
            nint y = ((nint)image * targetMap.Height) + (oy * targetStep.Height) + targetStart.Height;
            starts[i] = ((y * targetMap.Width) + (ox * targetStep.Width) + targetStart.Width) * channels;
            if (++ox == lattice.Width)
            {
                ox = 0;
                if (++oy == lattice.Height) (oy, image) = (0, image + 1);
            }
        }
    }
}
