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

    /// <summary>The matrix [taps · OutGroup, InGroup] of the adjoint, for some of the kernel's taps: rows of the weight, one tap after the other.</summary>
    public static void Transposed(ConvGeometry g, int[] taps, float* weight, float* packed)
    {
        int depth = taps.Length * g.OutGroup;
        int padded = GatherProduct.Padded(g.InGroup);
        int block = GatherProduct.BlockDepth(depth);
        int panels = padded / Tile.Columns;
        ThreadTeam.Run(g.Groups * panels, piece =>
        {
            (int group, int panel) = Math.DivRem(piece, panels);
            int column = panel * Tile.Columns;
            int width = Math.Min(Tile.Columns, g.InGroup - column);
            float* target = packed + ((nint)group * depth * padded);
            for (int from = 0; from < depth; from += block)
            {
                int length = Math.Min(block, depth - from);
                float* row = target + ((nint)from * padded) + ((nint)column * length);
                for (int k = from; k < from + length; k++)
                {
                    (int tap, int channel) = Math.DivRem(k, g.OutGroup);
                    float* source = weight + ((((((nint)group * g.OutGroup) + channel) * g.Taps) + taps[tap]) * g.InGroup) + column;
                    Gather.Copy(source, row, width);
                    if (width < Tile.Columns) new Span<float>(row + width, Tile.Columns - width).Clear();
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
