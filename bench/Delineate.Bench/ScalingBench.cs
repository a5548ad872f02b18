using System.Diagnostics;
using System.Globalization;
using Delineate.Bench.Networks;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Delineate.Tensors.Optim;

namespace Delineate.Bench;

/// <summary>
/// How many times as fast all threads are as one, taken in turns within one process, so that a change of the machine's clock meets both:
/// <c>scaling WORKLOAD NxHxWxC [ROUNDS [THREADS]]</c>. Random weights; a workload that begins with train_ takes steps of SGD. Each round is a pair of medians.
/// </summary>
internal static class ScalingBench
{
    private const double LeastMs = 1500; // what is quicker is repeated for so long, and the median counts
    private const int Classes = 2; // the fewest that a workload has

    public static int Run(string[] args)
    {
        if (args.Length is < 2 or > 4)
        {
            Console.Error.WriteLine($"usage: Delineate.Bench scaling WORKLOAD NxHxWxC [ROUNDS [THREADS]]; workloads: {string.Join(", ", OwnNetworks.Names)}");
            return 2;
        }
        var shape = Shape.Of([.. args[1].Split('x').Select(n => int.Parse(n, CultureInfo.InvariantCulture))]);
        int rounds = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 7, most = args.Length > 3 ? int.Parse(args[3], CultureInfo.InvariantCulture) : Environment.ProcessorCount;
        OwnNetwork network = OwnNetworks.Create(args[0]);
        Tensor input = OpBench.Noise(shape).Keep();
        int[] threads = [1, most];
        Action[] runs = args[0].StartsWith("train_", StringComparison.Ordinal) ? [Step(network, input), Step(network, input)] : [Predict(network, input), Predict(network, input)];
        for (int i = 0; i < 2; i++) Median(threads[i], runs[i]); // compiles, packs, fills the pool
        var ratios = new List<double>();
        for (int round = 0; round < rounds; round++)
        {
            double one = Median(1, runs[0]), all = Median(most, runs[1]);
            ratios.Add(one / all);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"1 thread {one,9:F2} ms   {most} threads {all,9:F2} ms   {one / all:F2}"));
        }
        ratios.Sort();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"median of {rounds}: {(ratios[(rounds - 1) / 2] + ratios[rounds / 2]) / 2:F2}"));
        return 0;
    }

    /// <summary>A prediction by plans of its own: they are cut for the number of threads at their first run.</summary>
    private static Action Predict(OwnNetwork network, Tensor input)
    {
        Func<Tensor, Tensor[]> infer = OwnInference.Of(OwnInference.Modes[0], network, input);
        return () =>
        {
            using Autograd.NoGradScope quiet = Autograd.NoGrad();
            using MemoryScope scope = TensorMemory.Scope();
            infer(input);
        };
    }

    private static Action Step(OwnNetwork network, Tensor input)
    {
        network.Module.Train();
        byte[] labels = new byte[input.Shape[0] * input.Shape[1] * input.Shape[2]];
        new Random(1).NextBytes(labels);
        for (int i = 0; i < labels.Length; i++) labels[i] %= Classes;
        var optimizer = new Sgd([new ParameterGroup(network.Module.NamedParameters())]);
        return () =>
        {
            using RandomScope random = RandomScope.Begin(1, 0, 0);
            using (TensorMemory.Scope()) network.Loss(input, labels).Backward();
            optimizer.Step(1e-3);
            network.Module.ZeroGrad();
        };
    }

    private static double Median(int threads, Action run)
    {
        ThreadTeam.Threads = threads;
        var times = new List<double>();
        while (times.Count < 3 || times.Sum() < LeastMs)
        {
            long began = Stopwatch.GetTimestamp();
            run();
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }
        times.Sort();
        return (times[(times.Count - 1) / 2] + times[times.Count / 2]) / 2;
    }
}
