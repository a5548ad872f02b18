using System.Globalization;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>The parts of a <see cref="PatchClassifier"/> that can be chosen.</summary>
public sealed record PatchClassifierOptions
{
    /// <summary>Classes, the background among them.</summary>
    public int NumClasses { get; init; } = 21;

    /// <summary>Rows and columns of a patch: one of <see cref="PatchClassifier.PatchSizes"/>.</summary>
    public int PatchSize { get; init; } = 95;

    /// <summary>Channels of every convolution.</summary>
    public int Channels { get; init; } = 48;

    /// <summary>Values of the hidden fully connected layer.</summary>
    public int Hidden { get; init; } = 200;
}

/// <summary>
/// Tells the class of a patch's middle pixel, in the manner of Ciresan et al. 2012 and with the sizes of their network N4: unpadded convolutions, each
/// followed by ReLU and a pooling of 2×2, until the map is small, then two fully connected layers, written as convolutions. Without padding every value
/// depends on its window alone, so the same weights can score all pixels of an image together (<see cref="Dense"/>).
/// [N, patchSize, patchSize, 3] → [N, 1, 1, numClasses]; of larger images it scores a window at every <see cref="Stride"/>-th row and column.
/// </summary>
public sealed class PatchClassifier : Layer
{
    private const int FewestStages = 2;
    private static readonly int[] Kernels = [4, 5, 4, 4]; // of the stages

    private readonly List<Conv2d> convolutions = [];
    private readonly Conv2d fc, classifier;

    /// <exception cref="ArgumentException">There is no network for the patch size.</exception>
    public PatchClassifier(Philox random, PatchClassifierOptions? options = null)
    {
        Options = options ?? new PatchClassifierOptions();
        int stages = Stages(Options.PatchSize);
        if (stages == 0) throw new ArgumentException($"a patch has {string.Join(", ", PatchSizes)} pixels a side, not {Options.PatchSize}", nameof(options));
        for (int i = 0; i < stages; i++)
            convolutions.Add(Child(string.Create(CultureInfo.InvariantCulture, $"conv{i + 1}"), Convolution(i == 0 ? 3 : Options.Channels, Options.Channels, Kernels[i])));
        fc = Child("fc", Convolution(Options.Channels, Options.Hidden, LastMap(Options.PatchSize, stages)));
        classifier = Child("classifier", Convolution(Options.Hidden, Options.NumClasses, 1));

        Conv2d Convolution(int inChannels, int outChannels, int kernel)
        {
            var conv = new Conv2d(random, inChannels, outChannels, kernel, initializer: Init.KaimingNormalFanIn);
            conv.Bias!.Span.Clear();
            return conv;
        }
    }

    /// <summary>
    /// The patch sizes that there are networks for: those of which no pooling leaves a row out, so that the pixel in the middle of the patch is in the middle
    /// of what the network sees. Patches of 63 pixels and more have four stages, smaller ones three or two.
    /// </summary>
    public static IReadOnlyList<int> PatchSizes { get; } = [.. Enumerable.Range(1, 127).Where(size => Stages(size) > 0)];

    public PatchClassifierOptions Options { get; }

    /// <summary>Pixels between neighbouring windows that are scored in images larger than a patch.</summary>
    public int Stride => 1 << convolutions.Count;

    /// <summary>The patch size of a network with so many convolutions before a fully connected layer that sees <paramref name="lastMap"/> rows; null where there is none.</summary>
    internal static int? PatchSizeOf(int stages, int lastMap) => PatchSizes.Where(size => Stages(size) == stages && LastMap(size, stages) == lastMap).Cast<int?>().FirstOrDefault();

    /// <summary>
    /// The scores of all patches of an image together, those of every <paramref name="stride"/>-th row and column, computed once where patches have them in
    /// common: poolings keep their resolution, and all that follows one looks twice as far apart instead (Giusti et al. 2013, Long et al. 2015).
    /// [N, H, W, 3] → [N, ⌊(H − patchSize)/stride⌋ + 1, ⌊(W − patchSize)/stride⌋ + 1, numClasses].
    /// </summary>
    /// <exception cref="ShapeException">The image is smaller than a patch.</exception>
    public Tensor Dense(Tensor x, int stride = 1)
    {
        using MemoryScope? scope = Autograd.IsEnabled ? null : TensorMemory.Scope();
        Tensor y = x;
        int dilation = 1;
        foreach (Conv2d conv in convolutions)
        {
            y = y.Conv2d(conv.Weight, conv.Bias, dilation: dilation).Relu().MaxPool2d(2, stride: 1, dilation: dilation);
            dilation *= 2;
        }
        y = classifier.Forward(y.Conv2d(fc.Weight, fc.Bias, stride, dilation: dilation).Relu());
        scope?.PassOut(y);
        return y;
    }

    protected override Tensor Apply(Tensor x)
    {
        Tensor y = x;
        foreach (Conv2d conv in convolutions) y = conv.ForwardRelu(y).MaxPool2d(2);
        return classifier.Forward(fc.ForwardRelu(y));
    }

    /// <summary>As many as the patch has room for; 0 where a pooling would leave a row out, or where it is too small for two.</summary>
    private static int Stages(int patchSize)
    {
        for (int stages = Kernels.Length; stages >= FewestStages; stages--)
        {
            int room = patchSize - Reach(stages);
            if (room >= 0) return room % (1 << stages) == 0 ? stages : 0;
        }
        return 0;
    }

    private static int LastMap(int patchSize, int stages) => ((patchSize - Reach(stages)) >> stages) + 1;

    /// <summary>The pixels that one value of the last map sees along a side.</summary>
    private static int Reach(int stages)
    {
        int reach = 1;
        for (int i = 0; i < stages; i++) reach += Kernels[i] << i; // kernel − 1 steps of the convolution and one of the pooling, each 2^i pixels
        return reach;
    }
}
