namespace Delineate.Tensors.Kernels;

/// <summary>Copies that may go around the caches.</summary>
internal static unsafe class Streaming
{
    /// <summary>
    /// Copies <paramref name="count"/> floats to other memory. With <paramref name="past"/>, for which the target must begin on a cache line, they are
    /// stored around the caches: see <see cref="LaneLoop.IsPastCaches"/>.
    /// </summary>
    public static void Copy(float* source, float* target, int count, bool past)
    {
        if (past) LaneLoop.Over(new CopyKernel(source, target), count);
        else new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(target, count));
    }

    private readonly struct CopyKernel(float* source, float* target) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int i = from;
            for (; i + V.Count <= to; i += V.Count) V.Load(source + i).Store(target + i, past: true);
            return i;
        }
    }
}
