using Xunit;

namespace Delineate.Imaging.Tests;

public class InverseDctTests
{
    [Fact]
    public void Blocks_are_the_inverse_cosine_transform_to_within_one_level()
    {
        var random = new Random(11);
        short[] coefficients = new short[64];
        int[] steps = new int[64];
        byte[] samples = new byte[8 * 24];
        for (int round = 0; round < 500; round++)
        {
            for (int i = 0; i < 64; i++)
            {
                coefficients[i] = (short)(random.Next(4) == 0 ? random.Next(-12, 13) : 0);
                steps[i] = 1 + random.Next(16);
            }
            InverseDct.Transform(ref coefficients[0], ref steps[0], ref samples[8], 24);
            for (int y = 0; y < 8; y++)
            {
                for (int x = 0; x < 8; x++) Assert.InRange(samples[8 + (y * 24) + x] - Reference(coefficients, steps, y, x), -1.0, 1.0);
            }
        }
    }

    [Fact]
    public void A_lone_mean_gives_what_the_whole_transform_gives()
    {
        short[] coefficients = new short[64];
        int[] steps = [.. Enumerable.Repeat(1, 64)];
        byte[] whole = new byte[64];
        byte[] mean = new byte[64];
        for (int value = -3000; value <= 3000; value++)
        {
            coefficients[0] = (short)value;
            InverseDct.Transform(ref coefficients[0], ref steps[0], ref whole[0], 8);
            InverseDct.TransformMean(value, ref mean[0], 8);
            Assert.Equal(whole, mean);
        }
    }

    private static double Reference(short[] coefficients, int[] steps, int y, int x)
    {
        double sum = 0;
        for (int v = 0; v < 8; v++)
        {
            for (int u = 0; u < 8; u++)
            {
                double scale = (u == 0 ? Math.Sqrt(0.5) : 1) * (v == 0 ? Math.Sqrt(0.5) : 1) / 4;
                double wave = Math.Cos(((2 * x) + 1) * u * Math.PI / 16) * Math.Cos(((2 * y) + 1) * v * Math.PI / 16);
                sum += scale * coefficients[(v * 8) + u] * steps[(v * 8) + u] * wave;
            }
        }
        return Math.Clamp(sum + 128, 0, 255);
    }
}
