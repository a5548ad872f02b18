using System.Globalization;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// MobileNetV3-Large without its classifier (Howard et al. 2019), names equal to torchvision's <c>features</c>. With <c>dilated</c> the last stage keeps its
/// resolution, as the semantic networks want it. [N, H, W, 3] → the maps at 1/8 (40 channels) and at 1/16, dilated, or 1/32 (960 channels).
/// </summary>
internal sealed class MobileNetV3 : Module
{
    /// <summary>torchvision's <c>mobilenet_v3_large</c> under the names of the networks that are built on one.</summary>
    public static readonly BackboneNames Names = new("classifier.", [("features.", "backbone.")]);

    private const float Epsilon = 1e-3f, Momentum = 0.01f; // of its normalisations, unlike other networks'

    // Input channels, kernel, expanded channels, output channels, squeeze-and-excitation, hard swish, stride, in the dilated part.
    private static readonly (int In, int Kernel, int Expanded, int Out, bool Squeezes, bool Swishes, int Stride, bool Dilates)[] Blocks =
    [
        (16, 3, 16, 16, false, false, 1, false),
        (16, 3, 64, 24, false, false, 2, false),
        (24, 3, 72, 24, false, false, 1, false),
        (24, 5, 72, 40, true, false, 2, false),
        (40, 5, 120, 40, true, false, 1, false),
        (40, 5, 120, 40, true, false, 1, false),
        (40, 3, 240, 80, false, true, 2, false),
        (80, 3, 200, 80, false, true, 1, false),
        (80, 3, 184, 80, false, true, 1, false),
        (80, 3, 184, 80, false, true, 1, false),
        (80, 3, 480, 112, true, true, 1, false),
        (112, 3, 672, 112, true, true, 1, false),
        (112, 5, 672, 160, true, true, 2, true),
        (160, 5, 960, 160, true, true, 1, true),
        (160, 5, 960, 160, true, true, 1, true),
    ];

    private const int LowBlock = 4; // the place of the block whose map is at 1/8: the first of that stride
    private readonly Unit stem, last;
    private readonly List<InvertedResidual> blocks = [];

    public MobileNetV3(Philox random, bool dilated)
    {
        stem = Child("0", new Unit(random, 3, 16, 3, swishes: true, stride: 2));
        for (int i = 0; i < Blocks.Length; i++)
        {
            var b = Blocks[i];
            int dilation = dilated && b.Dilates ? 2 : 1;
            var block = new InvertedResidual(random, b.In, b.Kernel, b.Expanded, b.Out, b.Squeezes, b.Swishes, b.Stride, dilation);
            blocks.Add(Child((i + 1).ToString(CultureInfo.InvariantCulture), block));
        }
        last = Child((Blocks.Length + 1).ToString(CultureInfo.InvariantCulture), new Unit(random, LastBlock.Out, OutChannels, 1, swishes: true));
    }

    /// <summary>Channels of the map at 1/8.</summary>
    public static int LowChannels => Blocks[LowBlock - 1].Out;

    /// <summary>Channels of the last map.</summary>
    public static int OutChannels => 6 * LastBlock.Out;

    private static (int In, int Kernel, int Expanded, int Out, bool Squeezes, bool Swishes, int Stride, bool Dilates) LastBlock => Blocks[^1];

    /// <summary>Runs the network.</summary>
    public (Tensor Low, Tensor High) Forward(Tensor x)
    {
        Tensor y = stem.Forward(x), low = y;
        for (int i = 0; i < blocks.Count; i++)
        {
            y = blocks[i].Forward(y);
            if (i + 1 == LowBlock) low = y;
        }
        return (low, last.Forward(y));
    }

    /// <summary>Convolution, normalisation and activation. [N, H, W, Cin] → [N, H/stride, W/stride, C].</summary>
    internal sealed class Unit : Layer
    {
        private readonly Conv2d conv;
        private readonly BatchNorm2d bn;
        private readonly bool swishes;
        private readonly Activation activation;

        public Unit(Philox random, int inChannels, int channels, int kernel, bool swishes, int stride = 1, int dilation = 1, int groups = 1, bool activates = true)
        {
            conv = Child("0", new Conv2d(random, inChannels, channels, kernel, stride, padding: (kernel - 1) / 2 * dilation, dilation, groups, bias: false, initializer: Init.KaimingNormalFanOut));
            bn = Child("1", new BatchNorm2d(channels, Momentum, Epsilon));
            this.swishes = swishes && activates;
            activation = activates && !swishes ? Activation.Relu : Activation.None;
        }

        protected override Tensor Apply(Tensor x)
        {
            Tensor y = bn.Forward(conv.Forward(x), activation);
            return swishes ? y.HardSwish() : y;
        }
    }

    /// <summary>
    /// A block of MobileNetV3: widen by a 1×1 convolution, filter each channel by itself, weigh the channels by what the whole map holds of them, narrow. The
    /// input is added where the shapes agree.
    /// </summary>
    private sealed class InvertedResidual : Layer
    {
        private readonly List<Layer> parts = [];
        private readonly bool adds;

        public InvertedResidual(Philox random, int inChannels, int kernel, int expanded, int outChannels, bool squeezes, bool swishes, int stride, int dilation)
        {
            adds = stride == 1 && inChannels == outChannels;
            if (expanded != inChannels) Part(new Unit(random, inChannels, expanded, 1, swishes));
            Part(new Unit(random, expanded, expanded, kernel, swishes, dilation > 1 ? 1 : stride, dilation, groups: expanded));
            if (squeezes) Part(new SqueezeExcitation(random, expanded, MultipleOf8(expanded / 4)));
            Part(new Unit(random, expanded, outChannels, 1, swishes: false, activates: false));
        }

        protected override bool IsBlock => true;

        protected override Tensor Apply(Tensor x)
        {
            Tensor y = x;
            foreach (Layer part in parts) y = part.Forward(y);
            return adds ? y + x : y;
        }

        private void Part(Layer layer) => parts.Add(Child($"block.{parts.Count}", layer));

        /// <summary>The nearest multiple of eight, unless that takes more than a tenth away.</summary>
        private static int MultipleOf8(int channels)
        {
            int rounded = Math.Max(8, (channels + 4) / 8 * 8);
            return rounded < 0.9 * channels ? rounded + 8 : rounded;
        }
    }

    /// <summary>Each channel times a weight that two layers make of all channels' means (Hu et al. 2018).</summary>
    private sealed class SqueezeExcitation : Layer
    {
        private readonly Conv2d fc1, fc2;

        public SqueezeExcitation(Philox random, int channels, int squeezed)
        {
            fc1 = Child("fc1", new Conv2d(random, channels, squeezed, 1));
            fc2 = Child("fc2", new Conv2d(random, squeezed, channels, 1));
        }

        protected override Tensor Apply(Tensor x) => x * fc2.Forward(fc1.Forward(x.AdaptiveAvgPool2d(1)).Relu()).HardSigmoid();
    }
}
