using System.Diagnostics;
using System.Globalization;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Delineate.Tensors.Optim;

namespace Delineate.Bench;

/// <summary>
/// What surrounds the convolutions at the sizes of a dilated ResNet and a U-Net: the best of many runs, forward and backward, with the memory
/// traffic that cannot be avoided. Arguments: a part of the name, the number of threads.
/// </summary>
public static class NormBench
{
    public static void Run(string[] args)
    {
        string filter = args.Length > 0 ? args[0] : "";
        if (args.Length > 1) ThreadTeam.Threads = int.Parse(args[1], CultureInfo.InvariantCulture);
        Measure(filter, "copy (a sum with a number)", 2, 0, Random([4, 320, 320, 21]), [], x => x.Detach() + 1);
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
        Measure(filter, "bilinear ×8, 21 channels, batch 4", 65, 65, Random([4, 40, 40, 21]), [], x => x.ResizeBilinear(320, 320));
        Measure(filter, "bilinear ×8, 64 channels", 65, 65, Random([2, 60, 60, 64]), [], x => x.ResizeBilinear(480, 480));
        Measure(filter, "bilinear ×2, 256 channels", 5, 5, Random([2, 60, 60, 256]), [], x => x.ResizeBilinear(120, 120));
        Measure(filter, "nearest ×2, 256 channels", 5, 5, Random([2, 60, 60, 256]), [], x => x.ResizeNearest(120, 120));
        foreach (int classes in (int[])[2, 11, 21, 64])
        {
            var random = new Random(1);
            byte[] labels = [.. Enumerable.Range(0, 4 * 320 * 320).Select(_ => (byte)random.Next(classes))];
            Measure(filter, $"cross-entropy, {classes} classes", 1, 2, Random([4, 320, 320, classes]), [], x => x.CrossEntropy(labels));
            Measure(filter, $"softmax, {classes} classes", 2, 3, Random([4, 320, 320, classes]), [], x => x.Softmax());
            Measure(filter, $"labels of {classes} classes", 1, 0, Random([4, 320, 320, classes]), [], x =>
            {
                x.ArgMaxLabels();
                return x;
            });
        }
        Measure(filter, "dropout", 2.25, 2.25, Random([4, 40, 40, 512]), [], x => x.Dropout(0.1f, training: true));
        Measure(filter, "relu", 2, 3, Random([2, 256, 256, 64]), [], x => x.Relu());
        Measure(filter, "max pool 2×2 stride 2, U-Net", 1.25, 1.3125, Random([2, 256, 256, 64]), [], x => x.MaxPool2d(2));
        Tensor skip = Random([2, 256, 256, 64]);
        Measure(filter, "concat 64 + 64", 4, 4, Random([2, 256, 256, 64]), [skip], x => Tensor.Concat([skip, x], 3));
        Measure(filter, "slice of channels", 1, 1.5, Random([2, 256, 256, 128]), [], x => x.Slice(3, 64, 64));
        Measure(filter, "pad by one row and column", 2, 2, Random([2, 255, 255, 64]), [], x => x.Pad(0, 1, 0, 1));
        Measure(filter, "sum of two maps", 3, 0, Random([2, 256, 256, 64]), [skip], x => x + skip);
        foreach (string kind in (string[])["sgd", "sgd without momentum", "adamw"]) Optimize(filter, kind);
    }

    /// <summary>A step over the parameters of a small ResNet: few large ones and many small ones.</summary>
    private static void Optimize(string filter, string kind)
    {
        if (!kind.Contains(filter, StringComparison.OrdinalIgnoreCase)) return;
        List<(string, Tensor)> parameters = [];
        foreach (int channels in (int[])[64, 64, 64, 128, 128, 256, 256, 512, 512, 512])
        {
            parameters.Add(($"w{parameters.Count}", Random([channels, 3, 3, channels])));
            for (int k = 0; k < 4; k++) parameters.Add(($"b{parameters.Count}", Random([channels])));
        }
        Optimizer optimizer = kind switch
        {
            "sgd" => new Sgd([new ParameterGroup(parameters)], new SgdOptions { Momentum = 0.9, WeightDecay = 1e-4 }),
            "adamw" => new AdamW([new ParameterGroup(parameters)]),
            _ => new Sgd([new ParameterGroup(parameters)], new SgdOptions { Momentum = 0 }),
        };
        foreach ((_, Tensor parameter) in parameters) (parameter.RequiresGrad, parameter.Gradient) = (true, Random(parameter.Shape));
        double step = double.MaxValue, clip = double.MaxValue;
        for (int i = 0; i < 40; i++)
        {
            long start = Stopwatch.GetTimestamp();
            GradientClipping.ByNorm(parameters.Select(p => p.Item2), 1e9);
            clip = Math.Min(clip, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            start = Stopwatch.GetTimestamp();
            optimizer.Step(1e-6);
            step = Math.Min(step, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        double bytes = parameters.Sum(p => p.Item2.Length) * (double)sizeof(float);
        int passes = kind switch { "sgd" => 5, "adamw" => 7, _ => 3 };
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{kind,-50} step    {step,7:F2} ms {passes * bytes / step / 1e6,6:F1} GB/s   norm     {clip,7:F2} ms {bytes / clip / 1e6,6:F1} GB/s"));
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
            if (backwardPasses > 0) y.Backward(dy);
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
