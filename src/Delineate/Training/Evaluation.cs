using System.Text.Json.Nodes;
using Delineate.Data;
using Delineate.Metrics;
using Delineate.Models;

namespace Delineate.Training;

/// <summary>How well one image was predicted.</summary>
/// <param name="Value">0…1.</param>
/// <param name="Faults">Of two images with equal values, the one with more of these is the worse.</param>
/// <param name="Text">The same in words.</param>
public sealed record ImageScore(double Value, int Faults, string Text)
{
    internal bool IsWorseThan(ImageScore other) => Value < other.Value || (Value == other.Value && Faults > other.Faults);
}

/// <summary>What is counted while predictions are compared with the truth: images go in one by one, figures come out.</summary>
public abstract class Evaluation
{
    /// <summary>What the predictions of a model are counted by: a detector's objects, or the classes of pixels.</summary>
    public static Evaluation For(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model is DetectionModel detector ? ObjectEvaluation.For(detector) : new SemanticEvaluation(model.Classes);
    }

    /// <summary>The classes that are told apart.</summary>
    public abstract ClassTable Classes { get; }

    /// <summary>The number of images so far.</summary>
    public int Images { get; private set; }

    /// <summary>Counts one image. Its own score, or null where nothing in it counts.</summary>
    /// <exception cref="DatasetException">The truth lacks what is compared.</exception>
    /// <exception cref="TrainingException">The prediction does.</exception>
    public ImageScore? Add(Annotation truth, Prediction prediction)
    {
        ArgumentNullException.ThrowIfNull(truth);
        ArgumentNullException.ThrowIfNull(prediction);
        ImageScore? score = Count(truth, prediction);
        Images++;
        return score;
    }

    /// <summary>The figures over all images so far.</summary>
    public abstract Scores Scores { get; }

    /// <summary>Everything that was counted, for programs. Shares are in 0…1.</summary>
    public abstract JsonObject ToJson();

    /// <summary>Counts one image.</summary>
    private protected abstract ImageScore? Count(Annotation truth, Prediction prediction);
}
