using Delineate.Tensors.Kernels;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class BatchNormTests
{
    private const float Eps = 1e-5f;

    public static TheoryData<int[]> Shapes => new(
        [2, 3, 5, 7], [3, 1, 1, 16], [1, 5, 1, 1], [2, 4, 4, 21], [5, 11], [1, 9, 9, 37], [2, 17, 13, 64]);

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Training_normalises_with_the_moments_of_the_batch(int[] sizes) => Check(sizes, training: true, Activation.None, withResidual: false);

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Training_fuses_relu_and_residual(int[] sizes)
    {
        Check(sizes, training: true, Activation.Relu, withResidual: false);
        Check(sizes, training: true, Activation.None, withResidual: true);
        Check(sizes, training: true, Activation.Relu, withResidual: true);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Evaluation_normalises_with_the_running_moments(int[] sizes)
    {
        Check(sizes, training: false, Activation.None, withResidual: false);
        Check(sizes, training: false, Activation.Relu, withResidual: false);
        Check(sizes, training: false, Activation.Relu, withResidual: true);
    }

    [Theory]
    [InlineData(4, 160, 160, 64)]
    [InlineData(4, 40, 40, 512)]
    [InlineData(2, 120, 120, 65)]
    public void Running_statistics_of_large_maps_equal_naive_sums(int n, int h, int w, int c)
    {
        var random = new Random(8);
        Tensor x = Tensor.Empty([n, h, w, c]);
        double[] mean = [.. Enumerable.Range(0, c).Select(_ => (random.NextDouble() * 8) - 4)], deviation = [.. Enumerable.Range(0, c).Select(_ => 0.1 + random.NextDouble())];
        for (int i = 0; i < x.Length; i++) x.Span[i] = (float)(mean[i % c] + (deviation[i % c] * ((random.NextDouble() * 2) - 1)));
        Tensor runningMean = Tensor.Zeros([c]), runningVariance = Tensor.Full([c], 1);
        x.BatchNorm(null, null, runningMean, runningVariance, training: true, momentum: 1);
        double[] sum = new double[c], squares = new double[c];
        int rows = x.Length / c;
        for (int i = 0; i < x.Length; i++) sum[i % c] += x.Span[i];
        for (int i = 0; i < x.Length; i++) squares[i % c] += Math.Pow(x.Span[i] - (sum[i % c] / rows), 2);
        TensorAssert.Close([.. sum.Select(s => s / rows)], runningMean, 1e-5, "means");
        TensorAssert.Close([.. squares.Select(s => s / (rows - 1))], runningVariance, 1e-5, "variances");
    }

    [Fact]
    public void Weight_and_bias_may_be_missing()
    {
        Tensor mean = Tensor.Zeros([6]), variance = Tensor.Full([6], 1);
        GradCheck.Run(
            t => t[0].BatchNorm(null, null, mean, variance, training: true),
            v => Reference(v[0], 6, Ones(6), new double[6], null, null, null, relu: false),
            [GradCheck.Input([2, 3, 3, 6])]);
    }

    [Fact]
    public void A_mean_far_above_the_deviation_costs_no_digits()
    {
        var random = new Random(3);
        const int Channels = 5, Rows = 20000;
        float[] x = [.. Enumerable.Range(0, Rows * Channels).Select(_ => (float)(1000 + Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(random.NextDouble() * 2 * Math.PI)))];
        x[0] = -3000; // the first value is no good guess of the mean
        Tensor mean = Tensor.Zeros([Channels]), variance = Tensor.Zeros([Channels]);
        Tensor y = Tensor.From(x, [Rows, Channels]).BatchNorm(null, null, mean, variance, training: true, momentum: 1);
        double[] doubles = Array.ConvertAll(x, v => (double)v);
        (double[] means, double[] variances) = Moments(doubles, Channels);
        TensorAssert.Close(means, mean, 1e-7);
        TensorAssert.Close(variances.Select(v => v * Rows / (Rows - 1)).ToArray(), variance, 5e-6);
        TensorAssert.Close(variances.Skip(1).ToArray(), variance.Span[1..], 1e-4); // the wild channel hides the others in the check above
        double[] expected = Reference(doubles, Channels, Ones(Channels), new double[Channels], null, null, null, relu: false);
        for (int i = 1; i < expected.Length; i++) Assert.True(Math.Abs(expected[i] - y.Span[i]) < 1e-5, $"{i}: {expected[i]:G9} and {y.Span[i]:G9}");
    }

    [Fact]
    public void Running_statistics_move_by_the_momentum_towards_the_unbiased_moments()
    {
        Tensor x = GradCheck.Input([2, 5, 4, 3]);
        Tensor mean = Tensor.From([1, 2, 3], [3]), variance = Tensor.From([4, 5, 6], [3]);
        x.BatchNorm(null, null, mean, variance, training: true, momentum: 0.3f);
        (double[] means, double[] variances) = Moments(Array.ConvertAll(x.ToArray(), v => (double)v), 3);
        TensorAssert.Close([.. means.Select((m, c) => (0.7 * (c + 1)) + (0.3 * m))], mean, 1e-6);
        TensorAssert.Close([.. variances.Select((v, c) => (0.7 * (c + 4)) + (0.3 * v * 40 / 39))], variance, 1e-6);
    }

    [Fact]
    public void Evaluation_and_empty_batches_leave_the_running_statistics_alone()
    {
        Tensor mean = Tensor.From([1, 2], [2]), variance = Tensor.From([3, 4], [2]);
        GradCheck.Input([3, 4, 4, 2]).BatchNorm(null, null, mean, variance, training: false);
        Tensor empty = Tensor.Empty([0, 4, 4, 2]);
        empty.RequiresGrad = true;
        Tensor y = empty.BatchNorm(null, null, mean, variance, training: true);
        Assert.Equal([0, 4, 4, 2], y.Shape);
        y.Backward(Tensor.Empty(y.Shape));
        Assert.Equal([0, 4, 4, 2], empty.Gradient!.Shape);
        Assert.Equal([1f, 2f], mean.ToArray());
        Assert.Equal([3f, 4f], variance.ToArray());
    }

    [Fact]
    public void Only_the_wanted_gradients_are_made()
    {
        Tensor x = GradCheck.Input([2, 3, 3, 4]), weight = GradCheck.Input([4], 2), bias = GradCheck.Input([4], 3);
        (weight.RequiresGrad, bias.RequiresGrad) = (false, true);
        Tensor y = x.BatchNorm(weight, bias, Tensor.Zeros([4]), Tensor.Full([4], 1), training: true);
        y.Backward(Tensor.Full(y.Shape, 1));
        Assert.Null(x.Gradient);
        Assert.Null(weight.Gradient);
        TensorAssert.Close([18, 18, 18, 18], bias.Gradient!);
    }

    [Fact]
    public void One_tensor_may_be_input_and_residual()
    {
        Tensor mean = Tensor.Zeros([5]), variance = Tensor.Full([5], 1);
        GradCheck.Run(
            t => t[0].BatchNorm(null, null, mean, variance, training: true, activation: Activation.Relu, residual: t[0]),
            v => Reference(v[0], 5, Ones(5), new double[5], v[0], null, null, relu: true),
            [GradCheck.Input([2, 3, 4, 5], seed: 9)]);
    }

    [Fact]
    public void NaN_passes_through_relu()
    {
        Tensor x = Tensor.From([float.NaN, 1, 2, 3], [2, 2]);
        Tensor y = x.BatchNorm(null, null, Tensor.Zeros([2]), Tensor.Full([2], 1), training: false, activation: Activation.Relu);
        Assert.True(float.IsNaN(y.Span[0]));
        Assert.False(float.IsNaN(y.Span[2]));
    }

    [Theory]
    [InlineData(64, 600)]
    [InlineData(21, 3000)]
    [InlineData(2048, 40)]
    public void Bits_do_not_depend_on_threads(int channels, int rows)
    {
        Tensor x = GradCheck.Input([rows, channels]), weight = GradCheck.Input([channels], 2), bias = GradCheck.Input([channels], 3), residual = GradCheck.Input([rows, channels], 4);
        Tensor mean = Tensor.Zeros([channels]), variance = Tensor.Full([channels], 1);
        KernelChecks.SameBitsOnAnyThreads(t => t[0].BatchNorm(t[1], t[2], mean, variance, training: true, activation: Activation.Relu, residual: t[3]), x, weight, bias, residual);
        KernelChecks.SameBitsOnAnyThreads(t => t[0].BatchNorm(t[1], t[2], mean, variance, training: true, activation: Activation.Relu), x, weight, bias);
    }

    [Fact]
    public void Results_larger_than_the_caches_have_the_bits_of_small_ones()
    {
        const int Channels = 64, Rows = LaneLoop.PastCaches / Channels, Few = 1000;
        Tensor mean = GradCheck.Input([Channels], 2), variance = Tensor.Full([Channels], 2);
        Tensor large = Tensor.Empty([Rows, Channels]);
        for (int i = 0; i < large.Length; i++) large.Span[i] = (i % 997) - 500;
        Tensor small = Tensor.From(large.Span[^(Few * Channels)..], [Few, Channels]);
        (large.RequiresGrad, small.RequiresGrad) = (true, true);
        Tensor y = large.BatchNorm(null, null, mean, variance, training: false, activation: Activation.Relu);
        Tensor expected = small.BatchNorm(null, null, mean, variance, training: false, activation: Activation.Relu);
        TensorAssert.SameBits(expected.Span, y.Span[^expected.Length..]);
        y.Backward(Tensor.Full(y.Shape, 1));
        expected.Backward(Tensor.Full(expected.Shape, 1));
        TensorAssert.SameBits(small.Gradient!.Span, large.Gradient!.Span[^expected.Length..]);
    }

    [Fact]
    public void A_training_step_gives_its_working_memory_back()
    {
        Tensor x = GradCheck.Input([2, 8, 8, 16]), mean = Tensor.Zeros([16]), variance = Tensor.Full([16], 1);
        x.RequiresGrad = true;
        Tensor y;
        using (TensorMemory.Scope())
        {
            y = x.BatchNorm(null, null, mean, variance, training: true, activation: Activation.Relu);
            y.Backward(Tensor.Full(y.Shape, 1));
        }
        Assert.True(y.Block.IsReleased);
        Assert.False(x.Gradient!.Block.IsReleased);
        Assert.False(mean.Block.IsReleased);
    }

    [Fact]
    public void Mistakes_are_named()
    {
        Tensor one = Tensor.Full([1], 1);
        ShapeException single = Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 1, 1, 1]).BatchNorm(null, null, one, one, training: true));
        Assert.Contains("larger batch", single.Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 1]).BatchNorm(Tensor.Zeros([3]), null, one, one, training: true));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 1]).BatchNorm(null, null, Tensor.Zeros([2]), one, training: true));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([2, 1]).BatchNorm(null, null, one, one, training: true, residual: Tensor.Zeros([1, 1])));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([]).BatchNorm(null, null, one, one, training: true));
    }

    private static void Check(int[] sizes, bool training, Activation activation, bool withResidual)
    {
        Shape shape = Shape.Of(sizes);
        int channels = shape[-1];
        Tensor mean = GradCheck.Input([channels], 11), variance = Tensor.From([.. GradCheck.Input([channels], 12).ToArray().Select(v => 1 + (v * v))], [channels]);
        double[]? fixedMean = training ? null : Array.ConvertAll(mean.ToArray(), v => (double)v), fixedVariance = training ? null : Array.ConvertAll(variance.ToArray(), v => (double)v);
        List<Tensor> inputs = [GradCheck.Input(shape), GradCheck.Input([channels], 2), GradCheck.Input([channels], 3)];
        if (withResidual) inputs.Add(GradCheck.Input(shape, 4));
        GradCheck.Run(
            t => t[0].BatchNorm(t[1], t[2], mean, variance, training, activation: activation, residual: withResidual ? t[3] : null),
            v => Reference(v[0], channels, v[1], v[2], withResidual ? v[3] : null, fixedMean, fixedVariance, activation == Activation.Relu),
            [.. inputs], step: 1e-7);
    }

    private static double[] Reference(double[] x, int channels, double[] weight, double[] bias, double[]? residual, double[]? mean, double[]? variance, bool relu)
    {
        if (mean is null) (mean, variance) = Moments(x, channels);
        return [.. x.Select((v, i) =>
        {
            int c = i % channels;
            double y = ((v - mean[c]) / Math.Sqrt(variance![c] + Eps) * weight[c]) + bias[c] + (residual is null ? 0 : residual[i]);
            return relu ? Math.Max(0, y) : y;
        })];
    }

    private static (double[] Mean, double[] Variance) Moments(double[] x, int channels)
    {
        int rows = x.Length / channels;
        double[] mean = new double[channels], variance = new double[channels];
        for (int i = 0; i < x.Length; i++) mean[i % channels] += x[i] / rows;
        for (int i = 0; i < x.Length; i++) variance[i % channels] += (x[i] - mean[i % channels]) * (x[i] - mean[i % channels]) / rows;
        return (mean, variance);
    }

    private static double[] Ones(int count) => [.. Enumerable.Repeat(1.0, count)];
}
