namespace Delineate.Tensors.Nn;

/// <summary>
/// Convolution with weights <c>[Cout, Kh, Kw, Cin/groups]</c>. [N, H, W, Cin] → [N, OH, OW, Cout]. Parameters: <c>weight</c>, <c>bias</c>.
/// </summary>
public sealed class Conv2d : Layer
{
    private readonly Size2d stride;
    private readonly Size2d padding;
    private readonly Size2d dilation;
    private readonly int groups;

    /// <param name="random">Decides the starting values.</param>
    /// <param name="inChannels">Cin.</param>
    /// <param name="outChannels">Cout.</param>
    /// <param name="kernelSize">Kh × Kw.</param>
    /// <param name="stride">1 where left out.</param>
    /// <param name="padding">Zeros on each side; 0 where left out.</param>
    /// <param name="dilation">Distance between the kernel's taps; 1 where left out.</param>
    /// <param name="groups">Groups of channels that do not see each other.</param>
    /// <param name="bias">False before a normalisation, which would take it out again.</param>
    /// <param name="initializer">Of the weight; PyTorch's default where left out.</param>
    /// <exception cref="ShapeException">The groups do not divide the channels.</exception>
    public Conv2d(Philox random, int inChannels, int outChannels, Size2d kernelSize,
        Size2d? stride = null, Size2d? padding = null, Size2d? dilation = null, int groups = 1, bool bias = true, Initializer? initializer = null)
    {
        LayerSizes.Groups(groups, inChannels, outChannels, nameof(Conv2d));
        (this.stride, this.padding, this.dilation, this.groups) = (stride ?? 1, padding ?? 0, dilation ?? 1, groups);
        Weight = Parameter("weight", Tensor.Empty([outChannels, kernelSize.Height, kernelSize.Width, inChannels / groups]));
        (initializer ?? Init.PyTorchDefault)(Weight, random);
        if (bias) Bias = Parameter("bias", LayerSizes.Bias(random, outChannels, Weight));
    }

    public Tensor Weight { get; }

    public Tensor? Bias { get; }

    protected override Tensor Apply(Tensor x) => x.Conv2d(Weight, Bias, stride, padding, dilation, groups);
}

/// <summary>
/// Transposed convolution, which enlarges a map, with weights <c>[Cin, Kh, Kw, Cout/groups]</c>. [N, H, W, Cin] → [N, OH, OW, Cout].
/// Parameters: <c>weight</c>, <c>bias</c>.
/// </summary>
public sealed class ConvTranspose2d : Layer
{
    private readonly Size2d stride;
    private readonly Size2d padding;
    private readonly Size2d outputPadding;
    private readonly Size2d dilation;
    private readonly int groups;

    /// <summary>
    /// A layer with starting values that <paramref name="random"/> decides. <paramref name="outputPadding"/> adds rows and columns at the bottom and the
    /// right, where a stride leaves the size open; everything else is as in <see cref="Conv2d"/>.
    /// </summary>
    /// <exception cref="ShapeException">The groups do not divide the channels.</exception>
    public ConvTranspose2d(Philox random, int inChannels, int outChannels, Size2d kernelSize,
        Size2d? stride = null, Size2d? padding = null, Size2d? outputPadding = null, Size2d? dilation = null, int groups = 1, bool bias = true, Initializer? initializer = null)
    {
        LayerSizes.Groups(groups, inChannels, outChannels, nameof(ConvTranspose2d));
        (this.stride, this.padding, this.outputPadding, this.dilation, this.groups) =
            (stride ?? 1, padding ?? 0, outputPadding ?? 0, dilation ?? 1, groups);
        Weight = Parameter("weight", Tensor.Empty([inChannels, kernelSize.Height, kernelSize.Width, outChannels / groups]));
        (initializer ?? Init.PyTorchDefault)(Weight, random);
        if (bias) Bias = Parameter("bias", LayerSizes.Bias(random, outChannels, Weight));
    }

    public Tensor Weight { get; }

    public Tensor? Bias { get; }

    protected override Tensor Apply(Tensor x) => x.ConvTranspose2d(Weight, Bias, stride, padding, outputPadding, dilation, groups);
}
