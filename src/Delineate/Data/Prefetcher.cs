using System.Runtime.ExceptionServices;

namespace Delineate.Data;

/// <summary>
/// Threads that make numbered samples ahead of one consumer, who takes them in order. At most <c>ahead</c> are made and not taken yet. A
/// failure is kept and thrown to the consumer when its number's turn comes, so that what the consumer sees does not depend on which thread
/// was first.
/// </summary>
internal sealed class Prefetcher : IDisposable
{
    private readonly object gate = new();
    private readonly Func<int, Sample> make;
    private readonly (Sample? Sample, ExceptionDispatchInfo? Failure)[] ring; // number n lies at n modulo the length until it is taken
    private readonly Thread[] threads;
    private readonly CancellationToken cancellation;
    private readonly CancellationTokenRegistration registration;
    private readonly int end;
    private int nextMade, nextTaken;
    private bool stopped;

    /// <summary>Starts making the samples <paramref name="start"/> to <paramref name="end"/> − 1.</summary>
    public Prefetcher(Func<int, Sample> make, int start, int end, int ahead, int threadCount, CancellationToken cancellation)
    {
        (this.make, this.end, nextMade, nextTaken, this.cancellation) = (make, end, start, start, cancellation);
        ring = new (Sample?, ExceptionDispatchInfo?)[ahead];
        registration = cancellation.Register(Stop);
        threads = new Thread[Math.Min(threadCount, Math.Max(end - start, 0))];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(Work) { IsBackground = true, Name = $"data loader {i + 1}" };
            threads[i].Start();
        }
    }

    /// <summary>The next sample; waits until it is made.</summary>
    /// <exception cref="OperationCanceledException">Cancellation was asked for.</exception>
    /// <exception cref="ObjectDisposedException">The prefetcher was disposed.</exception>
    public Sample Take()
    {
        lock (gate)
        {
            ref (Sample? Sample, ExceptionDispatchInfo? Failure) slot = ref ring[nextTaken % ring.Length];
            while (!stopped && slot is (null, null)) Monitor.Wait(gate);
            cancellation.ThrowIfCancellationRequested();
            if (stopped) throw new ObjectDisposedException(nameof(DataLoader), "the data loader was disposed while its batches were being read");
            (Sample? sample, ExceptionDispatchInfo? failure) = slot;
            slot = default;
            nextTaken++;
            Monitor.PulseAll(gate);
            failure?.Throw();
            return sample!;
        }
    }

    /// <summary>Stops the threads and waits for the samples they are at.</summary>
    public void Dispose()
    {
        Stop();
        registration.Dispose();
        foreach (Thread thread in threads) thread.Join();
    }

    private void Stop()
    {
        lock (gate)
        {
            stopped = true;
            Monitor.PulseAll(gate);
        }
    }

    private void Work()
    {
        while (true)
        {
            int number;
            lock (gate)
            {
                while (!stopped && nextMade < end && nextMade - nextTaken >= ring.Length) Monitor.Wait(gate);
                if (stopped || nextMade >= end) return;
                number = nextMade++;
            }
            (Sample?, ExceptionDispatchInfo?) made;
            try
            {
                made = (make(number), null);
            }
            catch (Exception e)
            {
                made = (null, ExceptionDispatchInfo.Capture(e));
            }
            lock (gate)
            {
                ring[number % ring.Length] = made;
                Monitor.PulseAll(gate);
            }
        }
    }
}
