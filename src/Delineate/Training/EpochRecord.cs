using System.Text.Json.Serialization;
using Delineate.Metrics;

namespace Delineate.Training;

/// <summary>What one epoch of training came to: a line of metrics.csv and a point on the report's curves.</summary>
public sealed record EpochRecord
{
    /// <summary>Counted from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>Optimizer steps since the run began.</summary>
    public required int Step { get; init; }

    /// <summary>The base learning rate of the epoch's last step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>The mean of the total loss over the epoch's batches.</summary>
    public required double TrainLoss { get; init; }

    /// <summary>The mean of each term of the loss.</summary>
    public required IReadOnlyDictionary<string, double> Terms { get; init; }

    /// <summary>Seconds spent on the epoch's steps, loading included, evaluation not.</summary>
    public required double TrainSeconds { get; init; }

    /// <summary>Images trained on in a second.</summary>
    public required double ImagesPerSecond { get; init; }

    /// <summary>Objects that a detector was not trained on, because reading or augmentation left nothing, or too little, of them.</summary>
    public int DroppedObjects { get; init; }

    /// <summary>The figures on the validation set; null where the epoch was not evaluated.</summary>
    public Scores? Scores { get; init; }

    /// <summary>The figure that ranks: mean IoU, or a detector's average precision; null where the epoch was not evaluated or nothing counts.</summary>
    [JsonIgnore]
    public double? Score => Scores?.First()?.Value;
}
