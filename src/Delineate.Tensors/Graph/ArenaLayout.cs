namespace Delineate.Tensors;

/// <summary>Puts values that live at different times into the same memory.</summary>
internal static class ArenaLayout
{
    private const int Line = 16; // floats in a 64-byte line: every value begins on one

    /// <summary>One value: its floats, and the first and last step that touch it.</summary>
    public readonly record struct Item(long Size, int First, int Last);

    /// <summary>
    /// Where each item begins, such that items that live at the same time never overlap, and the floats of all together: the best of three greedy
    /// layouts, which take the items by size, from the first to the last, or from the last to the first, each into the smallest gap that holds it.
    /// </summary>
    /// <exception cref="ShapeException">They need more memory than one array can hold.</exception>
    public static (int[] Places, int Length) Of(IReadOnlyList<Item> items)
    {
        IEnumerable<int> all = Enumerable.Range(0, items.Count);
        (long[] Places, long Length)[] tries =
        [
            Greedy(items, all.OrderByDescending(i => items[i].Size).ThenBy(i => items[i].First)),
            Greedy(items, all.OrderBy(i => items[i].First).ThenByDescending(i => items[i].Size)),
            Greedy(items, all.OrderByDescending(i => items[i].Last).ThenByDescending(i => items[i].Size)),
        ];
        (long[] places, long length) = tries.MinBy(t => t.Length);
        if (length > Array.MaxLength - (4 * Line)) throw new ShapeException("the network's intermediate maps need more memory than one array can hold: use a smaller image or batch, or tiles");
        return (Array.ConvertAll(places, p => (int)p), (int)length);
    }

    private static (long[] Places, long Length) Greedy(IReadOnlyList<Item> items, IEnumerable<int> order)
    {
        var places = new long[items.Count];
        var placed = new List<(long From, long To, Item Item)>();
        long length = 0;
        foreach (int i in order)
        {
            Item item = items[i];
            long size = (item.Size + Line - 1) / Line * Line;
            long best = -1, bestGap = long.MaxValue, end = 0;
            foreach ((long from, long to, Item other) in placed.Where(p => p.Item.First <= item.Last && p.Item.Last >= item.First).OrderBy(p => p.From))
            {
                if (from - end >= size && from - end < bestGap) (best, bestGap) = (end, from - end);
                end = Math.Max(end, to);
            }
            if (best < 0) best = end;
            length = Math.Max(length, best + size);
            places[i] = best;
            placed.Add((best, best + size, item));
        }
        return (places, length);
    }
}
