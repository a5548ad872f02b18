namespace Delineate.Data.Writing;

/// <summary>Compares the objects of a data set with those that were read back from another format.</summary>
internal sealed class RoundTrip
{
    private readonly Lock gate = new();
    private double sum, least = 1;
    private int found;

    /// <summary>Objects of the source.</summary>
    public int Objects { get; private set; }

    /// <summary>Objects of which nothing was read back.</summary>
    public int Lost { get; private set; }

    public long ChangedPixels { get; private set; }

    /// <summary>The object that was changed most.</summary>
    public string? Worst { get; private set; }

    public double MinIou => least;

    public double MeanIou => found == 0 ? 1 : sum / found;

    /// <summary>Adds an image: each object is paired with the one of its class that covers most of it, each used once, the best pairs first.</summary>
    public void Add(string image, Annotation before, ClassTable classesBefore, Annotation after, ClassTable classesAfter, bool comparesPixels)
    {
        IReadOnlyList<Instance> old = before.Instances ?? [], back = after.Instances ?? [];
        double[] best = new double[old.Count];
        foreach (string name in old.Select(o => classesBefore.Names[o.Label]).Distinct())
        {
            int[] of = [.. Enumerable.Range(0, old.Count).Where(i => classesBefore.Names[old[i].Label] == name)];
            int[] to = [.. Enumerable.Range(0, back.Count).Where(i => classesAfter.Names[back[i].Label] == name)];
            var pairs = new List<(double Iou, int Old, int New)>();
            foreach (int i in of)
                foreach (int j in to)
                    if (Iou(old[i], back[j]) is > 0 and var iou) pairs.Add((iou, i, j));
            var used = new HashSet<int>();
            foreach ((double iou, int i, int j) in pairs.OrderByDescending(p => p.Iou).ThenBy(p => p.Old).ThenBy(p => p.New))
                if (best[i] == 0 && used.Add(j)) best[i] = iou;
        }
        long changed = 0;
        if (comparesPixels && before.Semantic is { } a && after.Semantic is { } b)
        {
            for (int p = 0; p < a.Labels.Length; p++)
                if (Name(a.Labels[p], classesBefore) != Name(b.Labels[p], classesAfter)) changed++;
        }
        lock (gate)
        {
            Objects += old.Count;
            ChangedPixels += changed;
            for (int i = 0; i < best.Length; i++)
            {
                if (best[i] == 0)
                {
                    Lost++;
                    continue;
                }
                found++;
                sum += best[i];
                string which = $"{image}, {old[i].Id ?? classesBefore.Names[old[i].Label]}";
                if (best[i] > least || (best[i] == least && (best[i] == 1 || string.CompareOrdinal(which, Worst) >= 0))) continue;
                (least, Worst) = (best[i], which);
            }
        }
    }

    private static double Iou(Instance a, Instance b)
    {
        if (a.Mask is not { } one || b.Mask is not { } other) return a.Box.Iou(b.Box);
        (Box x, Box y) = (one.Box, other.Box);
        if (Math.Min(x.X2, y.X2) <= Math.Max(x.X1, y.X1) || Math.Min(x.Y2, y.Y2) <= Math.Max(x.Y1, y.Y1)) return 0;
        long shared = one.SharedWith(other);
        return shared == 0 ? 0 : (double)shared / (one.Area + other.Area - shared);
    }

    private static string? Name(byte label, ClassTable classes) => label < classes.Count && label != classes.IgnoreIndex ? classes.Names[label] : null;
}
