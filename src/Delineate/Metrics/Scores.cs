namespace Delineate.Metrics;

/// <summary>One figure of an evaluation, in 0…1.</summary>
/// <param name="Key">Its name in files: <c>mean_iou</c>, <c>mask_ap50</c>.</param>
/// <param name="Name">Its name for people: mean IoU, mask AP50.</param>
/// <param name="Value">Null where nothing counts in it.</param>
public sealed record Figure(string Key, string Name, double? Value);

/// <summary>What an evaluation came to, whatever was evaluated.</summary>
/// <param name="Figures">Those over the whole data set; the first is the one by which weights are ranked.</param>
/// <param name="Classes">The ranking figure of each class.</param>
public sealed record Scores(IReadOnlyList<Figure> Figures, IReadOnlyList<Figure> Classes)
{
    /// <summary>The figure by which weights are ranked; null where there is none.</summary>
    public Figure? First() => Figures.Count > 0 ? Figures[0] : null;
}
