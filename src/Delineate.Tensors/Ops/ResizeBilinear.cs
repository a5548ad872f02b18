using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Bilinear interpolation to another size, without antialiasing.</summary>
public static unsafe class ResizeBilinearOp
{
    private const int PieceRows = 16;
    private const int GradientPieceRows = 8;

    /// <summary>
    /// The map at another size, linear between the four pixels around each place. [N, H, W, C] → [N, height, width, C]. Pixels are squares whose
    /// edges meet the map's edges; with <paramref name="alignCorners"/> the centres of the corner pixels meet instead.
    /// </summary>
    /// <exception cref="ShapeException">x has not four axes, or a size is not positive.</exception>
    public static Tensor ResizeBilinear(this Tensor x, int height, int width, bool alignCorners = false) => Resize(x, height, width, alignCorners, null, null);

    /// <summary>The same to another map's height and width, whatever they are: a graph remembers the map, not the numbers.</summary>
    /// <exception cref="ShapeException">A map has not four axes, or a size is not positive.</exception>
    public static Tensor ResizeBilinear(this Tensor x, Tensor like, bool alignCorners = false)
    {
        ArgumentNullException.ThrowIfNull(like);
        Check.Rank(like, 4);
        return Resize(x, like.Shape[1], like.Shape[2], alignCorners, null, like);
    }

    /// <summary>The same to ⌊H · scale⌋ × ⌊W · scale⌋, with places computed from the scale itself, not from the rounded sizes.</summary>
    /// <exception cref="ShapeException">x has not four axes, or a size is not positive.</exception>
    public static Tensor ResizeBilinear(this Tensor x, float scale, bool alignCorners = false)
    {
        (int height, int width) = ResizeNearestOp.Scaled(x, scale, nameof(ResizeBilinear));
        return Resize(x, height, width, alignCorners, scale, null);
    }

    private static Tensor Resize(Tensor x, int height, int width, bool alignCorners, float? scale, Tensor? like)
    {
        ResizeNearestOp.CheckSizes(x, height, width, nameof(ResizeBilinear));
        var rows = new AxisResize(x.Shape[1], height, alignCorners, scale);
        var columns = new AxisResize(x.Shape[2], width, alignCorners, scale);
        if (Tracer.Current is { } tracer) return tracer.AddSized(new TracedResizeBilinear(rows, columns, alignCorners, scale), [x.Shape[0], height, width, x.Shape[3]], like, x);
        Tensor y = Tensor.Empty([x.Shape[0], height, width, x.Shape[3]]);
        Forward(x, rows, columns, y).Run();
        Shape shape = x.Shape;
        return Autograd.Record(y, x, dy => Backward(dy, shape, rows, columns), read: []);
    }

    internal static Work Forward(Tensor x, AxisResize rows, AxisResize columns, Tensor y)
    {
        int channels = x.Shape[3];
        long inputRow = (long)columns.Inputs * channels;
        int outputRow = columns.Outputs * channels;
        float* from = Pinned.Of(x), to = Pinned.Of(y);
        bool past = LaneLoop.IsPastCaches(y.Length, outputRow);
        int parts = (rows.Outputs + PieceRows - 1) / PieceRows;
        return new Work(y.Length == 0 ? 0 : x.Shape[0] * parts, piece =>
        {
            (int image, int first) = (piece / parts, piece % parts * PieceRows);
            // Two input rows, already stretched to the output's width: many output rows lie between the same two.
            using Scratch scratch = Scratch.Floats(2 * outputRow);
            float* upper = Pinned.Of(scratch), lower = upper + outputRow;
            (int inUpper, int inLower) = (-1, -1);
            for (int oh = first; oh < Math.Min(first + PieceRows, rows.Outputs); oh++)
            {
                (int low, int high) = (rows.Low[oh], rows.High[oh]);
                if (inUpper != low && inLower == low)
                {
                    float* kept = lower;
                    lower = upper;
                    upper = kept;
                    (inUpper, inLower) = (inLower, inUpper);
                }
                if (inUpper != low) Stretch(low, upper);
                inUpper = low;
                if (inLower != high) Stretch(high, lower);
                inLower = high;
                LaneLoop.Over(new BlendKernel(upper, lower, rows.Weight[oh], to + ((((long)image * rows.Outputs) + oh) * outputRow), past), outputRow);
            }

            void Stretch(int row, float* target) =>
                LaneLoop.Overlapped(new StretchKernel(columns, channels, from + ((((long)image * rows.Inputs) + row) * inputRow), target), channels);
        });
    }

    private static Tensor Backward(Tensor dy, Shape shape, AxisResize rows, AxisResize columns)
    {
        Tensor dx = Tensor.Empty(shape);
        int channels = shape[3];
        int inputRow = columns.Inputs * channels, outputRow = columns.Outputs * channels;
        float* from = Pinned.Of(dy), to = Pinned.Of(dx);
        int parts = (rows.Inputs + GradientPieceRows - 1) / GradientPieceRows;
        ThreadTeam.Run(dx.Length == 0 ? 0 : shape[0] * parts, piece =>
        {
            int image = piece / parts, first = piece % parts * GradientPieceRows, end = Math.Min(first + GradientPieceRows, rows.Inputs);
            using Scratch scratch = Scratch.Floats((end - first) * outputRow);
            float* sums = Pinned.Of(scratch);
            scratch.Span.Clear();
            // Gradient rows are read once and in order, whole registers at a time, and added at their own width to the one or two input rows that they
            // read; only these sums, fewer where the map was enlarged, are narrowed to the input's width, pixel by pixel.
            for (int oh = rows.FirstReading[first]; oh < rows.EndReading[end - 1]; oh++)
            {
                float* row = from + ((((long)image * rows.Outputs) + oh) * outputRow);
                int low = Math.Max(first, rows.Low[oh]), high = Math.Min(end - 1, rows.High[oh]);
                float* upper = sums + ((long)(low - first) * outputRow), lower = sums + ((long)(high - first) * outputRow);
                if (low < high && oh + 3 < rows.Outputs && rows.Low[oh + 3] == low && rows.High[oh + 3] == high)
                {
                    LaneLoop.Over(new AddFourKernel(rows, oh, low, high, row, outputRow, upper, lower), outputRow);
                    oh += 3;
                }
                else if (low < high)
                {
                    LaneLoop.Over(new AddTwoKernel(row, rows.Share(oh, low), upper, rows.Share(oh, high), lower), outputRow);
                }
                else if (low == high)
                {
                    LaneLoop.Over(new AddKernel(row, rows.Share(oh, low), upper), outputRow);
                }
            }
            for (int ih = first; ih < end; ih++)
            {
                float* narrow = to + ((((long)image * rows.Inputs) + ih) * inputRow);
                LaneLoop.Overlapped(new NarrowKernel(columns, channels, sums + ((long)(ih - first) * outputRow), narrow), channels);
            }
        });
        return dx;
    }

    /// <summary>(1 − w) · upper + w · lower, element by element.</summary>
    internal readonly struct BlendKernel(float* upper, float* lower, float weight, float* result, bool past) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            V low = V.All(1 - weight), high = V.All(weight);
            int i = from;
            for (; i + V.Count <= to; i += V.Count) V.MultiplyAdd(V.Load(upper + i), low, V.Load(lower + i) * high).Store(result + i, past);
            return i;
        }
    }

    /// <summary>One input row at the output's width. Registers overlap.</summary>
    internal readonly struct StretchKernel(AxisResize columns, int channels, float* row, float* result) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            for (int ow = 0; ow < columns.Outputs; ow++)
            {
                V low = V.All(1 - columns.Weight[ow]), high = V.All(columns.Weight[ow]);
                float* left = row + ((long)columns.Low[ow] * channels), right = row + ((long)columns.High[ow] * channels), target = result + ((long)ow * channels);
                for (int next = from; next < to; next += V.Count)
                {
                    int c = Math.Min(next, to - V.Count);
                    V.MultiplyAdd(V.Load(left + c), low, V.Load(right + c) * high).Store(target + c);
                }
            }
            return to;
        }
    }

    /// <summary>One gradient row at the input's width: every input pixel gathers from the output pixels that read it. Registers overlap.</summary>
    private readonly struct NarrowKernel(AxisResize columns, int channels, float* row, float* result) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            for (int iw = 0; iw < columns.Inputs; iw++)
            {
                ReadOnlySpan<float> shares = columns.Shares(iw);
                float* first = row + ((long)columns.FirstReading[iw] * channels), target = result + ((long)iw * channels);
                for (int next = from; next < to; next += V.Count)
                {
                    int c = Math.Min(next, to - V.Count);
                    V sum = V.All(0);
                    float* pixel = first + c;
                    foreach (float share in shares)
                    {
                        sum = V.MultiplyAdd(V.Load(pixel), V.All(share), sum);
                        pixel += channels;
                    }
                    sum.Store(target + c);
                }
            }
            return to;
        }
    }

    /// <summary>What four gradient rows, from <paramref name="oh"/> on, give the same two input rows.</summary>
    private readonly struct AddFourKernel(AxisResize rows, int oh, int low, int high, float* row, long step, float* upper, float* lower) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            V above0 = V.All(rows.Share(oh, low)), above1 = V.All(rows.Share(oh + 1, low)), above2 = V.All(rows.Share(oh + 2, low)), above3 = V.All(rows.Share(oh + 3, low));
            V below0 = V.All(rows.Share(oh, high)), below1 = V.All(rows.Share(oh + 1, high)), below2 = V.All(rows.Share(oh + 2, high)), below3 = V.All(rows.Share(oh + 3, high));
            float* row0 = row, row1 = row + step, row2 = row1 + step, row3 = row2 + step;
            int i = from;
            for (; i + V.Count <= to; i += V.Count)
            {
                V v0 = V.Load(row0 + i), v1 = V.Load(row1 + i), v2 = V.Load(row2 + i), v3 = V.Load(row3 + i);
                V above = V.MultiplyAdd(v1, above1, V.MultiplyAdd(v0, above0, V.Load(upper + i))), below = V.MultiplyAdd(v1, below1, V.MultiplyAdd(v0, below0, V.Load(lower + i)));
                V.MultiplyAdd(v3, above3, V.MultiplyAdd(v2, above2, above)).Store(upper + i);
                V.MultiplyAdd(v3, below3, V.MultiplyAdd(v2, below2, below)).Store(lower + i);
            }
            return i;
        }
    }

    /// <summary>upper += upperShare · row and lower += lowerShare · row.</summary>
    private readonly struct AddTwoKernel(float* row, float upperShare, float* upper, float lowerShare, float* lower) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            V above = V.All(upperShare), below = V.All(lowerShare);
            int i = from;
            for (; i + V.Count <= to; i += V.Count)
            {
                V value = V.Load(row + i);
                V.MultiplyAdd(value, above, V.Load(upper + i)).Store(upper + i);
                V.MultiplyAdd(value, below, V.Load(lower + i)).Store(lower + i);
            }
            return i;
        }
    }

    /// <summary>result += share · row.</summary>
    private readonly struct AddKernel(float* row, float share, float* result) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            V factor = V.All(share);
            int i = from;
            for (; i + V.Count <= to; i += V.Count) V.MultiplyAdd(V.Load(row + i), factor, V.Load(result + i)).Store(result + i);
            return i;
        }
    }
}

/// <summary>Reads x.</summary>
internal sealed record TracedResizeBilinear(AxisResize Rows, AxisResize Columns, bool AlignCorners, float? Scale) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => ResizeBilinearOp.Forward(inputs[0].Tensor, Rows, Columns, output.Tensor);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node) =>
        onnx.Resize(node, Scale, new("mode", "linear"), new("coordinate_transformation_mode", AlignCorners ? "align_corners" : "half_pixel"));
}
