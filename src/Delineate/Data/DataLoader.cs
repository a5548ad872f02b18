using System.Collections.Concurrent;
using Delineate.Tensors;

namespace Delineate.Data;

/// <summary>What becomes of the samples left over when the batch size does not divide their number.</summary>
public enum LastBatch
{
    /// <summary>They form a smaller batch.</summary>
    Keep,

    /// <summary>
    /// They form a smaller batch unless there is only one of them, for batch normalisation has no variance to take from a single value. An
    /// only batch is kept.
    /// </summary>
    DropIfSingle,

    /// <summary>They are left out, so that all batches are equally large.</summary>
    Drop,
}

/// <summary>What to do about a sample that cannot be read.</summary>
public enum Unreadable
{
    /// <summary>The consumer gets the exception, with the sample's name.</summary>
    Throw,

    /// <summary>The next readable sample of the epoch's order takes its place; <see cref="DataLoader.Skipped"/> tells which.</summary>
    Skip,
}

/// <summary>How a <see cref="DataLoader"/> goes through its data set.</summary>
public sealed record DataLoaderOptions
{
    /// <summary>Samples of a batch.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>Decides order and augmentation, with the epoch and the sample's index.</summary>
    public ulong Seed { get; init; }

    /// <summary>A new random order each epoch; off for evaluation.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>What becomes of the samples left over.</summary>
    public LastBatch LastBatch { get; init; } = LastBatch.Keep;

    /// <summary>What to do about a sample that cannot be read.</summary>
    public Unreadable Unreadable { get; init; } = Unreadable.Throw;

    /// <summary>
    /// Threads that read and transform; null: one less than the processors, at least one, because training needs the processors more.
    /// </summary>
    public int? Threads { get; init; }

    /// <summary>Batches that are held ready, the one being read included: bounds the memory.</summary>
    public int Prefetch { get; init; } = 3;
}

/// <summary>
/// Reads, transforms and batches samples on background threads. Order and augmentation depend on (seed, epoch, index) alone: the number of
/// threads, a restart in the middle of an epoch and the epochs before change nothing.
/// </summary>
public sealed class DataLoader : IDisposable
{
    // Purposes of random streams; any two different numbers.
    private const ulong OrderStream = 1, TransformStream = 2;

    private readonly Dataset dataset;
    private readonly Func<Sample, Philox, Sample>? transform;
    private readonly ConcurrentDictionary<int, string> skipped = new();
    private readonly ConcurrentDictionary<Prefetcher, bool> running = new();
    private bool disposed;

    /// <summary>
    /// A loader of <paramref name="dataset"/>; <paramref name="transform"/> gets each sample with a generator of its own and runs on
    /// several threads at once.
    /// </summary>
    /// <exception cref="ArgumentException">An option is below 1, or the data set is empty or smaller than one batch that must be
    /// full.</exception>
    public DataLoader(Dataset dataset, Func<Sample, Philox, Sample>? transform = null, DataLoaderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        Options = options ?? new DataLoaderOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(Options.BatchSize, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(Options.Prefetch, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(Options.Threads ?? 1, 1, nameof(options));
        (this.dataset, this.transform) = (dataset, transform);
        (int full, int rest) = Math.DivRem(dataset.Count, Options.BatchSize);
        bool drop = rest > 0 && Options.LastBatch switch
        {
            LastBatch.Drop => true,
            LastBatch.DropIfSingle => rest == 1 && full > 0,
            _ => false,
        };
        DroppedPerEpoch = drop ? rest : 0;
        BatchesPerEpoch = full + (rest > 0 && !drop ? 1 : 0);
        if (BatchesPerEpoch == 0)
        {
            string remedy = "make the batch smaller or keep the last one";
            throw new ArgumentException($"{dataset.Count} samples make no batch of {Options.BatchSize}: {remedy}", nameof(dataset));
        }
    }

    /// <summary>How it goes through the data set.</summary>
    public DataLoaderOptions Options { get; }

    /// <summary>Batches of every epoch.</summary>
    public int BatchesPerEpoch { get; }

    /// <summary>
    /// Samples that every epoch leaves out by <see cref="DataLoaderOptions.LastBatch"/>; which ones changes with the order.
    /// </summary>
    public int DroppedPerEpoch { get; }

    /// <summary>Samples skipped so far because they could not be read, in the data set's order.</summary>
    public IReadOnlyList<(string Name, string Reason)> Skipped => [.. skipped.OrderBy(s => s.Key).Select(s => (dataset.Names[s.Key], s.Value))];

    /// <summary>The indices of an epoch's samples in their order, those left out at the end included.</summary>
    public int[] Order(int epoch) => Options.Shuffle
        ? new Philox(Options.Seed, (ulong)epoch, 0, OrderStream).Permutation(dataset.Count)
        : [.. Enumerable.Range(0, dataset.Count)];

    /// <summary>
    /// The batches of an epoch from number <paramref name="startAtBatch"/> on. Reading starts with the first one asked for and stops when
    /// the enumeration is left, the loader is disposed or <paramref name="cancellation"/> is asked for.
    /// </summary>
    /// <exception cref="DatasetException">While enumerating: a sample cannot be read or transformed; the message starts with its
    /// name.</exception>
    /// <exception cref="OperationCanceledException">While enumerating: <paramref name="cancellation"/> was asked for.</exception>
    public IEnumerable<Batch> Epoch(int epoch, int startAtBatch = 0, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(startAtBatch);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(startAtBatch, BatchesPerEpoch);
        return Batches(epoch, startAtBatch, cancellation);
    }

    /// <summary>Stops all threads that still read for an enumeration.</summary>
    public void Dispose()
    {
        disposed = true;
        foreach (Prefetcher prefetcher in running.Keys) prefetcher.Dispose();
    }

    private IEnumerable<Batch> Batches(int epoch, int startAtBatch, CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        int[] order = Order(epoch);
        int used = dataset.Count - DroppedPerEpoch, threads = Options.Threads ?? Math.Max(1, Environment.ProcessorCount - 1);
        using var prefetcher = new Prefetcher(
            place => Read(order, place, epoch), startAtBatch * Options.BatchSize, used, Options.Prefetch * Options.BatchSize, threads, cancellation);
        running[prefetcher] = true;
        try
        {
            for (int first = startAtBatch * Options.BatchSize; first < used; first += Options.BatchSize)
            {
                var samples = new Sample[Math.Min(Options.BatchSize, used - first)];
                for (int i = 0; i < samples.Length; i++) samples[i] = prefetcher.Take();
                yield return new Batch(samples);
            }
        }
        finally
        {
            running.TryRemove(prefetcher, out _);
        }
    }

    private Sample Read(int[] order, int place, int epoch)
    {
        for (int tried = 0; ; tried++)
        {
            int index = order[(place + tried) % order.Length];
            try
            {
                Sample sample = dataset.Load(index);
                return transform is null ? sample : transform(sample, new Philox(Options.Seed, (ulong)epoch, (ulong)index, TransformStream));
            }
            catch (IOException e) when (Options.Unreadable == Unreadable.Skip && tried + 1 < order.Length)
            {
                skipped[index] = e.Message;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                string all = Options.Unreadable == Unreadable.Skip && tried + 1 == order.Length ? "no sample can be read, the last because: " : "";
                throw new DatasetException($"sample '{dataset.Names[index]}' (number {index + 1} of {dataset.Count}): {all}{e.Message}", e);
            }
        }
    }
}
