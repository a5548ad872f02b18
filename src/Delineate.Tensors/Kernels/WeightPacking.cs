namespace Delineate.Tensors.Kernels;

/// <summary>
/// Re-lays weights as the right matrix of a product: per group, for each block of the depth, for each tile of columns, a panel
/// [depth, Tile.Columns] with zeros past the last column.
/// </summary>
internal static unsafe class WeightPacking
{
    /// <summary>The matrix [Depth, OutGroup] of a convolution: the transpose of the weight as it lies.</summary>
    public static void Forward(ConvGeometry g, float* weight, float* packed)
    {
        int depth = g.Depth;
        int padded = GatherProduct.Padded(g.OutGroup);
        int block = GatherProduct.BlockDepth(depth);
        int panels = padded / Tile.Columns;
        ThreadTeam.Run(g.Groups * panels, piece =>
        {
            (int group, int panel) = Math.DivRem(piece, panels);
            int column = panel * Tile.Columns;
            float* source = weight + (((nint)(group * g.OutGroup) + column) * depth);
            float* target = packed + ((nint)group * depth * padded);
            int width = Math.Min(Tile.Columns, g.OutGroup - column);
            for (int from = 0; from < depth; from += block)
            {
                int length = Math.Min(block, depth - from);
                Transpose(source + from, depth, width, length, target + ((nint)from * padded) + ((nint)column * length));
            }
        });
    }

    /// <summary>
    /// The matrix [taps · OutGroup, phases · InGroup] of the adjoint: for each phase the rows of the weight under its taps, one tap after the other.
    /// </summary>
    public static void Transposed(ConvGeometry g, int[][] phaseTaps, float* weight, float* packed)
    {
        int depth = phaseTaps[0].Length * g.OutGroup;
        int columns = phaseTaps.Length * g.InGroup;
        int padded = GatherProduct.Padded(columns);
        int block = GatherProduct.BlockDepth(depth);
        int panels = padded / Tile.Columns;
        ThreadTeam.Run(g.Groups * panels, piece =>
        {
            (int group, int panel) = Math.DivRem(piece, panels);
            int first = panel * Tile.Columns;
            int end = Math.Min(columns, first + Tile.Columns);
            float* target = packed + ((nint)group * depth * padded);
            for (int from = 0; from < depth; from += block)
            {
                int length = Math.Min(block, depth - from);
                float* row = target + ((nint)from * padded) + ((nint)first * length);
                for (int k = from; k < from + length; k++)
                {
                    (int tap, int channel) = Math.DivRem(k, g.OutGroup);
                    for (int column = first; column < end;)
                    {
                        (int phase, int inside) = Math.DivRem(column, g.InGroup);
                        int width = Math.Min(end - column, g.InGroup - inside);
                        float* source = weight + ((((((nint)group * g.OutGroup) + channel) * g.Taps) + phaseTaps[phase][tap]) * g.InGroup) + inside;
                        Gather.Copy(source, row + column - first, width);
                        column += width;
                    }
                    if (end < first + Tile.Columns) new Span<float>(row + end - first, first + Tile.Columns - end).Clear();
                    row += Tile.Columns;
                }
            }
        });
    }

    /// <summary>panel[k, j] = source[j · stride + k] for j below <paramref name="width"/>, zero for the columns after.</summary>
    public static void Transpose(float* source, nint stride, int width, int length, float* panel)
    {
        for (int k = 0; k < length; k++)
        {
            for (int j = 0; j < width; j++) panel[j] = source[(j * stride) + k];
            for (int j = width; j < Tile.Columns; j++) panel[j] = 0;
            panel += Tile.Columns;
        }
    }
}
