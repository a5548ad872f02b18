using Delineate.Models.Parts;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Models.Parts;

public sealed class BalancedSamplerTests
{
    [Theory]
    [InlineData(512, 0.25, 1000, 1000, 128, 384)]
    [InlineData(256, 0.5, 20, 1000, 20, 236)]
    [InlineData(256, 0.5, 1000, 30, 128, 30)] // positives never fill up for background
    [InlineData(256, 0.5, 0, 10, 0, 10)]
    [InlineData(10, 0.7, 100, 100, 7, 3)]
    [InlineData(0, 0.5, 5, 5, 0, 0)]
    [InlineData(16, 1, 100, 100, 16, 0)]
    [InlineData(16, 0, 100, 100, 0, 16)]
    public void Takes_the_share_of_positives_and_fills_up_with_background(int size, double share, int positives, int negatives, int expectedPositives, int expectedNegatives)
    {
        int[] matches = Matches(positives, negatives);
        (int[] p, int[] n) = new BalancedSampler(size, share).Sample(matches);
        Assert.Equal((expectedPositives, expectedNegatives), (p.Length, n.Length));
        Assert.All(p, i => Assert.True(matches[i] >= 0));
        Assert.All(n, i => Assert.Equal(Matcher.Background, matches[i]));
        Assert.Equal(p.Distinct().Order(), p);
        Assert.Equal(n.Distinct().Order(), n);
    }

    [Fact]
    public void The_draw_follows_seed_epoch_step_and_its_number()
    {
        int[] matches = Matches(300, 300);
        var sampler = new BalancedSampler(64, 0.5);
        var drawn = new List<int[]>();
        foreach (ulong step in new ulong[] { 4, 5, 4 })
        {
            using RandomScope scope = RandomScope.Begin(1, 2, step);
            for (int i = 0; i < 2; i++)
            {
                (int[] p, int[] n) = sampler.Sample(matches);
                drawn.Add([.. p, .. n]);
            }
        }
        Assert.Equal(drawn[0], drawn[4]);
        Assert.Equal(drawn[1], drawn[5]);
        for (int i = 1; i < 4; i++) Assert.NotEqual(drawn[0], drawn[i]);
    }

    [Fact]
    public void Every_candidate_is_as_likely()
    {
        int[] matches = Matches(10, 30);
        var counts = new int[matches.Length];
        var sampler = new BalancedSampler(12, 0.25);
        using RandomScope scope = RandomScope.Begin(3, 0, 0);
        for (int i = 0; i < 4000; i++)
        {
            (int[] p, int[] n) = sampler.Sample(matches);
            foreach (int place in (int[])[.. p, .. n]) counts[place]++;
        }
        // 3 of 10 and 9 of 30: 1200 of 4000 draws, with a deviation of 29.
        for (int i = 0; i < counts.Length; i++) Assert.InRange(counts[i], matches[i] == Matcher.Ignored ? 0 : 1050, matches[i] == Matcher.Ignored ? 0 : 1350);
    }

    [Fact]
    public void Mistakes_are_named()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new BalancedSampler(-1, 0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BalancedSampler(1, 1.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BalancedSampler(1, double.NaN));
    }

    /// <summary>So many of each, mixed, with some to be ignored between.</summary>
    private static int[] Matches(int positives, int negatives)
    {
        int[] matches = [.. Enumerable.Range(0, positives).Select(i => i % 7), .. Enumerable.Repeat(Matcher.Background, negatives), .. Enumerable.Repeat(Matcher.Ignored, 9)];
        new Random(1).Shuffle(matches);
        return matches;
    }
}
