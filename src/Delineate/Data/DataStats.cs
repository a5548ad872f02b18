using System.Collections.Concurrent;
using Delineate.Data.Objects;
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

/// <summary>The objects of one split.</summary>
/// <param name="Count">All of them, crowds included.</param>
/// <param name="Crowds">Areas of many objects that nobody told apart.</param>
/// <param name="PerImage">Objects of an image.</param>
/// <param name="Sides">Square roots of their areas, in pixels: the sides of squares as large.</param>
/// <param name="Small">Those below 32² square pixels, COCO's small ones.</param>
/// <param name="Large">Those of 96² square pixels and more, COCO's large ones.</param>
public sealed record ObjectStats(int Count, int Crowds, Spread PerImage, Spread Sides, int Small, int Large)
{
    internal static ObjectStats Of(IReadOnlyList<(double Area, bool IsCrowd)[]> images)
    {
        const double SmallArea = 32 * 32, LargeArea = 96 * 96;
        (double Area, bool IsCrowd)[] all = [.. images.SelectMany(i => i)];
        return new ObjectStats(all.Length, all.Count(o => o.IsCrowd), Spread.Of(images.Select(i => i.Length)), Spread.Of(all.Select(o => (int)Math.Round(Math.Sqrt(o.Area)))),
            all.Count(o => o.Area < SmallArea), all.Count(o => o.Area >= LargeArea));
    }
}

/// <summary>The figures of one split: image sizes in pixels, and how often each label occurs.</summary>
public sealed record SplitStats(SplitCensus Census, Spread Heights, Spread Widths)
{
    /// <summary>The objects; null where the data set tells of none.</summary>
    public ObjectStats? Objects { get; init; }

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
/// <param name="Coding">What its masks hold; null where objects are written in annotation files.</param>
/// <param name="Splits">The figures of each split.</param>
/// <param name="BalancedWeights">Weights of the classes for the loss, 1 for the median one: median frequency balancing (Eigen and Fergus
/// 2015). Classes that do not occur get 0.</param>
/// <param name="Notes">What was assumed, and suggestions.</param>
/// <param name="Unreadable">Files left out because they could not be read.</param>
public sealed record DataStats(
    string Folder,
    ClassTable Classes,
    MaskCoding? Coding,
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
        if (DatasetCatalog.ReadObjects(folder) is { } set) return Of(set, progress, cancellation);
        DatasetFiles files = DatasetCatalog.Scan(folder);
        var masks = MaskReader.For(files);
        var gathered = new Gathered();
        string[] names = [.. files.Pairs];
        int done = 0;
        Parallel.ForEach(names, new ParallelOptions { CancellationToken = cancellation }, name =>
        {
            gathered.Header(name, files.Images[name]);
            try
            {
                LabelMap labels = masks.Read(files.Masks[name]);
                gathered.Counts[name] = SplitCensus.Count(labels);
                if (files.ObjectMask(name, masks.Coding) is { } path)
                    gathered.Add(name, ObjectMasks.Read(path, labels.Height, labels.Width, masks.Coding == MaskCoding.Instances ? null : labels, masks.Classes, files.Layout).Objects);
            }
            catch (DatasetException e)
            {
                gathered.Unreadable.Add(new Finding(Severity.Error, e.File ?? files.Masks[name], e.Problem, e.Remedy));
            }
            progress?.Report((Interlocked.Increment(ref done), names.Length));
        });
        return gathered.Finish(folder, masks.Classes, masks.Coding, files.Splits, masks.Notes);
    }

    private static DataStats Of(ObjectSet set, IProgress<(int Done, int Total)>? progress, CancellationToken cancellation)
    {
        var gathered = new Gathered();
        ObjectDataset[] datasets = [.. set.Parts.Where(p => p.Images.Count > 0).Select(p => new ObjectDataset(set, p.Split))];
        if (datasets.Length == 0) throw new DatasetException(set.Folder, "no split has an image", null);
        int done = 0, total = datasets.Sum(d => d.Count);
        var splits = new List<SplitList>();
        foreach ((ObjectDataset dataset, ObjectPart part) in datasets.Zip(set.Parts.Where(p => p.Images.Count > 0)))
        {
            string Key(int index) => $"{part.Split}/{dataset.Names[index]}";
            InParallel.For(dataset.Count, i =>
            {
                try
                {
                    (int height, int width, Annotation truth) = dataset.LoadAnnotation(i);
                    gathered.Sizes[Key(i)] = (height, width);
                    gathered.Counts[Key(i)] = SplitCensus.Count(truth.Semantic!);
                    gathered.Add(Key(i), truth.Instances!);
                }
                catch (DatasetException e)
                {
                    gathered.Unreadable.Add(new Finding(Severity.Error, e.File ?? dataset.ImagePath(i), e.Problem, e.Remedy));
                }
                progress?.Report((Interlocked.Increment(ref done), total));
            }, cancellation);
            splits.Add(new SplitList(part.Split, part.File, [.. Enumerable.Range(0, dataset.Count).Select(Key)]));
        }
        return gathered.Finish(set.Folder, set.Classes, null, splits, [.. datasets.SelectMany(d => d.Notes).Distinct()]);
    }

    /// <summary>Figures of single images by their names, filled by several threads.</summary>
    private sealed class Gathered
    {
        private readonly ConcurrentDictionary<string, int[]> objects = new(StringComparer.Ordinal);
        private readonly ConcurrentDictionary<string, (double Area, bool IsCrowd)[]> areas = new(StringComparer.Ordinal);

        public ConcurrentDictionary<string, long[]> Counts { get; } = new(StringComparer.Ordinal);

        public ConcurrentDictionary<string, (int Height, int Width)> Sizes { get; } = new(StringComparer.Ordinal);

        public ConcurrentBag<Finding> Unreadable { get; } = [];

        public void Header(string name, string path)
        {
            try
            {
                ImageHeader header = ImageFile.ReadHeader(path);
                Sizes[name] = (header.Height, header.Width);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Unreadable.Add(new Finding(Severity.Error, path, e.Message));
            }
        }

        public void Add(string name, IReadOnlyList<Instance> things)
        {
            objects[name] = SplitCensus.Count(things);
            areas[name] = [.. things.Select(o => (o.Area, o.IsCrowd))];
        }

        public DataStats Finish(string folder, ClassTable classes, MaskCoding? coding, IReadOnlyList<SplitList> lists, IReadOnlyList<string> notes)
        {
            SplitStats[] splits = [.. lists.Select(split =>
            {
                (int Height, int Width)[] known = [.. split.Names.Where(Sizes.ContainsKey).Select(n => Sizes[n])];
                (double Area, bool IsCrowd)[][] told = [.. split.Names.Where(areas.ContainsKey).Select(n => areas[n])];
                return new SplitStats(SplitCensus.Of(split, Counts, objects), Spread.Of(known.Select(s => s.Height)), Spread.Of(known.Select(s => s.Width)))
                {
                    Objects = told.Length == 0 ? null : ObjectStats.Of(told),
                };
            })];
            SplitStats train = splits.FirstOrDefault(s => SplitNames.Plain(s.Census.Name) == "train") ?? splits[0];
            SplitList list = lists.First(s => s.Name == train.Census.Name);
            return new DataStats(folder, classes, coding, splits, Balance(train.Census, Counts, list, classes),
                [.. notes, .. Suggestions(train, classes)], [.. Unreadable.OrderBy(f => f.File, StringComparer.Ordinal)]);
        }
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
