using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Delineate.Data;
using Delineate.Losses;
using Delineate.Models;
using Delineate.Tensors;
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

    /// <summary>Not at all.</summary>
    Constant,
}

/// <summary>
/// Everything that decides a training run besides the data: with the same recipe, data and seed a run gives the same weights, bit for bit.
/// Read from JSON in which comments are allowed; the defaults are torchvision's recipe for FCN, sized for one machine. A recipe for a detector begins with
/// <see cref="For"/>.
/// </summary>
public sealed partial record Recipe
{
    private const int MostStages = 100;

    /// <summary>The model's name in the catalog.</summary>
    public string Model { get; init; } = "fcn_resnet50";

    /// <summary>What the model's constructor takes.</summary>
    public ModelOptions Options { get; init; } = new();

    /// <summary>Passes over the training set.</summary>
    public int Epochs { get; init; } = 30;

    /// <summary>Images to a forward pass.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>
    /// Parameters whose names begin with one of these keep their starting values: <c>backbone.</c>, or <c>upscore</c> for the bilinear enlargement that the
    /// first FCNs do not learn. Running statistics of normalisations among them still follow the batches.
    /// </summary>
    public IReadOnlyList<string> Frozen { get; init; } = [];

    /// <summary>
    /// Forward passes whose gradients make one step: a larger batch in the same memory. They are averaged, or with <see cref="SummedLoss"/> added, as the
    /// pixels of one larger batch are.
    /// </summary>
    public int AccumulateBatches { get; init; } = 1;

    /// <summary>Blocks keep only their inputs for backward, which computes the rest once more: less memory, about a third more time, the same weights.</summary>
    public bool Checkpointing { get; init; }

    public OptimizerKind Optimizer { get; init; } = OptimizerKind.Sgd;

    /// <summary>The rate after warm-up. 0.02 belongs to 32 images a step, 0.01 to 16; the published single-machine recipe fine-tunes at 0.0001 with 4.</summary>
    public double LearningRate { get; init; } = 0.01;

    /// <summary>The auxiliary head learns at this multiple of the rate.</summary>
    public double AuxLearningRateScale { get; init; } = 10;

    public double Momentum { get; init; } = 0.9;

    public bool Nesterov { get; init; }

    public double WeightDecay { get; init; } = 1e-4;

    /// <summary>Biases, those of normalisations too, learn at this multiple of the rate: 2 in Caffe's networks, the first FCNs among them.</summary>
    public double BiasLearningRateScale { get; init; } = 1;

    /// <summary>The weight decay of biases; null is <see cref="WeightDecay"/>.</summary>
    public double? BiasWeightDecay { get; init; }

    /// <summary>Gradients of a step that are longer than this are shortened to it; null leaves them. A summed loss has longer ones, by its count of pixels.</summary>
    public double? ClipGradientNorm { get; init; }

    public ScheduleKind Schedule { get; init; } = ScheduleKind.Poly;

    public double PolyPower { get; init; } = 0.9;

    /// <summary>Epochs after which a multi-step schedule multiplies the rate by <see cref="Gamma"/>.</summary>
    public IReadOnlyList<int> Milestones { get; init; } = [];

    public double Gamma { get; init; } = 0.1;

    /// <summary>Epochs of linear warm-up; may be a fraction.</summary>
    public double WarmupEpochs { get; init; } = 1;

    /// <summary>Warm-up takes no more steps than this, however long an epoch is; null sets no bound.</summary>
    public int? WarmupSteps { get; init; }

    /// <summary>The share of the rate at which warm-up begins.</summary>
    public double WarmupFactor { get; init; } = 0.001;

    /// <summary>
    /// The cross-entropy is summed over the pixels of a batch, not averaged: what the first FCNs were trained on, at rates of 1e-10 and less. Its gradient is
    /// the averaged loss's times the count of pixels, so a rate belongs to images of one size.
    /// </summary>
    public bool SummedLoss { get; init; }

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

    /// <summary>Training sees crops of this many pixels, (height, width). Null: whole images, in a batch padded to the largest.</summary>
    public IReadOnlyList<int>? CropSize { get; init; } = [480, 480];

    public double FlipProbability { get; init; } = 0.5;

    /// <summary>Upside-down too: for pictures that have no up, as from a microscope.</summary>
    public double VerticalFlipProbability { get; init; }

    /// <summary>Strength of random brightness, contrast and saturation; 0 leaves colours alone.</summary>
    public double ColorJitter { get; init; }

    /// <summary>Chance that objects of another training image are laid over one; 0 never. Needs a data set that tells objects apart.</summary>
    public double CopyPasteProbability { get; init; }

    /// <summary>Bring each image to mean 0 and deviation 1 by its own figures instead of ImageNet's: for microscopes and other uneven light.</summary>
    public bool Standardize { get; init; }

    /// <summary>Evaluation resizes the short side to this; null evaluates at the images' own size.</summary>
    public int? EvalShortSide { get; init; } = 520;

    /// <summary>Evaluate after every so many epochs, and after the last.</summary>
    public int EvalEvery { get; init; } = 1;

    /// <summary>Stop after so many evaluations without a better mean IoU, or average precision of a detector; null never.</summary>
    public int? EarlyStop { get; init; }

    /// <summary>Stop after so many minutes; null never.</summary>
    public double? TimeBudgetMinutes { get; init; }

    /// <summary>A checkpoint inside an epoch after every so many minutes; epochs always end with one.</summary>
    public double CheckpointMinutes { get; init; } = 5;

    public ulong Seed { get; init; } = 1;

    /// <summary>
    /// Trainings one after the other, each from the best weights of the one before: objects with those keys of a recipe in which a stage differs from this one.
    /// Empty: one training, by this recipe.
    /// </summary>
    public IReadOnlyList<JsonElement> Stages { get; init; } = [];

    /// <summary>Reads a recipe; keys it lacks have their defaults, for a detector those of <see cref="For"/>.</summary>
    /// <exception cref="RecipeException">The text is not JSON, or has a key or value that a recipe does not.</exception>
    public static Recipe Parse(string json, string fileName)
    {
        ArgumentNullException.ThrowIfNull(json);
        try
        {
            return (JsonText.Read(json, RecipeJson.Default.Recipe, DefaultsOf(json))
                ?? throw new RecipeException($"{fileName}: a recipe is an object in braces, not null")).Checked(fileName);
        }
        catch (JsonException e)
        {
            throw new RecipeException($"{fileName}, {JsonText.Describe(e, json, RecipeJson.Default.Recipe)}");
        }
    }

    /// <summary>The recipe as JSON that <see cref="Parse"/> reads back.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, RecipeJson.Default.Recipe);

    /// <summary>The recipe itself where all its figures make sense; <paramref name="source"/> leads the message where one does not.</summary>
    /// <exception cref="RecipeException">One does not; the message names the key.</exception>
    public Recipe Checked(string source)
    {
        Need(!string.IsNullOrWhiteSpace(Model), "model", "the name of a model", Model);
        Need(Epochs is >= 1 and <= 1_000_000, "epochs", "1 to 1000000", Epochs);
        Need(BatchSize is >= 1 and <= 4096, "batchSize", "1 to 4096", BatchSize);
        Need(Frozen.All(f => !string.IsNullOrWhiteSpace(f)), "frozen", "beginnings of parameters' names", List(Frozen));
        Need(AccumulateBatches is >= 1 and <= 4096, "accumulateBatches", "1 to 4096", AccumulateBatches);
        Need(Enum.IsDefined(Optimizer), "optimizer", "sgd or adamW", Optimizer);
        Need(LearningRate > 0 && double.IsFinite(LearningRate), "learningRate", "above 0", LearningRate);
        Need(AuxLearningRateScale >= 0 && double.IsFinite(AuxLearningRateScale), "auxLearningRateScale", "0 or more", AuxLearningRateScale);
        Need(Momentum is >= 0 and < 1, "momentum", "at least 0 and below 1", Momentum);
        Need(!Nesterov || Momentum > 0, "nesterov", "false where momentum is 0", "true");
        Need(WeightDecay is >= 0 and <= 1, "weightDecay", "0 to 1", WeightDecay);
        Need(BiasLearningRateScale >= 0 && double.IsFinite(BiasLearningRateScale), "biasLearningRateScale", "0 or more", BiasLearningRateScale);
        Need(BiasWeightDecay is null or (>= 0 and <= 1), "biasWeightDecay", "0 to 1, or null", BiasWeightDecay);
        Need(ClipGradientNorm is null or (> 0 and < double.PositiveInfinity), "clipGradientNorm", "above 0, or null", ClipGradientNorm);
        Need(Enum.IsDefined(Schedule), "schedule", "poly, cosine, multiStep or constant", Schedule);
        Need(PolyPower is > 0 and <= 100, "polyPower", "above 0 and at most 100", PolyPower);
        Need(Milestones.All(m => m >= 1), "milestones", "epochs of 1 or more", List(Milestones));
        Need(Gamma is > 0 and <= 1, "gamma", "above 0 and at most 1", Gamma);
        Need(WarmupEpochs >= 0 && WarmupEpochs <= Epochs, "warmupEpochs", $"0 to the number of epochs, {Epochs}", WarmupEpochs);
        Need(WarmupSteps is null or >= 1, "warmupSteps", "at least 1, or null", WarmupSteps);
        Need(WarmupFactor is >= 0 and <= 1, "warmupFactor", "0 to 1", WarmupFactor);
        Need(AuxWeight >= 0 && float.IsFinite(AuxWeight), "auxWeight", "0 or more", AuxWeight);
        Need(DiceWeight >= 0 && float.IsFinite(DiceWeight), "diceWeight", "0 or more", DiceWeight);
        Need(!SummedLoss || DiceWeight == 0, "diceWeight", "0 where summedLoss is true, for a sum over all pixels drowns a Dice loss of at most 1", DiceWeight);
        Need(LabelSmoothing is >= 0 and < 1, "labelSmoothing", "at least 0 and below 1", LabelSmoothing);
        bool goodWeights = ClassWeights is null || (ClassWeights.All(w => w >= 0 && float.IsFinite(w)) && ClassWeights.Any(w => w > 0));
        Need(goodWeights, "classWeights", "numbers of 0 or more, not all 0", List(ClassWeights));
        Need(BaseSize is null or (>= 8 and <= 8192), "baseSize", "8 to 8192, or null", BaseSize);
        Need(MinScale is > 0 and <= 100, "minScale", "above 0 and at most 100", MinScale);
        Need(MaxScale >= MinScale && MaxScale <= 100, "maxScale", $"at least minScale, {MinScale}, and at most 100", MaxScale);
        Need(BaseSize is null || (int)(BaseSize * MinScale) >= 1, "minScale", $"large enough to leave a pixel of baseSize, {BaseSize}", MinScale);
        bool goodCrop = CropSize is null || (CropSize.Count == 2 && CropSize.All(s => s is >= 16 and <= 8192));
        Need(goodCrop, "cropSize", "two sizes of 16 to 8192, [height, width], or null", List(CropSize));
        Need(FlipProbability is >= 0 and <= 1, "flipProbability", "0 to 1", FlipProbability);
        Need(VerticalFlipProbability is >= 0 and <= 1, "verticalFlipProbability", "0 to 1", VerticalFlipProbability);
        Need(ColorJitter is >= 0 and <= 1, "colorJitter", "0 to 1", ColorJitter);
        Need(CopyPasteProbability is >= 0 and <= 1, "copyPasteProbability", "0 to 1", CopyPasteProbability);
        Need(EvalShortSide is null or (>= 8 and <= 8192), "evalShortSide", "8 to 8192, or null", EvalShortSide);
        Need(EvalEvery >= 1, "evalEvery", "at least 1", EvalEvery);
        Need(EarlyStop is null or >= 1, "earlyStop", "at least 1, or null", EarlyStop);
        Need(TimeBudgetMinutes is null or (> 0 and < double.PositiveInfinity), "timeBudgetMinutes", "above 0, or null", TimeBudgetMinutes);
        Need(CheckpointMinutes > 0 && double.IsFinite(CheckpointMinutes), "checkpointMinutes", "above 0", CheckpointMinutes);
        if (ModelCatalog.IsDetector(Model)) CheckDetector(Need);
        Need(Stages.Count <= MostStages, "stages", $"a list of at most {MostStages}", $"one of {Stages.Count}");
        if (Stages.Count > 0)
        {
            foreach ((int i, Recipe stage) in StageRecipes(source).Index()) stage.Checked($"{source}, stage {i + 1}");
        }
        return this;

        void Need(bool holds, string key, string range, object? value)
        {
            if (!holds) throw new RecipeException(string.Create(CultureInfo.InvariantCulture, $"{source}: {key} must be {range}; it is {value ?? "null"}"));
        }

        static string List<T>(IReadOnlyList<T>? values) =>
            $"[{string.Join(", ", (values ?? []).Select(v => string.Create(CultureInfo.InvariantCulture, $"{v}")))}]";
    }

    /// <summary>The recipes of the stages in their order; the recipe itself where it has none.</summary>
    /// <exception cref="RecipeException">A stage has a key or value that a recipe does not.</exception>
    public IReadOnlyList<Recipe> StageRecipes() => StageRecipes("the recipe");

    private IReadOnlyList<Recipe> StageRecipes(string source) => Stages.Count == 0 ? [this] : [.. Stages.Select((json, i) =>
    {
        string place = $"{source}, stage {i + 1}";
        if (json.ValueKind != JsonValueKind.Object)
            throw new RecipeException($"{place}: a stage is an object in braces with keys of a recipe, not {json.ValueKind.ToString().ToLowerInvariant()}");
        if (json.TryGetProperty("stages", out _)) throw new RecipeException($"{place}: a stage has no stages of its own");
        try
        {
            return JsonText.Read(json.GetRawText(), RecipeJson.Default.Recipe, this with { Stages = [] })!;
        }
        catch (JsonException e)
        {
            throw new RecipeException($"{place}: {JsonText.Explain(e, json.GetRawText(), RecipeJson.Default.Recipe)}");
        }
    })];

    /// <summary>A new model as the recipe asks for it: network, starting values, preprocessing and loss.</summary>
    /// <exception cref="UnknownModelException">There is no such model.</exception>
    /// <exception cref="ModelOptionsException">An option of the network is out of its range.</exception>
    /// <exception cref="RecipeException">There is not one class weight for each class, or no parameter's name begins as <see cref="Frozen"/> says.</exception>
    public Model NewModel(ClassTable classes)
    {
        ArgumentNullException.ThrowIfNull(classes);
        if (ClassWeights is { } weights && weights.Count != classes.Count)
        {
            string names = string.Join(", ", classes.Names.Take(12)) + (classes.Count > 12 ? ", …" : "");
            throw new RecipeException($"classWeights has {weights.Count} figures for {classes.Count} classes ({names})");
        }
        var loss = new SemanticLossOptions
        {
            Summed = SummedLoss,
            AuxWeight = AuxWeight,
            DiceWeight = DiceWeight,
            LabelSmoothing = LabelSmoothing,
            ClassWeights = ClassWeights,
        };
        Model model = ModelCatalog.Create(Model, Options, classes, new Preprocessing { ShortSide = EvalShortSide, Standardize = Standardize }, Seed, loss);
        Freeze(model);
        return model;
    }

    /// <summary>Takes the frozen parameters of a model out of its training: they get no gradient, and no optimizer moves them.</summary>
    /// <exception cref="RecipeException">No parameter's name begins with one of <see cref="Frozen"/>, or all do.</exception>
    internal void Freeze(Model model)
    {
        (string Name, Tensor Tensor)[] parameters = [.. model.Network.NamedParameters()];
        foreach (string beginning in Frozen)
        {
            (string Name, Tensor Tensor)[] chosen = [.. parameters.Where(p => p.Name.StartsWith(beginning, StringComparison.Ordinal))];
            string[] layers = [.. parameters.Select(p => p.Name[..Math.Max(0, p.Name.LastIndexOf('.'))]).Where(n => n.Length > 0).Distinct()];
            if (chosen.Length == 0) throw new RecipeException($"frozen: no parameter of {model.Name} begins with '{beginning}': {NearNames.Suggest(beginning, layers)}");
            foreach ((_, Tensor tensor) in chosen) tensor.RequiresGrad = false;
        }
        if (!parameters.Any(p => p.Tensor.RequiresGrad)) throw new RecipeException($"frozen: no parameter of {model.Name} is left to train");
    }

    /// <summary>The random changes that training makes to images.</summary>
    internal TrainTransform TrainTransform(ClassTable classes) => new()
    {
        BaseSize = BaseSize,
        MinScale = MinScale,
        MaxScale = MaxScale,
        FlipProbability = FlipProbability,
        VerticalFlipProbability = VerticalFlipProbability,
        CropSize = CropSize is { } crop ? (crop[0], crop[1]) : null,
        IgnoreIndex = classes.IgnoreIndex,
        Jitter = ColorJitter > 0 ? new ColorJitter { Brightness = ColorJitter, Contrast = ColorJitter, Saturation = ColorJitter } : null,
    };

    /// <summary>All random changes of a training sample, those that take another image of the training set included.</summary>
    internal Func<Sample, Philox, Sample> Augmentation(Dataset train, Model model)
    {
        TrainTransform transform = TrainTransform(model.Classes);
        if (train.KeypointNames.Count > 0) transform = transform with { KeypointNames = train.KeypointNames };
        Func<Sample, Philox, Sample> change = CopyPasteProbability > 0 ? new CopyPaste(train, transform) { Probability = CopyPasteProbability }.Apply : transform.Apply;
        if (model is not DetectionModel detector) return change;
        return (sample, random) => detector.Lacks(sample.Annotation) is { } lack
            ? throw new DatasetException(lack)
            : change(sample with { Annotation = sample.Annotation with { Semantic = null } }, random); // which a detector does not look at
    }

    /// <summary>
    /// The optimizer over a model's parameters: the network's own, then the auxiliary heads', and after either, where they are treated apart, its biases. What
    /// wants no gradient is left out.
    /// </summary>
    internal Optimizer MakeOptimizer(Model model)
    {
        bool biasesApart = BiasLearningRateScale != 1 || BiasWeightDecay is not null;
        ParameterGroup[] groups = [.. model.Network.NamedParameters().Where(p => p.Tensor.RequiresGrad)
            .GroupBy(p => (IsAuxiliary: model.IsAuxiliary(p.Name), IsBias: biasesApart && IsBias(p.Name)))
            .OrderBy(g => g.Key)
            .Select(g => new ParameterGroup(g,
                (g.Key.IsAuxiliary ? AuxLearningRateScale : 1) * (g.Key.IsBias ? BiasLearningRateScale : 1), g.Key.IsBias ? BiasWeightDecay : null))];
        return Optimizer switch
        {
            OptimizerKind.Sgd => new Sgd(groups, new SgdOptions { Momentum = Momentum, Nesterov = Nesterov, WeightDecay = WeightDecay }),
            OptimizerKind.AdamW => new AdamW(groups, new AdamWOptions { WeightDecay = WeightDecay }),
            _ => throw new RecipeException($"there is no optimizer {Optimizer}"),
        };
    }

    private static bool IsBias(string parameterName) => parameterName == "bias" || parameterName.EndsWith(".bias", StringComparison.Ordinal);

    /// <summary>The rate of each step of a run with so many steps to an epoch.</summary>
    internal Schedule MakeSchedule(int stepsPerEpoch)
    {
        long steps = (long)stepsPerEpoch * Epochs, warm = Math.Min(WarmupSteps ?? long.MaxValue, (long)Math.Round((double)WarmupEpochs * stepsPerEpoch));
        Warmup? warmup = warm > 0 ? new Warmup(warm, WarmupFactor) : null;
        return Schedule switch
        {
            ScheduleKind.Poly => new PolySchedule(LearningRate, steps, PolyPower, Warmup: warmup),
            ScheduleKind.Cosine => new CosineSchedule(LearningRate, steps, Warmup: warmup),
            ScheduleKind.MultiStep => new MultiStepSchedule(LearningRate, [.. Milestones.Select(m => (long)m * stepsPerEpoch)], Gamma, warmup),
            ScheduleKind.Constant => new ConstantSchedule(LearningRate, warmup),
            _ => throw new RecipeException($"there is no schedule {Schedule}"),
        };
    }
}

/// <summary>A recipe that cannot be used: names the file and the key.</summary>
public sealed class RecipeException(string message) : Exception(message);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, UseStringEnumConverter = true,
    ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(Recipe))]
internal sealed partial class RecipeJson : JsonSerializerContext;
