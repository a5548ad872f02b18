using System.Diagnostics;
using System.Globalization;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;

namespace Delineate.Bench;

/// <summary>
/// Times the three products of the convolutions of fcn_resnet50 at 480×480 and fcn_resnet18 (output stride 8) at 320×320, batch 4,
/// against the machine's peak. Usage: conv [part of a layer's name] [seconds for each measurement].
/// </summary>
internal static class ConvBench
{
    internal sealed record Layer(string Name, int N, int Size, int In, int Out, int Kernel, int Stride, int Dilation, int Count)
    {
        public int Padding => Dilation * (Kernel - 1) / 2;
    }

    internal static readonly Layer[] Layers =
    [
        new("r50 stem 3-64 7x7 s2 @480", 1, 480, 3, 64, 7, 2, 1, 1),
        new("r50 64-64 3x3 @120", 1, 120, 64, 64, 3, 1, 1, 3),
        new("r50 64-256 1x1 @120", 1, 120, 64, 256, 1, 1, 1, 4),
        new("r50 256-64 1x1 @120", 1, 120, 256, 64, 1, 1, 1, 2),
        new("r50 128-128 3x3 s2 @120", 1, 120, 128, 128, 3, 2, 1, 1),
        new("r50 256-512 1x1 s2 @120", 1, 120, 256, 512, 1, 2, 1, 1),
        new("r50 128-128 3x3 @60", 1, 60, 128, 128, 3, 1, 1, 3),
        new("r50 128-512 1x1 @60", 1, 60, 128, 512, 1, 1, 1, 4),
        new("r50 512-128 1x1 @60", 1, 60, 512, 128, 1, 1, 1, 3),
        new("r50 256-256 3x3 d2 @60", 1, 60, 256, 256, 3, 1, 2, 6),
        new("r50 256-1024 1x1 @60", 1, 60, 256, 1024, 1, 1, 1, 6),
        new("r50 1024-256 1x1 @60", 1, 60, 1024, 256, 1, 1, 1, 5),
        new("r50 512-512 3x3 d4 @60", 1, 60, 512, 512, 3, 1, 4, 3),
        new("r50 512-2048 1x1 @60", 1, 60, 512, 2048, 1, 1, 1, 3),
        new("r50 2048-512 1x1 @60", 1, 60, 2048, 512, 1, 1, 1, 2),
        new("r50 1024-2048 1x1 @60", 1, 60, 1024, 2048, 1, 1, 1, 1),
        new("r50 2048-512 3x3 @60", 1, 60, 2048, 512, 3, 1, 1, 1),
        new("r50 512-21 1x1 @60", 1, 60, 512, 21, 1, 1, 1, 1),
        new("r18 stem 3-64 7x7 s2 @320", 4, 320, 3, 64, 7, 2, 1, 1),
        new("r18 64-64 3x3 @80", 4, 80, 64, 64, 3, 1, 1, 4),
        new("r18 64-128 3x3 s2 @80", 4, 80, 64, 128, 3, 2, 1, 1),
        new("r18 64-128 1x1 s2 @80", 4, 80, 64, 128, 1, 2, 1, 1),
        new("r18 128-128 3x3 @40", 4, 40, 128, 128, 3, 1, 1, 3),
        new("r18 128-256 3x3 @40", 4, 40, 128, 256, 3, 1, 1, 1),
        new("r18 256-256 3x3 d2 @40", 4, 40, 256, 256, 3, 1, 2, 3),
        new("r18 256-512 3x3 d2 @40", 4, 40, 256, 512, 3, 1, 2, 1),
        new("r18 512-512 3x3 d4 @40", 4, 40, 512, 512, 3, 1, 4, 3),
        new("r18 512-128 3x3 @40", 4, 40, 512, 128, 3, 1, 1, 1),
        new("r18 128-21 1x1 @40", 4, 40, 128, 21, 1, 1, 1, 1),
    ];

    public static int Run(ReadOnlySpan<string> args)
    {
        string filter = args.Length > 0 ? args[0] : "";
        double seconds = args.Length > 1 ? double.Parse(args[1], CultureInfo.InvariantCulture) : 0.5;
        int processors = Environment.ProcessorCount;
        ThreadTeam.Threads = 1;
        Console.WriteLine($"peak of register-only multiply-adds, one core: {PeakRate.Best(1):F0} GF/s; tile {Tile.Rows}x{Tile.Columns} from the first cache: {TilePeak(seconds, 128, false):F0} GF/s, A packed across rows {TilePeak(seconds, 128, true):F0}; 256 deep {TilePeak(seconds, 256, false):F0} {TilePeak(seconds, 256, true):F0}");
        Console.WriteLine($"GF/s best (median) of one thread | {processors} threads");
        Console.WriteLine($"{"layer",-28} {"forward",26} {"backward data",26} {"backward weights",26} {"sum ms",16}");
        double[] total = new double[2];
        foreach (Layer layer in Layers.Where(l => l.Name.Contains(filter, StringComparison.Ordinal)))
        {
            Tensor x = Filled([layer.N, layer.Size, layer.Size, layer.In]);
            Tensor w = Filled([layer.Out, layer.Kernel, layer.Kernel, layer.In]);
            ConvGeometry g = ConvGeometry.Of(x, w, null, layer.Stride, layer.Padding, layer.Dilation, 1);
            Tensor y = Filled(g.OutputShape);
            Tensor dx = Filled(x.Shape), dw = Filled(w.Shape);
            double flops = 2.0 * y.Length * g.Depth;
            string line = $"{layer.Name,-28}";
            double[] sum = new double[2];
            int which = 0;
            int? only = args.Length > 2 ? int.Parse(args[2]) : null;
            foreach (Action product in new[]
            {
                () => Convolution.Forward(g, x.Span, w.Span, default, y.Span),
                () => Convolution.BackwardData(g, y.Span, w.Span, default, dx.Span),
                (Action)(() => Convolution.BackwardWeights(g, x.Span, y.Span, dw.Span)),
            })
            {
                string cell = "";
                if (only is not null && only != which++) continue;
                for (int t = 0; t < (only is null ? 2 : 1); t++)
                {
                    ThreadTeam.Threads = t == 0 ? 1 : processors;
                    (double best, double median) = Time(product, seconds);
                    sum[t] += best;
                    cell += $"{(t == 0 ? "" : " | ")}{flops / best / 1e9:F0} ({flops / median / 1e9:F0})";
                }
                line += $" {cell,26}";
            }
            for (int t = 0; t < 2; t++) total[t] += layer.Count * sum[t];
            Console.WriteLine($"{line} {sum[0] * 1e3,8:F2}|{sum[1] * 1e3,7:F2}");
        }
        Console.WriteLine($"all layers as often as they occur, best: {total[0] * 1e3:F0} ms | {total[1] * 1e3:F0} ms");
        return 0;
    }

    /// <summary>Best and median seconds of repeated runs: of processor time on one thread, where other programs disturb it least, of the clock on several.</summary>
    internal static (double Best, double Median) Time(Action work, double seconds)
    {
        work();
        work();
        var times = new List<double>();
        var all = Stopwatch.StartNew();
        while (times.Count < 5 || (all.Elapsed.TotalSeconds < seconds && times.Count < 1000))
        {
            TimeSpan before = Environment.CpuUsage.TotalTime;
            long start = Stopwatch.GetTimestamp();
            work();
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            times.Add((ThreadTeam.Threads == 1 ? Environment.CpuUsage.TotalTime - before : elapsed).TotalSeconds);
        }
        times.Sort();
        return (times[0], times[times.Count / 2]);
    }

    private static Tensor Filled(Shape shape)
    {
        Tensor tensor = Tensor.Empty(shape);
        var random = new Random(7);
        foreach (ref float value in tensor.Span) value = random.NextSingle() - 0.5f;
        return tensor;
    }

    private static unsafe double TilePeak(double seconds, int depth, bool across)
    {
        const int Repeats = 200;
        Tensor a = Filled([Tile.Rows, depth]), b = Filled([depth, Tile.Columns]), c = Filled([Tile.Rows, Tile.Columns]);
        (double best, _) = Time(
            () =>
            {
                fixed (float* pa = a.Span, pb = b.Span, pc = c.Span)
                {
                    for (int i = 0; i < Repeats; i++) Tile.Run(depth, pa, across ? 1 : depth, across ? Tile.Rows : 1, pb, Tile.Columns, pc, Tile.Columns, Tile.Zeros, float.NegativeInfinity, pc, Tile.Columns, pa, 0);
                }
            },
            seconds);
        return 2.0 * Tile.Rows * Tile.Columns * depth * Repeats / best / 1e9;
    }
}
