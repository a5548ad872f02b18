using System.Collections.Concurrent;
using Delineate.Data.Sets;
using Delineate.Imaging;

namespace Delineate.Data.Writing;

/// <summary>One sample on its way into another format.</summary>
/// <param name="Source">The split it comes from.</param>
/// <param name="Index">Its place there.</param>
/// <param name="Split">The split's name in the new data set.</param>
/// <param name="Name">Its name there, without suffix, of no two samples alike.</param>
internal sealed record ConvertItem(ImageFileDataset Source, int Index, string Split, string Name)
{
    /// <summary>The image's file name there.</summary>
    public string ImageName { get; } = Name + Path.GetExtension(Source.ImagePath(Index)).ToLowerInvariant();
}

/// <summary>
/// Writes a data set in one format. <see cref="Write"/> is called by several threads, each with a sample of its own; <see cref="Append"/> then by one, in
/// order; <see cref="Finish"/> at the end.
/// </summary>
internal abstract class DatasetWriter(string folder, ClassTable classes) : IDisposable
{
    private readonly ConcurrentDictionary<string, int> losses = new(StringComparer.Ordinal);

    protected string Folder { get; } = folder;

    protected ClassTable Classes { get; } = classes;

    /// <summary>What the format could not hold, with how often.</summary>
    public IEnumerable<string> Losses => losses.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Value} {l.Key}");

    /// <summary>The folder of a split's images.</summary>
    public abstract string ImageFolder(string split);

    /// <summary>Writes what is the sample's own; the result is given to <see cref="Append"/>.</summary>
    /// <exception cref="DatasetException">The format cannot hold the sample.</exception>
    public abstract byte[] Write(ConvertItem item, int height, int width, Annotation truth);

    /// <summary>Adds a sample's part to what all of its split share.</summary>
    public virtual void Append(ConvertItem item, int height, int width, byte[] part)
    {
    }

    /// <summary>Writes lists and descriptions.</summary>
    public abstract void Finish(IReadOnlyList<ConvertItem> items);

    /// <summary>Takes away what was not finished.</summary>
    public virtual void Dispose()
    {
    }

    public static DatasetWriter For(ConvertOptions options, string folder, ImageFileDataset source) => options.To switch
    {
        DatasetFormat.Coco => new CocoWriter(folder, source.Classes, source.KeypointNames, options.Tolerance),
        DatasetFormat.Voc => new MaskWriter(folder, source.Classes, isVoc: true),
        DatasetFormat.Masks => new MaskWriter(folder, source.Classes, isVoc: false),
        DatasetFormat.Yolo => new YoloWriter(folder, source.Classes, options.Tolerance ?? 0),
        DatasetFormat.Labelme => new LabelmeWriter(folder, source.Classes, options.Tolerance ?? 0),
        _ => throw new ArgumentOutOfRangeException(nameof(options), options.To, "unknown format"),
    };

    /// <summary>Labels of things: all but the background and the gaps of COCO's ids.</summary>
    protected int[] Things => [.. Enumerable.Range(0, Classes.Count).Where(c => c != Classes.Background && !Classes.Names[c].StartsWith("N/A", StringComparison.Ordinal))];

    /// <summary>Counts something that the format cannot hold, "crowds left out" and the like.</summary>
    protected void Lose(string what, int count = 1)
    {
        if (count > 0) losses.AddOrUpdate(what, count, (_, known) => known + count);
    }

    protected string Made(params string[] parts) => Directory.CreateDirectory(Path.Combine([Folder, .. parts])).FullName;

    /// <summary>One list file a split, a name a line.</summary>
    protected static void WriteLists(string folder, IReadOnlyList<ConvertItem> items)
    {
        foreach (IGrouping<string, ConvertItem> split in items.GroupBy(i => i.Split))
            File.WriteAllLines(Path.Combine(folder, split.Key + ".txt"), split.Select(i => i.Name));
    }
}
