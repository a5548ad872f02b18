namespace Delineate.Models;

/// <summary>What the constructors of the catalog's networks take, beside their names and classes. Saved in the model file.</summary>
public sealed record ModelOptions
{
    /// <summary>FCN and DeepLabV3 on ResNet: the ratio of the input's size to the features', 8, 16 or 32; the backbone's last strides become dilation.</summary>
    public int OutputStride { get; init; } = 8;

    /// <summary>FCN and DeepLabV3 on ResNet: dilation goes up and down from block to block, so that no pixel is left out (see <see cref="Parts.ResNetOptions"/>).</summary>
    public bool HybridDilation { get; init; }

    /// <summary>FCN and DeepLabV3: an auxiliary head on the third stage.</summary>
    public bool AuxiliaryHead { get; init; } = true;

    /// <summary>U-Net: channels of the first level; each level below has twice as many.</summary>
    public int Channels { get; init; } = 64;

    /// <summary>U-Net: how many times the image is halved.</summary>
    public int Depth { get; init; } = 4;

    /// <summary>U-Net: the decoder interpolates instead of learning transposed convolutions.</summary>
    public bool Bilinear { get; init; }

    /// <summary>Sliding window: pixels along a side of the patch around a pixel, one of <see cref="PatchClassifier.PatchSizes"/>. 95 as in Ciresan et al. 2012.</summary>
    public int PatchSize { get; init; } = 95;

    /// <summary>Sliding window: every so many-th pixel of a row and column is classified, scores between are interpolated; odd, 1 for every pixel.</summary>
    public int PatchStride { get; init; } = 5;

    /// <summary>Sliding window: patches of each image in a training step.</summary>
    public int PatchesPerImage { get; init; } = 64;

    /// <summary>Sliding window: training draws each class of an image equally often instead of each pixel.</summary>
    public bool BalancedPatches { get; init; }

    /// <summary>Detectors: the backbone's normalisation keeps what it was loaded with; false trains it, as a network from random weights needs (see <see cref="RcnnOptions.IsNormFrozen"/>).</summary>
    public bool FrozenNorm { get; init; } = true;

    /// <summary>Detectors: what a frozen normalisation adds to the variance; 0 for the weights that torchvision published as COCO_V1.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>Keypoint R-CNN: joints of a body.</summary>
    public int Keypoints { get; init; } = 17;

    /// <summary>Detectors: divides every inner channel count, for small tasks.</summary>
    public int WidthDivisor { get; init; } = 1;

    /// <summary>Detectors: sizes, thresholds and counts that may change without the network.</summary>
    public DetectionOptions Detection { get; init; } = new();

    /// <summary>The options themselves where every network of the catalog could be built from them, in memory that a machine may have.</summary>
    /// <exception cref="ModelOptionsException">One is out of its range; the message names it.</exception>
    internal ModelOptions Checked()
    {
        const int MostDeepChannels = 2048; // the paper's deepest level has 1024
        Need(OutputStride is 8 or 16 or 32, "outputStride", "8, 16 or 32", OutputStride);
        Need(Channels is >= 1 and <= 512, "channels", "1 to 512", Channels);
        Need(!Bilinear || Channels % 2 == 0, "channels", "even where bilinear is true", Channels);
        Need(Depth is >= 1 and <= 8, "depth", "1 to 8", Depth);
        Need(Channels << Depth <= MostDeepChannels, "channels", $"at most {MostDeepChannels >> Depth} at depth {Depth}, for they double on every level", Channels);
        Need(PatchClassifier.PatchSizes.Contains(PatchSize), "patchSize", $"one of {string.Join(", ", PatchClassifier.PatchSizes)}", PatchSize);
        Need(PatchStride >= 1 && PatchStride <= PatchSize && PatchStride % 2 == 1, "patchStride", $"odd, 1 to the patch size, {PatchSize}", PatchStride);
        Need(PatchesPerImage is >= 1 and <= 4096, "patchesPerImage", "1 to 4096", PatchesPerImage);
        if (!(NormEpsilon is >= 0 and <= 1)) throw new ModelOptionsException(FormattableString.Invariant($"the model's option normEpsilon must be 0 to 1; it is {NormEpsilon}"));
        Need(Keypoints is >= 1 and <= 1024, "keypoints", "1 to 1024", Keypoints);
        Need(WidthDivisor is 1 or 2 or 4 or 8 or 16 or 32 or 64, "widthDivisor", "1, 2, 4, 8, 16, 32 or 64", WidthDivisor);
        if (Detection.Fault() is { } fault) throw new ModelOptionsException($"the model's option detection.{fault}");
        return this;

        static void Need(bool holds, string key, string range, int value)
        {
            if (!holds) throw new ModelOptionsException($"the model's option {key} must be {range}; it is {value}");
        }
    }
}

/// <summary>An option out of the range that the networks of the catalog take: names it.</summary>
public sealed class ModelOptionsException(string message) : Exception(message);
