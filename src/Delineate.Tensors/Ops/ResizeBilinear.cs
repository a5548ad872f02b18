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
    public static Tensor ResizeBilinear(this Tensor x, int height, int width, bool alignCorners = false) => Resize(x, height, width, alignCorners, null);

    /// <summary>The same to ⌊H · scale⌋ × ⌊W · scale⌋, with places computed from the scale itself, not from the rounded sizes.</summary>
    /// <exception cref="ShapeException">x has not four axes, or a size is not positive.</exception>
    public static Tensor ResizeBilinear(this Tensor x, float scale, bool alignCorners = false)
    {
        (int height, int width) = ResizeNearestOp.Scaled(x, scale, nameof(ResizeBilinear));
        return Resize(x, height, width, alignCorners, scale);
    }

    private static Tensor Resize(Tensor x, int height, int width, bool alignCorners, float? scale)
    {
        ResizeNearestOp.CheckSizes(x, height, width, nameof(ResizeBilinear));
        var rows = new AxisResize(x.Shape[1], height, alignCorners, scale);
        var columns = new AxisResize(x.Shape[2], width, alignCorners, scale);
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedResizeBilinear(rows, columns), [x.Shape[0], height, width, x.Shape[3]], x);
        Tensor y = Tensor.Empty([x.Shape[0], height, width, x.Shape[3]]);
        Forward(x, rows, columns, y).Run();
        Shape shape = x.Shape;
        return Autograd.Record(y, x, dy => Backward(dy, shape, rows, columns));
    }

    internal static Job Forward(Tensor x, AxisResize rows, AxisResize columns, Tensor y)
    {
        int channels = x.Shape[3];
        long inputRow = (long)columns.Inputs * channels;
        int outputRow = columns.Outputs * channels;
        float* from = Pinned.Of(x), to = Pinned.Of(y);
        bool past = LaneLoop.IsPastCaches(y.Length, outputRow);
        int parts = (rows.Outputs + PieceRows - 1) / PieceRows;
        return new Job(y.Length == 0 ? 0 : x.Shape[0] * parts, piece =>
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
                LaneLoop.Over(new StretchKernel(columns, channels, from + ((((long)image * rows.Inputs) + row) * inputRow), target), channels);
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
            using Scratch scratch = Scratch.Floats(inputRow);
            float* narrow = Pinned.Of(scratch), target = to + ((long)image * rows.Inputs * inputRow);
            new Span<float>(target + ((long)first * inputRow), (end - first) * inputRow).Clear();
            // Gradient rows are read once and in order, first narrowed to the input's width, then added to the one or two input rows of the piece that they read.
            for (int oh = rows.FirstReading[first]; oh < rows.EndReading[end - 1]; oh++)
            {
                LaneLoop.Over(new NarrowKernel(columns, channels, from + ((((long)image * rows.Outputs) + oh) * outputRow), narrow), channels);
                for (int ih = Math.Max(first, rows.Low[oh]); ih <= Math.Min(end - 1, rows.High[oh]); ih++)
                    LaneLoop.Over(new AddKernel(narrow, rows.Share(oh, ih), target + ((long)ih * inputRow)), inputRow);
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

    /// <summary>One input row at the output's width.</summary>
    internal readonly struct StretchKernel(AxisResize columns, int channels, float* row, float* result) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            for (int ow = 0; ow < columns.Outputs; ow++)
            {
                V low = V.All(1 - columns.Weight[ow]), high = V.All(columns.Weight[ow]);
                float* left = row + ((long)columns.Low[ow] * channels), right = row + ((long)columns.High[ow] * channels), target = result + ((long)ow * channels);
                for (int c = from; c < end; c += V.Count) V.MultiplyAdd(V.Load(left + c), low, V.Load(right + c) * high).Store(target + c);
            }
            return end;
        }
    }

    /// <summary>One gradient row at the input's width: every input pixel gathers from the output pixels that read it.</summary>
    private readonly struct NarrowKernel(AxisResize columns, int channels, float* row, float* result) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            for (int iw = 0; iw < columns.Inputs; iw++)
            {
                ReadOnlySpan<float> shares = columns.Shares(iw);
                float* first = row + ((long)columns.FirstReading[iw] * channels), target = result + ((long)iw * channels);
                for (int c = from; c < end; c += V.Count)
                {
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
            return end;
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
internal sealed record TracedResizeBilinear(AxisResize Rows, AxisResize Columns) : GraphOp
{
    public override Job Bind(ReadOnlySpan<Operand> inputs, Operand output) => ResizeBilinearOp.Forward(inputs[0].Tensor, Rows, Columns, output.Tensor);
}
