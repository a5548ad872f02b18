using System.CommandLine;
using System.CommandLine.Parsing;
using Delineate.Models;

namespace Delineate.Cli.Commands;

/// <summary>The options of commands that let a detector look at images: at which size it sees them, and how much of what it finds is kept.</summary>
internal sealed class DetectorArguments
{
    private readonly Option<int?> detections = SharedOptions.OptionalWhole("--detections", "Detectors: the most objects in an image [the model's, 100 at first]", 1, ushort.MaxValue);
    private readonly Option<int?> minSize = SharedOptions.OptionalWhole("--min-size", "Detectors: resize images to a short side of so many pixels [the model's, 800 at first]", 32, 8192);
    private readonly Option<int?> maxSize = SharedOptions.OptionalWhole("--max-size", "Detectors: … but to a long side of no more than this [the model's, 1333 at first]", 32, 8192);
    private readonly Option<double?> normEpsilon = SharedOptions.OptionalShare("--norm-epsilon", "Detectors: what frozen batch norms add to the variance [1e-5; 0 for torchvision's COCO_V1 weights, known by their file's name]");

    private Option[] All => [detections, minSize, maxSize, normEpsilon];

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in All) command.Options.Add(option);
    }

    /// <summary>The first of them that was given, or null.</summary>
    public Option? Given(ParseResult parsed) => All.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false });

    /// <summary>What the options change in a network that is about to be made, or null.</summary>
    public Func<ModelOptions, ModelOptions>? Adjust(ParseResult parsed) =>
        parsed.GetValue(normEpsilon) is { } epsilon ? options => options with { NormEpsilon = (float)epsilon } : null;

    /// <summary>A detector's own options, or what was given in their place.</summary>
    /// <exception cref="UserException">The long side would be shorter than the short one.</exception>
    public DetectionOptions Applied(DetectionOptions options, ParseResult parsed)
    {
        options = options with
        {
            Detections = parsed.GetValue(detections) ?? options.Detections,
            MinSize = parsed.GetValue(minSize) ?? options.MinSize,
            MaxSize = parsed.GetValue(maxSize) ?? Math.Max(options.MaxSize, parsed.GetValue(minSize) ?? 0),
            TrainingMinSize = null,
        };
        if (options.MinSize > options.MaxSize) throw new UserException($"--max-size must be at least the short side, {options.MinSize}; it is {options.MaxSize}");
        return options;
    }
}
