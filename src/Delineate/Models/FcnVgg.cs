using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Models;

/// <summary>Which of the first FCNs, and how wide.</summary>
public sealed record FcnVggOptions
{
    /// <summary>Classes, the background among them.</summary>
    public int NumClasses { get; init; } = 21;

    /// <summary>The stride of the finest map that is scored: 32 (the last alone), 16 (with the fourth pooling) or 8 (with the third as well).</summary>
    public int Stride { get; init; } = 8;

    /// <summary>
    /// For a network that is trained in one go instead of from the next coarser one: the fourth pooling is scored at 1/100 and the third at 1/10000, so that
    /// their much larger values do not drown the rest.
    /// </summary>
    public bool AtOnce { get; init; }

    /// <summary>Probability with which a channel after fc6 and fc7 is dropped while training.</summary>
    public float Dropout { get; init; } = 0.5f;

    /// <summary>Divides every inner channel count.</summary>
    public int WidthDivisor { get; init; } = 1;
}

/// <summary>
/// FCN-32s, FCN-16s and FCN-8s on VGG-16 (Long, Shelhamer and Darrell 2015), as the paper's reference builds them: a hundred zeros around the image,
/// poolings that keep broken windows, the classifier's layers as convolutions, scores enlarged by transposed convolutions that begin as bilinear
/// interpolation, and crops that bring maps and image into line. Names are those of the reference's ports to PyTorch. [N, H, W, 3] → [N, H, W, numClasses].
/// </summary>
public sealed class FcnVgg : Layer
{
    /// <summary>torchvision's <c>vgg16</c> under this network's names; its first two fully connected layers are convolutions here.</summary>
    public static readonly BackboneNames Names = new("classifier.6.",
    [
        .. VggStages.Sizes.SelectMany((s, stage) => Enumerable.Range(0, s.Convolutions)
            .Select(i => ($"{Vgg.ConvolutionName(stage, i)}.", $"{ConvolutionName(stage, i)}."))),
        ("classifier.0.", "fc6."), ("classifier.3.", "fc7."),
    ]);

    // How far the maps' first pixels lie inside those that they are added to: what a hundred zeros less the windows' reach leaves at each stride.
    private const int CropPool4 = 5, CropPool3 = 9;
    private const int Padding = 100;

    private readonly FcnVggOptions options;
    private readonly VggStages stages;
    private readonly Conv2d fc6, fc7, scoreFr;
    private readonly Dropout2d drop6, drop7;
    private readonly Conv2d? scorePool4, scorePool3;
    private readonly ConvTranspose2d? upscore2, upscorePool4;
    private readonly ConvTranspose2d upscore;

    /// <exception cref="ArgumentException">The stride is none of the paper's.</exception>
    public FcnVgg(Philox random, FcnVggOptions? options = null)
    {
        this.options = options ??= new FcnVggOptions();
        if (options.Stride is not (8 or 16 or 32)) throw new ArgumentException($"the stride of an FCN on VGG is 8, 16 or 32, not {options.Stride}", nameof(options));
        (int classes, int hidden) = (options.NumClasses, 4096 / options.WidthDivisor);
        stages = new VggStages(random, (stage, i, conv) => Child(ConvolutionName(stage, i), conv), null, options.WidthDivisor, Padding, ceilMode: true);
        fc6 = Child("fc6", new Conv2d(random, stages.OutChannels, hidden, 7, initializer: Init.KaimingNormalFanIn));
        drop6 = Child("drop6", new Dropout2d(options.Dropout));
        fc7 = Child("fc7", new Conv2d(random, hidden, hidden, 1, initializer: Init.KaimingNormalFanIn));
        drop7 = Child("drop7", new Dropout2d(options.Dropout));
        scoreFr = Child("score_fr", Score(hidden));
        if (options.Stride < 32)
        {
            if (options.Stride == 8) scorePool3 = Child("score_pool3", Score(VggStages.Sizes[2].Channels / options.WidthDivisor));
            scorePool4 = Child("score_pool4", Score(VggStages.Sizes[3].Channels / options.WidthDivisor));
            upscore2 = Child("upscore2", Enlarge(2));
        }
        if (options.Stride == 8) upscorePool4 = Child("upscore_pool4", Enlarge(2));
        upscore = Child(options.Stride switch { 8 => "upscore8", 16 => "upscore16", _ => "upscore" }, Enlarge(options.Stride));

        // Scores begin at zero, so that training starts from no opinion.
        Conv2d Score(int channels)
        {
            var score = new Conv2d(random, channels, classes, 1, initializer: Init.Zeros);
            score.Bias!.Span.Clear();
            return score;
        }

        ConvTranspose2d Enlarge(int factor) => new(random, classes, classes, 2 * factor, stride: factor, bias: false, initializer: Init.BilinearUpsampling);
    }

    public FcnVggOptions Options => options;

    protected override Tensor Apply(Tensor x)
    {
        Tensor[] pools = stages.Forward(x);
        Tensor y = drop6.Forward(fc6.ForwardRelu(pools[4]));
        y = drop7.Forward(fc7.ForwardRelu(y));
        y = scoreFr.Forward(y);
        if (scorePool4 is not null)
        {
            y = upscore2!.Forward(y);
            y += Crop(scorePool4.Forward(options.AtOnce ? pools[3] * 0.01f : pools[3]), CropPool4, y);
        }
        if (scorePool3 is not null)
        {
            y = upscorePool4!.Forward(y);
            y += Crop(scorePool3.Forward(options.AtOnce ? pools[2] * 0.0001f : pools[2]), CropPool3, y);
        }
        int crop = options.Stride switch { 8 => 31, 16 => 27, _ => 19 };
        return Crop(upscore.Forward(y), crop, x);
    }

    private static string ConvolutionName(int stage, int i) => $"conv{stage + 1}_{i + 1}";

    private static Tensor Crop(Tensor map, int from, Tensor like) => map.Slice(1, from, like).Slice(2, from, like);
}
