using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Max pooling.</summary>
public static unsafe class MaxPool2dOp
{
    /// <summary>
    /// The largest value of each window; NaN where the window holds one. [N, H, W, C] → [N, OH, OW, C]. The stride is the kernel's size unless given;
    /// padding never wins; with <paramref name="ceilMode"/> a last window may reach over the end. Of equal values the first in row order gets the gradient.
    /// </summary>
    /// <exception cref="ShapeException">x has not four axes, the padding is more than half the kernel, or the output would be empty.</exception>
    public static Tensor MaxPool2d(this Tensor x, Size2d kernelSize, Size2d? stride = null, Size2d? padding = null, Size2d? dilation = null, bool ceilMode = false)
    {
        Window2d window = Window2d.Of(x, kernelSize, stride ?? kernelSize, padding ?? 0, dilation ?? 1, ceilMode);
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedMaxPool2d(window, ceilMode), window.OutputShape, x);
        Tensor y = Tensor.Empty(window.OutputShape);
        if (!x.WantsGrad)
        {
            Forward(window, Pinned.Of(x), window.Channels, Pinned.Of(y), null).Run();
            GC.KeepAlive(x); // the work knows addresses only
            return y;
        }
        // The winner of each output, as its cell in the window: a byte where that suffices, else a float.
        Tensor winners = Tensor.Empty([window.Cells <= 256 ? (y.Length + 3) / 4 : y.Length]);
        Forward(window, Pinned.Of(x), window.Channels, Pinned.Of(y), Pinned.Of(winners)).Run();
        return Autograd.Record(y, x, dy => Backward(dy, window, winners), read: []);
    }

    /// <summary>Pixels of x are <paramref name="xPixel"/> floats apart; <paramref name="winners"/> may be null.</summary>
    internal static Work Forward(Window2d window, float* x, int xPixel, float* y, float* winners) =>
        new(window.Batch * window.Output.Height, row => LaneLoop.Over(new ForwardKernel(window, row, x, xPixel, y, winners), window.Channels));

    private static Tensor Backward(Tensor dy, Window2d window, Tensor winners)
    {
        Tensor dx = Tensor.Empty([window.Batch, window.Input.Height, window.Input.Width, window.Channels]);
        float* from = Pinned.Of(dy), to = Pinned.Of(dx), places = Pinned.Of(winners);
        bool past = LaneLoop.IsPastCaches(dx.Length, window.Channels);
        ThreadTeam.Ranges(window.Batch * window.Input.Height, 1, (first, end) =>
        {
            for (int row = first; row < end; row++) LaneLoop.Over(new BackwardKernel(window, row, from, to, places, past), window.Channels);
        });
        winners.Block.Release();
        return dx;
    }

    /// <summary>One row of outputs.</summary>
    private readonly struct ForwardKernel(Window2d window, int row, float* x, int xPixel, float* y, float* winners) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            (int height, int width) = (window.Input.Height, window.Input.Width);
            (int image, int oh) = (row / window.Output.Height, row % window.Output.Height);
            int top = (oh * window.Stride.Height) - window.Padding.Height;
            (int kh0, int kh1) = Inside(top, window.Dilation.Height, window.Kernel.Height, height);
            bool bytes = window.Cells <= 256;
            long rowStep = (long)window.Dilation.Height * width * xPixel;
            int columnStep = window.Dilation.Width * xPixel;
            for (int ow = 0; ow < window.Output.Width; ow++)
            {
                int left = (ow * window.Stride.Width) - window.Padding.Width;
                (int kw0, int kw1) = Inside(left, window.Dilation.Width, window.Kernel.Width, width);
                float* corner = x + (((((long)image * height) + top + ((long)kh0 * window.Dilation.Height)) * width) + left + ((long)kw0 * window.Dilation.Width)) * xPixel;
                long output = (((long)row * window.Output.Width) + ow) * window.Channels;
                int firstCell = (kh0 * window.Kernel.Width) + kw0;
                for (int c = from; c < end; c += V.Count)
                {
                    V best = V.All(float.NegativeInfinity), place = V.All(firstCell);
                    float* line = corner + c;
                    if (winners is null)
                    {
                        for (int kh = kh0; kh < kh1; kh++, line += rowStep)
                        {
                            float* cell = line;
                            for (int kw = kw0; kw < kw1; kw++, cell += columnStep) best = V.Max(best, V.Load(cell));
                        }
                    }
                    else
                    {
                        for (int kh = kh0; kh < kh1; kh++, line += rowStep)
                        {
                            float* cell = line;
                            int number = kh * window.Kernel.Width;
                            for (int kw = kw0; kw < kw1; kw++, cell += columnStep) V.TakeLarger(ref best, ref place, V.Load(cell), V.All(number + kw));
                        }
                        if (bytes) place.StoreBytes((byte*)winners + output + c);
                        else place.Store(winners + output + c);
                    }
                    best.Store(y + output + c);
                }
            }
            return end;
        }

        /// <summary>The cells first … end − 1 of a window at <paramref name="start"/> that lie on the input.</summary>
        private static (int First, int End) Inside(int start, int dilation, int kernel, int size) =>
            (start >= 0 ? 0 : (-start + dilation - 1) / dilation, Math.Min(kernel, (size - start + dilation - 1) / dilation));
    }

    /// <summary>One row of inputs, each gathering from the windows that it may have won: no two rows write to one place.</summary>
    private readonly struct BackwardKernel(Window2d window, int row, float* dy, float* dx, float* winners, bool past) : ILaneKernel
    {
        private const int MostOnStack = 64;

        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            (int image, int ih) = (row / window.Input.Height, row % window.Input.Height);
            int y = ih + window.Padding.Height;
            (int oh0, int oh1) = Seeing(y, window.Kernel.Height, window.Stride.Height, window.Dilation.Height, window.Output.Height);
            bool bytes = window.Cells <= 256;
            // The windows that reach over a pixel: where their outputs lie and which of their cells it is.
            int most = (((window.Kernel.Height - 1) * window.Dilation.Height / window.Stride.Height) + 1) * (((window.Kernel.Width - 1) * window.Dilation.Width / window.Stride.Width) + 1);
            Span<(long Output, float Cell)> seeing = most <= MostOnStack ? stackalloc (long, float)[most] : new (long, float)[most];
            for (int iw = 0; iw < window.Input.Width; iw++)
            {
                int x = iw + window.Padding.Width, count = 0;
                (int ow0, int ow1) = Seeing(x, window.Kernel.Width, window.Stride.Width, window.Dilation.Width, window.Output.Width);
                for (int oh = oh0; oh <= oh1; oh++)
                {
                    (int kh, int besideRow) = Math.DivRem(y - (oh * window.Stride.Height), window.Dilation.Height);
                    if (besideRow != 0) continue;
                    for (int ow = ow0; ow <= ow1; ow++)
                    {
                        (int kw, int beside) = Math.DivRem(x - (ow * window.Stride.Width), window.Dilation.Width);
                        if (beside == 0) seeing[count++] = (((((long)image * window.Output.Height) + oh) * window.Output.Width + ow) * window.Channels, (kh * window.Kernel.Width) + kw);
                    }
                }
                float* target = dx + (((long)row * window.Input.Width) + iw) * window.Channels;
                for (int c = from; c < end; c += V.Count)
                {
                    V sum = V.All(0);
                    foreach ((long output, float cell) in seeing[..count])
                    {
                        V winner = bytes ? V.LoadBytes((byte*)winners + output + c) : V.Load(winners + output + c);
                        sum += V.WhereEqual(winner, V.All(cell), V.Load(dy + output + c));
                    }
                    sum.Store(target + c, past);
                }
            }
            return end;
        }

        /// <summary>The outputs whose windows reach over place <paramref name="at"/>, counted from the padding's edge.</summary>
        private static (int First, int Last) Seeing(int at, int kernel, int stride, int dilation, int outputs)
        {
            int before = at - ((kernel - 1) * dilation);
            return (before <= 0 ? 0 : (before + stride - 1) / stride, Math.Min(outputs - 1, at / stride));
        }
    }
}

/// <summary>Reads x.</summary>
internal sealed unsafe record TracedMaxPool2d(Window2d Window, bool CeilMode) : GraphOp
{
    public override bool ReadsSpacedPixels => true;

    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => MaxPool2dOp.Forward(Window, inputs[0].Address, inputs[0].PixelStride, output.Address, null);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node) =>
        onnx.Result(node, "MaxPool", [onnx.Of(node.Inputs[0]!)], [.. Window.OnnxAttributes(), new("dilations", [Window.Dilation.Height, Window.Dilation.Width]), new("ceil_mode", CeilMode ? 1 : 0)]);
}
