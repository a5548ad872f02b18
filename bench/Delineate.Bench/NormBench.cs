using System.Diagnostics;
using System.Globalization;
using Delineate.Tensors;

namespace Delineate.Bench;

/// <summary>
/// Batch norm, pooling and resizing at the sizes of a dilated ResNet: the best of many runs, forward and backward, with the memory
/// traffic that cannot be avoided. An argument filters by name.
/// </summary>
public static class NormBench
{
    public static void Run(string[] args)
    {
        string filter = args.Length > 0 ? args[0] : "";
        foreach (Shape shape in (Shape[])[[4, 40, 40, 512], [2, 60, 60, 2048], [2, 240, 240, 64]])
        {
            int channels = shape[-1];
            Tensor weight = Random([channels]), bias = Random([channels]), mean = Tensor.Zeros([channels]), variance = Tensor.Full([channels], 1);
            Measure(filter, $"batch norm + relu {shape}", 3, 5, Random(shape), [weight, bias], x => x.BatchNorm(weight, bias, mean, variance, true, activation: Activation.Relu));
            Tensor residual = Random(shape);
            Measure(filter, $"batch norm + residual + relu {shape}", 4, 8, Random(shape), [weight, bias, residual], x =>
                x.BatchNorm(weight, bias, mean, variance, true, activation: Activation.Relu, residual: residual));
        }
        Measure(filter, "max pool 3×3 stride 2", 1.25, 1.3125, Random([2, 240, 240, 64]), [], x => x.MaxPool2d(3, 2, 1));
        Measure(filter, "max pool 2×2 stride 2", 1.25, 1.3125, Random([2, 240, 240, 64]), [], x => x.MaxPool2d(2));
        Measure(filter, "average pool 3×3 stride 2", 1.25, 1.25, Random([2, 240, 240, 64]), [], x => x.AvgPool2d(3, 2, 1));
        Measure(filter, "global average pool", 1, 1, Random([2, 60, 60, 2048]), [], x => x.AdaptiveAvgPool2d(1));
        Measure(filter, "bilinear ×8, 21 channels", 65, 65, Random([2, 60, 60, 21]), [], x => x.ResizeBilinear(480, 480));
        Measure(filter, "bilinear ×8, 64 channels", 65, 65, Random([2, 60, 60, 64]), [], x => x.ResizeBilinear(480, 480));
        Measure(filter, "bilinear ×2, 256 channels", 5, 5, Random([2, 60, 60, 256]), [], x => x.ResizeBilinear(120, 120));
        Measure(filter, "nearest ×2, 256 channels", 5, 5, Random([2, 60, 60, 256]), [], x => x.ResizeNearest(120, 120));
    }

    /// <summary>The two counts of passes are the memory moved forward and backward, in multiples of the input.</summary>
    private static void Measure(string filter, string name, double forwardPasses, double backwardPasses, Tensor x, Tensor[] others, Func<Tensor, Tensor> op)
    {
        if (!name.Contains(filter, StringComparison.OrdinalIgnoreCase)) return;
        const int Runs = 40;
        foreach (Tensor tensor in (Tensor[])[x, .. others]) tensor.RequiresGrad = true;
        double forward = double.MaxValue, backward = double.MaxValue;
        for (int i = 0; i < Runs; i++)
        {
            using MemoryScope scope = TensorMemory.Scope();
            long start = Stopwatch.GetTimestamp();
            Tensor y = op(x);
            forward = Math.Min(forward, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            Tensor dy = Random(y.Shape);
            foreach (Tensor tensor in (Tensor[])[x, .. others]) tensor.ZeroGrad();
            start = Stopwatch.GetTimestamp();
            y.Backward(dy);
            backward = Math.Min(backward, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        double bytes = x.Length * (double)sizeof(float);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name,-50} forward {forward,7:F2} ms {forwardPasses * bytes / forward / 1e6,6:F1} GB/s   backward {backward,7:F2} ms {backwardPasses * bytes / backward / 1e6,6:F1} GB/s"));
    }

    private static Tensor Random(Shape shape)
    {
        Tensor tensor = Tensor.Empty(shape);
        uint state = 1;
        foreach (ref float value in tensor.Span)
        {
            state = (state * 1664525) + 1013904223;
            value = ((state >> 8) * (2f / (1 << 24))) - 1;
        }
        return tensor;
    }
}
