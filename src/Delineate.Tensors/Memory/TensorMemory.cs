using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Delineate.Tensors;

/// <summary>
/// The one place where tensor memory is taken and given back. Buffers come in size classes (eight to an octave) from a pool;
/// inside a <see cref="Scope"/> they all return to it at the scope's end, outside the garbage collector takes them.
/// </summary>
public static class TensorMemory
{
    private const int Line = 16; // floats in a 64-byte cache line
    private const long Slack = 64 << 20; // bytes below which nothing is worth letting go of
    private static readonly Lock Gate = new();
    private static readonly Dictionary<int, SizeClassPool> Free = [];
    private static long inUse;
    private static long mostInUse;
    private static long pooled;
    private static long peak;
    private static long dropped; // bytes let go of since the last collection
    private static long clock; // counts takes and returns

    [ThreadStatic]
    private static MemoryScope? current;

    /// <summary>Bytes in live tensors and kernels' scratch now.</summary>
    public static long BytesInUse => Interlocked.Read(ref inUse);

    /// <summary>Bytes that wait in the pool for their next use.</summary>
    public static long BytesPooled => Interlocked.Read(ref pooled);

    /// <summary>The most bytes that were in use and pooled together since <see cref="ResetPeak"/>.</summary>
    public static long PeakBytes => Interlocked.Read(ref peak);

    /// <summary>Starts a new measurement of <see cref="PeakBytes"/>.</summary>
    public static void ResetPeak() => Interlocked.Exchange(ref peak, Interlocked.Read(ref inUse) + Interlocked.Read(ref pooled));

    /// <summary>
    /// Begins a scope on this thread: a training step, a prediction. Every tensor made in it gives its memory back when the scope is
    /// disposed, save those passed to <see cref="Tensor.Keep"/>, and <c>Backward</c> gives activations back as it consumes them.
    /// </summary>
    public static MemoryScope Scope() => current = new MemoryScope(current);

    /// <summary>Drops every pooled buffer, so that the garbage collector can have them.</summary>
    public static void Trim()
    {
        lock (Gate)
        {
            Free.Clear();
            Interlocked.Exchange(ref pooled, 0);
            Interlocked.Exchange(ref mostInUse, Interlocked.Read(ref inUse));
        }
    }

    internal static MemoryScope? Current { get => current; set => current = value; }

    internal static Block Take(int length)
    {
        int size = SizeClass(length);
        float[]? array = null;
        lock (Gate)
        {
            if (Free.TryGetValue(size, out SizeClassPool? pool) && pool.Arrays.Count > 0)
            {
                array = pool.Arrays.Pop();
                pool.LastUse = ++clock;
                pooled -= Bytes(array);
            }
        }
        array ??= Allocate(size);
        long now = Interlocked.Add(ref inUse, Bytes(array));
        Raise(ref mostInUse, now);
        Raise(ref peak, now + Interlocked.Read(ref pooled));
        var block = new Block(array, AlignedOffset(array), length);
        current?.Add(block);
        return block;
    }

    internal static void Return(float[] array)
    {
        Interlocked.Add(ref inUse, -Bytes(array));
        lock (Gate)
        {
            int size = array.Length - Line;
            if (!Free.TryGetValue(size, out SizeClassPool? pool)) Free.Add(size, pool = new SizeClassPool());
            pool.Arrays.Push(array);
            pool.LastUse = ++clock;
            pooled += Bytes(array);
        }
    }

    /// <summary>A block was collected without being given back: its array is the garbage collector's.</summary>
    internal static void Forget(float[] array) => Interlocked.Add(ref inUse, -Bytes(array));

    private static float[] Allocate(int size)
    {
        long wanted = ((long)size + Line) * sizeof(float);
        bool collect;
        lock (Gate)
        {
            // What the pool may hold beyond the most that was ever in use at once: enough for a step whose sizes do not all wait at the same
            // time, so that the next step finds everything; changing image sizes must not add up beyond it.
            long most = Math.Max(mostInUse, inUse + wanted);
            DropOldest(inUse + pooled + wanted - (most + (most / 4) + Slack));
            collect = dropped > Math.Max(most / 2, Slack);
            if (collect) dropped = 0;
        }
        // Pinned arrays wait for a full collection, which the collector puts off longer than we can afford: it sees few objects, we see gigabytes.
        if (collect) GC.Collect();
        return GC.AllocateUninitializedArray<float>(size + Line, pinned: true);
    }

    /// <summary>Lets go of pooled arrays until <paramref name="excess"/> bytes are gone, first those of the sizes that were longest not asked for.</summary>
    private static void DropOldest(long excess)
    {
        if (excess <= 0) return;
        foreach (SizeClassPool pool in Free.Values.Where(p => p.Arrays.Count > 0).OrderBy(p => p.LastUse).ToArray())
        {
            while (excess > 0 && pool.Arrays.TryPop(out float[]? array))
            {
                excess -= Bytes(array);
                pooled -= Bytes(array);
                dropped += Bytes(array);
            }
            if (excess <= 0) return;
        }
    }

    /// <summary>The next size of the form (8 … 15)·2ᵏ, at least one line: at most an eighth is wasted.</summary>
    private static int SizeClass(int length)
    {
        int lines = Math.Max(1, (length + Line - 1) / Line);
        int shift = Math.Max(0, BitOperations.Log2((uint)lines) - 3);
        long rounded = (((long)lines + (1L << shift) - 1) >> shift) << shift;
        return (int)Math.Min(rounded * Line, Array.MaxLength - Line);
    }

    private static unsafe int AlignedOffset(float[] pinned)
    {
        nuint address = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));
        return (int)((64 - (address & 63)) & 63) / sizeof(float);
    }

    private static long Bytes(float[] array) => (long)array.Length * sizeof(float);

    private static void Raise(ref long highest, long now)
    {
        long seen = Interlocked.Read(ref highest);
        while (now > seen)
        {
            long before = Interlocked.CompareExchange(ref highest, now, seen);
            if (before == seen) break;
            seen = before;
        }
    }

    /// <summary>The free arrays of one size.</summary>
    private sealed class SizeClassPool
    {
        public Stack<float[]> Arrays { get; } = new();

        public long LastUse { get; set; }
    }
}
