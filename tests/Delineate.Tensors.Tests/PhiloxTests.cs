using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class PhiloxTests
{
    /// <summary>Known answers of philox4x32-10, published with Random123 (Salmon et al. 2011).</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Known_answers(uint x0, uint x1, uint x2, uint x3, uint k0, uint k1, uint a, uint b, uint c, uint d) =>
        Assert.Equal((a, b, c, d), Philox.Rounds(x0, x1, x2, x3, k0, k1));

    [Fact]
    public void The_same_key_gives_the_same_numbers_and_another_key_others()
    {
        uint[] Draw(Philox philox) => [.. Enumerable.Range(0, 9).Select(_ => philox.NextBits())];
        uint[] expected = Draw(new Philox(1, 2, 3, 4));
        Assert.Equal(expected, Draw(new Philox(1, 2, 3, 4)));
        foreach (Philox other in new Philox[] { new(2, 2, 3, 4), new(1UL << 32, 2, 3, 4), new(1, 3, 3, 4), new(1, 2, 4, 4), new(1, 2, 3, 5), new(1, 3, 2, 4) })
        {
            Assert.Empty(expected.Intersect(Draw(other)));
        }
    }

    [Fact]
    public void A_stream_can_be_entered_in_its_middle()
    {
        var whole = new Philox(5, 6);
        uint[] numbers = [.. Enumerable.Range(0, 40).Select(_ => whole.NextBits())];
        for (int group = 0; group < 10; group++)
        {
            Philox part = whole.From((ulong)group);
            Assert.Equal(numbers[(group * 4)..((group * 4) + 4)], Enumerable.Range(0, 4).Select(_ => part.NextBits()));
        }
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    [InlineData(5_000_000u)]
    [InlineData((1u << 24) - 1)]
    [InlineData(1u << 24)]
    public void A_mask_compares_the_numbers_of_the_stream_with_its_bound(uint bound)
    {
        var philox = new Philox(0x123456789ABCDEF0, 7, 8, 9);
        foreach (ulong group in new ulong[] { 0, 3, uint.MaxValue - 4UL }) // the last crosses into the counter's upper half
        {
            Philox numbers = philox.From(group);
            byte[] expected = [.. Enumerable.Range(0, 140).Select(_ => (numbers.NextBits() >> 8) >= bound ? (byte)255 : (byte)0)];
            for (int length = 0; length <= expected.Length; length++)
            {
                var mask = new byte[length];
                philox.Mask(group, bound, mask);
                Assert.Equal(expected[..length], mask);
            }
        }
    }

    [Fact]
    public void Floats_and_doubles_are_spread_over_0_to_1()
    {
        var philox = new Philox(11);
        var counts = new int[10];
        double sum = 0;
        for (int i = 0; i < 20_000; i++)
        {
            float f = philox.NextFloat();
            double d = philox.NextDouble();
            Assert.InRange(f, 0, MathF.BitDecrement(1));
            Assert.InRange(d, 0, Math.BitDecrement(1));
            counts[(int)(f * 10)]++;
            sum += d;
        }
        Assert.All(counts, c => Assert.InRange(c, 1800, 2200)); // deviation 42
        Assert.InRange(sum / 20_000, 0.49, 0.51);
    }

    [Fact]
    public void Whole_numbers_below_a_bound_are_equally_likely()
    {
        var philox = new Philox(12);
        var counts = new int[7];
        for (int i = 0; i < 14_000; i++) counts[philox.NextInt(7)]++;
        Assert.All(counts, c => Assert.InRange(c, 1800, 2200));
        Assert.Equal(0, philox.NextInt(1));
        Assert.InRange(philox.NextInt(int.MaxValue), 0, int.MaxValue - 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => philox.NextInt(0));
    }

    [Fact]
    public void Normal_numbers_have_the_normal_moments()
    {
        var values = new float[20_000];
        new Philox(13).FillNormal(values);
        double mean = values.Average(v => (double)v);
        double variance = values.Average(v => (v - mean) * (v - mean));
        double fourth = values.Average(v => Math.Pow(v - mean, 4)) / (variance * variance);
        Assert.InRange(mean, -0.03, 0.03);
        Assert.InRange(variance, 0.96, 1.04);
        Assert.InRange(fourth, 2.8, 3.2);
        Assert.InRange(values.Count(v => Math.Abs(v) < 1) / 20_000.0, 0.67, 0.695);
    }

    [Fact]
    public void A_permutation_holds_every_place_once_and_favours_none()
    {
        var philox = new Philox(14);
        var first = new int[5];
        for (int i = 0; i < 5000; i++)
        {
            int[] order = philox.Permutation(5);
            Assert.Equal([0, 1, 2, 3, 4], order.Order());
            first[order[0]]++;
        }
        Assert.All(first, c => Assert.InRange(c, 850, 1150));
        Assert.Empty(philox.Permutation(0));
    }

    [Fact]
    public void FillUniform_draws_what_NextFloat_draws()
    {
        var values = new float[13];
        new Philox(15, 1).FillUniform(values);
        var philox = new Philox(15, 1);
        Assert.All(values, v => Assert.Equal(philox.NextFloat(), v));
    }
}
