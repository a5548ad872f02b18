using Delineate.Testing;
using Xunit;
using Xunit.Sdk;

namespace Delineate.Imaging.Tests;

public class FuzzerTests
{
    private static readonly byte[][] Corpus = [new byte[200], [.. Enumerable.Range(0, 300).Select(i => (byte)i)]];

    [Fact]
    public void Inputs_depend_on_the_seed_and_the_index_alone()
    {
        byte[][] first = [.. Enumerable.Range(0, 200).Select(i => Fuzzer.Mutate(Corpus, 7, i))];
        byte[][] again = [.. Enumerable.Range(0, 200).Reverse().Select(i => Fuzzer.Mutate(Corpus, 7, i)).Reverse()];
        Assert.Equal(first, again);
        Assert.True(first.Select(Convert.ToHexString).Distinct().Count() > 150);
        Assert.Equal(new byte[200], Corpus[0]);
    }

    [Fact]
    public void Refusals_are_counted_apart_from_successes()
    {
        FuzzReport report = Fuzzer.Run<IOException>(Corpus, 100, 1, data => { if (data.Length % 2 == 1) throw new IOException("odd"); }, _ => 1 << 20);
        Assert.Equal(100, report.Accepted + report.Refused);
        Assert.InRange(report.Refused, 1, 99);
    }

    [Fact]
    public void Any_other_exception_fails_and_names_the_input()
    {
        var failure = Assert.ThrowsAny<XunitException>(
            () => Fuzzer.Run<IOException>(Corpus, 10, 3, _ => throw new IndexOutOfRangeException("beyond"), _ => 1 << 20));
        Assert.Contains("input 0 of seed 3", failure.Message, StringComparison.Ordinal);
        Assert.Contains("beyond", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Taking_more_memory_than_allowed_fails()
    {
        var failure = Assert.ThrowsAny<XunitException>(() => Fuzzer.Run<IOException>(Corpus, 10, 3, _ => GC.KeepAlive(new byte[100_000]), _ => 50_000));
        Assert.Contains("50,000 are allowed", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_input_that_is_slow_every_time_fails_and_one_that_was_held_up_once_does_not()
    {
        var limit = TimeSpan.FromMilliseconds(200);
        int seen = 0;
        FuzzReport report = Fuzzer.Run<IOException>(Corpus, 10, 3, _ => Thread.Sleep(seen++ == 4 ? 300 : 0), _ => 1 << 20, timeLimit: limit);
        Assert.Equal((10, 11), (report.Accepted, seen));
        var failure = Assert.ThrowsAny<XunitException>(() => Fuzzer.Run<IOException>(Corpus, 10, 3, _ => Thread.Sleep(300), _ => 1 << 20, timeLimit: limit));
        Assert.Contains("input 0 of seed 3", failure.Message, StringComparison.Ordinal);
        Assert.Contains("and as long twice before", failure.Message, StringComparison.Ordinal);
    }
}
