using System.Globalization;

namespace Delineate.Explain;

/// <summary>A rectangle of numbers, row by row.</summary>
public sealed record Matrix(int Height, int Width, IReadOnlyList<double> Values)
{
    public double this[int row, int column] => Values[(row * Width) + column];

    /// <summary>first, first + 1, … row by row.</summary>
    public static Matrix Counting(int height, int width, int first = 0) => new(height, width, [.. Enumerable.Range(first, height * width).Select(v => (double)v)]);

    /// <summary>The numbers as the ops take them.</summary>
    public float[] ToFloats() => [.. Values.Select(v => (float)v)];

    /// <summary>A number as explanations print it: whole ones whole, others to four digits, what is none as a dash.</summary>
    public static string Format(double value)
    {
        if (!double.IsFinite(value)) return double.IsNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
        if (value == Math.Floor(value) && Math.Abs(value) < 1e7) return Signed(value.ToString("0", CultureInfo.InvariantCulture));
        double rounded = double.Parse(value.ToString("E3", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return Signed(rounded.ToString(Math.Abs(rounded) is >= 1e-3 and < 1e7 ? "0.######" : "0.###E+0", CultureInfo.InvariantCulture));

        static string Signed(string text) => text is "-0" ? "0" : text.Replace('-', '−');
    }
}
