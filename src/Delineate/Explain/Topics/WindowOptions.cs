using Delineate.Tensors;

namespace Delineate.Explain.Topics;

/// <summary>A convolution to explain: its numbers and how its window walks, the same along both axes.</summary>
public sealed record WindowOptions
{
    private const long MostProducts = 100_000_000;
    private const int MostGiven = 1 << 20;

    /// <summary>Up to so many numbers a grid is shown cell by cell; larger ones are pictures.</summary>
    internal const int MostCells = 256;

    public required Matrix Input { get; init; }

    public required Matrix Kernel { get; init; }

    public int Stride { get; init; } = 1;

    public int Padding { get; init; }

    public int Dilation { get; init; } = 1;

    /// <summary>Rows and columns that a transposed convolution adds at the bottom and on the right.</summary>
    public int OutputPadding { get; init; }

    /// <summary>(H + 2·padding − dilation·(K − 1) − 1) / stride + 1, rounded down, for both axes.</summary>
    internal (int Height, int Width) Convolved => (Convolve(Input.Height, Kernel.Height), Convolve(Input.Width, Kernel.Width));

    /// <summary>(H − 1)·stride − 2·padding + dilation·(K − 1) + output padding + 1, for both axes.</summary>
    internal (int Height, int Width) Transposed => (Transpose(Input.Height, Kernel.Height), Transpose(Input.Width, Kernel.Width));

    internal Tensor InputTensor => Tensor.From(Input.ToFloats(), [1, Input.Height, Input.Width, 1]);

    internal Tensor KernelTensor => Tensor.From(Kernel.ToFloats(), [1, Kernel.Height, Kernel.Width, 1]);

    /// <summary>The size formula of a convolution with the numbers put in, for one axis.</summary>
    internal string ConvolvedFormula(int length, int kernel) =>
        $"⌊(H + 2·p − d·(k − 1) − 1) / s⌋ + 1 = ⌊({length} + 2·{Padding} − {Dilation}·({kernel} − 1) − 1) / {Stride}⌋ + 1 = {Convolve(length, kernel)}";

    /// <summary>The size formula of a transposed convolution with the numbers put in, for one axis.</summary>
    internal string TransposedFormula(int length, int kernel) =>
        $"(H − 1)·s − 2·p + d·(k − 1) + o + 1 = ({length} − 1)·{Stride} − 2·{Padding} + {Dilation}·({kernel} − 1) + {OutputPadding} + 1 = {Transpose(length, kernel)}";

    /// <summary>Refuses what no window can walk.</summary>
    /// <exception cref="ExplainException">A figure is out of its range, or no output would be left; the message names the rule.</exception>
    internal void Check(bool isTransposed)
    {
        Need(Stride >= 1, $"stride must be at least 1; it is {Stride}");
        Need(Dilation >= 1, $"dilation must be at least 1; it is {Dilation}");
        Need(Padding >= 0, $"padding must be at least 0; it is {Padding}");
        Need(Stride <= 1024 && Dilation <= 1024 && Padding <= 4096, "stride and dilation are at most 1024, padding at most 4096");
        Need(Input.Values.Count is > 0 and <= MostGiven && Kernel.Values.Count is > 0 and <= MostGiven, $"input and kernel have 1 to {MostGiven} numbers each");
        Need(Input.Values.Concat(Kernel.Values).All(v => double.IsFinite(v) && Math.Abs(v) < 1e15), "input and kernel must be numbers below 1e15");
        if (isTransposed)
        {
            Need(OutputPadding >= 0, $"output padding must be at least 0; it is {OutputPadding}");
            Need(OutputPadding < Math.Max(Stride, Dilation), $"output padding must be smaller than stride or dilation, for it tells apart the sizes that one stride rounds down to one; it is {OutputPadding}, they are {Stride} and {Dilation}");
        }
        else
        {
            Need(OutputPadding == 0, "output padding belongs to the transposed convolution");
        }
        (int height, int width) = isTransposed ? Transposed : Convolved;
        string formula = height < 1
            ? isTransposed ? TransposedFormula(Input.Height, Kernel.Height) : ConvolvedFormula(Input.Height, Kernel.Height)
            : isTransposed ? TransposedFormula(Input.Width, Kernel.Width) : ConvolvedFormula(Input.Width, Kernel.Width);
        Need(height >= 1 && width >= 1, $"the output would have no pixel: {formula}; it must be at least 1");
        Need(IsWithinBounds(isTransposed), $"that is more than can be explained: {(long)height * width} outputs of at most {MostGiven}, from at most {MostProducts} products");

        static void Need(bool holds, string rule)
        {
            if (!holds) throw new ExplainException(rule);
        }
    }

    /// <summary>Whether it has no more outputs and products than can be explained.</summary>
    internal bool IsWithinBounds(bool isTransposed)
    {
        (int height, int width) = isTransposed ? Transposed : Convolved;
        long outputs = (long)height * width, windows = isTransposed ? Input.Values.Count : outputs;
        return outputs <= MostGiven && windows * Kernel.Values.Count <= MostProducts;
    }

    private int Convolve(int length, int kernel) => (int)(Math.Floor((length + (2.0 * Padding) - ((double)Dilation * (kernel - 1)) - 1) / Stride) + 1);

    private int Transpose(int length, int kernel) => (int)Math.Clamp(((long)(length - 1) * Stride) - (2L * Padding) + ((long)Dilation * (kernel - 1)) + OutputPadding + 1, int.MinValue, int.MaxValue);
}
