using Delineate.Data;
using Delineate.Imaging;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Data;

public class DataLoaderTests
{
    /// <summary>Samples without files: sample i is one pixel of colour i. Some can be made unreadable or slow.</summary>
    private sealed class Numbers(int count) : Dataset
    {
        public HashSet<int> Broken { get; init; } = [];

        public Action<int>? OnLoad { get; init; }

        public override ClassTable Classes { get; } = new(["a", "b"]);

        public override IReadOnlyList<string> Names { get; } = [.. Enumerable.Range(0, count).Select(i => $"n{i}")];

        public override Sample Load(int index)
        {
            OnLoad?.Invoke(index);
            if (Broken.Contains(index)) throw new DatasetException("file" + index, "it is broken", null);
            return new Sample(Names[index], new Image(1, 1, [(byte)index, 0, 0]), new Annotation());
        }
    }

    /// <summary>Marks each sample with a number of its generator.</summary>
    private static Sample Mark(Sample sample, Philox random) => sample with { Image = new Image(1, 1, [sample.Image.Pixels[0], (byte)random.NextBits(), (byte)random.NextBits()]) };

    private static List<string> Read(DataLoader loader, int epoch, int start = 0) =>
        [.. loader.Epoch(epoch, start).Select(b => string.Join(' ', b.Samples.Select(s => $"{s.Name}:{Convert.ToHexString(s.Image.Pixels)}")))];

    private static DataLoader Loader(int count, DataLoaderOptions options) => new(new Numbers(count), Mark, options);

    [Fact]
    public void Order_and_augmentation_are_the_same_for_any_number_of_threads()
    {
        var options = new DataLoaderOptions { BatchSize = 3, Seed = 7, Threads = 1, Prefetch = 1 };
        using DataLoader one = Loader(32, options);
        List<string> expected = Read(one, 2);
        Assert.Equal(11, expected.Count);
        for (int threads = 2; threads <= 4; threads++)
        {
            using DataLoader many = Loader(32, options with { Threads = threads, Prefetch = threads });
            Assert.Equal(expected, Read(many, 2));
        }
    }

    [Fact]
    public void An_epoch_resumed_in_the_middle_gives_the_same_batches()
    {
        using DataLoader loader = Loader(20, new DataLoaderOptions { BatchSize = 3, Seed = 1 });
        List<string> whole = Read(loader, 4);
        using DataLoader restarted = Loader(20, new DataLoaderOptions { BatchSize = 3, Seed = 1 });
        for (int start = 0; start <= whole.Count; start++) Assert.Equal(whole[start..], Read(restarted, 4, start));
        Assert.Throws<ArgumentOutOfRangeException>(() => restarted.Epoch(4, whole.Count + 1));
    }

    [Fact]
    public void Every_sample_comes_once_an_epoch_in_a_new_order()
    {
        using DataLoader loader = Loader(25, new DataLoaderOptions { BatchSize = 4, Seed = 1 });
        string[][] epochs = [.. Enumerable.Range(0, 3).Select(e => loader.Epoch(e).SelectMany(b => b.Samples).Select(s => s.Name).ToArray())];
        Assert.All(epochs, names => Assert.Equal(25, names.Distinct().Count()));
        Assert.NotEqual(epochs[0], epochs[1]);
        using DataLoader other = Loader(25, new DataLoaderOptions { BatchSize = 4, Seed = 2 });
        Assert.NotEqual(epochs[0], other.Epoch(0).SelectMany(b => b.Samples).Select(s => s.Name));
        using DataLoader straight = Loader(25, new DataLoaderOptions { BatchSize = 4, Shuffle = false });
        Assert.Equal(Enumerable.Range(0, 25).Select(i => $"n{i}"), straight.Epoch(3).SelectMany(b => b.Samples).Select(s => s.Name));
    }

    [Theory]
    [InlineData(9, 4, LastBatch.Keep, 3, 0)]
    [InlineData(9, 4, LastBatch.DropIfSingle, 2, 1)]
    [InlineData(10, 4, LastBatch.DropIfSingle, 3, 0)]
    [InlineData(10, 4, LastBatch.Drop, 2, 2)]
    [InlineData(8, 4, LastBatch.Drop, 2, 0)]
    [InlineData(3, 1, LastBatch.DropIfSingle, 3, 0)]
    [InlineData(1, 4, LastBatch.DropIfSingle, 1, 0)]
    public void The_last_batch_is_kept_or_dropped_as_told_and_counted(int count, int size, LastBatch last, int batches, int dropped)
    {
        using DataLoader loader = Loader(count, new DataLoaderOptions { BatchSize = size, LastBatch = last });
        Assert.Equal((batches, dropped), (loader.BatchesPerEpoch, loader.DroppedPerEpoch));
        Batch[] all = [.. loader.Epoch(0)];
        Assert.Equal(batches, all.Length);
        Assert.Equal(count - dropped, all.Sum(b => b.Samples.Count));
    }

    [Fact]
    public void Sets_that_make_no_batch_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Loader(0, new DataLoaderOptions()));
        Assert.Throws<ArgumentException>(() => Loader(3, new DataLoaderOptions { BatchSize = 4, LastBatch = LastBatch.Drop }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Loader(3, new DataLoaderOptions { Threads = 0 }));
    }

    [Fact]
    public void A_failure_reaches_the_consumer_in_its_turn_with_the_samples_name()
    {
        using var loader = new DataLoader(new Numbers(12) { Broken = [5] }, null, new DataLoaderOptions { BatchSize = 2, Shuffle = false, Threads = 3 });
        var seen = new List<string>();
        var e = Assert.Throws<DatasetException>(() =>
        {
            foreach (Batch batch in loader.Epoch(0)) seen.AddRange(batch.Samples.Select(s => s.Name));
        });
        Assert.Equal("sample 'n5' (number 6 of 12): file5: it is broken", e.Message);
        Assert.Equal(["n0", "n1", "n2", "n3"], seen);
        using var faulty = new DataLoader(new Numbers(2), (_, _) => throw new InvalidOperationException("bad transform"), new DataLoaderOptions());
        Assert.Contains("sample 'n", Assert.Throws<DatasetException>(() => faulty.Epoch(0).Count()).Message);
    }

    [Fact]
    public void Skipped_samples_are_replaced_counted_and_named()
    {
        var options = new DataLoaderOptions { BatchSize = 4, Seed = 3, Unreadable = Unreadable.Skip };
        using var loader = new DataLoader(new Numbers(16) { Broken = [2, 11] }, Mark, options);
        List<string> batches = Read(loader, 0);
        Assert.All(batches, b => Assert.Equal(4, b.Split(' ').Length));
        Assert.DoesNotContain(batches.SelectMany(b => b.Split(' ')), s => s.StartsWith("n2:") || s.StartsWith("n11:"));
        Assert.Equal([("n2", "file2: it is broken"), ("n11", "file11: it is broken")], loader.Skipped);
        using var again = new DataLoader(new Numbers(16) { Broken = [2, 11] }, Mark, options with { Threads = 4 });
        Assert.Equal(batches, Read(again, 0));

        using var hopeless = new DataLoader(new Numbers(3) { Broken = [0, 1, 2] }, Mark, options);
        Assert.Contains("no sample can be read", Assert.Throws<DatasetException>(() => Read(hopeless, 0)).Message);
    }

    [Fact]
    public void No_more_samples_are_read_ahead_than_allowed()
    {
        int loaded = 0;
        var data = new Numbers(100) { OnLoad = _ => Interlocked.Increment(ref loaded) };
        using var loader = new DataLoader(data, null, new DataLoaderOptions { BatchSize = 5, Threads = 4, Prefetch = 2 });
        foreach (Batch batch in loader.Epoch(0))
        {
            SpinWait.SpinUntil(() => Volatile.Read(ref loaded) >= 15, 1000);
            Thread.Sleep(20);
            Assert.Equal(15, Volatile.Read(ref loaded)); // one batch taken and two ahead
            break;
        }
    }

    [Fact]
    public void Leaving_disposing_and_cancelling_stop_the_threads()
    {
        int loaded = 0;
        var data = new Numbers(1000) { OnLoad = _ => Interlocked.Increment(ref loaded) };
        using var loader = new DataLoader(data, null, new DataLoaderOptions { BatchSize = 2, Threads = 2 });
        foreach (Batch batch in loader.Epoch(0)) break;
        int after = Volatile.Read(ref loaded); // leaving waits for the threads
        Thread.Sleep(20);
        Assert.Equal(after, Volatile.Read(ref loaded));

        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (Batch batch in loader.Epoch(0, 0, cancellation.Token)) cancellation.Cancel();
        });

        using IEnumerator<Batch> abandoned = loader.Epoch(1).GetEnumerator();
        Assert.True(abandoned.MoveNext());
        loader.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { while (abandoned.MoveNext()) { } });
        Assert.Throws<ObjectDisposedException>(() => loader.Epoch(2).First());
    }

    [Fact]
    public void A_consumer_that_waits_is_woken_by_cancellation()
    {
        using var release = new ManualResetEventSlim();
        using var cancellation = new CancellationTokenSource();
        var data = new Numbers(4) { OnLoad = _ => release.Wait() };
        using var loader = new DataLoader(data, null, new DataLoaderOptions { BatchSize = 2, Threads = 1 });
        using var timer = new Timer(_ => { cancellation.Cancel(); release.Set(); }, null, 50, Timeout.Infinite);
        Assert.Throws<OperationCanceledException>(() => loader.Epoch(0, 0, cancellation.Token).First());
    }

    [Fact]
    public void Files_are_read_through_the_whole_chain()
    {
        using TempDataset set = TempDataset.Plain(6);
        var transform = new TrainTransform { BaseSize = 8, CropSize = (7, 7) };
        using var loader = new DataLoader(DatasetCatalog.Open(set.Root, "all"), transform.Apply, new DataLoaderOptions { BatchSize = 4, Threads = 2 });
        Batch[] batches = [.. loader.Epoch(0)];
        Assert.Equal([4, 2], batches.Select(b => b.Samples.Count));
        Assert.All(batches.SelectMany(b => b.Samples), s => Assert.Equal((7, 7, 7, 7), (s.Image.Height, s.Image.Width, s.Annotation.Semantic!.Height, s.Annotation.Semantic.Width)));
    }
}
