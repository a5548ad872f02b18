using System.Collections.Concurrent;
using Delineate.Data.Sets;
using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>Least, middle and largest of a set of numbers.</summary>
public readonly record struct Spread(int Least, int Median, int Most)
{
    internal static Spread Of(IEnumerable<int> values)
    {
        int[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? default : new Spread(sorted[0], sorted[sorted.Length / 2], sorted[^1]);
    }
}

/// <summary>The figures of one split: image sizes in pixels, and how often each label occurs.</summary>
public sealed record SplitStats(SplitCensus Census, Spread Heights, Spread Widths)
{
    /// <summary>The share of the counted pixels, ignored ones excepted, that have a label; 0 where there are none.</summary>
    public double Share(int label, byte ignoreIndex)
    {
        long counted = Counted(ignoreIndex);
        return counted == 0 ? 0 : (double)Census.Pixels[label] / counted;
    }

    /// <summary>The share of all pixels that are ignored.</summary>
    public double IgnoredShare(byte ignoreIndex)
    {
        long all = Census.Pixels.Sum();
        return all == 0 ? 0 : (double)Census.Pixels[ignoreIndex] / all;
    }

    private long Counted(byte ignoreIndex) => Census.Pixels.Sum() - Census.Pixels[ignoreIndex];
}

/// <summary>What a data set consists of, and what follows from it for training.</summary>
/// <param name="Folder">The data set's folder.</param>
/// <param name="Classes">Its classes.</param>
/// <param name="Coding">What its masks hold.</param>
/// <param name="Splits">The figures of each split.</param>
/// <param name="BalancedWeights">Weights of the classes for the loss, 1 for the median one: median frequency balancing (Eigen and Fergus
/// 2015). Classes that do not occur get 0.</param>
/// <param name="Notes">What was assumed, and suggestions.</param>
/// <param name="Unreadable">Files left out because they could not be read.</param>
public sealed record DataStats(
    string Folder,
    ClassTable Classes,
    MaskCoding Coding,
    IReadOnlyList<SplitStats> Splits,
    IReadOnlyList<float> BalancedWeights,
    IReadOnlyList<string> Notes,
    IReadOnlyList<Finding> Unreadable)
{
    // A class rarer than this, or so many times rarer than the commonest, is often not learnt at all by plain cross-entropy.
    private const double RareShare = 0.01, StrongImbalance = 20;

    /// <summary>Reads the headers of all images and all masks; <paramref name="progress"/> gets (files done, files in all).</summary>
    /// <exception cref="DatasetException">The data set is not recognised, or its classes cannot be told.</exception>
    /// <exception cref="OperationCanceledException">Cancellation was asked for.</exception>
    public static DataStats Of(string folder, IProgress<(int Done, int Total)>? progress = null, CancellationToken cancellation = default)
    {
        DatasetFiles files = DatasetCatalog.Scan(folder);
        var masks = MaskReader.For(files);
        var counts = new ConcurrentDictionary<string, long[]>(StringComparer.Ordinal);
        var sizes = new ConcurrentDictionary<string, (int Height, int Width)>(StringComparer.Ordinal);
        var unreadable = new ConcurrentBag<Finding>();
        string[] names = [.. files.Pairs];
        int done = 0;
        Parallel.ForEach(names, new ParallelOptions { CancellationToken = cancellation }, name =>
        {
            try
            {
                ImageHeader header = ImageFile.ReadHeader(files.Images[name]);
                sizes[name] = (header.Height, header.Width);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                unreadable.Add(new Finding(Severity.Error, files.Images[name], e.Message));
            }
            try
            {
                counts[name] = SplitCensus.Count(masks.Read(files.Masks[name]));
            }
            catch (DatasetException e)
            {
                unreadable.Add(new Finding(Severity.Error, files.Masks[name], e.Problem, e.Remedy));
            }
            progress?.Report((Interlocked.Increment(ref done), names.Length));
        });
        SplitStats[] splits = [.. files.Splits.Select(split =>
        {
            (int Height, int Width)[] known = [.. split.Names.Where(sizes.ContainsKey).Select(n => sizes[n])];
            return new SplitStats(SplitCensus.Of(split, counts), Spread.Of(known.Select(s => s.Height)), Spread.Of(known.Select(s => s.Width)));
        })];
        SplitStats train = splits.FirstOrDefault(s => s.Census.Name == "train") ?? splits[0];
        return new DataStats(folder, masks.Classes, masks.Coding, splits,
            Balance(train.Census, counts, files.Split(train.Census.Name), masks.Classes),
            [.. masks.Notes, .. Suggestions(train, masks.Classes)], [.. unreadable.OrderBy(f => f.File, StringComparer.Ordinal)]);
    }

    /// <summary>
    /// A class's frequency is its share of the pixels of the images in which it occurs; its weight is the median frequency over its own.
    /// </summary>
    private static float[] Balance(SplitCensus census, IReadOnlyDictionary<string, long[]> counts, SplitList split, ClassTable classes)
    {
        double[] frequencies = new double[classes.Count];
        for (int label = 0; label < classes.Count; label++)
        {
            long around = 0;
            foreach (string name in split.Names)
                if (label != classes.IgnoreIndex && counts.TryGetValue(name, out long[]? c) && c[label] > 0) around += c.Sum() - c[classes.IgnoreIndex];
            frequencies[label] = around == 0 ? 0 : (double)census.Pixels[label] / around;
        }
        double[] occurring = [.. frequencies.Where(f => f > 0).Order()];
        if (occurring.Length == 0) return new float[classes.Count];
        double median = (occurring[occurring.Length / 2] + occurring[(occurring.Length - 1) / 2]) / 2;
        return [.. frequencies.Select(f => f > 0 ? (float)(median / f) : 0)];
    }

    private static IEnumerable<string> Suggestions(SplitStats train, ClassTable classes)
    {
        double[] shares = new double[classes.Count];
        for (int c = 0; c < shares.Length; c++) shares[c] = c == classes.IgnoreIndex ? 0 : train.Share(c, classes.IgnoreIndex);
        double limit = Math.Max(RareShare, shares.Max() / StrongImbalance);
        string[] rare = [.. Enumerable.Range(0, classes.Count).Where(c => shares[c] > 0 && shares[c] < limit)
            .Select(c => $"{classes.Names[c]} ({shares[c]:0.##%})")];
        if (rare.Length > 0)
        {
            yield return $"rare in '{train.Census.Name}': {string.Join(", ", rare)}; weight the classes in the loss, or add a dice term, "
                + "should they not be learnt";
        }
        double ignored = train.IgnoredShare(classes.IgnoreIndex);
        if (ignored > 0.5)
            yield return $"{ignored:0%} of the pixels of '{train.Census.Name}' are ignored: is the ignore label {classes.IgnoreIndex} meant?";
        int side = Math.Max(train.Heights.Most, train.Widths.Most);
        if (side is > 0 and < 480)
            yield return $"the images are small (at most {train.Heights.Most}×{train.Widths.Most}): train without resizing, on crops of their size";
    }
}
