using System.Globalization;
using Delineate.Tensors;

namespace Delineate.Explain.Topics;

/// <summary>Figures of networks: how they are printed, and what they are by the formulas of the textbook.</summary>
internal static class Figures
{
    public static string Whole(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    public static string Millions(long number) => string.Create(CultureInfo.InvariantCulture, $"{number / 1e6:N1} M");

    public static string Billions(long number) => string.Create(CultureInfo.InvariantCulture, $"{number / 1e9:N2} G");

    /// <summary>A map as networks are drawn: channels × height × width.</summary>
    public static string Map(Shape shape) => shape.Rank == 4 ? $"{shape[3]}×{shape[1]}×{shape[2]}" : string.Join('×', shape.Skip(1));

    /// <summary>
    /// The multiply-adds of a layer with a weight: its output's size from the size formula, once for each output (transposed: each input) of all the products of
    /// the weight.
    /// </summary>
    /// <exception cref="InvalidOperationException">The formula gives another size than the library: a fault of the program.</exception>
    public static long MultiplyAdds(GraphFlow flow, FlowStep step)
    {
        Shape input = step.Sources[0] < 0 ? flow.Inputs[-1 - step.Sources[0]] : flow.Steps[step.Sources[0]].Output, output = step.Output;
        long products = step.Weight!.Value.Aggregate(1L, (a, b) => a * b);
        if (input.Rank != 4) return input.Take(input.Rank - 1).Aggregate(1L, (a, b) => a * b) * products;
        Need(Fits(step.Rows, input[1], output[1]) && Fits(step.Columns, input[2], output[2]));
        Shape counted = step.Rows is AxisRead.Spread ? input : output;
        return (long)counted[0] * counted[1] * counted[2] * products;

        void Need(bool holds)
        {
            if (!holds) throw new InvalidOperationException($"the size formula does not lead from {input} to {output} at {step.Path}");
        }
    }

    private static bool Fits(AxisRead read, int input, int output) => read switch
    {
        AxisRead.Window w => output == ((input + (2 * w.Padding) - (w.Dilation * (w.Kernel - 1)) - 1) / w.Stride) + 1,
        AxisRead.Spread w => output - (((input - 1) * w.Stride) - (2 * w.Padding) + (w.Dilation * (w.Kernel - 1)) + 1) is var left && left >= 0 && left < Math.Max(w.Stride, w.Dilation),
        _ => input == output,
    };
}
