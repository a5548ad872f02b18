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
    private static readonly Lock Gate = new();
    private const long MostDropped = 128 << 20; // bytes that may wait for the garbage collector
    private const int StepsKept = 16; // outermost scopes after which an unused buffer is let go: images of changing sizes leave such buffers

    // Free buffers by size; within a size the latest that the same thread gave back, which is likeliest in its caches, is taken first.
    private static readonly SortedList<int, List<(float[] Array, long Step, int Thread)>> Free = [];
    private static long step;
    private static long dropped; // bytes let go of since the last full collection
    private static long inUse;
    private static long pooled;
    private static long planned;
    private static long peak;

    [ThreadStatic]
    private static MemoryScope? current;

    /// <summary>Bytes in live tensors and kernels' scratch now.</summary>
    public static long BytesInUse => Interlocked.Read(ref inUse);

    /// <summary>Bytes that wait in the pool for their next use.</summary>
    public static long BytesPooled => Interlocked.Read(ref pooled);

    /// <summary>Bytes in the arenas of plans, running or waiting for their next run.</summary>
    public static long BytesPlanned => Interlocked.Read(ref planned);

    /// <summary>The most bytes that were in use, pooled and planned together since <see cref="ResetPeak"/>.</summary>
    public static long PeakBytes => Interlocked.Read(ref peak);

    /// <summary>Starts a new measurement of <see cref="PeakBytes"/>.</summary>
    public static void ResetPeak() => Interlocked.Exchange(ref peak, Total());

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
        }
    }

    internal static MemoryScope? Current { get => current; set => current = value; }

    internal static Block Take(int length)
    {
        float[] array = TakeArray(length);
        var block = new Block(array, AlignedOffset(array), length);
        current?.Add(block);
        return block;
    }

    /// <summary>An array that holds <paramref name="length"/> floats from its <see cref="AlignedOffset"/> on, for whoever calls <see cref="Return"/>.</summary>
    internal static float[] TakeArray(int length)
    {
        int size = SizeClass(length);
        float[] array = TakeFree(size) ?? GC.AllocateUninitializedArray<float>(size + Line, pinned: true);
        Interlocked.Add(ref inUse, Bytes(array));
        RaisePeak(Total());
        return array;
    }

    /// <summary>Counts an array that was taken as a plan's arena, until it is counted back.</summary>
    internal static void CountAsPlanned(float[] array, bool isPlanned)
    {
        long bytes = isPlanned ? Bytes(array) : -Bytes(array);
        Interlocked.Add(ref inUse, -bytes);
        Interlocked.Add(ref planned, bytes);
    }

    /// <summary>A plan's arena was collected without being given back.</summary>
    internal static void ForgetPlanned(float[] array) => Interlocked.Add(ref planned, -Bytes(array));

    internal static void Return(float[] array)
    {
        Interlocked.Add(ref inUse, -Bytes(array));
        lock (Gate)
        {
            int size = array.Length - Line;
            if (!Free.TryGetValue(size, out List<(float[], long, int)>? list)) Free.Add(size, list = []);
            list.Add((array, step, Environment.CurrentManagedThreadId));
            pooled += Bytes(array);
        }
    }

    /// <summary>A block was collected without being given back: its array is the garbage collector's.</summary>
    internal static void Forget(float[] array) => Interlocked.Add(ref inUse, -Bytes(array));

    /// <summary>An outermost scope ended: buffers that have waited for long go to the garbage collector.</summary>
    internal static void EndStep()
    {
        bool collect;
        lock (Gate)
        {
            step++;
            for (int i = Free.Count - 1; i >= 0; i--)
            {
                List<(float[] Array, long Step, int Thread)> list = Free.Values[i];
                int old = 0;
                while (old < list.Count && step - list[old].Step > StepsKept) dropped += Bytes(list[old++].Array);
                if (old == 0) continue;
                pooled -= list.Take(old).Sum(e => Bytes(e.Array));
                list.RemoveRange(0, old);
                if (list.Count == 0) Free.RemoveAt(i);
            }
            collect = dropped > Math.Max(MostDropped, (inUse + pooled) / 4);
            if (collect) dropped = 0;
        }
        // Pinned arrays wait for a full collection, which the collector puts off for longer than we can afford: it sees few objects, we see gigabytes.
        if (collect) GC.Collect();
    }

    /// <summary>The smallest free buffer of at least <paramref name="size"/> floats and at most twice as many, or null.</summary>
    private static float[]? TakeFree(int size)
    {
        int thread = Environment.CurrentManagedThreadId;
        lock (Gate)
        {
            IList<int> sizes = Free.Keys;
            int low = 0, high = sizes.Count;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (sizes[middle] < size) low = middle + 1;
                else high = middle;
            }
            for (int i = low; i < sizes.Count && sizes[i] <= 2L * size; i++)
            {
                List<(float[] Array, long Step, int Thread)> list = Free.Values[i];
                if (list.Count == 0) continue;
                int at = list.Count - 1;
                while (at > 0 && list[at].Thread != thread) at--;
                if (list[at].Thread != thread) at = list.Count - 1;
                float[] array = list[at].Array;
                list.RemoveAt(at);
                pooled -= Bytes(array);
                return array;
            }
            return null;
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

    /// <summary>The first place in a pinned array that lies on a 64-byte line.</summary>
    internal static unsafe int AlignedOffset(float[] pinned)
    {
        nuint address = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));
        return (int)((64 - (address & 63)) & 63) / sizeof(float);
    }

    private static long Total() => Interlocked.Read(ref inUse) + Interlocked.Read(ref pooled) + Interlocked.Read(ref planned);

    internal static long Bytes(float[] array) => (long)array.Length * sizeof(float);

    private static void RaisePeak(long now)
    {
        long seen = Interlocked.Read(ref peak);
        while (now > seen)
        {
            long before = Interlocked.CompareExchange(ref peak, now, seen);
            if (before == seen) break;
            seen = before;
        }
    }
}
