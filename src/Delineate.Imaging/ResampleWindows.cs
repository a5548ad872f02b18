namespace Delineate.Imaging;

/// <summary>For every output position along one side: which inputs it sums, and their weights in 22-bit fixed point, which add up to one.</summary>
internal sealed class ResampleWindows
{
    /// <summary>8 bits of sample and 2 bits of room for negative lobes leave 22 of an int's 32 for the fraction, as in PIL.</summary>
    public const int FractionBits = 32 - 8 - 2;

    private readonly int[] starts, counts, weights;
    private readonly int stride;

    public ResampleWindows(int length, int newLength, Interpolation interpolation)
    {
        double radius = interpolation switch
        {
            Interpolation.Bilinear => 1,
            Interpolation.Bicubic => 2,
            Interpolation.Lanczos => 3,
            _ => throw new ArgumentOutOfRangeException(nameof(interpolation), interpolation, "a filter is bilinear, bicubic or Lanczos"),
        };
        double scale = (double)length / newLength;
        double stretch = Math.Max(scale, 1), support = radius * stretch, narrowing = 1 / stretch;
        // At most 2⌈support⌉ + 1 weights; the zero after them lets a kernel take them two at a time.
        stride = ((int)Math.Ceiling(support) * 2) + 2;
        (starts, counts, weights) = (new int[newLength], new int[newLength], new int[checked(newLength * stride)]);
        var exact = new double[stride];
        for (int i = 0; i < newLength; i++)
        {
            double center = (i + 0.5) * scale, sum = 0;
            int start = Math.Max((int)(center - support + 0.5), 0);
            int count = Math.Min((int)(center + support + 0.5), length) - start;
            for (int k = 0; k < count; k++)
            {
                exact[k] = Weight((k + start - center + 0.5) * narrowing, interpolation);
                sum += exact[k];
            }
            for (int k = 0; k < count; k++)
            {
                double scaled = (sum == 0 ? exact[k] : exact[k] / sum) * (1 << FractionBits);
                weights[(i * stride) + k] = (int)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
            }
            (starts[i], counts[i]) = (start, count);
        }
    }

    public int Count => starts.Length;

    /// <summary>The weights of output <paramref name="i"/>, for the inputs from <paramref name="start"/> on. After an odd number of them lies a zero.</summary>
    public ReadOnlySpan<int> At(int i, out int start)
    {
        start = starts[i];
        return weights.AsSpan(i * stride, counts[i]);
    }

    private static double Weight(double x, Interpolation interpolation)
    {
        double a = Math.Abs(x);
        return interpolation switch
        {
            Interpolation.Bilinear => a < 1 ? 1 - a : 0,
            Interpolation.Bicubic => a < 1 ? (((1.5 * a) - 2.5) * a * a) + 1 : a < 2 ? ((((a - 5) * a) + 8) * a - 4) * -0.5 : 0,
            _ => x is >= -3 and < 3 ? Sinc(x) * Sinc(x / 3) : 0,
        };
    }

    private static double Sinc(double x) => x == 0 ? 1 : Math.Sin(x * Math.PI) / (x * Math.PI);
}
