using System.Diagnostics;
using System.Globalization;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;

namespace Delineate.Bench;

/// <summary>
/// What sharing the computation gains (Long et al. 2015, section 3): the network of <c>sliding_window</c> with the same random weights as a classifier of every
/// patch and fully convolutionally, for a score at every pixel and for one at every 16th. Arguments: the image's size, the number of threads.
/// </summary>
internal static class SlidingBench
{
    private const int Classes = 21;
    private const double LeastMs = 3000; // what is quicker is repeated for so long, and the median counts
    private const double Tolerance = 1e-4;

    public static int Run(string[] args)
    {
        Size2d image = args.Length > 0 ? Parse(args[0]) : new Size2d(240, 320);
        if (args.Length > 1) ThreadTeam.Threads = int.Parse(args[1], CultureInfo.InvariantCulture);
        var classifier = new PatchClassifier(new Philox(1), new PatchClassifierOptions { NumClasses = Classes });
        classifier.Train(false);
        Console.WriteLine(Invariant($"image {image}, patches of {classifier.Options.PatchSize}, {Classes} classes, {ThreadTeam.Threads} threads"));
        Console.WriteLine("scores at     form               ms an image   processor ms   multiply-adds   GFLOP/s   peak after   runs");
        return new[] { 1, classifier.Stride }.Max(step => Compare(classifier, image, step)) <= Tolerance ? 0 : 1;
    }

    /// <summary>Both forms for a score at every <paramref name="step"/>-th pixel; returns their largest difference, relative to the largest score.</summary>
    private static double Compare(PatchClassifier classifier, Size2d image, int step)
    {
        int patch = classifier.Options.PatchSize;
        (int rows, int columns) = ((image.Height + step - 1) / step, (image.Width + step - 1) / step);
        Func<Tensor, Tensor> forward = step == 1 ? x => classifier.Dense(x) : classifier.Forward;
        // Patches that begin step pixels apart, and no pixel beyond them.
        Tensor framed = OpBench.Noise([1, ((rows - 1) * step) + patch, ((columns - 1) * step) + patch, 3]);
        PatchCorner[] corners = [.. Enumerable.Range(0, rows * columns).Select(i => new PatchCorner(0, i / columns * step, i % columns * step))];
        long each = Summary.Of(Graph.Trace(classifier, [1, patch, patch, 3])).MultiplyAdds, once = Summary.Of(Graph.Trace(classifier, forward, framed.Shape)).MultiplyAdds;
        PlanCache one = new(classifier, classifier.Forward), shared = new(classifier, forward);
        float[] scores = new float[corners.Length * Classes], together = new float[scores.Length];

        Classify(one, framed, corners.AsSpan(0, Math.Min(corners.Length, SlidingWindowModel.PatchesAtOnce)), patch, scores); // compiles and packs
        shared.Run(framed);
        string pixels = step == 1 ? "every pixel" : $"every {step}th";
        (double slow, double slowWork) = Measure(pixels, "patch by patch", each * corners.Length, () => Classify(one, framed, corners, patch, scores));
        (double quick, double quickWork) = Measure(pixels, step == 1 ? "dilated network" : "strided network", once, () => shared.Run(framed).Span.CopyTo(together));
        double largest = scores.Max(Math.Abs), difference = 0;
        for (int i = 0; i < scores.Length; i++) difference = Math.Max(difference, Math.Abs(scores[i] - together[i]));
        Console.WriteLine(Invariant($"{pixels,-13} {slow / quick:F1} times the time, {slowWork / quickWork:F1} times the processor's, {(double)each * corners.Length / once:F1} times the multiply-adds; the scores differ by {difference / largest:E1} of the largest"));
        return difference / largest;
    }

    /// <summary>Scores patches one batch after the other, as <see cref="SlidingWindowModel"/> does.</summary>
    private static void Classify(PlanCache plans, Tensor framed, ReadOnlySpan<PatchCorner> corners, int patch, float[] scores)
    {
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        for (int first = 0; first < corners.Length; first += SlidingWindowModel.PatchesAtOnce)
        {
            using MemoryScope scope = TensorMemory.Scope();
            ReadOnlySpan<PatchCorner> some = corners[first..Math.Min(first + SlidingWindowModel.PatchesAtOnce, corners.Length)];
            plans.Run(framed.Patches(some, patch)).Span.CopyTo(scores.AsSpan(first * Classes));
        }
    }

    /// <summary>
    /// Prints and returns the median time of a form and its mean processor time, all threads together, in milliseconds. On an undisturbed machine the second is
    /// the first times the threads that had work; where others take turns on the processors it says more.
    /// </summary>
    private static (double Ms, double ProcessorMs) Measure(string pixels, string form, long multiplyAdds, Action run)
    {
        using var process = Process.GetCurrentProcess();
        var times = new List<double>();
        TimeSpan before = process.TotalProcessorTime;
        while (times.Sum() < LeastMs)
        {
            using MemoryScope scope = TensorMemory.Scope();
            long began = Stopwatch.GetTimestamp();
            run();
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }
        process.Refresh();
        double work = (process.TotalProcessorTime - before).TotalMilliseconds / times.Count;
        times.Sort();
        double ms = (times[(times.Count - 1) / 2] + times[times.Count / 2]) / 2;
        Console.WriteLine(Invariant(
            $"{pixels,-13} {form,-17} {ms,12:F1}   {work,12:F1}   {multiplyAdds / 1e9,11:F2} G   {2 * multiplyAdds / ms / 1e6,7:F0}   {PeakRate.Best(ThreadTeam.Threads),10:F0}   {times.Count,4}"));
        return (ms, work);
    }

    private static Size2d Parse(string text) => text.Split('x') is [var height, var width]
        ? new Size2d(int.Parse(height, CultureInfo.InvariantCulture), int.Parse(width, CultureInfo.InvariantCulture))
        : throw new ArgumentException($"a size is HxW, not {text}");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
