using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Delineate.Training;

namespace Delineate.Cli.Commands;

/// <summary>One option for every key of a recipe: <c>learningRate</c> is <c>--learning-rate</c>. What they set wins over <c>--recipe</c>, which wins over the defaults.</summary>
internal sealed class RecipeOptions
{
    /// <summary>What each key does, in the order of the help.</summary>
    internal static readonly (string Key, string Alias, string Description)[] Keys =
    [
        ("model", "-m", "The network, by its name in 'delineate models'"),
        ("epochs", "-e", "Passes over the training set"),
        ("batchSize", "-b", "Images to a forward pass"),
        ("accumulateBatches", "", "Forward passes averaged into one step: a larger batch in the same memory"),
        ("optimizer", "", "sgd or adamW"),
        ("learningRate", "--lr", "The rate after warm-up"),
        ("auxLearningRateScale", "", "The auxiliary head learns at this multiple of the rate"),
        ("momentum", "", "Momentum of SGD"),
        ("nesterov", "", "Nesterov's form of momentum: true or false"),
        ("weightDecay", "--wd", "Weight decay"),
        ("clipGradientNorm", "", "Shorten longer gradients to this length; null leaves them"),
        ("schedule", "", "How the rate falls: poly, cosine or multiStep"),
        ("polyPower", "", "Exponent of poly"),
        ("milestones", "", "Epochs at which multiStep multiplies the rate by gamma: 10,20"),
        ("gamma", "", "Factor of multiStep"),
        ("warmupEpochs", "", "Epochs of linear warm-up"),
        ("warmupFactor", "", "Share of the rate at which warm-up begins"),
        ("auxWeight", "", "Weight of the auxiliary head's loss"),
        ("diceWeight", "", "Weight of a soft Dice loss beside the cross-entropy"),
        ("labelSmoothing", "", "Share of the target spread over all classes"),
        ("classWeights", "", "Weight of each class in the loss: 1,5,1 ('delineate data stats' suggests some)"),
        ("baseSize", "", "Random resize draws the short side from minScale to maxScale times this; null keeps sizes"),
        ("minScale", "", "See baseSize"),
        ("maxScale", "", "See baseSize"),
        ("cropSize", "--crop", "Training crops, height and width: 480x480, or one number for a square"),
        ("flipProbability", "", "Chance of a left-right flip"),
        ("verticalFlipProbability", "", "Chance of an upside-down flip"),
        ("colorJitter", "", "Strength of random brightness, contrast and saturation, 0 to 1"),
        ("evalShortSide", "", "Evaluation resizes the short side to this; null uses the images' own size"),
        ("evalEvery", "", "Evaluate after every so many epochs"),
        ("earlyStop", "", "Stop after so many evaluations without a better mean IoU; null never"),
        ("timeBudgetMinutes", "", "Stop after so many minutes; null never"),
        ("checkpointMinutes", "", "A checkpoint inside an epoch after every so many minutes"),
        ("seed", "", "The run's random numbers: the same seed gives the same weights"),
        ("options.outputStride", "", "FCN: the scored map is this many times smaller than the image: 8, 16 or 32"),
        ("options.auxiliaryHead", "", "FCN: an auxiliary head on the third stage: true or false"),
        ("options.channels", "", "U-Net: channels of the first level"),
        ("options.depth", "", "U-Net: how many times the image is halved"),
        ("options.bilinear", "", "U-Net: interpolate instead of learning transposed convolutions: true or false"),
    ];

    private readonly Option<string?> recipeFile = new("--recipe") { Description = "A recipe in JSON (comments allowed); every key is an option too", HelpName = "FILE" };
    private readonly List<(string Key, Option<string?> Option)> options = [];

    public RecipeOptions(Command command)
    {
        command.Options.Add(recipeFile);
        JsonObject defaults = Defaults();
        foreach ((string key, string alias, string description) in Keys)
        {
            string[] aliases = alias.Length == 0 ? [] : [alias];
            var option = new Option<string?>(Name(key), aliases) { Description = $"{description} [{Show(At(defaults, key))}]", HelpName = "VALUE" };
            options.Add((key, option));
            command.Options.Add(option);
        }
    }

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

    /// <summary>The effective recipe: <paramref name="start"/> (or the defaults), then the file, then the options.</summary>
    public Recipe Read(ParseResult parsed, Recipe? start = null)
    {
        JsonObject recipe = JsonNode.Parse((start ?? new Recipe()).ToJson())!.AsObject();
        string source = "options";
        if (parsed.GetValue(recipeFile) is { } file)
        {
            source = file;
            string text = File.ReadAllText(file);
            Recipe.Parse(text, file); // for its own errors, with lines
            Merge(recipe, JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true })!.AsObject());
        }
        foreach ((string key, Option<string?> option) in options)
        {
            if (parsed.GetValue(option) is { } text) Set(recipe, key, text);
        }
        return Recipe.Parse(recipe.ToJsonString(), source);
    }

    private static void Merge(JsonObject into, JsonObject from)
    {
        foreach ((string key, JsonNode? value) in from.ToArray())
        {
            if (value is JsonObject inner && into[key] is JsonObject target) Merge(target, inner);
            else into[key] = value?.DeepClone();
        }
    }

    private static void Set(JsonObject recipe, string key, string text)
    {
        string[] path = key.Split('.');
        JsonObject owner = path.Length == 1 ? recipe : recipe[path[0]]!.AsObject();
        owner[path[^1]] = Value(key, text);
    }

    /// <summary>The option's text as the kind of value that the key has.</summary>
    private static JsonNode? Value(string key, string text)
    {
        if (text is "null" or "none") return null;
        if (key is "cropSize" or "milestones" or "classWeights")
        {
            string[] parts = text.Split([',', 'x', '×'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (key == "cropSize" && parts.Length == 1) parts = [parts[0], parts[0]];
            return new JsonArray([.. parts.Select(p => (JsonNode)Number(key, p))]);
        }
        if (key is "model" or "optimizer" or "schedule") return JsonValue.Create(text);
        return text is "true" or "false" ? JsonValue.Create(text == "true") : Number(key, text);
    }

    private static JsonValue Number(string key, string text)
    {
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole)) return JsonValue.Create(whole);
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number)) return JsonValue.Create(number);
        throw new UserException($"{Name(key)} takes a number, not '{text}'");
    }

    private static JsonNode? At(JsonObject recipe, string key) => key.Split('.').Aggregate((JsonNode?)recipe, (node, part) => node?[part]);

    private static string Show(JsonNode? value) => value switch
    {
        null => "null",
        JsonArray array when array.All(v => v is JsonValue) => array.Count == 0 ? "none" : string.Join('x', array.Select(v => v!.ToJsonString())),
        _ => value.ToJsonString().Trim('"'),
    };
}
