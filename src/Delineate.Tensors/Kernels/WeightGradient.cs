namespace Delineate.Tensors.Kernels;

/// <summary>
/// dW[co, k] = Σₚ dY[p, co] · G[p, k], with G the gathered matrix of the forward pass: the depth of this product is the pixels.
/// Work is cut by columns; where those are few, also into spans of pixels (by shape alone) whose sums are added in order.
/// </summary>
internal sealed unsafe class WeightGradient
{
    private const int PixelBlock = 256;
    private const int PackedFloats = 1 << 22; // dY is packed and used up to 16 MB at a time
    private const int PieceFloats = 1 << 16;
    private const int PiecesWanted = 20;

    private readonly Gather gather;
    private readonly ConvGeometry g;
    private readonly int blocks;
    private readonly int blockPixels;
    private readonly int roundBlocks;
    private readonly int panels;
    private readonly int panelsInPiece;
    private readonly int columnPieces;
    private readonly int spans;
    private readonly int paddedChannels;

    public WeightGradient(ConvGeometry g, Gather gather)
    {
        (this.g, this.gather) = (g, gather);
        blocks = (gather.Rows + PixelBlock - 1) / PixelBlock;
        blockPixels = (gather.Rows + blocks - 1) / blocks;
        blocks = (gather.Rows + blockPixels - 1) / blockPixels;
        paddedChannels = (g.OutGroup + Tile.Rows - 1) / Tile.Rows * Tile.Rows;
        roundBlocks = Math.Clamp(PackedFloats / (g.Groups * paddedChannels * blockPixels), 1, blocks);
        panels = (g.Depth + Tile.Columns - 1) / Tile.Columns;

        // A small gradient is summed whole, or nearly, in the second-level cache, apart for each span of pixels; a large one is cut by columns.
        bool small = (long)g.OutChannels * g.Depth * PiecesWanted <= PackedFloats;
        panelsInPiece = small ? PieceFloats / (Tile.Columns * paddedChannels) : panels * g.Groups / PiecesWanted;
        panelsInPiece = Math.Clamp(panelsInPiece, 1, panels);
        columnPieces = (panels + panelsInPiece - 1) / panelsInPiece;
        spans = small ? Math.Clamp(PiecesWanted / (columnPieces * g.Groups), 1, Math.Max(1, roundBlocks / 2)) : 1;
    }

    public void Run(float* map, float* dy, float* dw)
    {
        int length = g.OutChannels * g.Depth;
        int blockLength = blockPixels * paddedChannels;
        using Scratch partial = Scratch.Floats((spans - 1) * length);
        using Scratch packed = Scratch.Floats(roundBlocks * g.Groups * blockLength);
        fixed (float* partialsFixed = partial.Span, packedFixed = packed.Span)
        {
            float* partials = partialsFixed, left = packedFixed;
            for (int first = 0; first < blocks; first += roundBlocks)
            {
                int round = Math.Min(roundBlocks, blocks - first);
                ThreadTeam.Run(round * g.Groups, piece =>
                {
                    (int block, int group) = Math.DivRem(piece, g.Groups);
                    int pixel = (first + block) * blockPixels;
                    float* source = dy + ((nint)pixel * g.OutChannels) + (group * g.OutGroup);
                    PackAcross(source, g.OutChannels, g.OutGroup, Math.Min(blockPixels, gather.Rows - pixel), left + ((nint)piece * blockLength));
                });
                ThreadTeam.Run(spans * columnPieces * g.Groups, piece =>
                {
                    (int span, int rest) = Math.DivRem(piece, columnPieces * g.Groups);
                    (int group, int column) = Math.DivRem(rest, columnPieces);
                    float* sum = (span == 0 ? dw : partials + ((nint)(span - 1) * length)) + ((nint)group * g.OutGroup * g.Depth);
                    (int start, int end) = (span * round / spans, (span + 1) * round / spans);
                    for (int block = start; block < end; block++)
                    {
                        bool isFirst = first == 0 && block == start;
                        Add(map, left + (((nint)block * g.Groups) + group) * blockLength, sum, group, column * panelsInPiece, Math.Min(panels, (column + 1) * panelsInPiece), first + block, isFirst);
                    }
                });
            }
            if (spans == 1) return;
            ThreadTeam.Ranges(length, 1 << 14, (from, to) =>
            {
                var sum = new Span<float>(dw + from, to - from);
                for (int i = 0; i < spans - 1; i++)
                {
                    System.Numerics.Tensors.TensorPrimitives.Add(sum, new ReadOnlySpan<float>(partials + ((nint)i * length) + from, to - from), sum);
                }
            });
        }
    }

    /// <summary>Adds one block of pixels to some columns of a group's gradient, or, the first, puts it there.</summary>
    private void Add(float* map, float* left, float* dw, int group, int firstPanel, int endPanel, int block, bool isFirst)
    {
        int pixel = block * blockPixels;
        int depth = Math.Min(blockPixels, gather.Rows - pixel);
        int nextPixel = pixel + blockPixels;
        (nint aheadStart, nint aheadLength) = spans > 1 ? gather.NewLines(nextPixel, Math.Min(blockPixels, gather.Rows - nextPixel)) : default;
        nint aheadPart = (aheadLength / (endPanel - firstPanel)) + 16;
        using Scratch right = Scratch.Floats(Tile.Columns * blockPixels);
        fixed (float* b = right.Span)
        {
            for (int panel = firstPanel; panel < endPanel; panel++)
            {
                int column = panel * Tile.Columns;
                int width = Math.Min(Tile.Columns, g.Depth - column);
                if (width < Tile.Columns) new Span<float>(b, depth * Tile.Columns).Clear();
                gather.Pack(map, group, pixel, depth, column, column + width, b, Tile.Columns);
                BlockProduct.Run(g.OutGroup, width, depth, LeftMatrix.Across(left, depth), b, new ProductEnds(!isFirst), dw + column, g.Depth, null, map + aheadStart, aheadLength > 0 ? aheadPart : 0);
                aheadStart += aheadPart;
            }
        }
    }

    /// <summary>Panels [depth, Tile.Rows] of a matrix [depth, channels], one after the other, zeros past the last channel.</summary>
    internal static void PackAcross(float* source, nint stride, int channels, int depth, float* panel)
    {
        for (int row = 0; row < channels; row += Tile.Rows)
        {
            int height = Math.Min(Tile.Rows, channels - row);
            if (height < Tile.Rows) new Span<float>(panel, depth * Tile.Rows).Clear();
            Gather.CopyRows(source + row, stride, panel, Tile.Rows, depth, height);
            panel += (nint)depth * Tile.Rows;
        }
    }
}
