using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>Which residual network, how far it shrinks the image, and how wide it is.</summary>
public sealed record ResNetOptions
{
    /// <summary>Layers with weights: 18 or 34 (two 3×3 convolutions in a block), 50 or 101 (bottleneck blocks).</summary>
    public int Depth { get; init; } = 50;

    /// <summary>
    /// How many times smaller than the image the last map is: 32, 16, 8 or 4. Below 32 the last stages keep their resolution and dilate their kernels
    /// instead; 8 is what torchvision writes as <c>replace_stride_with_dilation=[False, True, True]</c>.
    /// </summary>
    public int OutputStride { get; init; } = 32;

    /// <summary>
    /// Whether the blocks of a dilated stage take turns at dilations of one less, as many and one more than it has (1, 2, 3 and 3, 4, 5) instead of all the
    /// same: through a stack of equal dilations an output sees only every second or fourth pixel, through these it sees all of them (Wang et al. 2018, their
    /// "RF"). Weights are the same, so those of a network without can be loaded and trained on.
    /// </summary>
    public bool HybridDilation { get; init; }

    /// <summary>Divides every channel count: a narrow network for small tasks and tests.</summary>
    public int WidthDivisor { get; init; } = 1;

    /// <summary>Makes the normalisation of so many channels that follows each convolution.</summary>
    public Func<int, BatchNormLayer> Norm { get; init; } = channels => new BatchNorm2d(channels);
}

/// <summary>The maps after each stage, [N, H/4, W/4, C1] first. The later ones are as small as the output stride says.</summary>
public readonly record struct ResNetFeatures(Tensor Layer1, Tensor Layer2, Tensor Layer3, Tensor Layer4);

/// <summary>
/// A residual network without its classifier (He et al. 2016), names equal to torchvision's. [N, H, W, 3] → four maps. As there, the stride of a
/// bottleneck sits in its 3×3 convolution.
/// </summary>
public class ResNet : Module
{
    private readonly Stem stem;
    private readonly Sequential layer1, layer2, layer3, layer4;

    public ResNet(Philox random, ResNetOptions? options = null)
    {
        options ??= new ResNetOptions();
        int[] blocks = options.Depth switch
        {
            18 => [2, 2, 2, 2],
            34 or 50 => [3, 4, 6, 3],
            101 => [3, 4, 23, 3],
            _ => throw new ArgumentException($"there is no ResNet of {options.Depth} layers here: 18, 34, 50 and 101 are known", nameof(options)),
        };
        if (options.OutputStride is not (4 or 8 or 16 or 32))
            throw new ArgumentException($"an output stride is 4, 8, 16 or 32, not {options.OutputStride}", nameof(options));
        if (options.WidthDivisor < 1 || 64 % options.WidthDivisor != 0)
            throw new ArgumentException($"a width divisor divides 64, {options.WidthDivisor} does not", nameof(options));

        bool bottleneck = options.Depth >= 50;
        int width = 64 / options.WidthDivisor;
        stem = new Stem(
            Child("conv1", new Conv2d(random, 3, width, 7, stride: 2, padding: 3, bias: false, initializer: Init.KaimingNormalFanOut)),
            Child("bn1", options.Norm(width)));
        (int channels, int stride, int dilation) = (width, 4, 1);
        layer1 = Child("layer1", Stage(width, 1, blocks[0]));
        layer2 = Child("layer2", Stage(width * 2, 2, blocks[1]));
        layer3 = Child("layer3", Stage(width * 4, 2, blocks[2]));
        layer4 = Child("layer4", Stage(width * 8, 2, blocks[3]));
        OutChannels = (channels / 8, channels / 4, channels / 2, channels);

        Sequential Stage(int inner, int step, int count)
        {
            int before = dilation; // the first block still reads the map of the stage before
            if (stride * step > options.OutputStride) (dilation, step) = (dilation * step, 1);
            stride *= step;
            var stage = new List<Layer>();
            for (int i = 0; i < count; i++)
            {
                int blockDilation = options.HybridDilation && dilation > 1 && i / 3 < count / 3 ? dilation - 1 + (i % 3) : dilation; // blocks beyond whole threes keep it
                (int blockStride, int firstDilation) = (i == 0 ? step : 1, i == 0 && !options.HybridDilation ? before : blockDilation);
                stage.Add(bottleneck
                    ? new Bottleneck(random, options.Norm, channels, inner, blockStride, firstDilation)
                    : new BasicBlock(random, options.Norm, channels, inner, blockStride, firstDilation, blockDilation));
                channels = bottleneck ? inner * Bottleneck.Expansion : inner;
            }
            return new Sequential(stage);
        }
    }

    /// <summary>The channels of the four maps.</summary>
    public (int Layer1, int Layer2, int Layer3, int Layer4) OutChannels { get; }

    /// <summary>Runs the network. [N, H, W, 3] → four maps.</summary>
    public ResNetFeatures Forward(Tensor x)
    {
        // The stem holds no children of its own, so it asks the network.
        Tensor c1 = IsCheckpointing ? Autograd.Checkpoint(stem.Forward, x) : stem.Forward(x);
        Tensor c2 = layer1.Forward(c1);
        Tensor c3 = layer2.Forward(c2);
        Tensor c4 = layer3.Forward(c3);
        return new ResNetFeatures(c2, c3, c4, layer4.Forward(c4));
    }

    /// <summary>
    /// What comes before the stages. [N, H, W, 3] → [N, H/4, W/4, C]. Its parts are the network's children, so that their names have no
    /// prefix.
    /// </summary>
    private sealed class Stem(Conv2d conv, BatchNormLayer bn) : Layer
    {
        protected override Tensor Apply(Tensor x)
        {
            Tensor y = bn.Forward(conv.Forward(x), Activation.Relu);
            Tensor pooled = y.MaxPool2d(3, stride: 2, padding: 1);
            y.GiveBack();
            return pooled;
        }
    }
}

/// <summary>Two 3×3 convolutions beside a shortcut. [N, H, W, Cin] → [N, H/stride, W/stride, C].</summary>
internal sealed class BasicBlock : Layer
{
    private readonly Conv2d conv1, conv2;
    private readonly BatchNormLayer bn1, bn2;
    private readonly Shortcut? downsample;

    // Where a stage dilates instead of striding, its first convolution still walks the old grid and its second the new, wider one. So every second
    // value of the map equals the striding network's. torchvision refuses dilation in this block; in the bottleneck it does the same.
    public BasicBlock(Philox random, Func<int, BatchNormLayer> norm, int inChannels, int channels, int stride, int firstDilation, int dilation)
    {
        conv1 = Child("conv1", new Conv2d(random, inChannels, channels, 3, stride, padding: firstDilation, firstDilation, bias: false, initializer: Init.KaimingNormalFanOut));
        bn1 = Child("bn1", norm(channels));
        conv2 = Child("conv2", new Conv2d(random, channels, channels, 3, padding: dilation, dilation: dilation, bias: false, initializer: Init.KaimingNormalFanOut));
        bn2 = Child("bn2", norm(channels));
        if (stride != 1 || inChannels != channels) downsample = Child("downsample", new Shortcut(random, norm, inChannels, channels, stride));
    }

    protected override bool IsBlock => true;

    protected override Tensor Apply(Tensor x)
    {
        Tensor y = bn1.Forward(conv1.Forward(x), Activation.Relu);
        Tensor? shortcut = downsample?.Forward(x);
        y = bn2.Forward(conv2.Forward(y), Activation.Relu, residual: shortcut ?? x);
        shortcut?.GiveBack();
        return y;
    }
}

/// <summary>
/// A 3×3 convolution between two 1×1 ones that narrow and widen, beside a shortcut. [N, H, W, Cin] → [N, H/stride, W/stride, 4·C].
/// </summary>
internal sealed class Bottleneck : Layer
{
    public const int Expansion = 4;
    private readonly Conv2d conv1, conv2, conv3;
    private readonly BatchNormLayer bn1, bn2, bn3;
    private readonly Shortcut? downsample;

    public Bottleneck(Philox random, Func<int, BatchNormLayer> norm, int inChannels, int channels, int stride, int dilation)
    {
        int outChannels = channels * Expansion;
        conv1 = Child("conv1", new Conv2d(random, inChannels, channels, 1, bias: false, initializer: Init.KaimingNormalFanOut));
        bn1 = Child("bn1", norm(channels));
        conv2 = Child("conv2", new Conv2d(random, channels, channels, 3, stride, padding: dilation, dilation, bias: false, initializer: Init.KaimingNormalFanOut));
        bn2 = Child("bn2", norm(channels));
        conv3 = Child("conv3", new Conv2d(random, channels, outChannels, 1, bias: false, initializer: Init.KaimingNormalFanOut));
        bn3 = Child("bn3", norm(outChannels));
        if (stride != 1 || inChannels != outChannels) downsample = Child("downsample", new Shortcut(random, norm, inChannels, outChannels, stride));
    }

    protected override bool IsBlock => true;

    protected override Tensor Apply(Tensor x)
    {
        Tensor y = bn1.Forward(conv1.Forward(x), Activation.Relu);
        y = bn2.Forward(conv2.Forward(y), Activation.Relu);
        Tensor? shortcut = downsample?.Forward(x);
        y = bn3.Forward(conv3.Forward(y), Activation.Relu, residual: shortcut ?? x);
        shortcut?.GiveBack();
        return y;
    }
}

/// <summary>The shortcut of a block whose output has another shape than its input: a 1×1 convolution and its normalisation.</summary>
internal sealed class Shortcut : Layer
{
    private readonly Conv2d conv;
    private readonly BatchNormLayer bn;

    public Shortcut(Philox random, Func<int, BatchNormLayer> norm, int inChannels, int outChannels, int stride)
    {
        conv = Child("0", new Conv2d(random, inChannels, outChannels, 1, stride, bias: false, initializer: Init.KaimingNormalFanOut));
        bn = Child("1", norm(outChannels));
    }

    protected override Tensor Apply(Tensor x) => bn.Forward(conv.Forward(x));
}
