using System.Diagnostics;
using System.Globalization;
using Delineate.Data;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Delineate.Tensors.Optim;

namespace Delineate.Bench;

/// <summary>
/// Whole training steps of a network on random images: <c>train MODEL HEIGHTxWIDTH BATCH THREADS STEPS</c>. Prints one JSON line with the seconds
/// of each step and the process's peak memory. Its twin is <c>bench/peers/train_bench.py</c>.
/// </summary>
internal static class TrainBench
{
    public static int Run(string[] args)
    {
        if (args.Length < 5)
        {
            Console.Error.WriteLine("usage: train MODEL HEIGHTxWIDTH BATCH THREADS STEPS [CLASSES]");
            return 2;
        }
        int[] size = [.. args[1].Split('x').Select(s => int.Parse(s, CultureInfo.InvariantCulture))];
        int batch = int.Parse(args[2], CultureInfo.InvariantCulture), steps = int.Parse(args[4], CultureInfo.InvariantCulture);
        int classes = args.Length > 5 ? int.Parse(args[5], CultureInfo.InvariantCulture) : 21;
        ThreadTeam.Threads = int.Parse(args[3], CultureInfo.InvariantCulture);
        Model model = ModelCatalog.Create(args[0], new ModelOptions(), new ClassTable(Enumerable.Range(0, classes).Select(i => $"class {i}")));
        var groups = model.Network.NamedParameters().ToLookup(p => model.IsAuxiliary(p.Name));
        var optimizer = new Sgd([new ParameterGroup(groups[false]), new ParameterGroup(groups[true], 10)], new SgdOptions { Momentum = 0.9, WeightDecay = 1e-4 });
        var random = new Random(1);
        Sample[] samples = [.. Enumerable.Range(0, batch).Select(i =>
        {
            var image = new Image(size[0], size[1]);
            random.NextBytes(image.Pixels);
            var labels = new LabelMap(size[0], size[1]);
            for (int k = 0; k < labels.Labels.Length; k++) labels.Labels[k] = (byte)random.Next(classes);
            return new Sample($"{i}", image, new Annotation { Semantic = labels });
        })];
        var seconds = new List<double>();
        for (int s = 0; s < steps; s++)
        {
            long began = Stopwatch.GetTimestamp();
            using (TensorMemory.Scope()) model.Loss(new Batch(samples)).Total.Backward();
            optimizer.Step(1e-3);
            model.Network.ZeroGrad();
            seconds.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
        }
        string json = string.Join(", ", seconds.Select(s => s.ToString("F3", CultureInfo.InvariantCulture)));
        Console.WriteLine($"{{\"engine\": \"delineate\", \"model\": \"{args[0]}\", \"threads\": {ThreadTeam.Threads}, \"batch\": {batch}, \"size\": \"{args[1]}\", \"step_s\": [{json}], \"median_s\": {seconds.Order().ElementAt(steps / 2):F3}, \"peak_rss_mb\": {PeakRss()}, \"peak_tensors_mb\": {TensorMemory.PeakBytes >> 20}}}");
        return 0;
    }

    /// <summary>The most memory the process held, in MB, as the kernel counts it; elsewhere than on Linux, what the runtime knows.</summary>
    private static long PeakRss()
    {
        const string Status = "/proc/self/status";
        if (!File.Exists(Status)) return Process.GetCurrentProcess().PeakWorkingSet64 >> 20;
        string line = File.ReadLines(Status).First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) >> 10;
    }
}
