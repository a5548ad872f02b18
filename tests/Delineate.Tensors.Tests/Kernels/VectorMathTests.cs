using System.Numerics;
using Delineate.Tensors.Kernels;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class VectorMathTests
{
    [Fact]
    public void Exp_is_within_two_units_in_the_last_place() => Relative(VectorMath.Exp, Math.Exp, -87, 88, 2.4e-7);

    [Fact]
    public void Exp_falls_through_the_smallest_floats_to_zero_and_ends_in_infinity()
    {
        for (float x = -104; x < -87; x += 0.01f) Assert.Equal(Math.Exp(x), VectorMath.Exp(new Vector<float>(x))[0], 2e-45);
        Assert.Equal([0, 0, 1, float.PositiveInfinity, float.PositiveInfinity], new[] { float.NegativeInfinity, -110, 0, 89, float.PositiveInfinity }.Select(x => VectorMath.Exp(new Vector<float>(x))[0]));
        Assert.True(float.IsNaN(VectorMath.Exp(new Vector<float>(float.NaN))[0]));
        Assert.True(float.IsFinite(VectorMath.Exp(new Vector<float>(88.72f))[0]));
    }

    [Fact]
    public void Tanh_keeps_its_digits_near_zero()
    {
        Relative(VectorMath.Tanh, Math.Tanh, -9.5, 9.5, 4e-7);
        Relative(VectorMath.Tanh, Math.Tanh, 1e-30, 1e-4, 2e-7);
    }

    [Fact]
    public void Sigmoid_keeps_its_digits_in_the_lower_tail() => Relative(VectorMath.Sigmoid, v => 1 / (1 + Math.Exp(-v)), -80, 30, 4e-7);

    [Fact]
    public void The_logarithm_of_one_plus_x_keeps_its_digits_near_zero()
    {
        Relative(VectorMath.LogOnePlus, Log1p, 1e-30, 1e-3, 3e-7);
        Relative(VectorMath.LogOnePlus, Log1p, 1e-3, 1e6, 3e-7);
    }

    [Fact]
    public void The_normal_distribution_is_right_in_the_middle_and_in_both_tails()
    {
        Relative(x => Normal(x).Cumulative, DoubleMath.Normal, -5, 10, 2e-6); // e^(−x²/2) of a rounded x² costs the tail some digits
        Absolute(x => Normal(x).Cumulative, DoubleMath.Normal, -12, 12, 1.8e-7);
        Absolute(x => Normal(x).Density, v => Math.Exp(-v * v / 2) / Math.Sqrt(2 * Math.PI), -12, 12, 1.2e-7);
    }

    private static (Vector<float> Cumulative, Vector<float> Density) Normal(Vector<float> x)
    {
        VectorMath.Normal(x, out Vector<float> cumulative, out Vector<float> density);
        return (cumulative, density);
    }

    private static double Log1p(double x) => x < 1e-4 ? x - (x * x / 2) + (x * x * x / 3) : Math.Log(1 + x);

    private static void Relative(Func<Vector<float>, Vector<float>> f, Func<double, double> reference, double from, double to, double allowed) =>
        Each(f, reference, from, to, (expected, actual) => Math.Abs(actual - expected) <= allowed * Math.Abs(expected));

    private static void Absolute(Func<Vector<float>, Vector<float>> f, Func<double, double> reference, double from, double to, double allowed) =>
        Each(f, reference, from, to, (expected, actual) => Math.Abs(actual - expected) <= allowed);

    private static void Each(Func<Vector<float>, Vector<float>> f, Func<double, double> reference, double from, double to, Func<double, double, bool> isClose)
    {
        const int Steps = 20_000;
        for (int i = 0; i <= Steps; i++)
        {
            float x = (float)(from + ((to - from) * i / Steps));
            (double expected, float actual) = (reference(x), f(new Vector<float>(x))[0]);
            if (!isClose(expected, actual)) Assert.Fail($"f({x:R}) is {expected:G9}, got {actual:G9}: off by {Math.Abs(actual - expected) / Math.Abs(expected):G3} of it");
        }
    }
}
