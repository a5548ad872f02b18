using Xunit;

namespace Delineate.Imaging.Tests;

public class ChromaUpsamplingTests
{
    private const int Start = 64;

    public static TheoryData<int> Widths() => [.. Enumerable.Range(1, 70)];

    [Theory]
    [MemberData(nameof(Widths))]
    public void Doubled_rows_are_the_triangle_filter(int width)
    {
        // Two rows, 200 bytes apart, with their ends repeated outside as the decoder does.
        byte[] samples = new byte[400];
        new Random(width).NextBytes(samples);
        foreach (int row in new[] { Start, Start + 200 }) (samples[row - 1], samples[row + width]) = (samples[row], samples[row + width - 1]);
        byte[] target = new byte[(2 * width) + 64];

        ChromaUpsampling.DoubleWidth(samples, Start, width, target);
        for (int x = 0; x < 2 * width; x++) Assert.Equal(Across(i => samples[Start + i], x, x % 2 == 0 ? 1 : 2, 2), target[x]);

        ChromaUpsampling.DoubleBoth(samples, Start, Start + 200, width, target);
        for (int x = 0; x < 2 * width; x++)
            Assert.Equal(Across(i => (3 * samples[Start + i]) + samples[Start + 200 + i], x, x % 2 == 0 ? 8 : 7, 4), target[x]);

        ChromaUpsampling.DoubleHeight(samples, Start, Start + 200, width, 2, target);
        for (int x = 0; x < width; x++) Assert.Equal(((3 * samples[Start + x]) + samples[Start + 200 + x] + 2) >> 2, target[x]);
    }

    [Theory]
    [InlineData(1, 4)]
    [InlineData(1, 3)]
    [InlineData(2, 3)]
    [InlineData(3, 4)]
    [InlineData(2, 2)]
    public void Other_factors_repeat_samples(int h, int maxH)
    {
        byte[] samples = [.. Enumerable.Range(0, 128).Select(i => (byte)i)];
        byte[] target = new byte[60];
        ChromaUpsampling.Repeat(samples, Start, 60, h, maxH, target);
        for (int x = 0; x < 60; x++) Assert.Equal(Start + (x * h / maxH), target[x]);
    }

    private static int Across(Func<int, int> sample, int x, int rounding, int shift) =>
        ((3 * sample(x / 2)) + sample(x % 2 == 0 ? (x / 2) - 1 : (x / 2) + 1) + rounding) >> shift;
}
