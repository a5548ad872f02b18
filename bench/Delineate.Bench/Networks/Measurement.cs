namespace Delineate.Bench.Networks;

/// <summary>Some runs of one engine between two calibrations.</summary>
internal sealed record Measurement
{
    public required int Round { get; init; }

    /// <summary>Milliseconds by the clock of each run.</summary>
    public required double[] Ms { get; init; }

    /// <summary>Milliseconds of processor time of each run, all threads together.</summary>
    public required double[] CpuMs { get; init; }

    /// <summary>The calibrator's rate before and after, GFLOP/s.</summary>
    public required double Before { get; init; }

    public required double After { get; init; }

    /// <summary>Milliseconds of processor time that the other engines' processes took meanwhile: they ought to sleep.</summary>
    public required double OthersMs { get; init; }

    public double Calibration => Math.Min(Before, After);
}

/// <summary>One engine on one workload and number of threads: all its measurements and what came out.</summary>
internal sealed record EngineResult
{
    private const double MostOthersShare = 0.02; // of a measurement's time; the clock ticks in 10 ms

    public required Engine Engine { get; init; }

    public required string Version { get; init; }

    public required List<Measurement> Measurements { get; init; }

    /// <summary>The error of each output against a run in double precision.</summary>
    public IReadOnlyList<OutputError> Errors { get; set; } = [];

    public OutputError WorstError => OutputError.Worst(Errors);

    /// <summary>The worst against the first of PyTorch's modes, where it ran.</summary>
    public OutputError? AgainstPyTorch { get; set; }

    /// <summary>The most memory that the process held, loading and warm-up included.</summary>
    public long PeakMegabytes { get; set; }

    /// <summary>The most that it held in the measurements.</summary>
    public long RunningMegabytes { get; set; }

    public double? ManagedKilobytes { get; set; }

    /// <summary>The measurements that count: taken on an undisturbed machine.</summary>
    public IReadOnlyList<Measurement> Accepted(Calibrator calibrator) => [.. Measurements.Where(m => Counts(m, calibrator))];

    /// <summary>Whether the machine was undisturbed before and after, and the other engines slept.</summary>
    public static bool Counts(Measurement m, Calibrator calibrator) =>
        calibrator.Accepts(m.Calibration) && m.OthersMs <= Math.Max(20, MostOthersShare * m.Ms.Sum());

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}

/// <summary>A workload on a number of threads, all engines.</summary>
/// <param name="Flops">Operations of one run's convolutions, counted as direct sums.</param>
/// <param name="FewestFlops">The fewest that any known algorithm needs.</param>
internal sealed record WorkloadResult(
    string Workload, bool Trains, string Size, int Threads, double Flops, double FewestFlops, Calibrator Calibrator, IReadOnlyList<EngineResult> Engines)
{
    // Of the largest output; beyond it an engine did other work than the rest. In training one ReLU or maximum that rounding decides the other way
    // changes the gradients before it by some 1e-3, in every engine. Of two boxes that rounding orders the other way a detector keeps another one.
    private double MostError => Trains ? 0.05 : Workload.Contains("rcnn", StringComparison.Ordinal) ? 0.01 : 1e-3;

    public bool IsRight(EngineResult engine) => engine.WorstError.Max <= MostError;

    /// <summary>The median time of an engine's runs in undisturbed measurements; NaN where there is none.</summary>
    public double MedianMs(EngineResult engine) => EngineResult.Median(engine.Accepted(Calibrator).SelectMany(m => m.Ms));

    /// <summary>Delineate's median time, in the first of its modes.</summary>
    public double OursMs => Engines.FirstOrDefault(e => e.Engine.Family == "delineate") is { } ours ? MedianMs(ours) : double.NaN;

    /// <summary>How many times as long as Delineate the quickest mode of another family took; NaN where either has no measurement.</summary>
    public double Against(string family) =>
        Engines.Where(e => e.Engine.Family == family).Select(MedianMs).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Min() / OursMs;
}
