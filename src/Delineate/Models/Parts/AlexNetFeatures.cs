using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// The convolutions of AlexNet in its form of one tower without response normalisation (Krizhevsky 2014), as torchvision has it. They belong to the network
/// that they are part of, which names them.
/// </summary>
internal sealed class AlexNetFeatures
{
    /// <summary>Pixels between neighbours of the last map.</summary>
    public const int Stride = 32;

    private static readonly (int Channels, int Kernel, int Stride, int Padding, bool Pools)[] Sizes =
        [(64, 11, 4, 2, true), (192, 5, 1, 2, true), (384, 3, 1, 1, false), (256, 3, 1, 1, false), (256, 3, 1, 1, true)];

    private readonly List<(Conv2d Conv, bool Pools)> layers = [];
    private readonly bool ceilMode;

    /// <param name="random">Decides the starting values.</param>
    /// <param name="convolution">Takes each convolution in as the child of its place, from 0.</param>
    /// <param name="widthDivisor">Divides every channel count.</param>
    /// <param name="firstPadding">Zeros around the image before the first convolution; torchvision's 2 where left out.</param>
    /// <param name="ceilMode">Whether a pooling keeps a last window that reaches past the map.</param>
    public AlexNetFeatures(Philox random, Action<int, Conv2d> convolution, int widthDivisor, int? firstPadding, bool ceilMode)
    {
        this.ceilMode = ceilMode;
        int channels = 3;
        for (int i = 0; i < Sizes.Length; i++)
        {
            (int wide, int kernel, int stride, int padding, bool pools) = Sizes[i];
            int width = wide / widthDivisor;
            var conv = new Conv2d(random, channels, width, kernel, stride, i == 0 ? firstPadding ?? padding : padding, initializer: Init.KaimingNormalFanOut);
            conv.Bias!.Span.Clear();
            convolution(i, conv);
            layers.Add((conv, pools));
            channels = width;
        }
        OutChannels = channels;
    }

    /// <summary>Channels of the last map.</summary>
    public int OutChannels { get; }

    /// <summary>The last map. [N, H, W, 3] → [N, H/32, W/32, 256], less what the windows leave over.</summary>
    public Tensor Forward(Tensor x)
    {
        using MemoryScope? scope = Autograd.IsEnabled ? null : TensorMemory.Scope();
        Tensor y = x;
        foreach ((Conv2d conv, bool pools) in layers)
        {
            y = conv.ForwardRelu(y);
            if (pools) y = y.MaxPool2d(3, 2, ceilMode: ceilMode);
        }
        scope?.PassOut(y);
        return y;
    }
}
