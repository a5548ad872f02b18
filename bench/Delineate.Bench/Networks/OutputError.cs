using System.Runtime.InteropServices;

namespace Delineate.Bench.Networks;

/// <summary>How far outputs lie from expected ones: the largest difference over the largest value, and the same of root mean squares.</summary>
internal readonly record struct OutputError(double Max, double Rms)
{
    /// <summary>Compares prefix0.f32, prefix1.f32, … with as many expected outputs, one by one.</summary>
    /// <exception cref="InvalidOperationException">A value is not finite, so nothing wrote it, or the counts differ.</exception>
    public static OutputError[] Of(string prefix, IReadOnlyList<double[]> expected, string engine)
    {
        var errors = new OutputError[expected.Count];
        for (int i = 0; i < expected.Count; i++)
        {
            ReadOnlySpan<float> actual = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes($"{prefix}{i}.f32"));
            double[] wanted = expected[i];
            if (actual.Length != wanted.Length) throw new InvalidOperationException($"{engine}: output {i} has {actual.Length} values, not {wanted.Length}");
            double largest = 0, difference = 0, squares = 0, differenceSquares = 0;
            for (int k = 0; k < wanted.Length; k++)
            {
                if (!float.IsFinite(actual[k])) throw new InvalidOperationException($"{engine}: value {k} of output {i} is {actual[k]}: the timed run did not write it");
                double d = Math.Abs(actual[k] - wanted[k]);
                (largest, difference) = (Math.Max(largest, Math.Abs(wanted[k])), Math.Max(difference, d));
                (squares, differenceSquares) = (squares + (wanted[k] * wanted[k]), differenceSquares + (d * d));
            }
            errors[i] = new OutputError(difference / largest, Math.Sqrt(differenceSquares / squares));
        }
        return errors;
    }

    public static OutputError Worst(IEnumerable<OutputError> errors) => errors.Aggregate((a, b) => new OutputError(Math.Max(a.Max, b.Max), Math.Max(a.Rms, b.Rms)));

    /// <summary>Outputs that an engine saved, to compare others with.</summary>
    public static double[][] ReadSingle(string prefix, int count) =>
        [.. Enumerable.Range(0, count).Select(i => Array.ConvertAll(MemoryMarshal.Cast<byte, float>(File.ReadAllBytes($"{prefix}{i}.f32")).ToArray(), v => (double)v))];

    /// <summary>The double-precision outputs of a workload.</summary>
    public static double[][] ReadExpected(string folder, int count) =>
        [.. Enumerable.Range(0, count).Select(i => MemoryMarshal.Cast<byte, double>(File.ReadAllBytes(Path.Combine(folder, $"expected{i}.f64"))).ToArray())];
}
