namespace Delineate.Tensors.Kernels;

/// <summary>Adds a map to another, pixel by pixel, and activates the sum.</summary>
internal static unsafe class PixelSum
{
    private const int Grain = 1 << 14;

    /// <summary>y = act(y + x) over <paramref name="pixels"/> pixels.</summary>
    public static void Add(Map x, Map y, long pixels, int channels, Activation activation)
    {
        ThreadTeam.Ranges(checked((int)pixels), Math.Max(1, Grain / Math.Max(1, channels)), (from, to) =>
            LaneLoop.Over(new AddKernel(x, y, from, to, activation == Activation.Relu), channels));
    }

    private readonly struct AddKernel(Map x, Map y, int first, int end, bool relu) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int stop = to - ((to - from) % V.Count);
            for (nint pixel = first; pixel < end; pixel++)
            {
                float* source = x.Data + (pixel * x.PixelStride), target = y.Data + (pixel * y.PixelStride);
                for (int c = from; c < stop; c += V.Count)
                {
                    V sum = V.Load(target + c) + V.Load(source + c);
                    (relu ? V.Relu(sum) : sum).Store(target + c);
                }
            }
            return stop;
        }
    }
}
