using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>How a <see cref="UNet"/>'s decoder doubles a map.</summary>
public enum UNetDecoder
{
    /// <summary>A transposed convolution, learned.</summary>
    TransposedConvolution,

    /// <summary>Bilinear, corners aligned: fewer weights.</summary>
    Bilinear,
}

/// <summary>The parts of a <see cref="UNet"/> that can be chosen.</summary>
public sealed record UNetOptions
{
    /// <summary>Classes, the background among them.</summary>
    public int NumClasses { get; init; } = 2;

    /// <summary>Channels of the image.</summary>
    public int InChannels { get; init; } = 3;

    /// <summary>Channels at full resolution; every level down has twice as many. The paper's 64.</summary>
    public int Channels { get; init; } = 64;

    /// <summary>How often the map is halved. The paper's 4.</summary>
    public int Depth { get; init; } = 4;

    public UNetDecoder Decoder { get; init; } = UNetDecoder.TransposedConvolution;
}

/// <summary>
/// U-Net (Ronneberger et al. 2015) with padded, normalised convolutions; structure and names equal those of the most used PyTorch port.
/// [N, H, W, inChannels] → [N, H, W, numClasses] logits; H and W of any size that survives the halvings.
/// </summary>
public sealed class UNet : Layer
{
    private readonly DoubleConv inc;
    private readonly Down[] downs;
    private readonly Up[] ups;
    private readonly Conv2d outc;

    public UNet(Philox random, UNetOptions? options = null)
    {
        Options = options ?? new UNetOptions();
        (int channels, int depth) = (Options.Channels, Options.Depth);
        if (depth is < 1 or > 8) throw new ArgumentException($"a U-Net halves its map 1 to 8 times, not {depth}", nameof(options));
        if (channels < 1 || (channels % 2 != 0 && Options.Decoder == UNetDecoder.Bilinear))
            throw new ArgumentException($"a U-Net with a bilinear decoder has an even number of channels, not {channels}", nameof(options));
        // The bilinear decoder cannot reduce channels by itself, so what it enlarges has half as many.
        int factor = Options.Decoder == UNetDecoder.Bilinear ? 2 : 1;
        inc = Child("inc", new DoubleConv(random, Options.InChannels, channels, channels));
        downs = [.. Enumerable.Range(1, depth).Select(i =>
            Child($"down{i}", new Down(random, channels << (i - 1), (channels << i) / (i == depth ? factor : 1))))];
        ups = [.. Enumerable.Range(1, depth).Select(i =>
            Child($"up{i}", new Up(random, channels << (depth - i + 1), (channels << (depth - i)) / (i == depth ? 1 : factor), Options.Decoder)))];
        outc = Child("outc.conv", new Conv2d(random, channels, Options.NumClasses, 1));
    }

    public UNetOptions Options { get; }

    protected override Tensor Apply(Tensor x)
    {
        var skips = new Stack<Tensor>();
        Tensor y = inc.Forward(x);
        foreach (Down down in downs)
        {
            skips.Push(y);
            y = down.Forward(y);
        }
        foreach (Up up in ups)
        {
            Tensor skip = skips.Pop();
            y = up.Forward(y, skip);
            skip.GiveBack();
        }
        return outc.Forward(y);
    }

    /// <summary>(3×3 convolution, normalisation, ReLU) twice.</summary>
    private sealed class DoubleConv : Layer
    {
        private readonly Conv2d first, second;
        private readonly BatchNorm2d firstNorm, secondNorm;

        public DoubleConv(Philox random, int inChannels, int middle, int outChannels)
        {
            first = Child("double_conv.0", new Conv2d(random, inChannels, middle, 3, padding: 1, bias: false));
            firstNorm = Child("double_conv.1", new BatchNorm2d(middle));
            second = Child("double_conv.3", new Conv2d(random, middle, outChannels, 3, padding: 1, bias: false));
            secondNorm = Child("double_conv.4", new BatchNorm2d(outChannels));
        }

        protected override bool IsBlock => true;

        protected override Tensor Apply(Tensor x)
        {
            Tensor y = firstNorm.Forward(first.Forward(x), Activation.Relu);
            return secondNorm.Forward(second.Forward(y), Activation.Relu);
        }
    }

    /// <summary>Halves the map, then a <see cref="DoubleConv"/>.</summary>
    private sealed class Down : Layer
    {
        private readonly DoubleConv conv;

        public Down(Philox random, int inChannels, int outChannels)
        {
            conv = Child("maxpool_conv.1", new DoubleConv(random, inChannels, outChannels, outChannels));
        }

        protected override bool IsBlock => true;

        protected override Tensor Apply(Tensor x) => conv.Forward(x.MaxPool2d(2));
    }

    /// <summary>Doubles the map, fits it to the skip's size, joins both, then a <see cref="DoubleConv"/>.</summary>
    private sealed class Up : Module
    {
        private readonly Layer up;
        private readonly DoubleConv conv;

        public Up(Philox random, int inChannels, int outChannels, UNetDecoder decoder)
        {
            bool bilinear = decoder == UNetDecoder.Bilinear;
            up = Child<Layer>("up", bilinear
                ? new Upsample(2, ResizeMode.Bilinear, alignCorners: true)
                : new ConvTranspose2d(random, inChannels, inChannels / 2, 2, stride: 2));
            conv = Child("conv", new DoubleConv(random, inChannels, bilinear ? inChannels / 2 : outChannels, outChannels));
        }

        public Tensor Forward(Tensor x, Tensor skip) => IsCheckpointing ? Autograd.Checkpoint(Apply, x, skip) : Apply(x, skip);

        private Tensor Apply(Tensor x, Tensor skip)
        {
            using MemoryScope? scope = Autograd.IsEnabled ? null : TensorMemory.Scope();
            Tensor enlarged = up.Forward(x);
            // Halving rounds an odd size down: the missing row or column becomes zeros, the odd one of several at the bottom and right.
            Tensor padded = enlarged.PadTo(skip);
            if (padded != enlarged) enlarged.GiveBack();
            Tensor joined = Tensor.Concat([skip, padded], axis: 3);
            padded.GiveBack();
            Tensor y = conv.Forward(joined);
            scope?.PassOut(y);
            return y;
        }
    }
}
