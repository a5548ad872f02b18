using Delineate.Data;
using Delineate.Tensors.Kernels;

namespace Delineate.Metrics;

/// <summary>
/// COCO's evaluation of boxes, masks or joints over a data set: images are added one by one, figures come from all of them. Equal to pycocotools'.
/// </summary>
public sealed class CocoEvaluation
{
    private const double Epsilon = 2.220446049250313e-16; // COCO's guard where a class has neither right nor wrong detections
    private readonly IReadOnlyList<int> labels;
    private readonly IReadOnlyList<string> names;
    private readonly List<InstanceMatching>[] images; // of each class, in the order of the images

    /// <summary>An evaluation of all classes but the background.</summary>
    /// <exception cref="ArgumentException">The options have no threshold, area or number of detections, or more than 32 thresholds.</exception>
    public CocoEvaluation(ClassTable classes, CocoEvaluationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(classes);
        Options = options ?? new CocoEvaluationOptions();
        if (Options.Thresholds.Count is 0 or > 32 || Options.Recalls.Count == 0 || Options.Areas.Count == 0 || Options.MostDetections.Count == 0)
            throw new ArgumentException("an evaluation needs 1 to 32 thresholds, and at least one recall, area and number of detections", nameof(options));
        labels = [.. Enumerable.Range(0, classes.Count).Where(c => c != classes.Background)];
        names = [.. labels.Select(l => classes.Names[l])];
        images = [.. labels.Select(_ => new List<InstanceMatching>())];
    }

    /// <summary>What is counted.</summary>
    public CocoEvaluationOptions Options { get; }

    /// <summary>The number of images so far.</summary>
    public int Images { get; private set; }

    /// <summary>Counts one image.</summary>
    /// <exception cref="DatasetException">An object lacks what is compared, its mask or joints.</exception>
    public void Add(IReadOnlyList<Instance> truths, IReadOnlyList<Instance> detections) => AddRange([(truths, detections)]);

    /// <summary>Counts many images, several at a time. Their order decides, as in COCO's evaluation, between detections of equal scores.</summary>
    /// <exception cref="DatasetException">An object lacks what is compared, its mask or joints.</exception>
    public void AddRange(IReadOnlyList<(IReadOnlyList<Instance> Truths, IReadOnlyList<Instance> Detections)> more)
    {
        ArgumentNullException.ThrowIfNull(more);
        const int Grain = 16;
        var matchings = new List<(int Class, InstanceMatching Matching)>[more.Count];
        ThreadTeam.Ranges(more.Count, Grain, (from, to) =>
        {
            for (int i = from; i < to; i++) matchings[i] = Match(more[i].Truths, more[i].Detections);
        });
        foreach ((int k, InstanceMatching matching) in matchings.SelectMany(m => m)) images[k].Add(matching);
        Images += more.Count;
    }

    /// <summary>The figures over all images so far.</summary>
    public CocoScores Scores()
    {
        CocoEvaluationOptions o = Options;
        var curves = new PrecisionCurves(o, labels.Count);
        ThreadTeam.Run(labels.Count, k => Accumulate(k, curves));
        return new CocoScores(o, names, curves, Images);
    }

    private List<(int, InstanceMatching)> Match(IReadOnlyList<Instance> truths, IReadOnlyList<Instance> detections)
    {
        ILookup<int, Instance> wanted = truths.ToLookup(t => t.Label), found = detections.ToLookup(d => d.Label);
        var matchings = new List<(int, InstanceMatching)>();
        for (int k = 0; k < labels.Count; k++)
        {
            if (wanted.Contains(labels[k]) || found.Contains(labels[k])) matchings.Add((k, InstanceMatching.Of([.. wanted[labels[k]]], [.. found[labels[k]]], Options)));
        }
        return matchings;
    }

    /// <summary>The curves of one class: all its detections, surest first, walked once for each threshold, area and number of detections.</summary>
    private void Accumulate(int k, PrecisionCurves curves)
    {
        CocoEvaluationOptions o = Options;
        List<InstanceMatching> matchings = images[k];
        int count = matchings.Sum(m => m.Scores.Length);
        var all = new (float Score, int Image, int Rank)[count];
        int at = 0;
        for (int i = 0; i < matchings.Count; i++)
        {
            for (int rank = 0; rank < matchings[i].Scores.Length; rank++) all[at++] = (matchings[i].Scores[rank], i, rank);
        }
        (float Score, int Image, int Rank)[] ordered = [.. all.OrderByDescending(d => d.Score)]; // stable: equal scores stay in the order of the images
        var precisions = new double[count];
        var recalls = new double[count];
        var scores = new float[count];
        for (int a = 0; a < o.Areas.Count; a++)
        {
            int wanted = matchings.Sum(m => m.Wanted[a]);
            if (wanted == 0) continue;
            for (int m = 0; m < o.MostDetections.Count; m++)
            {
                for (int t = 0; t < o.Thresholds.Count; t++)
                {
                    (int n, long right, long wrong) = (0, 0, 0);
                    foreach ((float score, int image, int rank) in ordered)
                    {
                        if (rank >= o.MostDetections[m]) continue;
                        if ((matchings[image].Ignored[a, rank] >> t & 1) == 0)
                        {
                            if ((matchings[image].Matched[a, rank] >> t & 1) != 0) right++;
                            else wrong++;
                        }
                        recalls[n] = (double)right / wanted;
                        precisions[n] = right / (right + wrong + Epsilon);
                        scores[n++] = score;
                    }
                    curves.Set(t, k, a, m, recalls.AsSpan(0, n), precisions.AsSpan(0, n), scores.AsSpan(0, n));
                }
            }
        }
    }
}
