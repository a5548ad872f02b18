using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models.Parts;

/// <summary>
/// The convolutions of VGG-16 (Simonyan and Zisserman 2015), five stages with a pooling after each. They belong to the network that
/// they are part of, which names them: references disagree on the names.
/// </summary>
internal sealed class VggStages
{
    /// <summary>Channels and convolutions of each stage.</summary>
    public static readonly IReadOnlyList<(int Channels, int Convolutions)> Sizes = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)];

    private readonly List<List<(Conv2d Conv, BatchNorm2d? Norm)>> stages = [];
    private readonly bool ceilMode;

    /// <param name="random">Decides the starting values.</param>
    /// <param name="convolution">Takes each convolution in as the child of stage and place, both from 0, and gives it back.</param>
    /// <param name="norm">Makes the normalisation after a convolution and takes it in; null for none.</param>
    /// <param name="widthDivisor">Divides every channel count.</param>
    /// <param name="firstPadding">Zeros around the image before the first convolution.</param>
    /// <param name="ceilMode">Whether a pooling keeps a last window that reaches past the map.</param>
    public VggStages(Philox random, Action<int, int, Conv2d> convolution, Func<int, int, int, BatchNorm2d>? norm, int widthDivisor, int firstPadding, bool ceilMode)
    {
        this.ceilMode = ceilMode;
        int channels = 3;
        for (int stage = 0; stage < Sizes.Count; stage++)
        {
            int width = Sizes[stage].Channels / widthDivisor;
            var layers = new List<(Conv2d, BatchNorm2d?)>();
            for (int i = 0; i < Sizes[stage].Convolutions; i++)
            {
                var conv = new Conv2d(random, channels, width, 3, padding: stage + i == 0 ? firstPadding : 1, initializer: Init.KaimingNormalFanOut);
                conv.Bias!.Span.Clear();
                convolution(stage, i, conv);
                layers.Add((conv, norm?.Invoke(stage, i, width)));
                channels = width;
            }
            stages.Add(layers);
        }
        OutChannels = channels;
    }

    /// <summary>Channels of the last map.</summary>
    public int OutChannels { get; }

    /// <summary>The maps after the five poolings, each half as large as the one before. [N, H, W, 3] → [N, H/2, W/2, 64] first.</summary>
    public Tensor[] Forward(Tensor x)
    {
        var pools = new Tensor[stages.Count];
        for (int i = 0; i < stages.Count; i++)
        {
            using MemoryScope? scope = Autograd.IsEnabled ? null : TensorMemory.Scope();
            Tensor y = i == 0 ? x : pools[i - 1];
            foreach ((Conv2d conv, BatchNorm2d? norm) in stages[i]) y = norm is null ? conv.ForwardRelu(y) : norm.Forward(conv.Forward(y), Activation.Relu);
            pools[i] = y.MaxPool2d(2, ceilMode: ceilMode);
            scope?.PassOut(pools[i]);
        }
        return pools;
    }
}
