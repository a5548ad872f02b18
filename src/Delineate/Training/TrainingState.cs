using System.Text.Json.Serialization;

namespace Delineate.Training;

/// <summary>Where a run stands: with the weights and the optimizer's tensors, all that a resumed run needs to give the same bits.</summary>
public sealed record TrainingState
{
    /// <summary>Whole epochs behind us.</summary>
    public int Epoch { get; init; }

    /// <summary>Batches of the current epoch behind us.</summary>
    public int Batch { get; init; }

    /// <summary>Optimizer steps behind us.</summary>
    public int Step { get; init; }

    /// <summary>Sums over the current epoch's batches, by term of the loss; the total is under an empty name.</summary>
    public IReadOnlyDictionary<string, double> LossSums { get; init; } = new Dictionary<string, double>();

    /// <summary>Images trained on in the current epoch.</summary>
    public int Images { get; init; }

    /// <summary>Objects left out in the current epoch (<see cref="EpochRecord.DroppedObjects"/>).</summary>
    public int DroppedObjects { get; init; }

    /// <summary>Seconds spent on the current epoch's steps.</summary>
    public double EpochSeconds { get; init; }

    /// <summary>Seconds of the whole run, over all its sessions.</summary>
    public double ElapsedSeconds { get; init; }

    /// <summary>The best <see cref="EpochRecord.Score"/> so far; where there is none, minus the lowest training loss. Null before the first.</summary>
    public double? BestScore { get; init; }

    /// <summary>The epoch of <see cref="BestScore"/>, from 1; 0 before the first.</summary>

    public int BestEpoch { get; init; }

    /// <summary>Evaluations behind us that brought no better score.</summary>
    public int EvaluationsSinceBest { get; init; }

    /// <summary>The epochs behind us.</summary>
    public IReadOnlyList<EpochRecord> History { get; init; } = [];

    /// <summary>A fingerprint of the training set's names: a run is not resumed on other data.</summary>
    public string Data { get; init; } = "";

    /// <summary>Why the run ended before its last epoch, or null.</summary>
    public string? Stopped { get; init; }

    /// <summary>Whether nothing of the recipe is left to do: its epochs, or the one in which it was stopped, are over and evaluated.</summary>
    public bool IsFinished(Recipe recipe)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        return Epoch >= recipe.Epochs || (Stopped is not null && Batch == 0);
    }
}

/// <summary>What a run is trained on: the folder, its splits (validation "none" for without), and the weights it started from, if any.</summary>
public sealed record RunData(string Folder, string TrainSplit, string ValidationSplit, string? Weights = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(TrainingState))]
[JsonSerializable(typeof(RunData))]
internal sealed partial class TrainingJson : JsonSerializerContext;
