namespace Delineate.Tensors.Kernels;

/// <summary>
/// dW[co, k] = Σₚ dY[p, co] · G[p, k], with G the gathered matrix of the forward pass: the depth of this product is the pixels.
/// Work is cut by columns; where those are few, also into spans of pixels (by shape alone) whose sums are added in order.
/// </summary>
internal sealed unsafe class WeightGradient
{
    private const int PixelBlock = 256;
    private const int ChannelBlock = 480; // a multiple of every tile's rows
    private const int PiecesWanted = 16;

    private readonly Gather gather;
    private readonly ConvGeometry g;
    private readonly int panels;
    private readonly int panelsInPiece;
    private readonly int columnPieces;
    private readonly int spans;
    private readonly int spanLength;

    public WeightGradient(ConvGeometry g, Gather gather)
    {
        (this.g, this.gather) = (g, gather);
        panels = (g.Depth + Tile.Columns - 1) / Tile.Columns;
        panelsInPiece = Math.Max(1, panels * g.Groups / PiecesWanted);
        columnPieces = (panels + panelsInPiece - 1) / panelsInPiece;
        int blocks = (gather.Rows + PixelBlock - 1) / PixelBlock;
        spans = Math.Clamp(PiecesWanted / (columnPieces * g.Groups), 1, Math.Max(1, blocks / 4));
        spanLength = (blocks + spans - 1) / spans * PixelBlock;
        spans = Math.Max(1, (gather.Rows + spanLength - 1) / Math.Max(1, spanLength));
    }

    public void Run(float* map, float* dy, float* dw)
    {
        int length = g.OutChannels * g.Depth;
        using Scratch partial = Scratch.Floats((spans - 1) * length);
        fixed (float* others = partial.Span)
        {
            float* partials = others;
            ThreadTeam.Run(spans * columnPieces * g.Groups, piece =>
            {
                (int span, int rest) = Math.DivRem(piece, columnPieces * g.Groups);
                (int group, int column) = Math.DivRem(rest, columnPieces);
                Sum(map, dy, span == 0 ? dw : partials + ((nint)(span - 1) * length), group, column * panelsInPiece, Math.Min(panels, (column + 1) * panelsInPiece), span);
            });
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

    private void Sum(float* map, float* dy, float* dw, int group, int firstPanel, int endPanel, int span)
    {
        int firstPixel = span * spanLength;
        int endPixel = Math.Min(gather.Rows, firstPixel + spanLength);
        int blockChannels = Math.Min(ChannelBlock, (g.OutGroup + Tile.Rows - 1) / Tile.Rows * Tile.Rows);
        using Scratch left = Scratch.Floats(blockChannels * PixelBlock);
        using Scratch right = Scratch.Floats(Tile.Columns * PixelBlock);
        float* zeros = stackalloc float[Tile.Columns];
        new Span<float>(zeros, Tile.Columns).Clear();
        dw += (nint)group * g.OutGroup * g.Depth;
        dy += group * g.OutGroup;
        fixed (float* a = left.Span, b = right.Span)
        {
            for (int channel = 0; channel < g.OutGroup; channel += ChannelBlock)
            {
                int channels = Math.Min(ChannelBlock, g.OutGroup - channel);
                for (int pixel = firstPixel; pixel < endPixel; pixel += PixelBlock)
                {
                    int depth = Math.Min(PixelBlock, endPixel - pixel);
                    PackAcross(dy + ((nint)pixel * g.OutChannels) + channel, g.OutChannels, channels, depth, a);
                    for (int panel = firstPanel; panel < endPanel; panel++)
                    {
                        int column = panel * Tile.Columns;
                        int width = Math.Min(Tile.Columns, g.Depth - column);
                        if (width < Tile.Columns) new Span<float>(b, depth * Tile.Columns).Clear();
                        gather.Pack(map, group, pixel, depth, column, column + width, b, Tile.Columns);
                        BlockProduct.Run(channels, width, depth, a, 1, Tile.Rows, b, pixel == firstPixel ? zeros : null, dw + ((nint)channel * g.Depth) + column, g.Depth);
                    }
                }
            }
        }
    }

    /// <summary>Panels [depth, Tile.Rows] of a matrix [depth, channels], one after the other, zeros past the last channel.</summary>
    internal static void PackAcross(float* source, nint stride, int channels, int depth, float* panel)
    {
        for (int row = 0; row < channels; row += Tile.Rows)
        {
            int height = Math.Min(Tile.Rows, channels - row);
            for (int k = 0; k < depth; k++)
            {
                Gather.Copy(source + (k * stride) + row, panel, height);
                for (int i = height; i < Tile.Rows; i++) panel[i] = 0;
                panel += Tile.Rows;
            }
        }
    }
}
