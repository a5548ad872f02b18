namespace Delineate.Tensors.Kernels;

/// <summary>Means of rectangular windows of a map [N, H, W, C], and their gradient: average pooling, fixed and adaptive.</summary>
internal static unsafe class WindowMean
{
    private const int FewRows = 16;      // below this many rows of work the channels are shared out too
    private const int ChannelPart = 256;
    private const int ManyCells = 32;    // from here on a window is walked in the order of memory, not channel by channel

    public static Work Forward(Tensor x, AxisWindows rows, AxisWindows columns, Tensor y)
    {
        float* from = Pinned.Of(x), to = Pinned.Of(y);
        (int height, int width, int channels) = (x.Shape[1], x.Shape[2], x.Shape[3]);
        bool past = LaneLoop.IsPastCaches(y.Length, channels);
        return EachRow(y.Shape[0] * y.Shape[1], channels, (row, channel, count) =>
            LaneLoop.Over(new ForwardKernel(rows, columns, row, height, width, channels, from + channel, to + channel, past), count));
    }

    /// <summary>dx of <see cref="Forward"/>: every input gathers from the windows that see it.</summary>
    public static Work Backward(Tensor dy, AxisWindows rows, AxisWindows columns, Tensor dx)
    {
        float* from = Pinned.Of(dy), to = Pinned.Of(dx);
        (int height, int width, int channels) = (dy.Shape[1], dy.Shape[2], dy.Shape[3]);
        bool past = LaneLoop.IsPastCaches(dx.Length, channels);
        return EachRow(dx.Shape[0] * dx.Shape[1], channels, (row, channel, count) =>
            LaneLoop.Over(new BackwardKernel(rows, columns, row, height, width, channels, from + channel, to + channel, past), count));
    }

    private static Work EachRow(int rows, int channels, Action<int, int, int> work)
    {
        int part = rows >= FewRows ? Math.Max(channels, 1) : ChannelPart;
        int parts = (channels + part - 1) / part;
        return new Work(rows * parts, i => work(i / parts, i % parts * part, Math.Min(part, channels - (i % parts * part))));
    }

    private readonly struct ForwardKernel(AxisWindows rows, AxisWindows columns, int row, int height, int width, int channels, float* x, float* y, bool past) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            int outputs = columns.From.Length;
            (int image, int oh) = (row / rows.From.Length, row % rows.From.Length);
            for (int ow = 0; ow < outputs; ow++)
            {
                V weight = V.All(rows.Weight[oh] * columns.Weight[ow]);
                int first = columns.From[ow], count = columns.To[ow] - first;
                float* target = y + ((((long)row * outputs) + ow) * channels);
                if ((long)count * (rows.To[oh] - rows.From[oh]) >= ManyCells)
                {
                    float* corner = x + (((((long)image * height) + rows.From[oh]) * width) + first) * channels;
                    MeanInOrder(corner, rows.To[oh] - rows.From[oh], count, weight, target, from, end);
                    continue;
                }
                for (int c = from; c < end; c += V.Count)
                {
                    V sum = V.All(0);
                    for (int ih = rows.From[oh]; ih < rows.To[oh]; ih++)
                    {
                        float* cell = x + (((((long)image * height) + ih) * width) + first) * channels + c;
                        V line = V.All(0);
                        for (int k = 0; k < count; k++, cell += channels) line += V.Load(cell);
                        sum += line;
                    }
                    (sum * weight).Store(target + c, past);
                }
            }
            return end;
        }

        private void MeanInOrder<V>(float* corner, int lines, int count, V weight, float* target, int from, int end)
            where V : struct, ILanes<V>
        {
            for (int c = from; c < end; c += V.Count) V.All(0).Store(target + c);
            for (int line = 0; line < lines; line++, corner += (long)width * channels)
            {
                float* cell = corner;
                int k = 0;
                for (; k + 4 <= count; k += 4, cell += 4L * channels)
                {
                    float* far = cell + (2L * channels);
                    for (int c = from; c < end; c += V.Count)
                        (V.Load(target + c) + ((V.Load(cell + c) + V.Load(cell + channels + c)) + (V.Load(far + c) + V.Load(far + channels + c)))).Store(target + c);
                }
                for (; k < count; k++, cell += channels)
                {
                    for (int c = from; c < end; c += V.Count) (V.Load(target + c) + V.Load(cell + c)).Store(target + c);
                }
            }
            for (int c = from; c < end; c += V.Count) (V.Load(target + c) * weight).Store(target + c);
        }
    }

    private readonly struct BackwardKernel(AxisWindows rows, AxisWindows columns, int row, int height, int width, int channels, float* dy, float* dx, bool past) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            int inputs = columns.FirstSeeing.Length;
            (int image, int ih) = (row / rows.FirstSeeing.Length, row % rows.FirstSeeing.Length);
            for (int iw = 0; iw < inputs; iw++)
            {
                float* target = dx + ((((long)row * inputs) + iw) * channels);
                for (int c = from; c < end; c += V.Count)
                {
                    V sum = V.All(0);
                    for (int oh = rows.FirstSeeing[ih]; oh < rows.EndSeeing[ih]; oh++)
                    {
                        float* line = dy + ((((long)image * height) + oh) * width * channels) + c;
                        for (int ow = columns.FirstSeeing[iw]; ow < columns.EndSeeing[iw]; ow++)
                            sum = V.MultiplyAdd(V.Load(line + ((long)ow * channels)), V.All(rows.Weight[oh] * columns.Weight[ow]), sum);
                    }
                    sum.Store(target + c, past);
                }
            }
            return end;
        }
    }
}
