using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Products of matrices.</summary>
public static class MatMulOp
{
    /// <summary>
    /// The product of the last two axes; leading axes are batches, broadcast against each other. A transposed operand is read as it lies:
    /// [..., M, K] · [..., K, N] → [..., M, N], with <paramref name="transposeA"/> from [..., K, M], with <paramref name="transposeB"/> from [..., N, K].
    /// </summary>
    /// <exception cref="ShapeException">An operand has fewer than two axes, or the shapes do not fit.</exception>
    public static Tensor MatMul(this Tensor a, Tensor b, bool transposeA = false, bool transposeB = false)
    {
        if (a.Shape.Rank < 2 || b.Shape.Rank < 2) throw new ShapeException($"MatMul takes tensors of rank 2 or more, got {a.Shape} and {b.Shape}: add an axis with Reshape");
        (int rows, int depth) = transposeA ? (a.Shape[-1], a.Shape[-2]) : (a.Shape[-2], a.Shape[-1]);
        (int depthB, int columns) = transposeB ? (b.Shape[-1], b.Shape[-2]) : (b.Shape[-2], b.Shape[-1]);
        if (depth != depthB)
        {
            throw new ShapeException($"MatMul of {a.Shape}{(transposeA ? " transposed" : "")} and {b.Shape}{(transposeB ? " transposed" : "")}: {depth} columns meet {depthB} rows");
        }
        (int[] batch, (int A, int B)[] pairs) = Broadcast(a.Shape, b.Shape);
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedMatMul(rows, columns, depth, transposeA, transposeB, pairs), [.. batch, rows, columns], a, b);
        Tensor y = Tensor.Empty([.. batch, rows, columns]);
        Forward(rows, columns, depth, transposeA, transposeB, a, b, y, pairs);
        (bool wantsA, bool wantsB) = (a.WantsGrad, b.WantsGrad);
        return Autograd.Record(y, [a, b], dy => [wantsA ? GradientA(a, b, transposeA, transposeB, dy, pairs) : null, wantsB ? GradientB(a, b, transposeA, transposeB, dy, pairs) : null]);
    }

    internal static void Forward(int rows, int columns, int depth, bool transposeA, bool transposeB, Tensor a, Tensor b, Tensor y, (int A, int B)[] pairs)
    {
        if (b.Shape.Rank == 2 && !transposeA)
        {
            // One right matrix for all: the batch is more rows.
            Gemm.Run(a.Shape.Product(0, a.Shape.Rank - 1), columns, depth, false, transposeB, a.Span, b.Span, y.Span, [[(0, 0)]]);
        }
        else
        {
            Gemm.Run(rows, columns, depth, transposeA, transposeB, a.Span, b.Span, y.Span, Array.ConvertAll(pairs, p => new[] { p }));
        }
    }

    /// <summary>dA = dY·Bᵀ, or its transpose, summed over the batches that share a matrix of A.</summary>
    private static Tensor GradientA(Tensor a, Tensor b, bool transposeA, bool transposeB, Tensor dy, (int A, int B)[] pairs)
    {
        Tensor da = Tensor.Empty(a.Shape);
        (int rows, int columns, int depth) = (dy.Shape[-2], dy.Shape[-1], a.Shape[transposeA ? -2 : -1]);
        int[][] terms = Group(a.Shape.Product(0, a.Shape.Rank - 2), pairs, p => p.A);
        if (transposeA) Gemm.Run(depth, rows, columns, transposeB, true, b.Span, dy.Span, da.Span, Pick(terms, i => (pairs[i].B, i)));
        else Gemm.Run(rows, depth, columns, false, !transposeB, dy.Span, b.Span, da.Span, Pick(terms, i => (i, pairs[i].B)));
        return da;
    }

    /// <summary>dB = Aᵀ·dY, or its transpose, summed over the batches that share a matrix of B.</summary>
    private static Tensor GradientB(Tensor a, Tensor b, bool transposeA, bool transposeB, Tensor dy, (int A, int B)[] pairs)
    {
        Tensor db = Tensor.Empty(b.Shape);
        (int rows, int columns, int depth) = (dy.Shape[-2], dy.Shape[-1], a.Shape[transposeA ? -2 : -1]);
        int[][] terms = Group(b.Shape.Product(0, b.Shape.Rank - 2), pairs, p => p.B);
        if (transposeB) Gemm.Run(columns, depth, rows, true, transposeA, dy.Span, a.Span, db.Span, Pick(terms, i => (i, pairs[i].A)));
        else Gemm.Run(depth, columns, rows, !transposeA, false, a.Span, dy.Span, db.Span, Pick(terms, i => (pairs[i].A, i)));
        return db;
    }

    /// <summary>For each of <paramref name="count"/> matrices, the products it took part in.</summary>
    private static int[][] Group(int count, (int A, int B)[] pairs, Func<(int A, int B), int> which)
    {
        var groups = new List<int>[count];
        for (int i = 0; i < count; i++) groups[i] = [];
        for (int i = 0; i < pairs.Length; i++) groups[which(pairs[i])].Add(i);
        return Array.ConvertAll(groups, g => g.ToArray());
    }

    private static (int A, int B)[][] Pick(int[][] groups, Func<int, (int A, int B)> term) => Array.ConvertAll(groups, g => Array.ConvertAll(g, i => term(i)));

    /// <summary>The batch axes of the result, and for each of its matrices which of a's and of b's it is the product of.</summary>
    private static (int[] Batch, (int A, int B)[] Pairs) Broadcast(Shape a, Shape b)
    {
        int rank = Math.Max(a.Rank, b.Rank) - 2;
        var batch = new int[rank];
        for (int i = 1; i <= rank; i++)
        {
            int sizeA = i <= a.Rank - 2 ? a[-2 - i] : 1;
            int sizeB = i <= b.Rank - 2 ? b[-2 - i] : 1;
            if (sizeA != sizeB && sizeA != 1 && sizeB != 1) throw new ShapeException($"MatMul of {a} and {b}: the leading axes {sizeA} and {sizeB} neither match nor are 1");
            batch[rank - i] = sizeA == 1 ? sizeB : sizeA;
        }
        int count = 1;
        foreach (int size in batch) count = checked(count * size);
        var pairs = new (int A, int B)[count];
        for (int item = 0; item < count; item++)
        {
            (int left, int placeA, int placeB, int strideA, int strideB) = (item, 0, 0, 1, 1);
            for (int i = 1; i <= rank; i++)
            {
                (left, int at) = Math.DivRem(left, batch[rank - i]);
                if (i <= a.Rank - 2)
                {
                    placeA += (a[-2 - i] == 1 ? 0 : at) * strideA;
                    strideA *= a[-2 - i];
                }
                if (i <= b.Rank - 2)
                {
                    placeB += (b[-2 - i] == 1 ? 0 : at) * strideB;
                    strideB *= b[-2 - i];
                }
            }
            pairs[item] = (placeA, placeB);
        }
        return (batch, pairs);
    }
}

/// <summary>Reads a, b.</summary>
internal sealed record TracedMatMul(int Rows, int Columns, int Depth, bool TransposeA, bool TransposeB, (int A, int B)[] Pairs) : GraphOp
{
    public override long MultiplyAdds(GraphNode node) => (long)node.Output.Shape.Length * Depth;

    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output)
    {
        (Tensor a, Tensor b, Tensor y) = (inputs[0].Tensor, inputs[1].Tensor, output.Tensor);
        return Work.Once(() => MatMulOp.Forward(Rows, Columns, Depth, TransposeA, TransposeB, a, b, y, Pairs));
    }
}
