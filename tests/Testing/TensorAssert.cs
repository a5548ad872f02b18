using Delineate.Tensors;
using Xunit;

namespace Delineate.Testing;

/// <summary>Comparisons of tensors with what they should be. Errors are relative to the largest expected value.</summary>
public static class TensorAssert
{
    /// <summary>Every value within <paramref name="relative"/> of the largest expected magnitude.</summary>
    public static void Close(ReadOnlySpan<double> expected, ReadOnlySpan<float> actual, double relative = 1e-5, string what = "values")
    {
        Assert.Equal(expected.Length, actual.Length);
        double scale = 1e-30;
        foreach (double e in expected) scale = Math.Max(scale, Math.Abs(e));
        for (int i = 0; i < expected.Length; i++)
        {
            // Not "> bound": a NaN must fail too.
            if (!(Math.Abs(actual[i] - expected[i]) <= relative * scale))
                Assert.Fail($"{what} differ at {i} of {expected.Length}: expected {expected[i]:G9}, got {actual[i]:G9}, largest expected {scale:G4}, allowed {relative:G2} of it");
        }
    }

    public static void Close(double[] expected, Tensor actual, double relative = 1e-5, string what = "values") => Close(expected, (ReadOnlySpan<float>)actual.Span, relative, what);

    public static void Close(Tensor expected, Tensor actual, double relative = 1e-5, string what = "values")
    {
        Assert.Equal(expected.Shape, actual.Shape);
        Close(Array.ConvertAll(expected.ToArray(), v => (double)v), actual, relative, what);
    }

    /// <summary>The same bits, NaNs included.</summary>
    public static void SameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what = "values")
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"{what} differ in their bits at {i} of {expected.Length}: {expected[i]:R} and {actual[i]:R}");
        }
    }

    /// <summary>The cosine of the angle between two vectors: how gradients through deep batch norm are compared.</summary>
    public static double Cosine(ReadOnlySpan<double> a, ReadOnlySpan<float> b)
    {
        double ab = 0, aa = 0, bb = 0;
        for (int i = 0; i < a.Length; i++) (ab, aa, bb) = (ab + (a[i] * b[i]), aa + (a[i] * a[i]), bb + ((double)b[i] * b[i]));
        return ab / Math.Max(1e-300, Math.Sqrt(aa * bb));
    }
}
