using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;

namespace Delineate.Bench;

/// <summary>
/// Single ops under BenchmarkDotNet, with its own options: <c>ops --filter '*MaxPool*'</c>. For tuning a convolution, <see cref="ConvBench"/> is
/// quicker.
/// </summary>
internal static class OpBench
{
    public static int Run(string[] args)
    {
        // In this process: the other way builds a project that knows nothing of the repository's settings.
        IConfig config = DefaultConfig.Instance.AddJob(BenchmarkDotNet.Jobs.Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
        var benchmarks = BenchmarkSwitcher.FromTypes([typeof(ConvolutionProducts), typeof(MapOps), typeof(RegionOps)]);
        return benchmarks.Run(args.Length > 0 ? args : ["--filter", "*"], config).Any(s => s.HasCriticalValidationErrors) ? 1 : 0;
    }

    internal static Tensor Noise(Shape shape)
    {
        Tensor tensor = Tensor.Empty(shape).Keep();
        var random = new Random(7);
        foreach (ref float value in tensor.Span) value = random.NextSingle() - 0.5f;
        return tensor;
    }
}

/// <summary>The three products of a convolution at the layers of <see cref="ConvBench"/>.</summary>
public class ConvolutionProducts
{
    private ConvGeometry geometry = null!;
    private Tensor x = null!, w = null!, y = null!, dx = null!, dw = null!;

    public static IEnumerable<string> Layers => ConvBench.Layers.Select(l => l.Name);

    [ParamsSource(nameof(Layers))]
    public string Layer { get; set; } = "";

    [Params(1, 2)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        ThreadTeam.Threads = Threads;
        ConvBench.Layer l = ConvBench.Layers.Single(l => l.Name == Layer);
        (x, w) = (OpBench.Noise([l.N, l.Size, l.Size, l.In]), OpBench.Noise([l.Out, l.Kernel, l.Kernel, l.In]));
        geometry = ConvGeometry.Of(x, w, null, l.Stride, l.Padding, l.Dilation, 1);
        (y, dx, dw) = (OpBench.Noise(geometry.OutputShape), OpBench.Noise(x.Shape), OpBench.Noise(w.Shape));
    }

    [Benchmark]
    public void Forward() => Convolution.Forward(geometry, x.Span, w.Span, default, y.Span);

    [Benchmark]
    public void BackwardData() => Convolution.BackwardData(geometry, y.Span, w.Span, default, dx.Span);

    [Benchmark]
    public void BackwardWeights() => Convolution.BackwardWeights(geometry, x.Span, y.Span, dw.Span);
}

/// <summary>What lies around the convolutions, at the sizes of a dilated ResNet-50 and of a U-Net; each forward and backward.</summary>
public class MapOps
{
    private Tensor map = null!, scores = null!, weight = null!, bias = null!, mean = null!, variance = null!, doubling = null!, enlarging = null!, small = null!;
    private byte[] labels = [];

    [Params(1, 2)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        const int Size = 60, Channels = 256, Classes = 21;
        ThreadTeam.Threads = Threads;
        map = OpBench.Noise([2, Size, Size, Channels]);
        scores = OpBench.Noise([2, Size, Size, Classes]);
        small = OpBench.Noise([1, 15, 15, Classes]);
        (weight, bias, mean, variance) = (OpBench.Noise([Channels]), OpBench.Noise([Channels]), Tensor.Zeros([Channels]).Keep(), Tensor.Full([Channels], 1).Keep());
        doubling = OpBench.Noise([Channels, 2, 2, Channels / 2]);
        enlarging = OpBench.Noise([Classes, 64, 64, Classes]);
        labels = new byte[2 * Size * Size];
        for (int i = 0; i < labels.Length; i++) labels[i] = (byte)(i % Classes);
        foreach (Tensor tensor in (Tensor[])[map, scores, small, weight, bias, doubling, enlarging]) tensor.RequiresGrad = true;
    }

    [Benchmark]
    public void MaxPool() => ThereAndBack(() => map.MaxPool2d(3, 2, 1));

    [Benchmark]
    public void ResizeBilinear() => ThereAndBack(() => scores.ResizeBilinear(480, 480));

    [Benchmark]
    public void ResizeNearest() => ThereAndBack(() => map.ResizeNearest(120, 120));

    [Benchmark]
    public void BatchNormRelu() => ThereAndBack(() => map.BatchNorm(weight, bias, mean, variance, training: true, activation: Activation.Relu));

    [Benchmark]
    public void CrossEntropy() => ThereAndBack(() => scores.CrossEntropy((ReadOnlyMemory<byte>)labels));

    [Benchmark]
    public void ConvTranspose2x2() => ThereAndBack(() => map.ConvTranspose2d(doubling, null, 2));

    [Benchmark]
    public void ConvTranspose64x64() => ThereAndBack(() => small.ConvTranspose2d(enlarging, null, 32, 16));

    /// <summary>Forward and backward with a gradient of what the op made; all memory goes back.</summary>
    private void ThereAndBack(Func<Tensor> op)
    {
        using MemoryScope scope = TensorMemory.Scope();
        Tensor y = op();
        y.Backward(y.Detach());
        foreach (Tensor tensor in (Tensor[])[map, scores, small, weight, bias, doubling, enlarging]) tensor.ZeroGrad();
    }
}

/// <summary>
/// What a detector does with boxes: 512 proposals of 32 to 320 pixels on an image of 800×1088 read from a map of stride 8, and the choice among 2000.
/// <c>bench/peers/region_bench.py</c> runs torchvision on the same.
/// </summary>
public class RegionOps
{
    private const int Proposals = 512, Candidates = 2000;
    private Tensor map = null!, rois = null!;
    private float[] boxes = [], scores = [];

    [Params(1, 2)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        ThreadTeam.Threads = Threads;
        map = OpBench.Noise([1, 100, 136, 256]);
        boxes = Boxes(Candidates);
        var random = new Random(3);
        scores = [.. Enumerable.Range(0, Candidates).Select(_ => random.NextSingle())];
        rois = Tensor.Zeros([Proposals, 5]).Keep();
        for (int k = 0; k < Proposals; k++) boxes.AsSpan(4 * k, 4).CopyTo(rois.Span[((5 * k) + 1)..]);
    }

    [Benchmark]
    public void RoiAlign() => Forward(() => map.RoiAlign(rois, 7, 1f / 8, 2));

    [Benchmark]
    public void RoiAlignAndGradient() => ThereAndBack(() => map.RoiAlign(rois, 7, 1f / 8, 2));

    [Benchmark]
    public void RoiAlignAdaptive() => Forward(() => map.RoiAlign(rois, 7, 1f / 8, aligned: true));

    [Benchmark]
    public void RoiPool() => Forward(() => map.RoiPool(rois, 7, 1f / 8));

    [Benchmark]
    public void RoiPoolAndGradient() => ThereAndBack(() => map.RoiPool(rois, 7, 1f / 8));

    [Benchmark]
    public int[] NmsOf2000() => Nms.Keep(boxes, scores, 0.7);

    private static float[] Boxes(int count)
    {
        var random = new Random(5);
        var boxes = new float[4 * count];
        for (int i = 0; i < boxes.Length; i += 4)
        {
            float width = 32 * MathF.Pow(10, random.NextSingle()), height = 32 * MathF.Pow(10, random.NextSingle());
            (boxes[i], boxes[i + 1]) = (random.NextSingle() * (1088 - width), random.NextSingle() * (800 - height));
            (boxes[i + 2], boxes[i + 3]) = (boxes[i] + width, boxes[i + 1] + height);
        }
        return boxes;
    }

    private static void Forward(Func<Tensor> op)
    {
        using MemoryScope scope = TensorMemory.Scope();
        op();
    }

    private void ThereAndBack(Func<Tensor> op)
    {
        using MemoryScope scope = TensorMemory.Scope();
        map.RequiresGrad = true;
        Tensor y = op();
        y.Backward(y.Detach());
        map.ZeroGrad();
        map.RequiresGrad = false;
    }
}
