using System.Runtime.CompilerServices;

namespace Delineate.Tensors;

/// <summary>The geometry of windows that slide over a map [N, H, W, C]: which cells each output sees.</summary>
internal readonly record struct Window2d(int Batch, Size2d Input, int Channels, Size2d Kernel, Size2d Stride, Size2d Padding, Size2d Dilation, Size2d Output)
{
    public Shape OutputShape => [Batch, Output.Height, Output.Width, Channels];

    /// <summary>Cells in one window, those on the padding included.</summary>
    public int Cells => Kernel.Height * Kernel.Width;

    /// <summary>The attributes that every pooling has in ONNX.</summary>
    public OnnxAttribute[] OnnxAttributes() =>
    [
        new("kernel_shape", [Kernel.Height, Kernel.Width]),
        new("strides", [Stride.Height, Stride.Width]),
        new("pads", [Padding.Height, Padding.Width, Padding.Height, Padding.Width]),
    ];

    /// <exception cref="ShapeException">The sizes make no sense, or the output would be empty.</exception>
    public static Window2d Of(Tensor x, Size2d kernel, Size2d stride, Size2d padding, Size2d dilation, bool ceilMode, [CallerMemberName] string op = "")
    {
        Check.Rank(x, 4, op);
        if (kernel.Height < 1 || kernel.Width < 1 || stride.Height < 1 || stride.Width < 1 || dilation.Height < 1 || dilation.Width < 1)
            throw new ShapeException($"{op} takes a kernel, stride and dilation of at least 1, got kernel {kernel}, stride {stride}, dilation {dilation}");
        if (padding.Height < 0 || padding.Width < 0 || padding.Height > kernel.Height / 2 || padding.Width > kernel.Width / 2)
            throw new ShapeException($"{op} takes a padding from 0 to half the kernel, so that every window sees the input, got padding {padding} with kernel {kernel}");
        if ((long)kernel.Height * kernel.Width > 1 << 24) throw new ShapeException($"{op} takes a kernel of at most 2^24 cells, got {kernel}");
        var input = new Size2d(x.Shape[1], x.Shape[2]);
        long height = Outputs(input.Height, kernel.Height, stride.Height, padding.Height, dilation.Height, ceilMode);
        long width = Outputs(input.Width, kernel.Width, stride.Width, padding.Width, dilation.Width, ceilMode);
        if (height < 1 || width < 1)
        {
            throw new ShapeException(
                $"{op} would give an empty output: input {input}, kernel {kernel}, stride {stride}, padding {padding}, dilation {dilation}. Use a smaller kernel, more padding or a larger input");
        }
        return new Window2d(x.Shape[0], input, x.Shape[3], kernel, stride, padding, dilation, new Size2d((int)height, (int)width));
    }

    private static long Outputs(int input, int kernel, int stride, int padding, int dilation, bool ceilMode)
    {
        if (input == 0) return 0;
        long room = input + (2L * padding) - ((long)dilation * (kernel - 1)) - 1;
        if (room < 0 && !(ceilMode && room + stride - 1 >= 0)) return 0;
        long outputs = ((room + (ceilMode ? stride - 1 : 0)) / stride) + 1;
        // The last window must begin on the input or on the padding before it.
        return ceilMode && (outputs - 1) * stride >= (long)input + padding ? outputs - 1 : outputs;
    }
}
