namespace Delineate.Tensors.Kernels;

/// <summary>
/// The threads that share a kernel's work. Work comes as numbered pieces, cut by shapes alone and free of shared sums, so that the
/// result has the same bits on any number of threads. Each thread begins with an equal share of neighbouring pieces, the same one in each kernel:
/// what it wrote before is in its own caches, while a line that another core holds takes ten times as long to write. Who is done early takes
/// the pieces of another's share that it would come to last. A waiting thread spins for some 50 µs (a layer's gap), then sleeps.
/// </summary>
public static class ThreadTeam
{
    private const int SpinsBeforeSleep = 2000;
    private const int ShareApart = 16;
    private static readonly Lock Busy = new();
    private static readonly List<Worker> Workers = [];
    private static int threads = Environment.ProcessorCount;

    [ThreadStatic]
    private static bool inside;

    // What is left of each thread's share, a line of the caches apart: pieces from the upper half of the number up to, not including, the lower.
    private static long[] shares = new long[ShareApart];

    private static Action<int>? job;
    private static bool isBackwards;
    private static int members;
    private static int running;
    private static Exception? failure;

    /// <summary>How many threads a kernel may use, the calling one included: at first the number of processors.</summary>
    public static int Threads
    {
        get => threads;
        set => threads = Math.Clamp(value, 1, 256);
    }

    /// <summary>
    /// Runs <paramref name="piece"/>(0 … <paramref name="count"/> − 1) on any thread of the team and returns when all are done. A thread goes through
    /// its share from the first piece to the last, or backwards: the last are what the kernel before left in its caches.
    /// </summary>
    public static void Run(int count, Action<int> piece, bool backwards = false)
    {
        if (count <= 1 || threads == 1 || inside || !Busy.TryEnter())
        {
            // One piece, one thread, a kernel within a kernel, or another thread has the team: do it here.
            for (int i = 0; i < count; i++) piece(backwards ? count - 1 - i : i);
            return;
        }
        try
        {
            members = Math.Min(threads, count);
            while (Workers.Count < members - 1) Workers.Add(new Worker(Workers.Count + 1));
            if (shares.Length < members * ShareApart) shares = new long[members * ShareApart];
            for (int i = 0; i < members; i++) shares[i * ShareApart] = ((long)count * i / members << 32) + ((long)count * (i + 1) / members);
            (job, isBackwards, failure) = (piece, backwards, null);
            Volatile.Write(ref running, members - 1);
            for (int i = 1; i < members; i++) Workers[i - 1].Wake();
            TakePieces(0);
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
    public static void Ranges(int length, int grain, Action<int, int> range, bool backwards = false)
    {
        int size = Math.Max(1, grain);
        int count = (int)(((long)length + size - 1) / size);
        if (count <= 1)
        {
            if (length > 0) range(0, length);
            return;
        }
        Run(count, i => range(i * size, (int)Math.Min(length, ((long)i + 1) * size)), backwards);
    }

    private static void TakePieces(int member)
    {
        inside = true;
        try
        {
            for (int turn = 0; turn < members; turn++)
            {
                int owner = (member + turn) % members;
                bool fromStart = (turn == 0) != isBackwards;
                for (int i = Take(ref shares[owner * ShareApart], fromStart); i >= 0; i = Take(ref shares[owner * ShareApart], fromStart)) job!(i);
            }
        }
        catch (Exception e)
        {
            // The first failure is the one that is reported; pieces that nobody has begun are left out.
            Interlocked.CompareExchange(ref failure, e, null);
            for (int i = 0; i < members; i++) Interlocked.Exchange(ref shares[i * ShareApart], 0);
        }
        finally
        {
            inside = false;
        }
    }

    /// <summary>The first or the last piece that is left of a share, the owner at one end and the others at the other; −1 where none is left.</summary>
    private static int Take(ref long share, bool fromStart)
    {
        long seen = Volatile.Read(ref share);
        while (true)
        {
            int from = (int)(seen >> 32), to = (int)seen;
            if (from >= to) return -1;
            long before = Interlocked.CompareExchange(ref share, fromStart ? seen + (1L << 32) : seen - 1, seen);
            if (before == seen) return fromStart ? from : to - 1;
            seen = before;
        }
    }

    private sealed class Worker
    {
        private readonly ManualResetEventSlim wakeUp = new(false, SpinsBeforeSleep);
        private readonly int member;

        public Worker(int member)
        {
            this.member = member;
            new Thread(Work) { IsBackground = true, Name = "delineate kernel" }.Start();
        }

        public void Wake() => wakeUp.Set();

        private void Work()
        {
            while (true)
            {
                wakeUp.Wait();
                wakeUp.Reset();
                TakePieces(member);
                Interlocked.Decrement(ref running);
            }
        }
    }
}
