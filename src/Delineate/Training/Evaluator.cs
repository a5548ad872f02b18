using Delineate.Data;
using Delineate.Imaging;
using Delineate.Inference;
using Delineate.Metrics;
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

/// <summary>One evaluated image.</summary>
public sealed record EvaluatedImage(Sample Sample, LabelMap Prediction, SegmentationScores Scores);

/// <summary>Runs a model over a data set and counts, reading the next image while the network works on this one.</summary>
public static class Evaluator
{
    /// <summary>The confusion matrix over the whole data set; <paramref name="seen"/> gets every image with its own figures.</summary>
    /// <exception cref="DatasetException">A sample cannot be read or has no label map.</exception>
    public static ConfusionMatrix Run(
        Model model, Dataset dataset, EvaluationSize size = EvaluationSize.Original, Action<int, EvaluatedImage>? seen = null, CancellationToken cancel = default) =>
        Run(new Predictor(model), dataset, size, seen, cancel);

    /// <summary>The same with the windows and views of a predictor.</summary>
    /// <exception cref="DatasetException">A sample cannot be read or has no label map.</exception>
    public static ConfusionMatrix Run(
        Predictor predictor, Dataset dataset, EvaluationSize size = EvaluationSize.Original, Action<int, EvaluatedImage>? seen = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(predictor);
        ArgumentNullException.ThrowIfNull(dataset);
        Model model = predictor.Model;
        var total = new ConfusionMatrix(model.Classes.Count, model.Classes.IgnoreIndex);
        Task<Sample>? next = dataset.Count > 0 ? Task.Run(() => dataset.Load(0), cancel) : null;
        for (int i = 0; i < dataset.Count; i++)
        {
            Sample sample = next!.GetAwaiter().GetResult();
            int following = i + 1;
            next = following < dataset.Count ? Task.Run(() => dataset.Load(following), cancel) : null;
            cancel.ThrowIfCancellationRequested();
            var own = new ConfusionMatrix(model.Classes.Count, model.Classes.IgnoreIndex);
            LabelMap prediction;
            try
            {
                if (size == EvaluationSize.Network) sample = AtNetworkSize(sample, model.Preprocessing);
                LabelMap truth = sample.Annotation.Semantic ?? throw new DatasetException("it has no label map to compare with");
                prediction = predictor.Predict(sample.Image, cancel: cancel).Semantic ?? throw new TrainingException($"{model.Name} finds objects and draws no label maps: there is nothing to compare with those of the data set");
                own.Add(truth, prediction);
            }
            catch (DatasetException e)
            {
                throw new DatasetException($"{sample.Name}: {e.Message}", e);
            }
            total.Add(own);
            seen?.Invoke(i, new EvaluatedImage(sample, prediction, own.Scores(model.Classes.Names)));
        }
        return total;
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
