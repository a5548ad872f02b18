namespace Delineate.Imaging;

/// <summary>A fixed sequence of colours, each as far as can be from all before it, to normal eyes and to those that lack red or green cones.</summary>
/// <remarks>The first seven are Okabe and Ito's ("Color Universal Design", 2008). Distances are Euclidean in Oklab (Ottosson, 2020), the smallest
/// of the three kinds of sight; dichromats are simulated after Machado et al. (IEEE TVCG 15(6), 2009).</remarks>
internal static class DistinctColors
{
    private static readonly Rgb[] OkabeIto =
    [
        new(230, 159, 0), new(86, 180, 233), new(0, 158, 115), new(240, 228, 66), new(0, 114, 178), new(213, 94, 0), new(204, 121, 167),
    ];

    // Rows of the 3×3 matrices on linear RGB: full protanopia, full deuteranopia.
    private static readonly double[] Protanopia = [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998];
    private static readonly double[] Deuteranopia = [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881];

    private static readonly Lazy<Rgb[]> Sequence = new(Make);

    public static ReadOnlySpan<Rgb> Take(int count) => Sequence.Value.AsSpan(0, count);

    /// <summary>How different two colours look to the eye that tells them apart the least, in Oklab units (black to white is 1).</summary>
    public static double Distance(Rgb a, Rgb b) => new Seen(a).Distance(new Seen(b));

    private static Rgb[] Make()
    {
        Seen[] candidates = [.. Candidates()];
        var nearest = new double[candidates.Length];
        Array.Fill(nearest, double.MaxValue);
        var chosen = new Rgb[256];
        for (int n = 0; n < chosen.Length; n++)
        {
            chosen[n] = n < OkabeIto.Length ? OkabeIto[n] : candidates[Array.IndexOf(nearest, nearest.Max())].Color;
            var last = new Seen(chosen[n]);
            for (int i = 0; i < candidates.Length; i++) nearest[i] = Math.Min(nearest[i], last.Distance(candidates[i]));
        }
        return chosen;
    }

    /// <summary>A grid over the cube, without what would pass for shadow, glare or grey in a photo.</summary>
    private static IEnumerable<Seen> Candidates()
    {
        for (int rgb = 0; rgb < 16 * 16 * 16; rgb++)
        {
            var seen = new Seen(new Rgb((byte)((rgb >> 8) * 17), (byte)((rgb >> 4 & 15) * 17), (byte)((rgb & 15) * 17)));
            if (seen.Normal.L is > 0.42 and < 0.93 && seen.Normal.Chroma > 0.07) yield return seen;
        }
    }

    /// <summary>A colour as three kinds of eyes see it.</summary>
    private readonly struct Seen
    {
        private readonly Oklab withoutRed, withoutGreen;

        public Seen(Rgb color)
        {
            Color = color;
            double r = Rgb.Linear(color.R), g = Rgb.Linear(color.G), b = Rgb.Linear(color.B);
            (Normal, withoutRed, withoutGreen) = (Oklab.Of(r, g, b), Through(Protanopia, r, g, b), Through(Deuteranopia, r, g, b));
        }

        public Rgb Color { get; }

        public Oklab Normal { get; }

        public double Distance(in Seen other) =>
            Math.Min(Normal.Distance(other.Normal), Math.Min(withoutRed.Distance(other.withoutRed), withoutGreen.Distance(other.withoutGreen)));

        private static Oklab Through(double[] m, double r, double g, double b) => Oklab.Of(
            Math.Clamp((m[0] * r) + (m[1] * g) + (m[2] * b), 0, 1),
            Math.Clamp((m[3] * r) + (m[4] * g) + (m[5] * b), 0, 1),
            Math.Clamp((m[6] * r) + (m[7] * g) + (m[8] * b), 0, 1));
    }

    private readonly record struct Oklab(double L, double A, double B)
    {
        public double Chroma => Math.Sqrt((A * A) + (B * B));

        public static Oklab Of(double r, double g, double b)
        {
            double l = Math.Cbrt((0.4122214708 * r) + (0.5363325363 * g) + (0.0514459929 * b));
            double m = Math.Cbrt((0.2119034982 * r) + (0.6806995451 * g) + (0.1073969566 * b));
            double s = Math.Cbrt((0.0883024619 * r) + (0.2817188376 * g) + (0.6299787005 * b));
            return new Oklab(
                (0.2104542553 * l) + (0.7936177850 * m) - (0.0040720468 * s),
                (1.9779984951 * l) - (2.4285922050 * m) + (0.4505937099 * s),
                (0.0259040371 * l) + (0.7827717662 * m) - (0.8086757660 * s));
        }

        public double Distance(Oklab other) =>
            Math.Sqrt(((L - other.L) * (L - other.L)) + ((A - other.A) * (A - other.A)) + ((B - other.B) * (B - other.B)));
    }
}
