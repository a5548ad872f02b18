namespace Delineate.Tensors.Kernels;

/// <summary>
/// The threads that share a kernel's work. Work comes as numbered pieces, cut by shapes alone and free of shared sums, so that the
/// result has the same bits on any number of threads. A waiting thread spins for some 50 µs (a layer's gap), then sleeps.
/// </summary>
public static class ThreadTeam
{
    private const int SpinsBeforeSleep = 2000;
    private static readonly Lock Busy = new();
    private static readonly List<Worker> Workers = [];
    private static int threads = Environment.ProcessorCount;

    [ThreadStatic]
    private static bool inside;

    private static Action<int>? job;
    private static int pieces;
    private static int next;
    private static int running;
    private static Exception? failure;

    /// <summary>How many threads a kernel may use, the calling one included: at first the number of processors.</summary>
    public static int Threads
    {
        get => threads;
        set => threads = Math.Clamp(value, 1, 256);
    }

    /// <summary>Runs <paramref name="piece"/>(0 … <paramref name="count"/> − 1), in any order and on any thread of the team, and returns when all are done.</summary>
    public static void Run(int count, Action<int> piece)
    {
        if (count <= 1 || threads == 1 || inside || !Busy.TryEnter())
        {
            // One piece, one thread, a kernel within a kernel, or another thread has the team: do it here.
            for (int i = 0; i < count; i++) piece(i);
            return;
        }
        try
        {
            int helpers = Math.Min(threads, count) - 1;
            while (Workers.Count < helpers) Workers.Add(new Worker());
            (job, pieces, next, failure) = (piece, count, 0, null);
            Volatile.Write(ref running, helpers);
            for (int i = 0; i < helpers; i++) Workers[i].Wake();
            TakePieces();
            var spin = default(SpinWait);
            while (Volatile.Read(ref running) > 0) spin.SpinOnce(sleep1Threshold: -1);
            job = null;
            if (failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        }
        finally
        {
            Busy.Exit();
        }
    }

    /// <summary>Cuts 0 … <paramref name="length"/> − 1 into pieces of about <paramref name="grain"/> items and runs <paramref name="range"/>(from, to) on each.</summary>
    public static void Ranges(int length, int grain, Action<int, int> range)
    {
        int size = Math.Max(1, grain);
        int count = (int)(((long)length + size - 1) / size);
        if (count <= 1)
        {
            if (length > 0) range(0, length);
            return;
        }
        Run(count, i => range(i * size, (int)Math.Min(length, ((long)i + 1) * size)));
    }

    private static void TakePieces()
    {
        inside = true;
        try
        {
            for (int i = Interlocked.Increment(ref next) - 1; i < pieces; i = Interlocked.Increment(ref next) - 1) job!(i);
        }
        catch (Exception e)
        {
            // The first failure is the one that is reported; pieces that nobody has begun are left out.
            Interlocked.CompareExchange(ref failure, e, null);
            Volatile.Write(ref next, int.MaxValue / 2);
        }
        finally
        {
            inside = false;
        }
    }

    private sealed class Worker
    {
        private readonly ManualResetEventSlim wakeUp = new(false, SpinsBeforeSleep);

        public Worker() => new Thread(Work) { IsBackground = true, Name = "delineate kernel" }.Start();

        public void Wake() => wakeUp.Set();

        private void Work()
        {
            while (true)
            {
                wakeUp.Wait();
                wakeUp.Reset();
                TakePieces();
                Interlocked.Decrement(ref running);
            }
        }
    }
}
