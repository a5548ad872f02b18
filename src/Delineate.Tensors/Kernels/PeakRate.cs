using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Delineate.Tensors.Kernels;

/// <summary>
/// What the machine could do at best: multiply-adds on values that never leave the registers. The ceiling that rates of kernels are held
/// against, and a gauge of how much of the machine other programs take at the moment.
/// </summary>
public static class PeakRate
{
    private const int Rounds = 20_000; // between two looks at the clock: some 30 µs
    private const int Chains = 12; // independent sums: more than the multiply-adds in flight of any core so far

    /// <summary>Operations per second in thousands of millions (2 for a multiply-add), of so many threads together, during <paramref name="time"/>.</summary>
    public static double Measure(int threads, TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        var rates = new double[threads];
        using var start = new Barrier(threads);
        Thread[] helpers = [.. Enumerable.Range(1, threads - 1).Select(i => new Thread(() => rates[i] = Rate(start, time)) { IsBackground = true })];
        foreach (Thread helper in helpers) helper.Start();
        rates[0] = Rate(start, time);
        foreach (Thread helper in helpers) helper.Join();
        return rates.Sum();
    }

    /// <summary>The best of several measurements: other programs can only lower one.</summary>
    public static double Best(int threads, int measurements = 8) =>
        Enumerable.Range(0, measurements).Max(_ => Measure(threads, TimeSpan.FromMilliseconds(25)));

    private static double Rate(Barrier start, TimeSpan time)
    {
        float kept = Run(1); // compiled before the clock runs
        start.SignalAndWait();
        long began = Stopwatch.GetTimestamp(), blocks = 0;
        TimeSpan elapsed;
        do
        {
            kept += Run(Rounds);
            blocks++;
            elapsed = Stopwatch.GetElapsedTime(began);
        }
        while (elapsed < time);
        double operations = 2.0 * Chains * Lanes * Rounds * blocks;
        return (operations / elapsed.TotalSeconds / 1e9) + (kept == 1 ? 1 : 0); // kept, so that nothing is optimised away; it is never 1
    }

    private static int Lanes => Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4;

    private static float Run(int rounds) =>
        Vector512.IsHardwareAccelerated ? Run512(rounds) : Vector256.IsHardwareAccelerated ? Run256(rounds) : Run128(rounds);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Run512(int rounds)
    {
        Vector512<float> x = Vector512.Create(0.5f), a = x + x, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
        for (; rounds > 0; rounds--)
        {
            a = Vector512.MultiplyAddEstimate(x, x, a);
            b = Vector512.MultiplyAddEstimate(x, x, b);
            c = Vector512.MultiplyAddEstimate(x, x, c);
            d = Vector512.MultiplyAddEstimate(x, x, d);
            e = Vector512.MultiplyAddEstimate(x, x, e);
            f = Vector512.MultiplyAddEstimate(x, x, f);
            g = Vector512.MultiplyAddEstimate(x, x, g);
            h = Vector512.MultiplyAddEstimate(x, x, h);
            i = Vector512.MultiplyAddEstimate(x, x, i);
            j = Vector512.MultiplyAddEstimate(x, x, j);
            k = Vector512.MultiplyAddEstimate(x, x, k);
            l = Vector512.MultiplyAddEstimate(x, x, l);
        }
        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Run256(int rounds)
    {
        Vector256<float> x = Vector256.Create(0.5f), a = x + x, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
        for (; rounds > 0; rounds--)
        {
            a = Vector256.MultiplyAddEstimate(x, x, a);
            b = Vector256.MultiplyAddEstimate(x, x, b);
            c = Vector256.MultiplyAddEstimate(x, x, c);
            d = Vector256.MultiplyAddEstimate(x, x, d);
            e = Vector256.MultiplyAddEstimate(x, x, e);
            f = Vector256.MultiplyAddEstimate(x, x, f);
            g = Vector256.MultiplyAddEstimate(x, x, g);
            h = Vector256.MultiplyAddEstimate(x, x, h);
            i = Vector256.MultiplyAddEstimate(x, x, i);
            j = Vector256.MultiplyAddEstimate(x, x, j);
            k = Vector256.MultiplyAddEstimate(x, x, k);
            l = Vector256.MultiplyAddEstimate(x, x, l);
        }
        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Run128(int rounds)
    {
        Vector128<float> x = Vector128.Create(0.5f), a = x + x, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
        for (; rounds > 0; rounds--)
        {
            a = Vector128.MultiplyAddEstimate(x, x, a);
            b = Vector128.MultiplyAddEstimate(x, x, b);
            c = Vector128.MultiplyAddEstimate(x, x, c);
            d = Vector128.MultiplyAddEstimate(x, x, d);
            e = Vector128.MultiplyAddEstimate(x, x, e);
            f = Vector128.MultiplyAddEstimate(x, x, f);
            g = Vector128.MultiplyAddEstimate(x, x, g);
            h = Vector128.MultiplyAddEstimate(x, x, h);
            i = Vector128.MultiplyAddEstimate(x, x, i);
            j = Vector128.MultiplyAddEstimate(x, x, j);
            k = Vector128.MultiplyAddEstimate(x, x, k);
            l = Vector128.MultiplyAddEstimate(x, x, l);
        }
        return Vector128.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
