namespace Delineate.Tensors.Kernels;

/// <summary>
/// Linear interpolation along one axis: output o is (1 − <see cref="Weight"/>[o]) · input <see cref="Low"/>[o] + Weight[o] · input
/// <see cref="High"/>[o], and input i is read by the outputs <see cref="FirstReading"/>[i] … <see cref="EndReading"/>[i] − 1. The places are
/// computed in float, as the reference implementation does, so that both round alike.
/// </summary>
internal sealed class AxisResize
{
    private readonly float[][] shares;

    public AxisResize(int inputs, int outputs, bool alignCorners, float? scale)
    {
        (Low, High, Weight) = (new int[outputs], new int[outputs], new float[outputs]);
        (FirstReading, EndReading) = (new int[inputs], new int[inputs]);
        float step = alignCorners ? (outputs > 1 ? (float)(inputs - 1) / (outputs - 1) : 0) : Step(inputs, outputs, scale);
        for (int o = 0; o < outputs; o++)
        {
            float place = inputs == outputs ? o : alignCorners ? step * o : Math.Max(0, (step * (o + 0.5f)) - 0.5f);
            Low[o] = Math.Min((int)place, inputs - 1);
            High[o] = Math.Min(Low[o] + 1, inputs - 1);
            Weight[o] = Math.Clamp(place - Low[o], 0, 1);
        }
        int first = 0, end = 0;
        for (int i = 0; i < inputs; i++)
        {
            while (first < outputs && High[first] < i) first++;
            while (end < outputs && Low[end] <= i) end++;
            (FirstReading[i], EndReading[i]) = (first, Math.Max(first, end));
        }
        shares = new float[inputs][];
        for (int i = 0; i < inputs; i++)
        {
            shares[i] = new float[EndReading[i] - FirstReading[i]];
            for (int k = 0; k < shares[i].Length; k++) shares[i][k] = Share(FirstReading[i] + k, i);
        }
    }

    public int[] Low { get; }

    public int[] High { get; }

    /// <summary>The share of <see cref="High"/>.</summary>
    public float[] Weight { get; }

    public int[] FirstReading { get; }

    public int[] EndReading { get; }

    public int Inputs => FirstReading.Length;

    public int Outputs => Low.Length;

    /// <summary>How many inputs one output spans; a scale factor that was asked for counts, not the sizes it rounds to.</summary>
    public static float Step(int inputs, int outputs, float? scale) => scale is { } factor ? (float)(1.0 / factor) : (float)inputs / outputs;

    /// <summary>The shares of input i in the outputs that read it.</summary>
    public ReadOnlySpan<float> Shares(int i) => shares[i];

    /// <summary>The share of input i in output o.</summary>
    public float Share(int o, int i) => (Low[o] == i ? 1 - Weight[o] : 0) + (High[o] == i ? Weight[o] : 0);
}
