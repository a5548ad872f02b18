using Delineate.Explain;
using Delineate.Explain.Topics;

namespace Delineate.Tests.Explain;

/// <summary>Random convolutions to explain.</summary>
internal static class Geometry
{
    public static IEqualityComparer<double> Near { get; } = EqualityComparer<double>.Create((a, b) => Math.Abs(a - b) <= 1e-9 * Math.Max(1, Math.Abs(a)), _ => 0);

    public static WindowOptions Random(Random random)
    {
        Matrix Numbers(int most) => Of(random.Next(1, most + 1), random.Next(1, most + 1));
        Matrix Of(int height, int width) => new(height, width, [.. Enumerable.Range(0, height * width).Select(_ => (double)random.Next(-9, 10) / 2)]);
        int stride = random.Next(1, 4), dilation = random.Next(1, 4);
        return new WindowOptions
        {
            Input = Numbers(5),
            Kernel = Numbers(4),
            Stride = stride,
            Padding = random.Next(0, 4),
            Dilation = dilation,
        };
    }

    /// <summary>The values of the grid of a name.</summary>
    public static double[] ValuesOf(this Explanation explained, string name) => [.. explained.Sheet.ValuesOf(explained.Sheet.Grids.Single(g => g.Name == name)).Values];
}
