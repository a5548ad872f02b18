using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Delineate.Data;
using Delineate.Inference;
using Delineate.Models;
using Delineate.Tensors;

namespace Delineate.Cli.Commands;

/// <summary>The options of commands that predict: whose weights, and how each image is looked at.</summary>
/// <param name="needsWeights">Whether the command is nothing without them.</param>
internal sealed class PredictorArguments(bool needsWeights = true)
{
    private readonly Option<string?> model = SharedOptions.Model();
    private readonly Option<string> weights = SharedOptions.Weights(needsWeights);
    private readonly Option<int?> classes = SharedOptions.Classes();
    private readonly Option<Size2d?> window = SharedOptions.OptionalSize("--window", "Look at images through windows of this size, for images of any size [whole images]");
    private readonly Option<double> overlap = SharedOptions.Share("--overlap", "The share of a window that it has in common with the next, at most 0.9", new PredictorOptions().Overlap);
    private readonly Option<int> context = SharedOptions.Whole("--context", "Pixels that the network sees at least around those that a window decides; fewer are faster, more are closer to whole images", 0, PredictorOptions.MostContext, new PredictorOptions().Context);
    private readonly Option<double[]> scales = new("--scales")
    {
        Description = "Look at several sizes and average the probabilities: multiples of the usual size, such as 0.75,1,1.25 [1]",
        HelpName = "N,N...",
        DefaultValueFactory = _ => [1],
        CustomParser = ReadScales,
    };
    private readonly Option<bool> flip = new("--flip") { Description = "Look at the mirrored image as well and average the probabilities" };
    private readonly Option<bool> ownSize = new("--own-size") { Description = "Look at images at their own size, whatever short side the model was trained for" };
    private readonly Option<bool> strict = SharedOptions.Strict();

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in All) command.Options.Add(option);
    }

    /// <summary>The names of those that the command line sets.</summary>
    public IEnumerable<string> Given(ParseResult parsed) => All.Where(o => parsed.GetResult(o) is { Implicit: false }).Select(o => o.Name);

    /// <summary>Whether weights were given.</summary>
    public bool HasWeights(ParseResult parsed) => parsed.GetResult(weights) is { Implicit: false };

    /// <summary>The weights' path as it was given.</summary>
    public string WeightsOf(ParseResult parsed) => parsed.GetValue(weights)!;

    /// <summary>The model's name in the catalog, as it was given or as the weights' file says; null where neither tells.</summary>
    public string? NameOf(ParseResult parsed) => parsed.GetValue(model) ?? ModelFile.NameIn(SharedOptions.ExistingFile(WeightsOf(parsed)));

    /// <summary>Whether images are to be seen through windows.</summary>
    public bool HasWindow(ParseResult parsed) => parsed.GetValue(window) is not null;

    /// <summary>
    /// The model, loaded, behind a predictor that looks as was asked; classes that nothing names are <paramref name="unnamed"/> where there are as many. A
    /// network that finds objects looks as the options of <paramref name="detector"/> say.
    /// </summary>
    public Predictor Load(ParseResult parsed, DetectorArguments detector, ClassTable? unnamed = null)
    {
        foreach (Option option in (Option[])[overlap, context])
        {
            if (!HasWindow(parsed) && parsed.GetResult(option) is { Implicit: false }) throw new UserException($"{option.Name} is about windows: give --window as well");
        }
        var options = new PredictorOptions
        {
            Window = parsed.GetValue(window),
            Overlap = parsed.GetValue(overlap),
            Context = parsed.GetValue(context),
            Scales = parsed.GetValue(scales)!,
            Flip = parsed.GetValue(flip),
            OwnSize = parsed.GetValue(ownSize),
        };
        Model loaded = ModelFile.LoadAs(SharedOptions.ExistingFile(WeightsOf(parsed)), parsed.GetValue(model), parsed.GetValue(classes), out _, unnamed, detector.Adjust(parsed));
        if (loaded is DetectionModel objects)
        {
            Option? odd = ((Option[])[window, overlap, context, scales, flip, ownSize]).FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false });
            if (odd is not null) throw new UserException($"{odd.Name} is for networks that tell the classes of pixels: {loaded.Name} finds objects, in whole images (--min-size and --max-size say how large)");
            objects.Detection = detector.Applied(objects.Detection, parsed);
        }
        else if (detector.Given(parsed) is { } option) throw new UserException($"{option.Name} is for networks that find objects: {loaded.Name} tells the classes of pixels");
        if (parsed.GetValue(strict)) loaded.Rounding = Rounding.Strict;
        try
        {
            return new Predictor(loaded, options);
        }
        catch (ArgumentException e)
        {
            throw new UserException(e.Message.Split(" (Parameter", 2)[0]);
        }
    }

    private Option[] All => [weights, model, classes, window, overlap, context, scales, flip, ownSize, strict];

    private static double[] ReadScales(ArgumentResult result)
    {
        string text = string.Join(',', result.Tokens.Select(t => t.Value));
        var numbers = new List<double>();
        foreach (string part in text.Split(','))
        {
            if (double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number is >= 0.1 and <= 8) numbers.Add(number);
            else result.AddError($"--scales takes numbers from 0.1 to 8 with commas between, such as 0.75,1,1.25, not '{text}'");
        }
        return [.. numbers];
    }
}
