using System.Text.Json;
using System.Text.Json.Nodes;
using Delineate.Models;

namespace Delineate.Training;

/// <summary>What a recipe has where it says nothing, by the kind of its network.</summary>
public sealed partial record Recipe
{
    // torchvision's recipe for its detectors (references/detection): 26 epochs, the rate divided by 10 after 16 and 22, 0.02 for 16 images of a step.
    private const int DetectorEpochs = 26, FirstMilestone = 16, SecondMilestone = 22, DetectorBatch = 2, DetectorWarmupSteps = 1000;
    private const double DetectorRate = 0.02 / 16;

    /// <summary>
    /// torchvision's recipe for a model, sized for one machine: of a detector, whole images that are flipped, the network's own resize (joints at short
    /// sides from four fifths of it), SGD at 0.02 for 16 images of a step, and a warm-up of 1000 steps, or one epoch where that is shorter.
    /// </summary>
    public static Recipe For(string model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return (ModelCatalog.IsDetector(model) ? ForDetector(model, []) : new Recipe()) with { Model = model };
    }

    /// <summary>The defaults of a recipe, some of which follow from what it says.</summary>
    private static Recipe DefaultsOf(string json)
    {
        try
        {
            var lenient = new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };
            if (JsonNode.Parse(json, documentOptions: lenient) is JsonObject given && Text(given["model"] ?? (given["stages"] as JsonArray)?.FirstOrDefault()?["model"]) is { } model
                && ModelCatalog.IsDetector(model)) return ForDetector(model, given);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            // What is wrong with the text is said by whoever reads it for good.
        }
        return new Recipe();
    }

    private static Recipe ForDetector(string model, JsonObject given)
    {
        int batch = Whole(given["batchSize"]) ?? DetectorBatch, accumulated = Whole(given["accumulateBatches"]) ?? 1, epochs = Whole(given["epochs"]) ?? DetectorEpochs;
        var options = new ModelOptions();
        if (ModelCatalog.AnnotationsOf(model) == Data.DatasetVariant.Keypoints)
        {
            int side = Whole((given["options"] as JsonObject)?["detection"] is JsonObject detection ? detection["minSize"] : null) ?? options.Detection.MinSize;
            options = options with { Detection = options.Detection with { TrainingMinSize = Math.Max(32, side * 4 / 5) } };
        }
        return new Recipe
        {
            Model = model,
            Options = options,
            Epochs = DetectorEpochs,
            BatchSize = DetectorBatch,
            LearningRate = DetectorRate * Math.Max(1, batch) * Math.Max(1, accumulated),
            Schedule = ScheduleKind.MultiStep,
            Milestones = [.. new[] { FirstMilestone, SecondMilestone }.Select(m => Math.Max(1, (int)Math.Round((double)m * epochs / DetectorEpochs)))],
            WarmupSteps = DetectorWarmupSteps,
            BaseSize = null,
            CropSize = null,
            EvalShortSide = null,
        };
    }

    /// <summary>Refuses what a detector would not obey.</summary>
    private void CheckDetector(Action<bool, string, string, object?> need)
    {
        const string Own = "for a detector, which has losses of its own";
        need(!SummedLoss, "summedLoss", $"false {Own}", "true");
        need(DiceWeight == 0, "diceWeight", $"0 {Own}", DiceWeight);
        need(LabelSmoothing == 0, "labelSmoothing", $"0 {Own}", LabelSmoothing);
        need(ClassWeights is null, "classWeights", $"null {Own}", "a list");
        need(EvalShortSide is null, "evalShortSide", "null for a detector, which resizes images itself, to options.detection.minSize", EvalShortSide);
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    private static int? Whole(JsonNode? node) => node is JsonValue value && value.TryGetValue(out int number) ? number : null;
}
