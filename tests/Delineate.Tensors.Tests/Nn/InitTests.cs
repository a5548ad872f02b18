using Delineate.Tensors.Kernels;
using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Nn;

public sealed class InitTests
{
    private static readonly Shape Weight = [96, 3, 3, 40]; // fan-in 360, fan-out 864

    public static TheoryData<string, double, bool> Distributions => new()
    {
        { nameof(Init.PyTorchDefault), 1 / Math.Sqrt(360), true },
        { nameof(Init.KaimingUniform), Math.Sqrt(6.0 / 360), true },
        { nameof(Init.XavierUniform), Math.Sqrt(6.0 / (360 + 864)), true },
        { nameof(Init.KaimingNormalFanOut), Math.Sqrt(2.0 / 864), false },
        { nameof(Init.KaimingNormalFanIn), Math.Sqrt(2.0 / 360), false },
    };

    [Theory]
    [MemberData(nameof(Distributions))]
    public void Values_have_the_distribution_of_their_fans(string name, double scale, bool uniform)
    {
        float[] values = Fill(Named(name), 1, Weight).ToArray();
        double mean = values.Average(v => (double)v), deviation = Math.Sqrt(values.Average(v => (double)v * v));
        double expected = uniform ? scale / Math.Sqrt(3) : scale;
        Assert.InRange(mean, -5 * expected / Math.Sqrt(values.Length), 5 * expected / Math.Sqrt(values.Length));
        Assert.InRange(deviation / expected, 0.99, 1.01);
        double kurtosis = values.Average(v => Math.Pow(v, 4)) / Math.Pow(deviation, 4); // 1.8 for a uniform, 3 for a normal distribution
        Assert.InRange(kurtosis, uniform ? 1.77 : 2.9, uniform ? 1.83 : 3.1);
        if (uniform) Assert.InRange(values.Max(MathF.Abs), 0.99 * scale, 1.0001 * scale);
    }

    [Fact]
    public void A_skipped_weight_is_left_alone_and_the_next_one_is_what_it_would_have_been()
    {
        Tensor first = Tensor.Full([40_000], 7), second = Tensor.Zeros([100]), expected = Tensor.Zeros([100]);
        var random = new Philox(1);
        using (Init.Skip())
        {
            using (Init.Skip()) Init.PyTorchDefault(first, random);
            Init.KaimingNormalFanIn(first, random);
        }
        Assert.All(first.ToArray(), v => Assert.Equal(7, v));
        Init.PyTorchDefault(second, random);
        var again = new Philox(1);
        Init.PyTorchDefault(first, again);
        Init.KaimingNormalFanIn(first, again);
        Init.PyTorchDefault(expected, again);
        TensorAssert.SameBits(expected.Span, second.Span, "the third draw");
    }

    [Fact]
    public void Neighbouring_values_and_parts_are_independent()
    {
        float[] values = Fill(Init.KaimingNormalFanIn, 1, [1 << 16]).ToArray();
        foreach (int lag in new[] { 1, 2, 1 << 14 })
        {
            double product = Enumerable.Range(0, values.Length - lag).Average(i => (double)values[i] * values[i + lag]) / values.Average(v => (double)v * v);
            Assert.InRange(product, -0.02, 0.02);
        }
    }

    [Fact]
    public void The_generator_decides_every_value_on_any_number_of_threads()
    {
        int before = ThreadTeam.Threads;
        try
        {
            ThreadTeam.Threads = 1;
            Tensor one = Fill(Init.KaimingNormalFanOut, 7, [100_001]);
            ThreadTeam.Threads = 3;
            TensorAssert.SameBits(one.Span, Fill(Init.KaimingNormalFanOut, 7, [100_001]).Span);
            Assert.NotEqual(one.ToArray(), Fill(Init.KaimingNormalFanOut, 8, [100_001]).ToArray());
        }
        finally
        {
            ThreadTeam.Threads = before;
        }
    }

    [Fact]
    public void Two_weights_from_one_generator_differ()
    {
        var random = new Philox(1);
        Tensor a = Tensor.Empty([64]), b = Tensor.Empty([64]);
        Init.Uniform(a, random, 1);
        Init.Uniform(b, random, 1);
        Assert.Empty(a.ToArray().Intersect(b.ToArray()));
    }

    /// <summary>The 4×4 kernel of a two-fold enlargement, by hand.</summary>
    [Fact]
    public void The_bilinear_kernel_is_a_tent()
    {
        float[] row = [0.25f, 0.75f, 0.75f, 0.25f];
        float[] expected = [.. row.SelectMany(a => row.Select(b => a * b))];
        Assert.Equal(expected, Fill(Init.BilinearUpsampling, 1, [1, 4, 4, 1]).ToArray());
        float[] two = Fill(Init.BilinearUpsampling, 1, [2, 4, 4, 2]).ToArray();
        Assert.Equal(expected, two.Take(32).Where((_, i) => i % 2 == 0)); // first channel to itself
        Assert.All(two.Take(32).Where((_, i) => i % 2 == 1), v => Assert.Equal(0, v)); // and not to the second
        Assert.Equal(expected, Fill(Init.BilinearUpsampling, 1, [3, 4, 4, 1]).ToArray()[16..32]);
        Assert.Throws<ShapeException>(() => Fill(Init.BilinearUpsampling, 1, [3, 4, 4, 2]));
    }

    /// <summary>A transposed convolution with this kernel is the bilinear resize, away from the borders.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void The_bilinear_kernel_resizes_bilinearly(int factor)
    {
        int kernel = (2 * factor) - (factor % 2), padding = (kernel - factor) / 2;
        Tensor x = GradCheck.Input([1, 6, 7, 2]);
        Tensor enlarged = x.ConvTranspose2d(Fill(Init.BilinearUpsampling, 1, [2, kernel, kernel, 2]), stride: factor, padding: padding);
        Tensor resized = x.ResizeBilinear(6 * factor, 7 * factor);
        Assert.Equal(resized.Shape, enlarged.Shape);
        TensorAssert.Close(Inner(resized), Inner(enlarged), 1e-5);

        Tensor Inner(Tensor map) => map.Slice(1, factor, 4 * factor).Slice(2, factor, 5 * factor);
    }

    private static Initializer Named(string name) => (Initializer)typeof(Init).GetField(name)!.GetValue(null)!;

    private static Tensor Fill(Initializer initializer, ulong seed, Shape shape)
    {
        Tensor weight = Tensor.Empty(shape);
        initializer(weight, new Philox(seed));
        return weight;
    }
}
