using System.Globalization;

namespace Delineate.Models;

/// <summary>How a detector prepares images, which boxes it follows up, and what it learns from. Saved in the model file; torchvision's values to start with.</summary>
public sealed record DetectionOptions
{
    /// <summary>Images are resized until their shorter side has this many pixels …</summary>
    public int MinSize { get; init; } = 800;

    /// <summary>… but the longer one no more than this.</summary>
    public int MaxSize { get; init; } = 1333;

    /// <summary>The least short side that training resizes an image to: each time one of this, 32 more, and so on to <see cref="MinSize"/>; null for that one alone. torchvision trains keypoints from 640.</summary>
    public int? TrainingMinSize { get; init; }

    /// <summary>Detections below this score are left out, 0…1.</summary>
    public float ScoreThreshold { get; init; } = 0.05f;

    /// <summary>Of two detections of one class whose boxes overlap more than this, the surer one stays; an intersection over union, 0…1.</summary>
    public double NmsThreshold { get; init; } = 0.5;

    /// <summary>The most detections in one image.</summary>
    public int Detections { get; init; } = 100;

    /// <summary>Of two region proposals that overlap more than this, the likelier one stays.</summary>
    public double ProposalNmsThreshold { get; init; } = 0.7;

    /// <summary>The likeliest region proposals of each map that are looked at.</summary>
    public int ProposalsBeforeNms { get; init; } = 1000;

    /// <summary>The most region proposals of one image that are followed up.</summary>
    public int ProposalsAfterNms { get; init; } = 1000;

    /// <summary><see cref="ProposalsBeforeNms"/> while training.</summary>
    public int TrainingProposalsBeforeNms { get; init; } = 2000;

    /// <summary><see cref="ProposalsAfterNms"/> while training.</summary>
    public int TrainingProposalsAfterNms { get; init; } = 2000;

    /// <summary>Anchors of one image that the region proposals learn from.</summary>
    public int AnchorSamples { get; init; } = 256;

    /// <summary>The most of them that are objects, as a share.</summary>
    public double AnchorPositiveShare { get; init; } = 0.5;

    /// <summary>Region proposals of one image that the heads learn from.</summary>
    public int BoxSamples { get; init; } = 512;

    /// <summary>The most of them that are objects, as a share.</summary>
    public double BoxPositiveShare { get; init; } = 0.25;

    /// <summary>The first key that is out of its range with what it may be, or null where all make sense.</summary>
    internal string? Fault()
    {
        const int MostSide = 8192, MostBoxes = 1_000_000;
        return Whole(MinSize, "minSize", 32, MostSide) ?? Whole(MaxSize, "maxSize", MinSize, MostSide)
            ?? (TrainingMinSize is { } least ? Whole(least, "trainingMinSize", 32, MinSize) : null)
            ?? Share(ScoreThreshold, "scoreThreshold") ?? Share(NmsThreshold, "nmsThreshold") ?? Share(ProposalNmsThreshold, "proposalNmsThreshold")
            ?? Whole(Detections, "detections", 1, MostBoxes)
            ?? Whole(ProposalsBeforeNms, "proposalsBeforeNms", 1, MostBoxes) ?? Whole(ProposalsAfterNms, "proposalsAfterNms", 1, MostBoxes)
            ?? Whole(TrainingProposalsBeforeNms, "trainingProposalsBeforeNms", 1, MostBoxes) ?? Whole(TrainingProposalsAfterNms, "trainingProposalsAfterNms", 1, MostBoxes)
            ?? Whole(AnchorSamples, "anchorSamples", 1, MostBoxes) ?? Share(AnchorPositiveShare, "anchorPositiveShare")
            ?? Whole(BoxSamples, "boxSamples", 1, MostBoxes) ?? Share(BoxPositiveShare, "boxPositiveShare");

        static string? Whole(int value, string key, int least, int most) => value >= least && value <= most ? null : Wrong(key, $"{least} to {most}", value);

        static string? Share(double value, string key) => value is >= 0 and <= 1 ? null : Wrong(key, "0 to 1", value);

        static string Wrong<T>(string key, string range, T value) => string.Create(CultureInfo.InvariantCulture, $"{key} must be {range}; it is {value}");
    }
}
