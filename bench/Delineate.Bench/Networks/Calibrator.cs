using Delineate.Tensors.Kernels;

namespace Delineate.Bench.Networks;

/// <summary>
/// Tells whether the machine is undisturbed: a loop of register-only multiply-adds on as many threads as the measurement has must reach what
/// it reached in the best moment so far, less a tolerance. The same rule holds for every engine.
/// </summary>
internal sealed class Calibrator(int threads, double tolerance)
{
    private static readonly TimeSpan Span = TimeSpan.FromMilliseconds(40);

    /// <summary>The best rate seen, GFLOP/s.</summary>
    public double Best { get; private set; } = PeakRate.Best(threads, measurements: 40);

    public double Measure()
    {
        double rate = PeakRate.Measure(threads, Span);
        Best = Math.Max(Best, rate);
        return rate;
    }

    public bool Accepts(double rate) => rate >= (1 - tolerance) * Best;
}
