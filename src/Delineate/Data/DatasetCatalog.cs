using Delineate.Data.Sets;

namespace Delineate.Data;

/// <summary>Opens a data set from its folder, whichever layout it has.</summary>
public static class DatasetCatalog
{
    /// <summary>
    /// The samples of one split (<c>train</c>, <c>val</c>, …; <c>all</c> is every image with a mask). Classes, palette and the coding of
    /// the masks come from
    /// <c>dataset.json</c>, else from <c>class_names.txt</c>, else from the files; what was assumed is in <see cref="Dataset.Notes"/>.
    /// </summary>
    /// <exception cref="DatasetException">The layout is not recognised, the split is unknown or empty, or names files that are not
    /// there.</exception>
    public static Dataset Open(string folder, string split = "train")
    {
        DatasetFiles files = Scan(folder);
        return new FileDataset(files, MaskReader.For(files), files.Split(split));
    }

    /// <summary>Lists a data set's files and splits, faults included.</summary>
    /// <exception cref="DatasetException">The folder is missing, its layout is not recognised, or its <c>dataset.json</c> is
    /// faulty.</exception>
    public static DatasetFiles Scan(string folder)
    {
        if (!Directory.Exists(folder)) throw new DatasetException(folder, "there is no such folder", null);
        var manifest = DatasetManifest.Read(folder);
        DatasetLayout layout = manifest.Layout ?? Recognise(folder);
        return layout switch
        {
            DatasetLayout.Voc => Voc.Scan(folder, manifest),
            DatasetLayout.Folder => Folder.Scan(folder, manifest),
            _ => throw new ArgumentOutOfRangeException(nameof(folder), layout, "unknown layout"),
        };
    }

    private static DatasetLayout Recognise(string folder)
    {
        if (Voc.Recognises(folder)) return DatasetLayout.Voc;
        if (Folder.Recognises(folder)) return DatasetLayout.Folder;
        string[] inside = [.. Directory.EnumerateFileSystemEntries(folder).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal)];
        string seen = inside.Length == 0 ? "nothing" : FileDataset.FirstOf(inside);
        throw new DatasetException(folder, "this is no data set that is known here",
            $"looked for {Voc.Expected} and for {Folder.Expected}, found {seen}");
    }
}
