using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Bench.Networks;

/// <summary>
/// VGG-16 made fully convolutional, with the scores of three depths added (Long et al. 2015); maps keep their size, so nothing is cropped.
/// The twin of <c>Fcn8sVgg16</c> in <c>bench/peers/workloads.py</c>. [N, H, W, 3] → [N, H, W, classes], H and W multiples of 32.
/// </summary>
internal sealed class Fcn8sBody : Layer
{
    private readonly List<Conv2d[]> stages = [];
    private readonly Conv2d fc6, fc7, scoreFr, scorePool4, scorePool3;
    private readonly ConvTranspose2d upscore2, upscorePool4, upscore8;

    public Fcn8sBody(Philox random, int classes = 21)
    {
        int place = 0, channels = 3; // the place in the reference's list, where each activation and each pooling counts too
        foreach ((int width, int count) in ((int, int)[])[(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)])
        {
            var stage = new Conv2d[count];
            for (int i = 0; i < count; i++, place += 2)
            {
                stage[i] = Child($"features.{place}", new Conv2d(random, channels, width, 3, padding: 1));
                channels = width;
            }
            stages.Add(stage);
            place++;
        }
        fc6 = Child("fc6", new Conv2d(random, 512, 4096, 7, padding: 3));
        fc7 = Child("fc7", new Conv2d(random, 4096, 4096, 1));
        scoreFr = Child("score_fr", new Conv2d(random, 4096, classes, 1));
        scorePool4 = Child("score_pool4", new Conv2d(random, 512, classes, 1));
        scorePool3 = Child("score_pool3", new Conv2d(random, 256, classes, 1));
        upscore2 = Child("upscore2", new ConvTranspose2d(random, classes, classes, 4, stride: 2, padding: 1, bias: false));
        upscorePool4 = Child("upscore_pool4", new ConvTranspose2d(random, classes, classes, 4, stride: 2, padding: 1, bias: false));
        upscore8 = Child("upscore8", new ConvTranspose2d(random, classes, classes, 16, stride: 8, padding: 4, bias: false));
    }

    protected override Tensor Apply(Tensor x)
    {
        var pools = new Tensor[stages.Count];
        for (int i = 0; i < stages.Count; i++) pools[i] = Stage(stages[i], i == 0 ? x : pools[i - 1]);
        Tensor y = fc7.Forward(fc6.Forward(pools[4]).Relu()).Relu();
        y = upscore2.Forward(scoreFr.Forward(y)) + scorePool4.Forward(pools[3]);
        y = upscorePool4.Forward(y) + scorePool3.Forward(pools[2]);
        return upscore8.Forward(y);
    }

    private static Tensor Stage(Conv2d[] convolutions, Tensor x)
    {
        using MemoryScope? scope = Autograd.IsEnabled ? null : TensorMemory.Scope();
        foreach (Conv2d convolution in convolutions) x = convolution.Forward(x).Relu();
        x = x.MaxPool2d(2);
        scope?.PassOut(x);
        return x;
    }
}
