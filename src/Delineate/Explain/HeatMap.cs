using Delineate.Imaging;

namespace Delineate.Explain;

/// <summary>Numbers as a picture, for grids with too many to print.</summary>
internal static class HeatMap
{
    // Dark blue over green to yellow, in steps that look alike: low to high.
    private static readonly Rgb[] Ramp = [new(40, 20, 90), new(45, 85, 140), new(32, 145, 140), new(95, 200, 100), new(253, 231, 37)];

    /// <summary>One pixel for a number; the least is dark, the largest light. Numbers that are none are grey.</summary>
    public static Image Of(Matrix matrix)
    {
        double[] finite = [.. matrix.Values.Where(double.IsFinite)];
        (double least, double most) = finite.Length == 0 ? (0, 0) : (finite.Min(), finite.Max());
        byte[] pixels = new byte[matrix.Values.Count * 3];
        for (int i = 0; i < matrix.Values.Count; i++)
        {
            Rgb color = double.IsFinite(matrix.Values[i]) ? At(most > least ? (matrix.Values[i] - least) / (most - least) : 0.5) : new Rgb(128, 128, 128);
            (pixels[3 * i], pixels[(3 * i) + 1], pixels[(3 * i) + 2]) = (color.R, color.G, color.B);
        }
        return new Image(matrix.Height, matrix.Width, pixels);
    }

    /// <summary>How many screen pixels a number gets, so that the picture is neither a stamp nor a wall.</summary>
    public static int Scale(int height, int width) => Math.Clamp(360 / Math.Max(height, width), 1, 24);

    private static Rgb At(double share)
    {
        double place = share * (Ramp.Length - 1);
        int i = Math.Min((int)place, Ramp.Length - 2);
        double rest = place - i;
        return new Rgb(Mix(Ramp[i].R, Ramp[i + 1].R), Mix(Ramp[i].G, Ramp[i + 1].G), Mix(Ramp[i].B, Ramp[i + 1].B));

        byte Mix(byte a, byte b) => (byte)Math.Round(a + ((b - a) * rest));
    }
}
