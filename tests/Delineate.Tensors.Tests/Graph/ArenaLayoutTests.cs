using Xunit;

namespace Delineate.Tensors.Tests.Graphs;

public sealed class ArenaLayoutTests
{
    [Fact]
    public void Values_that_live_at_the_same_time_never_overlap_and_begin_on_a_line()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            ArenaLayout.Item[] items = [.. Enumerable.Range(0, random.Next(1, 60)).Select(_ =>
            {
                int first = random.Next(-1, 40);
                return new ArenaLayout.Item(random.Next(0, 5) == 0 ? random.Next(100_000) : random.Next(500), first, first + random.Next(12));
            })];
            (int[] places, int length) = ArenaLayout.Of(items);
            for (int i = 0; i < items.Length; i++)
            {
                Assert.Equal(0, places[i] % 16);
                Assert.True(places[i] >= 0 && places[i] + items[i].Size <= length);
                for (int j = 0; j < i; j++)
                {
                    bool together = items[i].First <= items[j].Last && items[j].First <= items[i].Last;
                    bool apart = places[i] + items[i].Size <= places[j] || places[j] + items[j].Size <= places[i];
                    Assert.True(!together || apart, $"seed {seed}: {items[i]} at {places[i]} lies over {items[j]} at {places[j]}");
                }
            }
        }
    }

    [Fact]
    public void A_chain_needs_its_largest_neighbours()
    {
        // Each value lives until the next is made: no layout can do with less than 1600 + 800; the best here has the first 160 in its way.
        (_, int length) = ArenaLayout.Of([new(160, 0, 1), new(1600, 1, 2), new(800, 2, 3), new(800, 3, 4), new(1600, 4, 5)]);
        Assert.InRange(length, 2400, 2560);
    }

    [Fact]
    public void What_no_array_can_hold_is_refused()
    {
        var item = new ArenaLayout.Item(1L << 30, 0, 9);
        Assert.Contains("more memory than one array", Assert.Throws<ShapeException>(() => ArenaLayout.Of([item, item, item])).Message, StringComparison.Ordinal);
    }
}
