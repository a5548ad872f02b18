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

    // Free buffers by size; within a size the latest given back, which is likeliest in a cache, is taken first.
    private static readonly SortedList<int, List<(float[] Array, long Step)>> Free = [];
    private static long step;
    private static long dropped; // bytes let go of since the last full collection
    private static long inUse;
    private static long pooled;
    private static long peak;

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
        }
    }

    internal static MemoryScope? Current { get => current; set => current = value; }

    /// <param name="length">Floats.</param>
    /// <param name="scoped">False for what its taker gives back by itself.</param>
    internal static Block Take(int length, bool scoped = true)
    {
        int size = SizeClass(length);
        float[] array = TakeFree(size) ?? GC.AllocateUninitializedArray<float>(size + Line, pinned: true);
        long now = Interlocked.Add(ref inUse, Bytes(array)) + Interlocked.Read(ref pooled);
        RaisePeak(now);
        var block = new Block(array, AlignedOffset(array), length);
        if (scoped) current?.Add(block);
        return block;
    }

    internal static void Return(float[] array)
    {
        Interlocked.Add(ref inUse, -Bytes(array));
        lock (Gate)
        {
            int size = array.Length - Line;
            if (!Free.TryGetValue(size, out List<(float[], long)>? list)) Free.Add(size, list = []);
            list.Add((array, step));
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
                List<(float[] Array, long Step)> list = Free.Values[i];
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
                List<(float[] Array, long Step)> list = Free.Values[i];
                if (list.Count == 0) continue;
                float[] array = list[^1].Array;
                list.RemoveAt(list.Count - 1);
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

    private static unsafe int AlignedOffset(float[] pinned)
    {
        nuint address = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));
        return (int)((64 - (address & 63)) & 63) / sizeof(float);
    }

    private static long Bytes(float[] array) => (long)array.Length * sizeof(float);

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
