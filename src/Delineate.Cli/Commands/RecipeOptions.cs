using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Models;
using Delineate.Training;

namespace Delineate.Cli.Commands;

/// <summary>
/// One option for every key of a recipe but its stages: <c>learningRate</c> is <c>--learning-rate</c>. What they set wins over <c>--recipe</c>, in each of its
/// stages too, and that over the defaults.
/// </summary>
internal sealed class RecipeOptions
{
    private const string Essentials = "Recipe", Network = "Recipe: the network", Detectors = "Recipe: detectors", Images = "Recipe: what training does to images", Steps = "Recipe: optimizer and learning rate",
        Loss = "Recipe: the loss", Course = "Recipe: evaluation and stopping";

    /// <summary>What each key does, in the order of the help.</summary>
    internal static readonly (string Group, string Key, string Alias, string Description)[] Keys =
    [
        (Essentials, "model", "-m", "The network, by its name in 'delineate models'"),
        (Essentials, "epochs", "-e", "Passes over the training set"),
        (Essentials, "batchSize", "-b", "Images to a forward pass"),
        (Essentials, "learningRate", "--lr", "The rate after warm-up"),
        (Essentials, "cropSize", "--crop", "Training crops, height and width; one number is a square, none takes whole images"),
        (Essentials, "seed", "", "The run's random numbers: the same seed gives the same weights"),
        (Network, "options.outputStride", "", "FCN and DeepLabV3 on ResNet: the scored map is this many times smaller than the image: 8, 16 or 32"),
        (Network, "options.hybridDilation", "", "FCN and DeepLabV3 on ResNet: neighbouring blocks dilate differently, so that no pixel is left out"),
        (Network, "options.auxiliaryHead", "", "FCN and DeepLabV3: an auxiliary head on the third stage"),
        (Network, "options.channels", "", "U-Net: channels of the first level; each level below has twice as many"),
        (Network, "options.depth", "", "U-Net: how many times the image is halved"),
        (Network, "options.bilinear", "", "U-Net: interpolate instead of learning transposed convolutions"),
        (Network, "frozen", "", "Parts that keep their starting weights, by the beginnings of their parameters' names"),
        (Network, "options.patchSize", "", "Sliding window: pixels along a side of the patch around a pixel"),
        (Network, "options.patchStride", "", "Sliding window: classify every so many-th pixel and interpolate between; odd, 1 for every pixel"),
        (Network, "options.patchesPerImage", "", "Sliding window: patches of each image in a training step"),
        (Network, "options.balancedPatches", "", "Sliding window: train on each class of an image equally often instead of on each pixel"),
        (Detectors, "options.frozenNorm", "", "The backbone's batch norms keep what they were loaded with; false trains them, as a network from random weights needs"),
        (Detectors, "options.normEpsilon", "", "What a frozen batch norm adds to the variance; 0 for torchvision's COCO_V1 weights"),
        (Detectors, "options.keypoints", "", "Joints of a body"),
        (Detectors, "options.widthDivisor", "", "Divide every inner channel count: smaller and quicker"),
        (Detectors, "options.detection.minSize", "", "Resize images to this short side …"),
        (Detectors, "options.detection.maxSize", "", "… but the long side to no more than this"),
        (Detectors, "options.detection.trainingMinSize", "", "Train at short sides from this to min-size, drawn in steps of 32; none for min-size alone"),
        (Detectors, "options.detection.scoreThreshold", "", "Leave out detections that are less sure"),
        (Detectors, "options.detection.nmsThreshold", "", "Of two detections of a class that overlap more than this, the surer one stays"),
        (Detectors, "options.detection.detections", "", "The most objects in one image"),
        (Detectors, "options.detection.proposalNmsThreshold", "", "The same for region proposals"),
        (Detectors, "options.detection.proposalsBeforeNms", "", "The likeliest region proposals of each map that are looked at"),
        (Detectors, "options.detection.proposalsAfterNms", "", "The most region proposals of an image that are followed up"),
        (Detectors, "options.detection.trainingProposalsBeforeNms", "", "The same two while training: before"),
        (Detectors, "options.detection.trainingProposalsAfterNms", "", "… and after"),
        (Detectors, "options.detection.anchorSamples", "", "Anchors of an image that the region proposals learn from"),
        (Detectors, "options.detection.anchorPositiveShare", "", "The most of them that are objects"),
        (Detectors, "options.detection.boxSamples", "", "Region proposals of an image that the heads learn from"),
        (Detectors, "options.detection.boxPositiveShare", "", "The most of them that are objects"),
        (Images, "baseSize", "", "Resize the short side to a random size from min-scale to max-scale times this; none keeps sizes"),
        (Images, "minScale", "", "The least of the random scales"),
        (Images, "maxScale", "", "The greatest of the random scales"),
        (Images, "flipProbability", "", "Chance of a left-right flip"),
        (Images, "verticalFlipProbability", "", "Chance of an upside-down flip, for pictures that have no up"),
        (Images, "colorJitter", "", "Strength of random brightness, contrast and saturation, 0 to 1"),
        (Images, "copyPasteProbability", "", "Chance that objects of another training image are laid over one"),
        (Images, "standardize", "", "Bring each image to mean 0 and deviation 1 by its own figures: for uneven light"),
        (Steps, "optimizer", "", "The rule that turns gradients into steps"),
        (Steps, "accumulateBatches", "", "Forward passes that make one step, averaged, or added where the loss is summed: a larger batch in the same memory"),
        (Steps, "checkpointing", "", "Keep only blocks' inputs for the backward pass and compute the rest again: less memory, about a third more time"),
        (Steps, "schedule", "", "How the rate falls over the run"),
        (Steps, "polyPower", "", "Exponent of poly"),
        (Steps, "milestones", "", "Epochs after which multiStep multiplies the rate by gamma"),
        (Steps, "gamma", "", "Factor of multiStep"),
        (Steps, "warmupEpochs", "", "Epochs of linear warm-up; may be a fraction"),
        (Steps, "warmupSteps", "", "… but no more steps than this"),
        (Steps, "warmupFactor", "", "Share of the rate at which warm-up begins"),
        (Steps, "auxLearningRateScale", "", "The auxiliary head learns at this multiple of the rate"),
        (Steps, "momentum", "", "Momentum of SGD"),
        (Steps, "nesterov", "", "Nesterov's form of momentum"),
        (Steps, "weightDecay", "--wd", "Weight decay"),
        (Steps, "biasLearningRateScale", "", "Biases learn at this multiple of the rate"),
        (Steps, "biasWeightDecay", "", "Weight decay of biases; none is the weights'"),
        (Steps, "clipGradientNorm", "", "Shorten longer gradients to this length"),
        (Loss, "summedLoss", "", "Sum the cross-entropy over the pixels instead of averaging it, as the first FCNs did at rates of 1e-10"),
        (Loss, "auxWeight", "", "Weight of the auxiliary head's loss"),
        (Loss, "diceWeight", "", "Weight of a soft Dice loss beside the cross-entropy"),
        (Loss, "labelSmoothing", "", "Share of the target that is spread over all classes"),
        (Loss, "classWeights", "", "Weight of each class, in their order ('delineate data stats' suggests some)"),
        (Course, "evalShortSide", "", "Evaluate with the short side resized to this; none uses the images' own size"),
        (Course, "evalEvery", "", "Evaluate after every so many epochs, and after the last"),
        (Course, "earlyStop", "", "Stop after so many evaluations without a better mean IoU, or average precision"),
        (Course, "timeBudgetMinutes", "", "Stop after so many minutes"),
        (Course, "checkpointMinutes", "", "Write a checkpoint inside an epoch after every so many minutes"),
    ];

    private readonly Option<string?> recipeFile = new("--recipe")
    {
        Description = "A recipe in JSON, comments allowed; the options below win over it",
        HelpName = "FILE",
    };

    private readonly List<(string Key, Option<string?> Option)> options = [];

    /// <summary>Adds the options to a command, or only those that decide what the network is.</summary>
    public RecipeOptions(Command command, bool networkOnly = false)
    {
        if (!networkOnly) command.Options.Add(recipeFile);
        JsonObject defaults = Defaults();
        foreach ((string group, string key, string alias, string description) in Keys)
        {
            if (networkOnly && group is not (Network or Detectors)) continue;
            KeyKind kind = KeyKind.Of(key);
            string[] aliases = alias.Length == 0 ? [] : [alias];
            var option = new Option<string?>(Name(key), aliases)
            {
                Description = $"{description} [{Show(key, At(defaults, key))}]",
                HelpName = key == "cropSize" ? "HxW" : kind.HelpName,
                Arity = kind.Type == typeof(bool) ? ArgumentArity.ZeroOrOne : ArgumentArity.ExactlyOne, // '--bilinear' is '--bilinear true'
            };
            options.Add((key, option));
            Groups.Add(option, group);
            command.Options.Add(option);
        }
    }

    /// <summary>Where the help lists each option.</summary>
    public Dictionary<Option, string> Groups { get; } = [];

    /// <summary>The names of those that the command line sets, <c>--recipe</c> included.</summary>
    public IEnumerable<string> Given(ParseResult parsed) =>
        options.Select(o => (Option)o.Option).Prepend(recipeFile).Where(o => parsed.GetResult(o) is { Implicit: false }).Select(o => o.Name);

    /// <summary>The option of a key: <c>options.outputStride</c> → <c>--output-stride</c>.</summary>
    internal static string Name(string key)
    {
        var name = new StringBuilder("--");
        foreach (char c in key[(key.LastIndexOf('.') + 1)..])
        {
            if (char.IsUpper(c)) name.Append('-');
            name.Append(char.ToLowerInvariant(c));
        }
        return name.ToString();
    }

    internal static JsonObject Defaults() => JsonNode.Parse(new Recipe().ToJson())!.AsObject();

    /// <summary>
    /// The effective recipe: the defaults of its network, then the file, then the options. A detector that <paramref name="startsAnew"/>, from random
    /// weights, trains its normalisations unless it is told otherwise.
    /// </summary>
    /// <exception cref="UserException">An option's value is of the wrong kind or out of its range.</exception>
    /// <exception cref="RecipeException">The file is no recipe.</exception>
    public Recipe Read(ParseResult parsed, bool startsAnew = true)
    {
        var recipe = new JsonObject();
        if (parsed.GetValue(recipeFile) is { } file)
        {
            string text = File.ReadAllText(SharedOptions.ExistingFile(file));
            _ = Recipe.Parse(text, file); // what is wrong with it is said of the file
            recipe = JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true })!.AsObject();
        }
        foreach ((string key, Option<string?> option) in options)
        {
            if (parsed.GetResult(option) is { Implicit: false } given) Set(recipe, key, given.Tokens is [var token, ..] ? token.Value : "true");
        }
        const string Source = "options";
        if (startsAnew && ModelCatalog.IsDetector((recipe["model"] ?? (recipe["stages"] as JsonArray)?.FirstOrDefault()?["model"])?.GetValue<string>() ?? ""))
            Owner(recipe, ["options"])["frozenNorm"] ??= false;
        try
        {
            return Recipe.Parse(recipe.ToJsonString(), Source);
        }
        catch (RecipeException e) when (e.Message.StartsWith(Source, StringComparison.Ordinal))
        {
            string[] parts = e.Message[Source.Length..].Split(": ", 2); // the stage, if it is about one, and the problem
            string key = parts[1].Split(' ')[0], where = parts[0].TrimStart(',', ' ');
            throw new UserException((Keys.Any(k => k.Key == key) ? Name(key) + parts[1][key.Length..] : parts[1]) + (where.Length > 0 ? $" ({where})" : ""));
        }
    }

    private static void Set(JsonObject recipe, string key, string text)
    {
        string[] path = key.Split('.');
        JsonObject owner = Owner(recipe, path[..^1]);
        if (key == "cropSize" && text is not ("none" or "null") && text.AsSpan().IndexOfAny(",x×") < 0) text = $"{text},{text}";
        owner[path[^1]] = KeyKind.Of(key).Parse(text, Name(key));
        foreach (JsonNode? stage in recipe["stages"] as JsonArray ?? [])
        {
            bool isItsOwn = path[..^1].Aggregate(stage, (node, part) => node?[part]) is JsonObject own && own.Remove(path[^1]);
            if (isItsOwn && key == "model") throw new UserException("--model cannot be set where the stages of the recipe name their networks");
        }
    }

    /// <summary>The object at the end of a path, made where it is missing.</summary>
    private static JsonObject Owner(JsonObject recipe, string[] path) => path.Aggregate(recipe, (node, part) => (node[part] ??= new JsonObject()).AsObject());

    private static JsonNode? At(JsonObject recipe, string key) => key.Split('.').Aggregate((JsonNode?)recipe, (node, part) => node?[part]);

    private static string Show(string key, JsonNode? value) => value switch
    {
        null => "none",
        JsonArray array => array.Count == 0 ? "none" : string.Join(key == "cropSize" ? 'x' : ',', array.Select(v => v!.ToJsonString())),
        _ when KeyKind.Of(key).Type.IsEnum => JsonNamingPolicy.CamelCase.ConvertName(value.GetValue<string>()),
        _ => value.ToJsonString().Trim('"'),
    };
}

/// <summary>What kind of value a recipe's key has, told from the property it sets.</summary>
internal sealed record KeyKind(Type Type, bool Nullable)
{
    public string HelpName =>
        Type == typeof(bool) ? "true|false"
        : Type.IsEnum ? string.Join('|', EnumNames)
        : Type == typeof(string) ? "NAME"
        : IsList ? $"{ItemKind.HelpName},…"
        : IsWhole ? "N" : "X";

    private bool IsList => Type.IsGenericType;

    private bool ItemsAreTexts => IsList && ItemKind.Type == typeof(string);

    private bool IsWhole => Type == typeof(int) || Type == typeof(ulong);

    private KeyKind ItemKind => new(Type.GetGenericArguments()[0], false);

    private IEnumerable<string> EnumNames => Enum.GetNames(Type).Select(JsonNamingPolicy.CamelCase.ConvertName);

    public static KeyKind Of(string key)
    {
        Type type = typeof(Recipe);
        bool nullable = false;
        foreach (string part in key.Split('.'))
        {
            PropertyInfo property = type.GetProperty(char.ToUpperInvariant(part[0]) + part[1..])!;
            nullable = new NullabilityInfoContext().Create(property).WriteState == NullabilityState.Nullable;
            type = System.Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        }
        return new KeyKind(type, nullable);
    }

    /// <summary>The option's text as JSON.</summary>
    /// <exception cref="UserException">It is of another kind.</exception>
    public JsonNode? Parse(string text, string option)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        if (text is "null" or "none")
        {
            if (Nullable) return null;
            if (IsList) return new JsonArray();
            throw Refuse("a value");
        }
        char[] between = ItemsAreTexts ? [','] : [',', 'x', '×'];
        if (IsList) return new JsonArray([.. text.Split(between, StringSplitOptions.TrimEntries).Select(item => ItemKind.Parse(item, option))]);
        if (Type == typeof(string)) return JsonValue.Create(text);
        if (Type == typeof(bool)) return bool.TryParse(text, out bool flag) ? JsonValue.Create(flag) : throw Refuse("true or false");
        if (Type.IsEnum)
        {
            string? name = Enum.GetNames(Type).FirstOrDefault(n => n.Equals(text, StringComparison.OrdinalIgnoreCase));
            return name is null ? throw Refuse(string.Join(", ", EnumNames), NearNames.Suggest(text, [.. EnumNames])) : JsonValue.Create(name);
        }
        if (Type == typeof(ulong)) return ulong.TryParse(text, NumberStyles.None, culture, out ulong large) ? JsonValue.Create(large) : throw Refuse("a whole number from 0");
        if (Type == typeof(int)) return int.TryParse(text, NumberStyles.AllowLeadingSign, culture, out int whole) ? JsonValue.Create(whole) : throw Refuse("a whole number");
        return double.TryParse(text, NumberStyles.Float, culture, out double number) && float.IsFinite((float)number) ? JsonValue.Create(number) : throw Refuse("a number");

        UserException Refuse(string wanted, string hint = "") =>
            new($"{option} takes {wanted}{(Nullable ? " or none" : "")}, not '{text}'{(hint.StartsWith("did", StringComparison.Ordinal) ? $": {hint}" : "")}");
    }
}
