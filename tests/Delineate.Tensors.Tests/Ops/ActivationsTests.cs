using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class ActivationsTests
{
    private static readonly Dictionary<string, (Func<Tensor, Tensor> Op, Func<double, double> Reference)> Ops = new()
    {
        ["exp"] = (x => x.Exp(), Math.Exp),
        ["log"] = (x => x.Log(), Math.Log),
        ["sqrt"] = (x => x.Sqrt(), Math.Sqrt),
        ["relu"] = (x => x.Relu(), v => Math.Max(v, 0)),
        ["relu6"] = (x => x.Relu6(), v => Math.Clamp(v, 0, 6)),
        ["leaky relu"] = (x => x.LeakyRelu(0.1f), v => v > 0 ? v : (double)0.1f * v),
        ["elu"] = (x => x.Elu(1.3f), v => v > 0 ? v : 1.3f * (Math.Exp(v) - 1)),
        ["sigmoid"] = (x => x.Sigmoid(), v => 1 / (1 + Math.Exp(-v))),
        ["log sigmoid"] = (x => x.LogSigmoid(), v => -DoubleMath.Softplus(-v)),
        ["softplus"] = (x => x.Softplus(), DoubleMath.Softplus),
        ["tanh"] = (x => x.Tanh(), Math.Tanh),
        ["gelu"] = (x => x.Gelu(), v => v * DoubleMath.Normal(v)),
        ["tanh gelu"] = (x => x.Gelu(approximate: true), v => 0.5 * v * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (v + (0.044715 * v * v * v))))),
        ["silu"] = (x => x.Silu(), v => v / (1 + Math.Exp(-v))),
        ["hard sigmoid"] = (x => x.HardSigmoid(), v => Math.Clamp(v + 3, 0, 6) / 6),
        ["hard swish"] = (x => x.HardSwish(), v => v * Math.Clamp(v + 3, 0, 6) / 6),
    };

    public static TheoryData<string> Names => [.. Ops.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_length_up_to_257_gives_the_reference_values_wherever_a_value_lies(string name)
    {
        (Func<Tensor, Tensor> op, Func<double, double> reference) = Ops[name];
        float[] values = Inputs(name, [257]).ToArray();
        float[] whole = op(Tensor.From(values, [257])).ToArray();
        for (int length = 0; length <= 257; length++)
        {
            float[] y = op(Tensor.From(values.AsSpan(0, length), [length])).ToArray();
            TensorAssert.SameBits(whole.AsSpan(0, length), y, $"{name} of {length}");
        }
        TensorAssert.Close(Array.ConvertAll(values, v => reference(v)), whole, 3e-7, name);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gradients_are_those_of_the_reference(string name)
    {
        (Func<Tensor, Tensor> op, Func<double, double> reference) = Ops[name];
        foreach (int[] sizes in new int[][] { [1], [3, 1, 5], [2, 7, 9, 3], [0], [] })
        {
            GradCheck.Run(x => op(x[0]), x => Array.ConvertAll(x[0], v => reference(v)), [Inputs(name, Shape.Of(sizes))], 1e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void NaN_goes_through(string name)
    {
        Tensor x = Tensor.Full([9], float.NaN);
        x.RequiresGrad = true;
        Tensor y = Ops[name].Op(x);
        Assert.All(y.ToArray(), v => Assert.True(float.IsNaN(v), $"{name}(NaN) = {v}"));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void One_thread_and_two_give_the_same_bits(string name) => SameBits.OnAnyThreads([[170_001]], x => Ops[name].Op(x[0]));

    [Fact]
    public void The_ends_of_the_range_neither_overflow_nor_turn_into_NaN()
    {
        float[] ends = [float.NegativeInfinity, -1e30f, -200, -88, 88, 200, 1e30f, float.PositiveInfinity];
        Tensor x = Tensor.From(ends, [8]);
        Assert.Equal([0, 0, 0, 0, 1, 1, 1, 1], x.Sigmoid().ToArray().Select(v => MathF.Round(v, 6)));
        Assert.Equal([-1, -1, -1, -1, 1, 1, 1, 1], x.Tanh().ToArray());
        Assert.Equal([0, 0, 0, 0, 88, 200, 1e30f, float.PositiveInfinity], x.Softplus().ToArray().Select(v => v < 1e-30f ? 0 : v));
        Assert.Equal([float.NegativeInfinity, -1e30f, -200, -88, 0, 0, 0, 0], x.LogSigmoid().ToArray().Select(v => v > -1e-30f ? 0 : v));
        Assert.Equal([0, 0, 0], x.Exp().ToArray()[..3]);
        Assert.Equal([float.PositiveInfinity, float.PositiveInfinity, float.PositiveInfinity], x.Exp().ToArray()[5..]);
        Assert.Equal([-1, -1, -1, -1], x.Elu().ToArray()[..4]);
        Assert.Equal([0, 0, 88, 200], x.Gelu().ToArray()[2..6].Select(v => v == 0 ? 0 : v));
    }

    [Fact]
    public void The_slope_at_a_kink_is_that_of_the_lower_side()
    {
        Assert.Equal(0, SlopeAt(0, x => x.Relu()));
        Assert.Equal(0, SlopeAt(-0f, x => x.Relu()));
        Assert.Equal(0.25f, SlopeAt(0, x => x.LeakyRelu(0.25f)));
        Assert.Equal(0, SlopeAt(6, x => x.Relu6()));
        Assert.Equal(0, SlopeAt(3, x => x.HardSigmoid()));
        Assert.Equal(1, SlopeAt(float.NaN, x => x.Relu()));
    }

    [ReferenceTheory]
    [InlineData("gelu", "gelu")]
    [InlineData("hardswish", "hard swish")]
    [InlineData("hardsigmoid", "hard sigmoid")]
    [InlineData("relu6", "relu6")]
    [InlineData("leaky_relu", "leaky relu")]
    [InlineData("elu", "elu")]
    [InlineData("silu", "silu")]
    [InlineData("softplus", "softplus")]
    [InlineData("logsigmoid", "log sigmoid")]
    public void PyTorch_gives_the_same(string golden, string name)
    {
        var reference = Golden.Reference("ops");
        Tensor x = reference.ChannelsLast($"act.{golden}.in0");
        x.RequiresGrad = true;
        Tensor y = name switch
        {
            "elu" => x.Elu(),
            "leaky relu" => x.LeakyRelu(),
            _ => Ops[name].Op(x),
        };
        TensorAssert.Close(reference.ChannelsLast($"act.{golden}.y"), y, 1e-6);
        y.Backward(reference.ChannelsLast($"act.{golden}.gy"));
        TensorAssert.Close(reference.ChannelsLast($"act.{golden}.g0"), x.Gradient!, 1e-6);
    }

    private static float SlopeAt(float value, Func<Tensor, Tensor> op)
    {
        Tensor x = Tensor.Scalar(value);
        x.RequiresGrad = true;
        op(x).Backward();
        return x.Gradient!.Item();
    }

    /// <summary>Values up to 7 on both sides, none nearer to a kink than a step of the differences; positive ones for log and sqrt.</summary>
    private static Tensor Inputs(string name, Shape shape)
    {
        Tensor x = GradCheck.Input(shape, 3, scale: name == "exp" ? 3 : 7);
        return name is "log" or "sqrt" ? Tensor.From(Array.ConvertAll(x.ToArray(), MathF.Abs), shape) : x;
    }
}

/// <summary>Functions that .NET lacks, in double.</summary>
internal static class DoubleMath
{
    public static double Softplus(double v) => Math.Max(v, 0) + Math.Log(1 + Math.Exp(-Math.Abs(v)));

    /// <summary>The normal distribution: a Taylor series near zero, a continued fraction in the tails.</summary>
    public static double Normal(double v)
    {
        double density = Math.Exp(-v * v / 2) / Math.Sqrt(2 * Math.PI);
        if (Math.Abs(v) < 4)
        {
            double term = v, sum = v;
            for (int k = 1; k < 200; k++) sum += term *= v * v / ((2 * k) + 1);
            return 0.5 + (density * sum);
        }
        double fraction = 0;
        for (int k = 200; k > 0; k--) fraction = k / (Math.Abs(v) + fraction);
        double tail = density / (Math.Abs(v) + fraction);
        return v < 0 ? tail : 1 - tail;
    }
}
