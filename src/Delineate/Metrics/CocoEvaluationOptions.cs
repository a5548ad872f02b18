namespace Delineate.Metrics;

/// <summary>What a detection and a truth are compared by.</summary>
public enum InstanceSimilarity
{
    /// <summary>Intersection over union of boxes.</summary>
    Boxes,

    /// <summary>Intersection over union of masks.</summary>
    Masks,

    /// <summary>How near the joints lie, by the object's size and each joint's spread (COCO's OKS).</summary>
    Keypoints,
}

/// <summary>A range of object areas in square pixels, both ends included.</summary>
public sealed record AreaRange(string Name, double Least, double Most);

/// <summary>What COCO's evaluation counts. The defaults are COCO's, https://cocodataset.org/#detection-eval.</summary>
public sealed record CocoEvaluationOptions
{
    private const double Boundless = 1e10; // COCO's

    /// <summary>What a detection must resemble.</summary>
    public InstanceSimilarity Similarity { get; init; } = InstanceSimilarity.Masks;

    /// <summary>A detection is right from this similarity on; AP is the mean over all. COCO's: 0.50, 0.55 … 0.95.</summary>
    public IReadOnlyList<double> Thresholds { get; init; } = [.. Enumerable.Range(0, 10).Select(i => 0.5 + (i * ((0.95 - 0.5) / 9)))];

    /// <summary>The recalls at which precision is read. COCO's: 0, 0.01 … 1.</summary>
    public IReadOnlyList<double> Recalls { get; init; } = [.. Enumerable.Range(0, 101).Select(i => i == 100 ? 1 : i * 0.01)];

    /// <summary>Ranges of areas, "all" first. COCO's: all, small below 32², medium, large above 96²; joints have no small ones.</summary>
    public IReadOnlyList<AreaRange> Areas { get; init; } =
        [new("all", 0, Boundless), new("small", 0, 32 * 32), new("medium", 32 * 32, 96 * 96), new("large", 96 * 96, Boundless)];

    /// <summary>The surest detections of a class that count in an image, ascending: AP is read at the last. COCO's: 1, 10, 100; joints: 20.</summary>
    public IReadOnlyList<int> MostDetections { get; init; } = [1, 10, 100];

    /// <summary>The spread of each joint by which distances are measured. COCO's 17 joints unless given.</summary>
    public IReadOnlyList<double> Sigmas { get; init; } =
        [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089];

    /// <summary>COCO's options for a similarity.</summary>
    public static CocoEvaluationOptions For(InstanceSimilarity similarity)
    {
        var options = new CocoEvaluationOptions { Similarity = similarity };
        return similarity != InstanceSimilarity.Keypoints ? options : options with { Areas = [.. options.Areas.Where(a => a.Name != "small")], MostDetections = [20] };
    }
}
