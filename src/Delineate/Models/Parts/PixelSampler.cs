using Delineate.Tensors;

namespace Delineate.Models.Parts;

/// <summary>Draws the pixels that a patch classifier learns from in one step.</summary>
internal static class PixelSampler
{
    /// <summary>
    /// Pixels of a label map by their place in it; one may come twice. Every labelled pixel is as likely as any other or, <paramref name="balanced"/>, every
    /// class that is there as likely as any other and then each of its pixels. A map without labels gives any of its pixels, which then count for nothing.
    /// </summary>
    public static int[] Draw(Philox random, ReadOnlySpan<byte> labels, int count, byte ignoreIndex, bool balanced)
    {
        const int Labels = byte.MaxValue + 1;
        // All places by label: those of class c are starts[c] … starts[c + 1] − 1.
        Span<int> starts = stackalloc int[Labels + 1];
        starts.Clear();
        foreach (byte label in labels)
        {
            if (label != ignoreIndex) starts[label + 1]++;
        }
        var classes = new List<int>();
        for (int c = 0; c < Labels; c++)
        {
            if (starts[c + 1] > 0) classes.Add(c);
            starts[c + 1] += starts[c];
        }
        var places = new int[starts[Labels]];
        Span<int> next = stackalloc int[Labels];
        starts[..Labels].CopyTo(next);
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i] != ignoreIndex) places[next[labels[i]]++] = i;
        }

        var drawn = new int[count];
        for (int k = 0; k < count; k++)
        {
            if (places.Length == 0)
            {
                drawn[k] = random.NextInt(labels.Length);
                continue;
            }
            int c = balanced ? classes[random.NextInt(classes.Count)] : -1;
            (int from, int to) = c < 0 ? (0, places.Length) : (starts[c], starts[c + 1]);
            drawn[k] = places[from + random.NextInt(to - from)];
        }
        return drawn;
    }
}
