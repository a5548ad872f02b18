namespace Delineate.Tensors.Kernels;

/// <summary>
/// Along one axis: the inputs <see cref="From"/>[o] … <see cref="To"/>[o] − 1 that output o averages with <see cref="Weight"/>[o] each, and
/// the outputs <see cref="FirstSeeing"/>[i] … <see cref="EndSeeing"/>[i] − 1 that see input i. Both ends of the windows never go back.
/// </summary>
internal sealed class AxisWindows
{
    private AxisWindows(int inputs, int outputs)
    {
        (From, To, Weight) = (new int[outputs], new int[outputs], new float[outputs]);
        (FirstSeeing, EndSeeing) = (new int[inputs], new int[inputs]);
    }

    public int[] From { get; }

    public int[] To { get; }

    public float[] Weight { get; }

    public int[] FirstSeeing { get; }

    public int[] EndSeeing { get; }

    /// <summary>Windows of a sliding kernel; padding counts in the mean or not.</summary>
    public static AxisWindows Sliding(int inputs, int outputs, int kernel, int stride, int padding, bool countPadding)
    {
        var axis = new AxisWindows(inputs, outputs);
        for (int o = 0; o < outputs; o++)
        {
            int start = (o * stride) - padding;
            int end = Math.Min(start + kernel, inputs + padding); // what reaches over the end in ceil mode never counts
            axis.From[o] = Math.Max(start, 0);
            axis.To[o] = Math.Min(end, inputs);
            axis.Weight[o] = 1f / (countPadding ? end - start : axis.To[o] - axis.From[o]);
        }
        return axis.Invert();
    }

    /// <summary>The parts ⌊o · I / O⌋ … ⌈(o + 1) · I / O⌉ − 1 that cover I inputs with O outputs.</summary>
    public static AxisWindows Adaptive(int inputs, int outputs)
    {
        var axis = new AxisWindows(inputs, outputs);
        for (int o = 0; o < outputs; o++)
        {
            axis.From[o] = (int)((long)o * inputs / outputs);
            axis.To[o] = (int)(((((long)o + 1) * inputs) + outputs - 1) / outputs);
            axis.Weight[o] = 1f / (axis.To[o] - axis.From[o]);
        }
        return axis.Invert();
    }

    /// <summary>One input for each output.</summary>
    public static AxisWindows Single(int inputs, int outputs, Func<int, int> source)
    {
        var axis = new AxisWindows(inputs, outputs);
        for (int o = 0; o < outputs; o++)
        {
            axis.From[o] = source(o);
            axis.To[o] = axis.From[o] + 1;
            axis.Weight[o] = 1;
        }
        return axis.Invert();
    }

    private AxisWindows Invert()
    {
        int first = 0, end = 0;
        for (int i = 0; i < FirstSeeing.Length; i++)
        {
            while (first < To.Length && To[first] <= i) first++;
            while (end < From.Length && From[end] <= i) end++;
            (FirstSeeing[i], EndSeeing[i]) = (first, Math.Max(first, end));
        }
        return this;
    }
}
