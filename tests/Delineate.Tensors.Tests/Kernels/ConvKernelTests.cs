using Delineate.Tensors.Kernels;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Kernels;

public sealed unsafe class ConvKernelTests
{
    public static TheoryData<string, int, int, int, int, int, int, int, bool> Kinds => new()
    {
        // algorithm, in, out, kernel, stride, padding, dilation, groups, adjoint
        { "winograd6", 32, 48, 3, 1, 1, 1, 1, false },
        { "winograd6", 200, 420, 3, 1, 1, 1, 1, false },
        { "winograd4", 40, 33, 3, 1, 2, 2, 1, false },
        { "winograd4 adjoint", 33, 40, 3, 1, 2, 2, 1, true },
        { "winograd6", 64, 96, 3, 1, 1, 1, 1, false },
        { "direct", 64, 70, 1, 1, 0, 1, 1, false },
        { "direct", 1024, 33, 1, 1, 0, 1, 1, false },
        { "direct", 300, 33, 1, 2, 0, 1, 1, false },
        { "direct", 3, 16, 7, 2, 3, 1, 1, false },
        { "direct", 30, 20, 3, 1, 1, 1, 2, false },
        { "adjoint", 21, 40, 2, 2, 0, 1, 1, true },
        { "adjoint", 64, 5, 1, 1, 0, 1, 1, true },
        { "adjoint", 12, 8, 4, 2, 1, 1, 4, true },
        { "adjoint", 5, 7, 8, 4, 2, 1, 1, true },
        { "depthwise", 70, 70, 3, 1, 1, 1, 70, false },
        { "depthwise", 37, 37, 3, 2, 1, 1, 37, true },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Reads_writes_and_adds_ranges_of_wider_maps_in_one_pass(string algorithm, int inChannels, int outChannels, int kernel, int stride, int padding, int dilation, int groups, bool adjoint)
    {
        const float Untouched = 12345;
        Tensor data = GradCheck.Input([2, 25, 27, inChannels]), weight = GradCheck.Input([outChannels, kernel, kernel, inChannels / groups], 2);
        ConvGeometry g = ConvGeometry.Of(data, weight, null, stride, padding, dilation, groups);
        (Shape from, Shape to) = adjoint ? (g.OutputShape, g.InputShape) : (g.InputShape, g.OutputShape);
        Tensor x = GradCheck.Input(from, 3), bias = GradCheck.Input([to[3]], 4), residual = GradCheck.Input(to, 5);

        ConvKernel direct = new DirectConvolution(g, adjoint, PixelStrides.Dense(g, adjoint));
        Tensor sum = Tensor.Empty(to);
        new ConvRun(direct, new ConvWeights(direct, weight, bias.Span), Activation.None).Run(Pinned.Of(x), null, Pinned.Of(sum));

        foreach ((Activation activation, bool adds) in new[] { (Activation.None, false), (Activation.Relu, false), (Activation.None, true), (Activation.Relu, true) })
        {
            Tensor expected = adds ? sum + residual : sum;
            if (activation == Activation.Relu) expected = expected.Relu();
            const int Before = 16;
            Tensor wideX = Widen(x, Before, 23, float.NaN), wideResidual = Widen(residual, Before, 8, float.NaN), wideY = Tensor.Full(Wider(to, Before, 40), Untouched);
            var strides = new PixelStrides(wideX.Shape[3], wideY.Shape[3], wideResidual.Shape[3]);
            ConvKernel strided = algorithm == "winograd6" ? new Winograd(g, adjoint, 6, strides) : ConvKernel.For(g, adjoint, Rounding.Fast, strides);
            Assert.Equal(algorithm, strided.Algorithm);
            var run = new ConvRun(strided, new ConvWeights(strided, weight, bias.Span), activation);
            for (int again = 0; again < 2; again++) run.Run(Pinned.Of(wideX) + Before, adds ? Pinned.Of(wideResidual) + Before : null, Pinned.Of(wideY) + Before);
            double allowed = strided.ReadsWeight ? 2e-5 : 1e-5; // such kernels have many channels and the largest tiles
            TensorAssert.Close(expected, wideY.Slice(3, Before, to[3]), allowed, what: $"{activation}, {(adds ? "with" : "without")} a residual");
            Assert.All(wideY.Slice(3, 0, Before).ToArray(), v => Assert.Equal(Untouched, v));
            Assert.All(wideY.Slice(3, Before + to[3], 40).ToArray(), v => Assert.Equal(Untouched, v));
        }
    }

    [Fact]
    public void Results_too_large_for_the_caches_are_right()
    {
        Tensor x = GradCheck.Input([1, 400, 401, 8]), weight = GradCheck.Input([33, 1, 1, 8], 2), bias = GradCheck.Input([33], 3);
        ConvGeometry g = ConvGeometry.Of(x, weight, null, 1, 0, 1, 1);
        foreach (int stride in new[] { 33, 48 }) // 48: every row begins on a cache line
        {
            ConvKernel kernel = ConvKernel.For(g, false, Rounding.Direct, new PixelStrides(8, stride, 8));
            Tensor y = Tensor.Full([x.Length / 8, stride], float.NaN);
            new ConvRun(kernel, new ConvWeights(kernel, weight, bias.Span), Activation.Relu).Run(Pinned.Of(x), null, Pinned.Of(y));
            ReadOnlySpan<float> map = x.Span, w = weight.Span, b = bias.Span, result = y.Span;
            double worst = 0;
            for (int pixel = 0; pixel < x.Length / 8; pixel++)
            {
                for (int c = 0; c < 33; c++)
                {
                    double sum = b[c];
                    for (int i = 0; i < 8; i++) sum += map[(pixel * 8) + i] * w[(c * 8) + i];
                    worst = Math.Max(worst, Math.Abs(Math.Max(0, sum) - result[(pixel * stride) + c]));
                }
                for (int c = 33; c < stride; c++) Assert.True(float.IsNaN(result[(pixel * stride) + c]));
            }
            Assert.InRange(worst, 0, 1e-5);
        }
    }

    [Fact]
    public void A_transposed_convolution_writes_tiles_within_a_line_and_over_its_end()
    {
        Tensor x = GradCheck.Input([2, 4, 31, 9]), weight = GradCheck.Input([9, 2, 2, 40], 2), bias = GradCheck.Input([40], 3);
        Tensor y = x.ConvTranspose2d(weight, bias, stride: 2);
        for (int i = 0; i < y.Length; i++)
        {
            (int pixel, int c) = Math.DivRem(i, 40);
            (int line, int column) = Math.DivRem(pixel, 62);
            double sum = bias.Span[c];
            for (int k = 0; k < 9; k++) sum += (double)x.Span[(((line / 2 * 31) + (column / 2)) * 9) + k] * weight.Span[(((((k * 2) + (line % 2)) * 2) + (column % 2)) * 40) + c];
            Assert.Equal(sum, y.Span[i], 1e-5);
        }
    }

    [Fact]
    public void A_second_run_takes_no_managed_memory()
    {
        Tensor x = GradCheck.Input([1, 40, 40, 64]), weight = GradCheck.Input([64, 3, 3, 64], 2);
        ConvGeometry g = ConvGeometry.Of(x, weight, null, 1, 1, 1, 1);
        ConvKernel kernel = ConvKernel.For(g, false, Rounding.Fast, PixelStrides.Dense(g, false));
        var run = new ConvRun(kernel, new ConvWeights(kernel, weight, default), Activation.Relu);
        Tensor y = Tensor.Empty(g.OutputShape);
        run.Run(Pinned.Of(x), null, Pinned.Of(y));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++) run.Run(Pinned.Of(x), null, Pinned.Of(y));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 20_000, $"ten runs took {GC.GetAllocatedBytesForCurrentThread() - before} bytes");
    }

    private static Shape Wider(Shape shape, int before, int after) => [shape[0], shape[1], shape[2], before + shape[3] + after];

    private static Tensor Widen(Tensor x, int before, int after, float filling)
    {
        Shape s = x.Shape;
        return Tensor.Concat([Tensor.Full([s[0], s[1], s[2], before], filling), x, Tensor.Full([s[0], s[1], s[2], after], filling)], axis: 3);
    }
}
