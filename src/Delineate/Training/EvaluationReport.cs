using Delineate.Data;
using Delineate.Drawing;
using Delineate.Inference;
using Delineate.Metrics;
using Delineate.Models;

namespace Delineate.Training;

/// <summary>An evaluation gathered for people and programs: what was counted, and the images that came out best and worst.</summary>
public sealed class EvaluationReport
{
    private const int Shown = 4;
    private readonly List<ReportExample> best = [], worst = [];

    private EvaluationReport(Func<Action<int, EvaluatedImage>, Evaluation> run, int images, Action<int, int>? progress)
    {
        Evaluation = run((i, image) =>
        {
            Consider(image);
            progress?.Invoke(i + 1, images);
        });
        // In a small set the ends overlap: the better half of what is shown stays with the best.
        if (worst.Any(best.Contains))
        {
            int half = (best.Union(worst).Count() + 1) / 2;
            best.RemoveRange(half, best.Count - half);
        }
        worst.RemoveAll(best.Contains);
    }

    /// <summary>What was counted over the whole set.</summary>
    public Evaluation Evaluation { get; }

    /// <summary>Evaluates a model; <paramref name="progress"/> gets (images done, images in all).</summary>
    public static EvaluationReport Of(
        Model model, Dataset dataset, EvaluationSize size = EvaluationSize.Original, Action<int, int>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Of(new Predictor(model), dataset, size, progress, cancel);
    }

    /// <summary>The same with the windows and views of a predictor.</summary>
    public static EvaluationReport Of(
        Predictor predictor, Dataset dataset, EvaluationSize size = EvaluationSize.Original, Action<int, int>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(predictor);
        ArgumentNullException.ThrowIfNull(dataset);
        return new EvaluationReport(seen => Evaluator.Run(predictor, dataset, size, seen, cancel), dataset.Count, progress);
    }

    /// <summary>Compares the objects of a result file, by <paramref name="similarities"/> of which the first ranks.</summary>
    public static EvaluationReport Of(
        CocoResultFile results, Dataset dataset, IReadOnlyList<InstanceSimilarity> similarities, Action<int, int>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(results);
        ArgumentNullException.ThrowIfNull(dataset);
        var evaluation = new ObjectEvaluation(dataset.Classes, similarities, joints: dataset.KeypointNames.Count);
        return new EvaluationReport(
            seen => Evaluator.Run(evaluation, dataset, (i, _) => new Prediction { Instances = results[i] }, seen, cancel, order: results.Order), dataset.Count, progress);
    }

    /// <summary>The images with the highest scores of their own, best first.</summary>
    public IReadOnlyList<ReportExample> Best => best;

    /// <summary>Those with the lowest, worst first; none that is among the best.</summary>
    public IReadOnlyList<ReportExample> Worst => worst;

    /// <summary>The page that shows it, with a run's curves and recipe where there was one.</summary>
    public string ToHtml(string title, IReadOnlyList<(string Name, string Value)> facts, IReadOnlyList<EpochRecord>? history = null, Recipe? recipe = null) =>
        TrainingReport.Html(new ReportContent
        {
            Title = title,
            Facts = facts,
            History = history ?? [],
            Evaluation = Evaluation,
            Best = best,
            Worst = worst,
            Recipe = recipe?.ToJson(),
        });

    /// <summary>Keeps an image where it is among the best or the worst so far; one in which nothing counts tells nothing.</summary>
    private void Consider(EvaluatedImage image)
    {
        if (image.Score is null) return;
        var example = new ReportExample(image.Sample.Name, image.Score, image.Sample.Image, image.Sample.Annotation, image.Prediction);
        Insert(best, example, (a, b) => b.Score.IsWorseThan(a.Score));
        Insert(worst, example, (a, b) => a.Score.IsWorseThan(b.Score));

        static void Insert(List<ReportExample> list, ReportExample item, Func<ReportExample, ReportExample, bool> before)
        {
            int place = list.FindIndex(other => before(item, other));
            list.Insert(place < 0 ? list.Count : place, item);
            if (list.Count > Shown) list.RemoveAt(Shown);
        }
    }
}
