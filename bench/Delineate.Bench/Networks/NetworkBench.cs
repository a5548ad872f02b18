using System.Text.Json.Nodes;

namespace Delineate.Bench.Networks;

/// <summary>What <see cref="NetworkBench"/> runs and how patiently.</summary>
internal sealed record NetworkBenchOptions
{
    public required IReadOnlyList<string> Workloads { get; init; }

    /// <summary>HEIGHTxWIDTH instead of each network's own; the single layers keep theirs.</summary>
    public string? Size { get; init; }

    public IReadOnlyList<int> Threads { get; init; } = [1, 2];

    public IReadOnlyList<string> Families { get; init; } = ["delineate", "pytorch", "onnxruntime"];

    /// <summary>The modes of <see cref="OwnInference"/> to measure; the first is the one that the others are compared with.</summary>
    public IReadOnlyList<string> OwnModes { get; init; } = [OwnInference.Modes[0]];

    /// <summary>How many measurements of each engine should count.</summary>
    public int Rounds { get; init; } = 5;

    /// <summary>How far below its best rate the calibrator may be before and after a measurement that counts.</summary>
    public double Tolerance { get; init; } = 0.05;

    /// <summary>How many times as many rounds are run at most to get them.</summary>
    public int Attempts { get; init; } = 4;

    /// <summary>Where weights, inputs and expected outputs are kept between runs.</summary>
    public required string Folder { get; init; }

    /// <summary>Where the figures go, after every workload; null: nowhere.</summary>
    public string? Json { get; init; }
}

/// <summary>
/// Whole networks in Delineate, PyTorch and ONNX Runtime, on the same weights and inputs, one after the other in every round, so that a slow
/// minute hits all of them. Every engine is a process that sleeps while another runs. A measurement counts where the calibrator ran undisturbed
/// before and after it. Outputs are poisoned with NaN before each run and compared with a double-precision run.
/// </summary>
internal static class NetworkBench
{
    private const double MeasurementMs = 400; // each measurement repeats the run for about so long
    private const int MostRuns = 10;
    private const double Patience = 5; // an engine that takes so many times as long as the quickest is measured once
    private const double CeilingSlack = 1.1;
    private static readonly TimeSpan EndOfSpinning = TimeSpan.FromMilliseconds(20); // in which an engine's idle threads go to sleep

    /// <summary>Runs everything and prints it. False where an engine failed or computed something else than the others; what went well is reported all the same.</summary>
    public static bool Run(NetworkBenchOptions options)
    {
        var results = new List<WorkloadResult>();
        bool isWell = true;
        foreach (string workload in options.Workloads)
        {
            bool isLayer = workload.StartsWith("conv_transpose", StringComparison.Ordinal);
            string? size = isLayer ? null : options.Size;
            string folder = Path.Combine(options.Folder, size is null ? workload : $"{workload}-{size}");
            Peer.Prepare(workload, folder, size);
            foreach (int threads in options.Threads)
            {
                try
                {
                    results.Add(Compare(workload, folder, threads, options));
                }
                catch (InvalidOperationException e)
                {
                    Console.Error.WriteLine($"{workload}, {threads} threads: {e.Message}");
                    isWell = false;
                    continue;
                }
                NetworkReport.Write(results[^1]);
                isWell &= results[^1].Engines.All(results[^1].IsRight);
                if (options.Json is { } file) File.WriteAllText(file, NetworkReport.ToJson(results, options).ToJsonString(NetworkReport.Indented) + "\n");
            }
        }
        NetworkReport.WriteSummary(results);
        return isWell;
    }

    private static WorkloadResult Compare(string workload, string folder, int threads, NetworkBenchOptions options)
    {
        JsonNode work = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "work.json")))!;
        bool trains = (bool)work["trains"]!;
        int outputs = work["outputs"]!.AsArray().Count;
        var calibrator = new Calibrator(threads, options.Tolerance);
        var peers = new List<Peer>();
        try
        {
            foreach (Engine engine in Engines(options, trains, isExported: File.Exists(Path.Combine(folder, "model.onnx")))) peers.Add(Peer.Start(engine, workload, folder, threads));
            EngineResult[] engines = [.. peers.Select(p => new EngineResult { Engine = p.Engine, Version = p.Version, Measurements = [] })];
            string size = string.Join('×', work["input"]!.AsArray().Select(n => (int)n!));
            var result = new WorkloadResult(workload, trains, size, threads, (double)work["flops"]!, (double)work["fewest_flops"]!, calibrator, engines);

            // The first run compiles, chooses kernels and takes memory; the second says how long one takes.
            double[] pace = [.. peers.Select(p => p.Run(1).Ms[0])];
            for (int i = 0; i < peers.Count; i++)
            {
                if (pace[i] < Patience * MeasurementMs) pace[i] = peers[i].Run(1).Ms[0];
            }
            Console.Error.WriteLine($"{workload}, {threads} thread{(threads == 1 ? "" : "s")}: warm-up took {string.Join(", ", peers.Select((p, i) => $"{p.Engine.Name} {pace[i]:F0} ms"))}");
            foreach (Peer peer in peers) peer.BeginRunning();
            for (int round = 0; round < options.Rounds * options.Attempts; round++)
            {
                bool isDone = true;
                for (int turn = 0; turn < peers.Count; turn++)
                {
                    int i = (round + turn) % peers.Count; // nobody always follows the same neighbour
                    if (engines[i].Accepted(calibrator).Count >= (pace[i] > Patience * pace.Min() ? 1 : options.Rounds)) continue;
                    isDone = false;
                    Measurement measurement = Measure(peers, i, round, pace[i], calibrator);
                    engines[i].Measurements.Add(measurement);
                    Check(result, engines[i].Engine, measurement);
                }
                if (isDone) break;
                Console.Error.WriteLine($"round {round + 1}: {string.Join(", ", engines.Select(e => $"{e.Engine.Name} {e.Accepted(calibrator).Count}/{e.Measurements.Count}"))}");
            }
            CompareOutputs(folder, outputs, peers, engines);
            return result;
        }
        finally
        {
            foreach (Peer peer in peers) peer.Dispose();
        }
    }

    private static IEnumerable<Engine> Engines(NetworkBenchOptions options, bool trains, bool isExported)
    {
        foreach (string family in options.Families)
        {
            string[] modes = family switch
            {
                "delineate" => trains ? [.. options.OwnModes.Select(OwnInference.Training).Distinct()] : [.. options.OwnModes],
                "pytorch" => trains ? ["eager", "channels_last"] : ["eager", "channels_last", "jit"],
                _ => isExported ? ["all optimizations"] : [],
            };
            foreach (string mode in modes) yield return new Engine(family, mode);
        }
    }

    private static Measurement Measure(List<Peer> peers, int which, int round, double pace, Calibrator calibrator)
    {
        Peer peer = peers[which];
        TimeSpan Others() => peers.Where(p => p != peer).Aggregate(TimeSpan.Zero, (sum, p) => sum + p.ProcessorTime);
        if (pace < MeasurementMs) peer.Run(1); // its data left the caches while others ran
        double before = calibrator.Measure();
        TimeSpan others = Others();
        (double[] ms, double[] cpuMs) = peer.Run(Math.Clamp((int)(MeasurementMs / pace), 1, MostRuns));
        others = Others() - others;
        Thread.Sleep(EndOfSpinning);
        return new Measurement { Round = round, Ms = ms, CpuMs = cpuMs, Before = before, After = calibrator.Measure(), OthersMs = others.TotalMilliseconds };
    }

    /// <summary>A rate that the hardware cannot reach means that the time or the work is wrong.</summary>
    private static void Check(WorkloadResult result, Engine engine, Measurement measurement)
    {
        double rate = result.FewestFlops / measurement.Ms.Min() / 1e6;
        if (rate > CeilingSlack * result.Calibrator.Best)
            throw new InvalidOperationException($"{engine.Name} did {result.Workload} at {rate:F0} GFLOP/s by the fewest operations known; {result.Threads} threads reach {result.Calibrator.Best:F0}");
    }

    private static void CompareOutputs(string folder, int count, List<Peer> peers, EngineResult[] engines)
    {
        double[][] expected = OutputError.ReadExpected(folder, count);
        double[][]? pytorch = null;
        for (int i = 0; i < peers.Count; i++)
        {
            (engines[i].PeakMegabytes, engines[i].RunningMegabytes) = (peers[i].PeakMegabytes, peers[i].RunningMegabytes); // before the outputs are copied for writing
            engines[i].ManagedKilobytes = peers[i].ManagedKilobytes;
        }
        foreach (int i in Enumerable.Range(0, peers.Count).OrderBy(i => peers[i].Engine.Family != "pytorch"))
        {
            string prefix = Path.Combine(folder, $"actual-{i}-");
            peers[i].Save(prefix);
            if (peers[i].Engine.Family == "pytorch") pytorch ??= OutputError.ReadSingle(prefix, count);
            engines[i].Errors = OutputError.Of(prefix, expected, peers[i].Engine.Name);
            engines[i].AgainstPyTorch = pytorch is null ? null : OutputError.Worst(OutputError.Of(prefix, pytorch, peers[i].Engine.Name));
            for (int k = 0; k < count; k++) File.Delete($"{prefix}{k}.f32");
        }
    }
}
