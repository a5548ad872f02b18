namespace Delineate.Tensors.Kernels;

/// <summary>
/// The sizes of one convolution: a map [Batch, Input, InChannels] and a weight [OutChannels, Kernel, InChannels / Groups] make a map
/// [Batch, Output, OutChannels]. A transposed convolution is described by the convolution whose adjoint it is.
/// </summary>
internal sealed record ConvGeometry(
    int Batch, Size2d Input, int InChannels, Size2d Output, int OutChannels, Size2d Kernel, Size2d Stride, Size2d Padding, Size2d Dilation, int Groups)
{
    public int Taps => Kernel.Height * Kernel.Width;

    public int InGroup => InChannels / Groups;

    public int OutGroup => OutChannels / Groups;

    /// <summary>Columns of the weight seen as a matrix [OutChannels, Depth].</summary>
    public int Depth => Taps * InGroup;

    public Shape InputShape => [Batch, Input.Height, Input.Width, InChannels];

    public Shape OutputShape => [Batch, Output.Height, Output.Width, OutChannels];

    /// <summary>The geometry of Conv2d.</summary>
    public static ConvGeometry Of(Tensor x, Tensor weight, Tensor? bias, Size2d stride, Size2d padding, Size2d dilation, int groups)
    {
        Check.Rank(x, 4, "Conv2d");
        CheckParameters("Conv2d", weight, stride, padding, dilation, groups);
        Shape w = weight.Shape;
        if (w[0] % groups != 0 || x.Shape[3] != w[3] * groups)
        {
            throw new ShapeException($"Conv2d of {x.Shape} with a weight {w} in {groups} groups: the weight is [Cout, Kh, Kw, Cin / groups], Cout a multiple of the groups, and the map's last axis is Cin");
        }
        CheckBias("Conv2d", bias, w[0]);
        var kernel = new Size2d(w[1], w[2]);
        var input = new Size2d(x.Shape[1], x.Shape[2]);
        long height = OutputLength(input.Height, kernel.Height, stride.Height, padding.Height, dilation.Height);
        long width = OutputLength(input.Width, kernel.Width, stride.Width, padding.Width, dilation.Width);
        if (height < 1 || width < 1)
        {
            throw new ShapeException($"Conv2d of {x.Shape} with kernel {kernel}, stride {stride}, padding {padding}, dilation {dilation} leaves no output pixel: use a larger image, more padding, or a smaller kernel or dilation");
        }
        CheckExtent("Conv2d", input, padding, x.Shape[3]);
        return new ConvGeometry(x.Shape[0], input, x.Shape[3], new Size2d((int)height, (int)width), w[0], kernel, stride, padding, dilation, groups);
    }

    /// <summary>The geometry of the convolution whose adjoint ConvTranspose2d is: its input is the transposed one's output.</summary>
    public static ConvGeometry OfTransposed(Tensor x, Tensor weight, Tensor? bias, Size2d stride, Size2d padding, Size2d outputPadding, Size2d dilation, int groups)
    {
        const string Op = "ConvTranspose2d";
        Check.Rank(x, 4, Op);
        CheckParameters(Op, weight, stride, padding, dilation, groups);
        Shape w = weight.Shape;
        if (w[0] % groups != 0 || x.Shape[3] != w[0])
        {
            throw new ShapeException($"{Op} of {x.Shape} with a weight {w} in {groups} groups: the weight is [Cin, Kh, Kw, Cout / groups], Cin a multiple of the groups, and the map's last axis is Cin");
        }
        CheckBias(Op, bias, checked(w[3] * groups));
        if (outputPadding.Height < 0 || outputPadding.Width < 0
            || outputPadding.Height >= Math.Max(stride.Height, dilation.Height) || outputPadding.Width >= Math.Max(stride.Width, dilation.Width))
        {
            throw new ShapeException($"{Op} takes an output padding from 0 to below its stride {stride} or dilation {dilation}, got {outputPadding}");
        }
        var kernel = new Size2d(w[1], w[2]);
        var output = new Size2d(x.Shape[1], x.Shape[2]);
        long height = TransposedLength(output.Height, kernel.Height, stride.Height, padding.Height, outputPadding.Height, dilation.Height);
        long width = TransposedLength(output.Width, kernel.Width, stride.Width, padding.Width, outputPadding.Width, dilation.Width);
        if (height < 1 || width < 1)
        {
            throw new ShapeException($"{Op} of {x.Shape} with kernel {kernel}, stride {stride}, padding {padding}, output padding {outputPadding}, dilation {dilation} leaves no output pixel: use a larger map or less padding");
        }
        if (height > int.MaxValue || width > int.MaxValue) throw new ShapeException($"{Op} of {x.Shape} with stride {stride} makes a map of {height}×{width}: it is too large");
        var input = new Size2d((int)height, (int)width);
        CheckExtent(Op, input, padding, w[3] * groups);
        return new ConvGeometry(x.Shape[0], input, w[3] * groups, output, w[0], kernel, stride, padding, dilation, groups);
    }

    private static long OutputLength(int length, int kernel, int stride, int padding, int dilation)
    {
        long room = length + (2L * padding) - ((long)dilation * (kernel - 1)) - 1;
        return room < 0 ? 0 : (room / stride) + 1;
    }

    private static long TransposedLength(int length, int kernel, int stride, int padding, int outputPadding, int dilation) =>
        length == 0 ? 0 : ((length - 1L) * stride) - (2L * padding) + ((long)dilation * (kernel - 1)) + outputPadding + 1;

    private static void CheckParameters(string op, Tensor weight, Size2d stride, Size2d padding, Size2d dilation, int groups)
    {
        if (weight.Shape.Rank != 4) throw new ShapeException($"{op} takes a weight of rank 4, got {weight.Shape}");
        if (weight.Shape[1] < 1 || weight.Shape[2] < 1) throw new ShapeException($"{op} takes a kernel of at least 1×1, got a weight {weight.Shape}");
        if (stride.Height < 1 || stride.Width < 1) throw new ShapeException($"{op} takes a stride of at least 1, got {stride}");
        if (padding.Height < 0 || padding.Width < 0) throw new ShapeException($"{op} takes a padding of at least 0, got {padding}");
        if (dilation.Height < 1 || dilation.Width < 1) throw new ShapeException($"{op} takes a dilation of at least 1, got {dilation}");
        Check.AtLeast(groups, 1, "number of groups", op);
    }

    private static void CheckBias(string op, Tensor? bias, int channels)
    {
        if (bias is not null && bias.Shape != [channels]) throw new ShapeException($"{op} with {channels} output channels takes a bias of [{channels}], got {bias.Shape}");
    }

    /// <summary>Positions along a padded line are computed in 32 bits.</summary>
    private static void CheckExtent(string op, Size2d input, Size2d padding, int channels)
    {
        if ((input.Width + (2L * padding.Width)) * Math.Max(1, channels) > int.MaxValue / 2 || input.Height + (2L * padding.Height) > int.MaxValue / 2)
        {
            throw new ShapeException($"{op} cannot take a padding of {padding} around a map of {input} with {channels} channels: a padded line has too many values");
        }
    }
}
