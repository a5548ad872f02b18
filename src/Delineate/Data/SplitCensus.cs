using Delineate.Data.Sets;
using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>How often each label occurs in a split. <c>Pixels</c> and <c>Images</c> have 256 entries, one a label.</summary>
/// <param name="Name">The split's name.</param>
/// <param name="File">The split's file, or null where it was chosen by hash.</param>
/// <param name="Listed">Samples that the split lists.</param>
/// <param name="MasksCounted">Masks whose pixels were counted: fewer where some could not be read or only some were looked at.</param>
/// <param name="Pixels">Pixels of each label.</param>
/// <param name="Images">Masks in which each label occurs; images, where objects were counted and no masks.</param>
public sealed record SplitCensus(string Name, string? File, int Listed, int MasksCounted, IReadOnlyList<long> Pixels, IReadOnlyList<int> Images)
{
    /// <summary>Objects of each label, 256 entries; empty where the data set tells of none.</summary>
    public IReadOnlyList<int> Objects { get; init; } = [];

    internal static SplitCensus Of(SplitList split, IReadOnlyDictionary<string, long[]> countsByName, IReadOnlyDictionary<string, int[]>? objectsByName = null)
    {
        int[] objects = new int[objectsByName is { Count: > 0 } ? 256 : 0];
        long[] pixels = new long[256];
        int[] images = new int[256];
        int masks = 0;
        foreach (string name in split.Names)
        {
            if (objectsByName?.TryGetValue(name, out int[]? here) == true)
                for (int label = 0; label < 256; label++) objects[label] += here[label];
            if (!countsByName.TryGetValue(name, out long[]? counts)) continue;
            masks++;
            for (int label = 0; label < 256; label++)
            {
                pixels[label] += counts[label];
                if (counts[label] > 0) images[label]++;
            }
        }
        return new SplitCensus(split.Name, split.File, split.Names.Count, masks, pixels, images) { Objects = objects };
    }

    /// <summary>Objects of each label.</summary>
    internal static int[] Count(IEnumerable<Instance> objects)
    {
        int[] counts = new int[256];
        foreach (Instance thing in objects) counts[thing.Label]++;
        return counts;
    }

    /// <summary>Pixels of each label of a mask.</summary>
    internal static long[] Count(LabelMap labels)
    {
        // Neighbouring pixels are mostly equal: four tables keep an increment from waiting for the last one.
        Span<int> tables = stackalloc int[4 * 256];
        tables.Clear();
        byte[] values = labels.Labels;
        int i = 0;
        for (; i + 4 <= values.Length; i += 4)
        {
            tables[values[i]]++;
            tables[256 + values[i + 1]]++;
            tables[512 + values[i + 2]]++;
            tables[768 + values[i + 3]]++;
        }
        for (; i < values.Length; i++) tables[values[i]]++;
        long[] counts = new long[256];
        for (int label = 0; label < 256; label++) counts[label] = (long)tables[label] + tables[256 + label] + tables[512 + label] + tables[768 + label];
        return counts;
    }
}
