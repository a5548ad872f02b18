using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class ReductionsTests
{
    /// <summary>Shapes with axes to reduce: all, leading, trailing, middle, several runs of axes, size 1, long and short rows.</summary>
    public static TheoryData<int[], int[]> Cases => new()
    {
        { [7], [] },
        { [], [] },
        { [1], [0] },
        { [2, 3, 5, 4], [] },
        { [2, 3, 5, 4], [0, 1, 2] },
        { [2, 3, 5, 4], [1, 2] },
        { [2, 3, 5, 4], [-1] },
        { [2, 3, 5, 4], [0] },
        { [2, 3, 5, 4], [0, 2] },
        { [2, 3, 5, 4], [3, 1] },
        { [2, 1, 5, 1], [1, 3] },
        { [2, 3, 1, 4], [0, 2] },
        { [50, 21], [0] },
        { [50, 3], [0] },
        { [50, 1], [0] },
        { [9, 70], [0] },
        { [3, 1100], [0] },
        { [2, 17, 130], [1] },
        { [3, 600], [1] },
        { [257], [0] },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Sums_means_variances_and_largest_values_are_the_references(int[] sizes, int[] axes)
    {
        Shape shape = Shape.Of(sizes);
        foreach (bool keep in new[] { false, true })
        {
            Tensor[] Input() => [GradCheck.Input(shape)];
            GradCheck.Run(x => x[0].Sum(axes, keep), x => Reduce(x[0], shape, axes, v => v.Sum()), Input());
            GradCheck.Run(x => x[0].Mean(axes, keep), x => Reduce(x[0], shape, axes, v => v.Average()), Input());
            GradCheck.Run(x => x[0].Max(axes, keep), x => Reduce(x[0], shape, axes, v => v.Max()), Input(), step: 1e-7);
            GradCheck.Run(x => x[0].Variance(axes, unbiased: false, keep), x => Reduce(x[0], shape, axes, v => SquaredDistances(v) / v.Length), Input());
            int[] over = axes.Length == 0 ? [.. Enumerable.Range(0, sizes.Length)] : [.. axes.Select(shape.Axis)];
            int[] expected = keep ? [.. sizes.Select((s, i) => over.Contains(i) ? 1 : s)] : [.. sizes.Where((_, i) => !over.Contains(i))];
            Assert.Equal(expected, Input()[0].Sum(axes, keep).Shape.ToArray());
        }
        if (Reduce(new double[shape.Length], shape, axes, v => v.Length)[0] > 1)
            GradCheck.Run(x => x[0].Variance(axes), x => Reduce(x[0], shape, axes, v => SquaredDistances(v) / (v.Length - 1)), [GradCheck.Input(shape)]);
    }

    [Fact]
    public void Every_length_and_width_gives_the_reference_sum()
    {
        for (int length = 1; length <= 257; length += length < 40 ? 1 : 31)
        {
            for (int inner = 1; inner <= 40; inner += inner < 20 ? 1 : 5)
            {
                Tensor x = GradCheck.Input([2, length, inner], length + inner);
                double[] values = Array.ConvertAll(x.ToArray(), v => (double)v);
                TensorAssert.Close(Reduce(values, x.Shape, [1], v => v.Sum()), x.Sum([1]), 4e-6, $"sum of {length} × {inner}");
            }
        }
    }

    [Fact]
    public void A_long_sum_keeps_its_digits()
    {
        // One by one in float this sum stops at 2²⁴.
        Assert.Equal(20_000_000, Tensor.Full([20_000_000], 1).Sum().Item());
        Assert.Equal(0.1f, Tensor.Full([1000, 1000, 3], 0.1f).Mean().Item(), 1e-8f);
        Assert.All(Tensor.Full([1000, 1000, 3], 0.1f).Mean([0, 1]).ToArray(), v => Assert.Equal(0.1f, v, 1e-8f));
    }

    [Fact]
    public void A_variance_far_from_zero_keeps_its_digits()
    {
        Tensor x = GradCheck.Input([100, 3]) + 10_000;
        double[] values = Array.ConvertAll(x.ToArray(), v => (double)v);
        TensorAssert.Close(Reduce(values, x.Shape, [0], v => SquaredDistances(v) / 99), x.Variance([0]), 1e-5);
    }

    [Fact]
    public void Nothing_sums_to_zero_has_no_mean_and_no_largest_value()
    {
        Assert.Equal(0, Tensor.Zeros([0]).Sum().Item());
        Assert.Equal([0, 0, 0], Tensor.Zeros([0, 3]).Sum([0]).ToArray());
        Assert.Empty(Tensor.Zeros([0, 3]).Sum([1]).ToArray());
        Assert.True(float.IsNaN(Tensor.Zeros([0]).Mean().Item()));
        Assert.Contains("no values", Assert.Throws<ShapeException>(() => Tensor.Zeros([0, 3]).Max([0])).Message, StringComparison.Ordinal);
        Assert.Empty(Tensor.Zeros([0, 3]).Max([1]).ToArray());
        Tensor x = Tensor.Zeros([0, 3]);
        x.RequiresGrad = true;
        x.Sum().Backward();
        Assert.Equal([0, 3], x.Gradient!.Shape);
    }

    [Fact]
    public void Equal_largest_values_share_the_gradient()
    {
        Tensor x = Tensor.From([3, 1, 3, 2, 3, 0], [2, 3]);
        x.RequiresGrad = true;
        x.Max([1]).Backward(Tensor.From([6, 5], [2]));
        Assert.Equal([3, 0, 3, 0, 5, 0], x.Gradient!.ToArray());
    }

    [Fact]
    public void NaN_and_infinity_go_through()
    {
        float nan = float.NaN, inf = float.PositiveInfinity;
        Tensor x = Tensor.From([1, nan, 2, 1, -inf, inf], [2, 3]);
        Assert.Equal([nan, inf], x.Max([1]).ToArray());
        Assert.Equal([1, nan, inf], x.Max([0]).ToArray());
        Assert.Equal([nan, nan], x.Sum([1]).ToArray());
        Assert.Equal([2, nan, inf], x.Sum([0]).ToArray());
        Assert.True(float.IsNaN(x.Max().Item()));
    }

    [Fact]
    public void ArgMax_names_the_first_of_the_largest()
    {
        Tensor x = Tensor.From([1, 5, 5, 9, 2, float.NaN], [2, 3]);
        Assert.Equal([1, 2], x.ArgMax());
        Assert.Equal([1, 0, 1], x.ArgMax(0));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 0]).ArgMax());
    }

    [Fact]
    public void Axes_that_are_not_there_or_come_twice_are_named()
    {
        Assert.Contains("[2, 3]", Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).Sum([2])).Message, StringComparison.Ordinal);
        Assert.Contains("twice", Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 3]).Mean([1, -1])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_thread_and_two_give_the_same_bits()
    {
        foreach (int[] axes in new int[][] { [], [0, 1, 2], [1, 2], [3], [0, 3] })
        {
            SameBits.OnAnyThreads([[3, 71, 69, 21]], x => x[0].Sum(axes));
            SameBits.OnAnyThreads([[3, 71, 69, 21]], x => x[0].Variance(axes));
            SameBits.OnAnyThreads([[3, 71, 69, 21]], x => x[0].Max(axes));
        }
        SameBits.OnAnyThreads([[40, 5000]], x => x[0].Mean([0]));
    }

    private static double SquaredDistances(double[] v)
    {
        double mean = v.Average();
        return v.Sum(x => (x - mean) * (x - mean));
    }

    private static double[] Reduce(double[] x, Shape shape, int[] axes, Func<double[], double> reduce)
    {
        bool[] over = [.. Enumerable.Range(0, shape.Rank).Select(i => axes.Length == 0 || axes.Any(a => shape.Axis(a) == i))];
        var groups = new SortedDictionary<int, List<double>>();
        for (int flat = 0; flat < x.Length; flat++)
        {
            (int rest, int key, int step) = (flat, 0, 1);
            for (int axis = shape.Rank - 1; axis >= 0; axis--)
            {
                (rest, int index) = Math.DivRem(rest, shape[axis]);
                if (over[axis]) continue;
                key += index * step;
                step *= shape[axis];
            }
            if (!groups.TryGetValue(key, out List<double>? group)) groups.Add(key, group = []);
            group.Add(x[flat]);
        }
        return [.. groups.Values.Select(v => reduce([.. v]))];
    }
}
