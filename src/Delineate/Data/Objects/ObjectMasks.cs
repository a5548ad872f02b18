using Delineate.Data.Sets;
using Delineate.Imaging;

namespace Delineate.Data.Objects;

/// <summary>Reads pictures that number the objects of an image: 0 for none, else the object's number, palette or grey PNG of up to 16 bits.</summary>
internal static class ObjectMasks
{
    private const int Border = 255; // VOC's object masks, of 8 bits, keep it for outlines that belong to nobody

    /// <summary>
    /// The objects of a file. Where <paramref name="classes"/> gives every pixel's class, an object's is that of most of its pixels, and those that lie on
    /// background and ignored pixels alone have none and are <c>Classless</c>; else all objects are of class 1.
    /// </summary>
    /// <exception cref="DatasetException">The file cannot be read, or is of another size than its image.</exception>
    public static (IReadOnlyList<Instance> Objects, IReadOnlyList<int> Classless) Read(string path, int height, int width, LabelMap? classes, ClassTable table, DatasetLayout layout)
    {
        IdMap ids;
        bool hasBorder;
        try
        {
            PngImage png = MaskReader.Decode(path);
            ids = png.ToIdMap();
            hasBorder = layout == DatasetLayout.Voc && png.BitDepth <= 8;
        }
        catch (ImageFormatException e)
        {
            throw FileDataset.Unreadable(path, e);
        }
        if ((ids.Height, ids.Width) != (height, width))
            throw new DatasetException(path, $"the mask of objects is {ids.Height}×{ids.Width} but its image is {height}×{width}", "export it at the size of its image");
        Dictionary<int, int>? labels = classes is null ? null : Majority(ids, classes, table);
        var objects = new List<Instance>();
        var classless = new List<int>();
        foreach ((int id, Rle mask) in ids.Masks())
        {
            if (id == Border && hasBorder) continue;
            int label = 1;
            if (labels is not null && !labels.TryGetValue(id, out label)) classless.Add(id);
            else objects.Add(new Instance { Label = label, Box = mask.Box, Mask = mask, Id = $"object {id}" });
        }
        return (objects, classless);
    }

    /// <summary>The label that most pixels of each object have, background and ignored ones not counted; of equals the lower.</summary>
    private static Dictionary<int, int> Majority(IdMap ids, LabelMap classes, ClassTable table)
    {
        var counts = new Dictionary<(int Id, byte Label), int>();
        for (int i = 0; i < ids.Ids.Length; i++)
        {
            (int id, byte label) = (ids.Ids[i], classes.Labels[i]);
            if (id == 0 || label == table.IgnoreIndex || label == table.Background) continue;
            counts[(id, label)] = counts.GetValueOrDefault((id, label)) + 1;
        }
        return counts.GroupBy(c => c.Key.Id).ToDictionary(g => g.Key, g => (int)g.OrderByDescending(c => c.Value).ThenBy(c => c.Key.Label).First().Key.Label);
    }
}
