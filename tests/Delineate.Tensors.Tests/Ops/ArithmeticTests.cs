using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class ArithmeticTests
{
    private static readonly (string Name, Func<Tensor, Tensor, Tensor> Op, Func<double, double, double> Reference)[] Ops =
    [
        ("add", (a, b) => a + b, (a, b) => a + b),
        ("sub", (a, b) => a - b, (a, b) => a - b),
        ("mul", (a, b) => a * b, (a, b) => a * b),
        ("div", (a, b) => a / b, (a, b) => a / b),
    ];

    /// <summary>Pairs of shapes that broadcast: equal, scalars, channels (short and long rows), per image, per pixel, outer products, empty.</summary>
    public static TheoryData<int[], int[]> Pairs => new()
    {
        { [2, 3, 5, 7], [2, 3, 5, 7] },
        { [2, 3, 5, 7], [7] },
        { [2, 3, 5, 3], [3] },
        { [2, 9, 11, 21], [21] },
        { [2, 3, 2, 130], [130] },
        { [3], [2, 3, 5, 3] },
        { [2, 3, 5, 7], [2, 1, 1, 7] },
        { [2, 3, 5, 7], [2, 3, 5, 1] },
        { [2, 3, 5, 7], [1, 3, 1, 7] },
        { [2, 3, 5, 7], [3, 1, 1] },
        { [2, 3, 5, 7], [] },
        { [], [4] },
        { [], [] },
        { [1, 1, 1], [1] },
        { [5, 1], [1, 6] },
        { [2, 1, 4, 1], [3, 1, 5] },
        { [1, 7], [4, 7] },
        { [0, 3], [3] },
        { [2, 0, 3], [1, 1, 3] },
        { [1], [0] },
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Every_pair_of_shapes_gives_the_reference_values_and_gradients(int[] sizesA, int[] sizesB)
    {
        (Shape a, Shape b) = (Shape.Of(sizesA), Shape.Of(sizesB));
        foreach ((string _, Func<Tensor, Tensor, Tensor> op, Func<double, double, double> reference) in Ops)
        {
            Tensor right = GradCheck.Input(b, 2) * 0.4f + 1.5f; // away from zero: it divides
            GradCheck.Run(x => op(x[0], x[1]), x => Reference(x[0], a, x[1], b, reference), [GradCheck.Input(a), right.Detach()]);
        }
    }

    [Fact]
    public void Every_length_up_to_257_gives_the_reference_values()
    {
        for (int length = 0; length <= 257; length++)
        {
            Tensor a = GradCheck.Input([length], length);
            Tensor b = GradCheck.Input([length], length + 1000);
            foreach ((string name, Func<Tensor, Tensor, Tensor> op, Func<double, double, double> reference) in Ops)
            {
                Tensor y = op(a, b);
                for (int i = 0; i < length; i++) Assert.True((float)reference(a.Span[i], b.Span[i]) == y.Span[i], $"{name} of {length}");
            }
        }
    }

    [Fact]
    public void A_number_stands_on_either_side()
    {
        Tensor x = Tensor.From([1, -2, 4], [3]);
        Assert.Equal([3, 0, 6], (x + 2).ToArray());
        Assert.Equal([3, 0, 6], (2 + x).ToArray());
        Assert.Equal([-1, -4, 2], (x - 2).ToArray());
        Assert.Equal([1, 4, -2], (2 - x).ToArray());
        Assert.Equal([2, -4, 8], (x * 2).ToArray());
        Assert.Equal([2, -4, 8], (2 * x).ToArray());
        Assert.Equal([0.5f, -1, 2], (x / 2).ToArray());
        Assert.Equal([2, -1, 0.5f], (2 / x).ToArray());
        Assert.Equal([-1, 2, -4], (-x).ToArray());
        Assert.Equal([-1, 2, -4], x.Neg().ToArray());
        Assert.Equal([-1, -4, 2], x.Sub(2).ToArray());
    }

    [Fact]
    public void Gradients_flow_through_the_forms_with_a_number()
    {
        Tensor[] Input() => [GradCheck.Input([3, 5]) + 2];
        GradCheck.Run(x => x[0] + 2, x => Array.ConvertAll(x[0], v => v + 2), Input());
        GradCheck.Run(x => x[0] - 2, x => Array.ConvertAll(x[0], v => v - 2), Input());
        GradCheck.Run(x => 2 - x[0], x => Array.ConvertAll(x[0], v => 2 - v), Input());
        GradCheck.Run(x => 3 * x[0], x => Array.ConvertAll(x[0], v => 3 * v), Input());
        GradCheck.Run(x => x[0] / 3, x => Array.ConvertAll(x[0], v => v / 3), Input());
        GradCheck.Run(x => 3 / x[0], x => Array.ConvertAll(x[0], v => 3 / v), Input());
        GradCheck.Run(x => -x[0], x => Array.ConvertAll(x[0], v => -v), Input());
    }

    [Fact]
    public void An_operand_may_stand_on_both_sides() =>
        GradCheck.Run(x => (x[0] * x[0]) + (x[0] / (x[0] + 3)) - x[0], x => Array.ConvertAll(x[0], v => (v * v) + (v / (v + 3)) - v), [GradCheck.Input([4, 3])]);

    [Theory]
    [InlineData(new[] { 2, 3 }, new[] { 2 })]
    [InlineData(new[] { 2, 3 }, new[] { 3, 2 })]
    [InlineData(new[] { 4, 2, 3 }, new[] { 5, 2, 3 })]
    [InlineData(new[] { 2, 3 }, new[] { 0 })]
    public void Shapes_that_do_not_fit_are_named(int[] a, int[] b)
    {
        var thrown = Assert.Throws<ShapeException>(() => Tensor.Zeros(Shape.Of(a)) * Tensor.Zeros(Shape.Of(b)));
        Assert.Contains(Shape.Of(a).ToString(), thrown.Message, StringComparison.Ordinal);
        Assert.Contains(Shape.Of(b).ToString(), thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_the_wanted_gradient_is_computed()
    {
        Tensor a = GradCheck.Input([4, 3]);
        Tensor b = GradCheck.Input([3]);
        b.RequiresGrad = true;
        (a * b).Sum().Backward();
        Assert.Null(a.Gradient);
        Assert.NotNull(b.Gradient);
    }

    [Fact]
    public void Infinities_and_NaN_follow_IEEE()
    {
        Tensor a = Tensor.From([float.PositiveInfinity, float.NaN, 1, 0, float.NegativeInfinity], [5]);
        Tensor b = Tensor.From([float.PositiveInfinity, 1, 0, 0, 0], [5]);
        Assert.Equal([float.PositiveInfinity, float.NaN, 1, 0, float.NegativeInfinity], (a + b).ToArray());
        Assert.Equal([float.NaN, float.NaN, 1, 0, float.NegativeInfinity], (a - b).ToArray());
        Assert.Equal([float.PositiveInfinity, float.NaN, 0, 0, float.NaN], (a * b).ToArray());
        Assert.Equal([float.NaN, float.NaN, float.PositiveInfinity, float.NaN, float.NegativeInfinity], (a / b).ToArray());
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits()
    {
        SameBits.OnAnyThreads([[2, 90, 70, 21], [21]], x => x[0] * x[1]);
        SameBits.OnAnyThreads([[2, 90, 70, 21], [2, 1, 1, 21]], x => x[0] / x[1]);
        SameBits.OnAnyThreads([[3, 70, 71, 16], [3, 70, 71, 1]], x => x[0] + x[1]);
        SameBits.OnAnyThreads([[200001], [200001]], x => x[0] - x[1]);
        SameBits.OnAnyThreads([[200001], []], x => x[0] * x[1]);
    }

    internal static double[] Reference(double[] a, Shape shapeA, double[] b, Shape shapeB, Func<double, double, double> op)
    {
        int rank = Math.Max(shapeA.Rank, shapeB.Rank);
        var sizes = new int[rank];
        for (int i = 1; i <= rank; i++)
        {
            (int sizeA, int sizeB) = (i <= shapeA.Rank ? shapeA[-i] : 1, i <= shapeB.Rank ? shapeB[-i] : 1);
            sizes[^i] = sizeA == 1 ? sizeB : sizeA;
        }
        var y = new double[sizes.Aggregate(1, (p, s) => p * s)];
        for (int flat = 0; flat < y.Length; flat++)
        {
            (int placeA, int placeB, int stepA, int stepB, int rest) = (0, 0, 1, 1, flat);
            for (int i = 1; i <= rank; i++)
            {
                (rest, int index) = Math.DivRem(rest, sizes[^i]);
                (int sizeA, int sizeB) = (i <= shapeA.Rank ? shapeA[-i] : 1, i <= shapeB.Rank ? shapeB[-i] : 1);
                placeA += sizeA == 1 ? 0 : index * stepA;
                placeB += sizeB == 1 ? 0 : index * stepB;
                (stepA, stepB) = (stepA * sizeA, stepB * sizeB);
            }
            y[flat] = op(a[placeA], b[placeB]);
        }
        return y;
    }
}
