namespace Delineate.Tensors.Kernels;

/// <summary>Stacks of products of dense matrices, each operand stored as it is or transposed.</summary>
internal static unsafe class Gemm
{
    private const int RowBlock = 240;

    /// <summary>
    /// C[t] = Σ over the terms (i, j) of target t of A[i]·B[j], added in order; no term makes zeros. A, B and C are stacks of matrices
    /// [rows, depth] (stored [depth, rows] if <paramref name="transposeA"/>), [depth, columns] (or [columns, depth]) and [rows, columns].
    /// </summary>
    public static void Run(
        int rows, int columns, int depth, bool transposeA, bool transposeB, ReadOnlySpan<float> a, ReadOnlySpan<float> b, Span<float> c, (int A, int B)[][] terms)
    {
        if (c.Length == 0) return;
        if (depth == 0 || a.Length == 0 || b.Length == 0)
        {
            c.Clear();
            return;
        }
        int padded = GatherProduct.Padded(columns);
        int stack = b.Length / (depth * columns);
        using Scratch packed = Scratch.Floats(checked(stack * depth * padded));
        fixed (float* aFixed = a, bFixed = b, cFixed = c, packedFixed = packed.Span)
        {
            float* left = aFixed, right = bFixed, target = cFixed, panels = packedFixed;
            int tiles = padded / Tile.Columns;
            ThreadTeam.Run(stack * tiles, piece =>
            {
                (int item, int tile) = Math.DivRem(piece, tiles);
                PackColumns(right + ((nint)item * depth * columns), depth, columns, transposeB, tile * Tile.Columns, panels + ((nint)item * depth * padded));
            });
            int blocks = (rows + RowBlock - 1) / RowBlock;
            ThreadTeam.Run(terms.Length * blocks, piece =>
            {
                (int item, int block) = Math.DivRem(piece, blocks);
                int firstRow = block * RowBlock;
                MultiplyRows(
                    left, panels, target + ((((nint)item * rows) + firstRow) * columns), terms[item], rows, columns, depth, transposeA, firstRow, Math.Min(RowBlock, rows - firstRow));
            });
        }
    }

    private static void MultiplyRows(
        float* a, float* panels, float* c, (int A, int B)[] terms, int rows, int columns, int depth, bool transposeA, int firstRow, int count)
    {
        if (terms.Length == 0) new Span<float>(c, count * columns).Clear();
        int padded = GatherProduct.Padded(columns);
        int block = GatherProduct.BlockDepth(depth);
        int tiles = (count + Tile.Rows - 1) / Tile.Rows;
        using Scratch left = Scratch.Floats(tiles * Tile.Rows * block);
        fixed (float* panel = left.Span)
        {
            for (int term = 0; term < terms.Length; term++)
            {
                for (int from = 0; from < depth; from += block)
                {
                    int length = Math.Min(block, depth - from);
                    float* source = a + ((nint)terms[term].A * rows * depth);
                    if (transposeA)
                    {
                        WeightGradient.PackAcross(source + ((nint)from * rows) + firstRow, rows, count, length, panel);
                    }
                    else
                    {
                        Gather.CopyRows(source + ((nint)firstRow * depth) + from, depth, panel, length, count, length);
                        new Span<float>(panel + ((nint)count * length), ((tiles * Tile.Rows) - count) * length).Clear();
                    }
                    LeftMatrix matrix = transposeA ? LeftMatrix.Across(panel, length) : LeftMatrix.Rows(panel, length);
                    float* right = panels + ((nint)terms[term].B * depth * padded) + ((nint)from * padded);
                    BlockProduct.Run(count, columns, length, matrix, right, new ProductEnds(term > 0 || from > 0), c, columns);
                }
            }
        }
    }

    private static void PackColumns(float* b, int depth, int columns, bool transposed, int column, float* packed)
    {
        int padded = GatherProduct.Padded(columns);
        int block = GatherProduct.BlockDepth(depth);
        int width = Math.Min(Tile.Columns, columns - column);
        for (int from = 0; from < depth; from += block)
        {
            int length = Math.Min(block, depth - from);
            float* panel = packed + ((nint)from * padded) + ((nint)column * length);
            if (transposed)
            {
                WeightPacking.Transpose(b + ((nint)column * depth) + from, depth, width, length, panel);
                continue;
            }
            for (int k = from; k < from + length; k++, panel += Tile.Columns)
            {
                Gather.Copy(b + ((nint)k * columns) + column, panel, width);
                if (width < Tile.Columns) new Span<float>(panel + width, Tile.Columns - width).Clear();
            }
        }
    }
}
