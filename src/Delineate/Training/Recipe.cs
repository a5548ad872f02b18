using System.Text.Json;
using System.Text.Json.Serialization;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors.Optim;

namespace Delineate.Training;

/// <summary>Which rule turns gradients into steps.</summary>
public enum OptimizerKind
{
    Sgd,
    AdamW,
}

/// <summary>How the learning rate falls over the run.</summary>
public enum ScheduleKind
{
    /// <summary>(1 − progress)^power per step.</summary>
    Poly,

    /// <summary>Half a cosine from 1 to 0.</summary>
    Cosine,

    /// <summary>Times gamma at each milestone.</summary>
    MultiStep,
}

/// <summary>
/// Everything that decides a training run besides the data: with the same recipe, data and seed a run gives the same weights, bit for bit.
/// Read from JSON in which comments are allowed; the defaults are torchvision's recipe for FCN, sized for one machine.
/// </summary>
public sealed record Recipe
{
    /// <summary>The model's name in the catalog.</summary>
    public string Model { get; init; } = "fcn_resnet50";

    /// <summary>What the model's constructor takes.</summary>
    public ModelOptions Options { get; init; } = new();

    /// <summary>Passes over the training set.</summary>
    public int Epochs { get; init; } = 30;

    /// <summary>Images to a forward pass.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>Forward passes whose gradients are averaged into one step: a larger batch in the same memory.</summary>
    public int AccumulateBatches { get; init; } = 1;

    public OptimizerKind Optimizer { get; init; } = OptimizerKind.Sgd;

    /// <summary>The rate after warm-up. 0.02 belongs to 32 images a step, 0.01 to 16; the published single-machine recipe fine-tunes at 0.0001 with 4.</summary>
    public double LearningRate { get; init; } = 0.01;

    /// <summary>The auxiliary head learns at this multiple of the rate.</summary>
    public double AuxLearningRateScale { get; init; } = 10;

    public double Momentum { get; init; } = 0.9;

    public bool Nesterov { get; init; }

    public double WeightDecay { get; init; } = 1e-4;

    /// <summary>Gradients longer than this are shortened to it; null leaves them.</summary>
    public double? ClipGradientNorm { get; init; }

    public ScheduleKind Schedule { get; init; } = ScheduleKind.Poly;

    public double PolyPower { get; init; } = 0.9;

    /// <summary>Epochs after which a multi-step schedule multiplies the rate by <see cref="Gamma"/>.</summary>
    public IReadOnlyList<int> Milestones { get; init; } = [];

    public double Gamma { get; init; } = 0.1;

    /// <summary>Epochs of linear warm-up; may be a fraction.</summary>
    public double WarmupEpochs { get; init; } = 1;

    /// <summary>The share of the rate at which warm-up begins.</summary>
    public double WarmupFactor { get; init; } = 0.001;

    /// <summary>Weight of the auxiliary head's loss.</summary>
    public float AuxWeight { get; init; } = 0.5f;

    /// <summary>Weight of a soft Dice loss beside the cross-entropy.</summary>
    public float DiceWeight { get; init; }

    public float LabelSmoothing { get; init; }

    /// <summary>Weight of each class in the cross-entropy, or null for 1 each.</summary>
    public IReadOnlyList<float>? ClassWeights { get; init; }

    /// <summary>Random resize: the short side is drawn from MinScale·BaseSize … MaxScale·BaseSize. Null: images keep their size.</summary>
    public int? BaseSize { get; init; } = 520;

    public double MinScale { get; init; } = 0.5;

    public double MaxScale { get; init; } = 2;

    /// <summary>Training sees crops of this many pixels, (height, width).</summary>
    public IReadOnlyList<int> CropSize { get; init; } = [480, 480];

    public double FlipProbability { get; init; } = 0.5;

    /// <summary>Upside-down too: for pictures that have no up, as from a microscope.</summary>
    public double VerticalFlipProbability { get; init; }

    /// <summary>Strength of random brightness, contrast and saturation; 0 leaves colours alone.</summary>
    public double ColorJitter { get; init; }

    /// <summary>Evaluation resizes the short side to this; null evaluates at the images' own size.</summary>
    public int? EvalShortSide { get; init; } = 520;

    /// <summary>Evaluate after every so many epochs, and after the last.</summary>
    public int EvalEvery { get; init; } = 1;

    /// <summary>Stop after so many evaluations without a better mean IoU; null never.</summary>
    public int? EarlyStop { get; init; }

    /// <summary>Stop after so many minutes; null never.</summary>
    public double? TimeBudgetMinutes { get; init; }

    /// <summary>A checkpoint inside an epoch after every so many minutes; epochs always end with one.</summary>
    public double CheckpointMinutes { get; init; } = 5;

    public ulong Seed { get; init; } = 1;

    /// <summary>Reads a recipe; keys it lacks keep their defaults.</summary>
    /// <exception cref="RecipeException">The text is not JSON, or has a key or value that a recipe does not.</exception>
    public static Recipe Parse(string json, string fileName)
    {
        try
        {
            return (JsonSerializer.Deserialize(json, RecipeJson.Default.Recipe) ?? new Recipe()).Checked(fileName);
        }
        catch (JsonException e)
        {
            throw new RecipeException($"{fileName}, line {(e.LineNumber ?? 0) + 1}: {Plain(e.Message)}");
        }
    }

    /// <summary>The recipe as JSON that <see cref="Parse"/> reads back.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, RecipeJson.Default.Recipe);

    /// <summary>The recipe itself where all its figures make sense.</summary>
    /// <exception cref="RecipeException">One does not; the message names the key.</exception>
    public Recipe Checked(string source)
    {
        Need(Epochs >= 1, "epochs", "at least 1");
        Need(BatchSize >= 1, "batchSize", "at least 1");
        Need(AccumulateBatches >= 1, "accumulateBatches", "at least 1");
        Need(LearningRate is > 0 and < double.PositiveInfinity, "learningRate", "above 0");
        Need(Momentum is >= 0 and < 1, "momentum", "in 0 … 1");
        Need(!Nesterov || Momentum > 0, "nesterov", "used with a momentum");
        Need(WeightDecay >= 0, "weightDecay", "0 or more");
        Need(ClipGradientNorm is null or > 0, "clipGradientNorm", "above 0");
        Need(WarmupEpochs >= 0 && WarmupEpochs < Epochs + 1, "warmupEpochs", "between 0 and the epochs");
        Need(WarmupFactor is >= 0 and <= 1, "warmupFactor", "in 0 … 1");
        Need(LabelSmoothing is >= 0 and < 1, "labelSmoothing", "in 0 … 1");
        Need(CropSize.Count == 2 && CropSize.All(s => s is >= 16 and <= 8192), "cropSize", "two sizes of 16 to 8192: [height, width]");
        Need(BaseSize is null or (>= 8 and <= 8192), "baseSize", "8 to 8192, or null");
        Need(MinScale > 0 && MaxScale >= MinScale, "minScale and maxScale", "above 0 and in order");
        Need(FlipProbability is >= 0 and <= 1, "flipProbability", "in 0 … 1");
        Need(VerticalFlipProbability is >= 0 and <= 1, "verticalFlipProbability", "in 0 … 1");
        Need(ColorJitter is >= 0 and <= 1, "colorJitter", "in 0 … 1");
        Need(EvalShortSide is null or (>= 8 and <= 8192), "evalShortSide", "8 to 8192, or null");
        Need(EvalEvery >= 1, "evalEvery", "at least 1");
        Need(EarlyStop is null or >= 1, "earlyStop", "at least 1, or null");
        Need(TimeBudgetMinutes is null or > 0, "timeBudgetMinutes", "above 0, or null");
        Need(CheckpointMinutes > 0, "checkpointMinutes", "above 0");
        return this;

        void Need(bool holds, string key, string range)
        {
            if (!holds) throw new RecipeException($"{source}: {key} must be {range}");
        }
    }

    /// <summary>The random changes that training makes to images.</summary>
    internal TrainTransform TrainTransform(ClassTable classes) => new()
    {
        BaseSize = BaseSize,
        MinScale = MinScale,
        MaxScale = MaxScale,
        FlipProbability = FlipProbability,
        VerticalFlipProbability = VerticalFlipProbability,
        CropSize = (CropSize[0], CropSize[1]),
        IgnoreIndex = classes.IgnoreIndex,
        Jitter = ColorJitter > 0 ? new ColorJitter { Brightness = ColorJitter, Contrast = ColorJitter, Saturation = ColorJitter } : null,
    };

    /// <summary>The optimizer over a model's parameters, the auxiliary ones in a group of their own.</summary>
    internal Optimizer MakeOptimizer(Model model)
    {
        var parameters = model.Network.NamedParameters().ToLookup(p => model.IsAuxiliary(p.Name));
        List<ParameterGroup> groups = [new ParameterGroup(parameters[false])];
        if (parameters[true].Any()) groups.Add(new ParameterGroup(parameters[true], AuxLearningRateScale));
        return Optimizer switch
        {
            OptimizerKind.Sgd => new Sgd(groups, new SgdOptions { Momentum = Momentum, Nesterov = Nesterov, WeightDecay = WeightDecay }),
            OptimizerKind.AdamW => new AdamW(groups, new AdamWOptions { WeightDecay = WeightDecay }),
            _ => throw new RecipeException($"there is no optimizer {Optimizer}"),
        };
    }

    /// <summary>The rate of each step of a run with so many steps to an epoch.</summary>
    internal Schedule MakeSchedule(int stepsPerEpoch)
    {
        long steps = (long)stepsPerEpoch * Epochs, warm = (long)Math.Round((double)WarmupEpochs * stepsPerEpoch);
        Warmup? warmup = warm > 0 ? new Warmup(warm, WarmupFactor) : null;
        return Schedule switch
        {
            ScheduleKind.Poly => new PolySchedule(LearningRate, steps, PolyPower, Warmup: warmup),
            ScheduleKind.Cosine => new CosineSchedule(LearningRate, steps, Warmup: warmup),
            ScheduleKind.MultiStep => new MultiStepSchedule(LearningRate, [.. Milestones.Select(m => (long)m * stepsPerEpoch)], Gamma, warmup),
            _ => throw new RecipeException($"there is no schedule {Schedule}"),
        };
    }

    private static string Plain(string message) => message.Split(" Path:")[0].TrimEnd('.');
}

/// <summary>A recipe that cannot be used: names the file and the key.</summary>
public sealed class RecipeException(string message) : Exception(message);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, UseStringEnumConverter = true,
    ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(Recipe))]
internal sealed partial class RecipeJson : JsonSerializerContext;
