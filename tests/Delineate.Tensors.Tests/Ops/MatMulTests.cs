using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class MatMulTests
{
    public static TheoryData<int, int, int> Sizes => new() { { 1, 1, 1 }, { 3, 5, 2 }, { 12, 32, 16 }, { 13, 33, 17 }, { 25, 70, 300 }, { 250, 3, 1 }, { 1, 40, 257 } };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Matches_naive_loops_however_the_operands_lie(int rows, int columns, int depth)
    {
        foreach ((bool transposeA, bool transposeB) in new[] { (false, false), (true, false), (false, true), (true, true) })
        {
            Tensor a = GradCheck.Input(transposeA ? [depth, rows] : [rows, depth]);
            Tensor b = GradCheck.Input(transposeB ? [columns, depth] : [depth, columns], 2);
            GradCheck.Run(
                t => t[0].MatMul(t[1], transposeA, transposeB), v => Reference.MatMul(rows, columns, depth, v[0], v[1], transposeA, transposeB), [a, b], relative: 1e-5, directions: 2);
        }
    }

    [Theory]
    [InlineData(new[] { 300, 517 }, new[] { 517, 65 })]
    [InlineData(new[] { 7, 33, 70 }, new[] { 7, 70, 41 })]
    [InlineData(new[] { 7, 33, 70 }, new[] { 70, 41 })]
    public void One_thread_and_two_give_the_same_bits(int[] a, int[] b) => SameBits.OnAnyThreads([a, b], t => t[0].MatMul(t[1]));

    [Theory]
    [InlineData(new[] { 2, 3 }, new[] { 2, 3 })]
    [InlineData(new[] { 2, 3 }, new int[0])]
    [InlineData(new int[0], new[] { 4 })]
    [InlineData(new[] { 2, 1 }, new[] { 1, 3 })]
    [InlineData(new[] { 3 }, new[] { 2, 1 })]
    public void Leading_axes_broadcast(int[] batchA, int[] batchB)
    {
        const int Rows = 5, Columns = 7, Depth = 6;
        foreach ((bool transposeA, bool transposeB) in new[] { (false, false), (true, false), (false, true), (true, true) })
        {
            Tensor a = GradCheck.Input([.. batchA, .. transposeA ? [Depth, Rows] : new[] { Rows, Depth }]);
            Tensor b = GradCheck.Input([.. batchB, .. transposeB ? [Columns, Depth] : new[] { Depth, Columns }], 2);
            GradCheck.Run(t => t[0].MatMul(t[1], transposeA, transposeB), v => Naive(v[0], v[1], transposeA, transposeB), [a, b], relative: 1e-5);
        }

        double[] Naive(double[] a, double[] b, bool transposeA, bool transposeB)
        {
            // Both batches seen with two axes, missing ones of size 1.
            (int a0, int a1) = batchA.Length switch { 0 => (1, 1), 1 => (1, batchA[0]), _ => (batchA[0], batchA[1]) };
            (int b0, int b1) = batchB.Length switch { 0 => (1, 1), 1 => (1, batchB[0]), _ => (batchB[0], batchB[1]) };
            var y = new List<double>();
            for (int i = 0; i < Math.Max(a0, b0); i++)
            {
                for (int j = 0; j < Math.Max(a1, b1); j++)
                {
                    int placeA = ((a0 == 1 ? 0 : i) * a1) + (a1 == 1 ? 0 : j);
                    int placeB = ((b0 == 1 ? 0 : i) * b1) + (b1 == 1 ? 0 : j);
                    y.AddRange(Reference.MatMul(
                        Rows, Columns, Depth, a[(placeA * Rows * Depth)..((placeA + 1) * Rows * Depth)], b[(placeB * Depth * Columns)..((placeB + 1) * Depth * Columns)], transposeA, transposeB));
                }
            }
            return [.. y];
        }
    }

    [Fact]
    public void An_empty_depth_makes_zeros()
    {
        Tensor y = Tensor.Empty([3, 0]).MatMul(Tensor.Empty([0, 4]));
        Assert.Equal([3, 4], y.Shape);
        Assert.All(y.ToArray(), v => Assert.Equal(0, v));
    }

    [Fact]
    public void An_empty_batch_stays_empty() => Assert.Equal([0, 3, 5], Tensor.Empty([0, 3, 4]).MatMul(Tensor.Zeros([4, 5])).Shape);

    [Fact]
    public void Shapes_that_do_not_fit_are_named()
    {
        Assert.Contains("4 columns meet 5 rows", Assert.Throws<ShapeException>(() => Tensor.Zeros([3, 4]).MatMul(Tensor.Zeros([5, 6]))).Message, StringComparison.Ordinal);
        Assert.Contains("neither match", Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3, 4]).MatMul(Tensor.Zeros([3, 4, 5]))).Message, StringComparison.Ordinal);
        Assert.Contains("rank 2", Assert.Throws<ShapeException>(() => Tensor.Zeros([4]).MatMul(Tensor.Zeros([4, 5]))).Message, StringComparison.Ordinal);
    }
}
