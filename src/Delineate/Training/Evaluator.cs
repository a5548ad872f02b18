using Delineate.Data;
using Delineate.Imaging;
using Delineate.Inference;
using Delineate.Models;

namespace Delineate.Training;

/// <summary>The size at which predictions meet the truth.</summary>
public enum EvaluationSize
{
    /// <summary>The size of the files: what users see, and what most benchmarks ask for.</summary>
    Original,

    /// <summary>The size that the network sees, the truth resized to it: what torchvision's reference scripts report.</summary>
    Network,
}

/// <summary>One evaluated image; <paramref name="Score"/> is null where nothing in it counts.</summary>
public sealed record EvaluatedImage(Sample Sample, Prediction Prediction, ImageScore? Score);

/// <summary>Runs a model over a data set and counts, reading the next image while the network works on this one.</summary>
public static class Evaluator
{
    /// <summary>The counts over the whole data set; <paramref name="seen"/> gets every image with its own score.</summary>
    /// <exception cref="DatasetException">A sample cannot be read, or does not tell what the model's predictions are compared with.</exception>
    /// <exception cref="TrainingException">A detector's objects cannot be compared at the network's size.</exception>
    public static Evaluation Run(
        Model model, Dataset dataset, EvaluationSize size = EvaluationSize.Original, Action<int, EvaluatedImage>? seen = null, CancellationToken cancel = default) =>
        Run(new Predictor(model), dataset, size, seen, cancel);

    /// <summary>The same with the windows and views of a predictor.</summary>
    /// <exception cref="DatasetException">A sample cannot be read, or does not tell what the model's predictions are compared with.</exception>
    /// <exception cref="TrainingException">A detector's objects cannot be compared at the network's size.</exception>
    public static Evaluation Run(
        Predictor predictor, Dataset dataset, EvaluationSize size = EvaluationSize.Original, Action<int, EvaluatedImage>? seen = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(predictor);
        ArgumentNullException.ThrowIfNull(dataset);
        Model model = predictor.Model;
        if (size == EvaluationSize.Network && model is DetectionModel) throw new TrainingException($"{model.Name} finds objects, which are compared at the files' original size only");
        Func<Sample, Sample>? resize = size == EvaluationSize.Network ? sample => AtNetworkSize(sample, model.Preprocessing) : null;
        return Run(Evaluation.For(model), dataset, (_, sample) => predictor.Predict(sample.Image, cancel: cancel), seen, cancel, resize);
    }

    /// <summary>The same for predictions of any origin, in any order of the samples.</summary>
    internal static Evaluation Run(
        Evaluation evaluation, Dataset dataset, Func<int, Sample, Prediction> predict, Action<int, EvaluatedImage>? seen, CancellationToken cancel,
        Func<Sample, Sample>? resize = null, IReadOnlyList<int>? order = null)
    {
        order ??= [.. Enumerable.Range(0, dataset.Count)];
        Task<Sample>? next = order.Count > 0 ? Task.Run(() => dataset.Load(order[0]), cancel) : null;
        for (int i = 0; i < order.Count; i++)
        {
            Sample sample = next!.GetAwaiter().GetResult();
            int following = i + 1;
            next = following < order.Count ? Task.Run(() => dataset.Load(order[following]), cancel) : null;
            cancel.ThrowIfCancellationRequested();
            Prediction prediction;
            ImageScore? score;
            try
            {
                if (resize is not null) sample = resize(sample);
                prediction = predict(order[i], sample);
                score = evaluation.Add(sample.Annotation, prediction);
            }
            catch (DatasetException e)
            {
                throw new DatasetException($"{sample.Name}: {e.Message}", e);
            }
            seen?.Invoke(i, new EvaluatedImage(sample, prediction, score));
        }
        return evaluation;
    }

    private static Sample AtNetworkSize(Sample sample, Preprocessing preprocessing)
    {
        (int height, int width) = preprocessing.NetworkSize(sample.Image.Height, sample.Image.Width);
        return sample with
        {
            Image = preprocessing.Resize(sample.Image),
            Annotation = sample.Annotation with { Semantic = sample.Annotation.Semantic?.Resize(height, width) },
        };
    }
}
