using System.Diagnostics;
using System.Globalization;
using Delineate.Data;
using Delineate.Metrics;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;

namespace Delineate.Bench;

/// <summary>
/// COCO's evaluation at the size of its validation set: 5 000 images of 480×640, 36 000 truths of 80 classes, a hundred detections an image, half of them near a truth.
/// Arguments: the number of threads. Outlines are stars of up to 40 corners, run-length coded before the clock starts.
/// </summary>
internal static class CocoBench
{
    private const int Images = 5000, Truths = 36_000, Detections = 100, Classes = 80, Rounds = 5;
    private static readonly Size2d Size = new(480, 640);

    public static int Run(string[] args)
    {
        if (args.Length > 0) ThreadTeam.Threads = int.Parse(args[0], CultureInfo.InvariantCulture);
        var classes = new ClassTable(Enumerable.Range(0, Classes).Select(i => $"class {i}"));
        var images = new (IReadOnlyList<Instance> Truths, IReadOnlyList<Instance> Detections)[Images];
        ThreadTeam.Run(Images, n => images[n] = Image(n));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Images:N0} images, {images.Sum(i => i.Truths.Count):N0} truths, {images.Sum(i => i.Detections.Count):N0} detections, {ThreadTeam.Threads} threads, medians of {Rounds}"));
        foreach (InstanceSimilarity similarity in (InstanceSimilarity[])[InstanceSimilarity.Boxes, InstanceSimilarity.Masks])
        {
            var (match, sum) = (new List<double>(), new List<double>());
            double? ap = null;
            for (int round = 0; round < Rounds; round++)
            {
                long began = Stopwatch.GetTimestamp();
                var evaluation = new CocoEvaluation(classes, CocoEvaluationOptions.For(similarity));
                evaluation.AddRange(images);
                match.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
                began = Stopwatch.GetTimestamp();
                ap = evaluation.Scores().Ap;
                sum.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            }
            match.Sort();
            sum.Sort();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{similarity,-6} matching {match[Rounds / 2],7:F0} ms   curves {sum[Rounds / 2],7:F0} ms   together {(match[Rounds / 2] + sum[Rounds / 2]) / 1000:F2} s   AP {ap:F4}"));
        }
        return 0;
    }

    private static (IReadOnlyList<Instance>, IReadOnlyList<Instance>) Image(int n)
    {
        var random = new Random(n);
        int wanted = (int)(((long)Truths * (n + 1) / Images) - ((long)Truths * n / Images));
        Star[] stars = [.. Enumerable.Range(0, wanted).Select(_ => Star.Draw(random))];
        Instance[] truths = [.. stars.Select(s => s.ToInstance(0))];
        Instance[] found = [.. Enumerable.Range(0, Detections).Select(i => (i % 2 == 0 ? stars[random.Next(wanted)].Near(random) : Star.Draw(random)).ToInstance(random.NextSingle()))];
        return (truths, found);
    }

    private sealed record Star(int Label, double X, double Y, double Radius, double[] Lengths)
    {
        public static Star Draw(Random random) => new(
            random.Next(Classes), random.NextDouble() * Size.Width, random.NextDouble() * Size.Height, Math.Exp(random.NextDouble() * 3) * 8,
            [.. Enumerable.Range(0, random.Next(6, 41)).Select(_ => 0.5 + (random.NextDouble() * 0.5))]);

        public Star Near(Random random) => this with { X = X + (Radius * 0.3 * (random.NextDouble() - 0.5)), Y = Y + (Radius * 0.3 * (random.NextDouble() - 0.5)), Radius = Radius * (0.85 + (0.3 * random.NextDouble())) };

        public Instance ToInstance(float score)
        {
            var polygon = new double[2 * Lengths.Length];
            for (int i = 0; i < Lengths.Length; i++)
            {
                (double sine, double cosine) = Math.SinCos(2 * Math.PI * i / Lengths.Length);
                polygon[2 * i] = Math.Clamp(X + (Radius * Lengths[i] * cosine), 0, Size.Width);
                polygon[(2 * i) + 1] = Math.Clamp(Y + (Radius * Lengths[i] * sine), 0, Size.Height);
            }
            Rle mask = Rle.FromPolygons([polygon], Size.Height, Size.Width);
            return new Instance { Label = Label, Box = mask.Box, Mask = mask, Score = score };
        }
    }
}
