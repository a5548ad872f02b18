using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>How a region is read: the bins it is cut into, the boxes' scale, and the samples in a bin (0: as many as it has pixels).</summary>
internal readonly record struct RoiSampling(Size2d Output, float SpatialScale, int Ratio, bool Aligned);

/// <summary>Means of bilinear samples on regions of a map.</summary>
public static unsafe class RoiAlignOp
{
    private const int GradientPieceRows = 8;

    /// <summary>
    /// Cuts each region into OH × OW bins and takes the mean of bilinear samples in each (He et al. 2017, arXiv:1703.06870). x [N, H, W, C], rois [K, 5]
    /// (image, x1, y1, x2, y2 in pixels of the image) → [K, OH, OW, C]; K may be 0. <paramref name="spatialScale"/> brings boxes to the map: 1/16 for a
    /// map of stride 16. A bin takes <paramref name="samplingRatio"/>² samples; 0 or less for as many as it has pixels, rounded up.
    /// <paramref name="aligned"/> puts pixel centres at half numbers, as they should be; without it they lie at whole numbers, half a pixel off, and a
    /// region is one pixel wide and high at least, as in the first implementations and torchvision's detectors. A sample more than a pixel outside the
    /// map counts as 0. No gradient flows into the regions.
    /// </summary>
    /// <exception cref="ShapeException">x has not four axes or an empty height or width, rois are not [K, 5], or the output is not positive.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A region's image is not in the batch, a corner is not finite, or the scale is not positive.</exception>
    public static Tensor RoiAlign(this Tensor x, Tensor rois, Size2d outputSize, float spatialScale, int samplingRatio = -1, bool aligned = false)
    {
        Rois.Validate(x, rois, outputSize, spatialScale);
        var sampling = new RoiSampling(outputSize, spatialScale, Math.Max(samplingRatio, 0), aligned);
        Shape output = [rois.Shape[0], outputSize.Height, outputSize.Width, x.Shape[3]];
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedRoiAlign(sampling), output, x, rois);
        Tensor y = Tensor.Empty(output);
        Forward(sampling, x.Shape, Pinned.Of(x), x.Shape[3], Pinned.Of(rois), output, Pinned.Of(y)).Run();
        GC.KeepAlive(x); // the work knows addresses only
        GC.KeepAlive(rois);
        if (!x.WantsGrad) return y;
        Shape shape = x.Shape;
        Tensor kept = rois.Clone(); // nobody's gradient reads them for us
        return Autograd.Record(y, x, dy => Backward(sampling, dy, kept, shape), read: []);
    }

    /// <summary>Pixels of x are <paramref name="xPixel"/> floats apart.</summary>
    internal static Work Forward(RoiSampling sampling, Shape input, float* x, int xPixel, float* rois, Shape output, float* y)
    {
        (int batch, int height, int width, int channels) = (input[0], input[1], input[2], input[3]);
        int length = output.Product(1, 4);
        if (length == 0) return Work.Nothing;
        return Work.Ranges(output[0], Math.Max(1, Elementwise.Grain / length), (from, to) =>
        {
            for (int k = from; k < to; k++)
            {
                Roi roi = Rois.Read(rois, k, batch, sampling.SpatialScale, nameof(RoiAlign));
                using var taps = RoiTaps.Of(sampling, roi, height, width);
                taps.Place();
                float* image = x + ((long)roi.Image * height * width * xPixel);
                LaneLoop.Over(new ForwardKernel(sampling.Output, taps.Rows, taps.Columns, image, (long)width * xPixel, xPixel, y + ((long)k * length), channels), channels);
            }
        });
    }

    /// <summary>Each piece is a band of an image's rows, to which it adds what every region sends there, in the regions' order.</summary>
    private static Tensor Backward(RoiSampling sampling, Tensor dy, Tensor rois, Shape input)
    {
        Tensor dx = Tensor.Empty(input);
        (int batch, int height, int width, int channels) = (input[0], input[1], input[2], input[3]);
        int count = rois.Shape[0], length = dy.Shape.Product(1, 4), bands = (height + GradientPieceRows - 1) / GradientPieceRows;
        float* boxes = Pinned.Of(rois), from = Pinned.Of(dy), to = Pinned.Of(dx);
        ThreadTeam.Run(dx.Length == 0 ? 0 : batch * bands, piece =>
        {
            (int image, int first) = (piece / bands, piece % bands * GradientPieceRows);
            int end = Math.Min(first + GradientPieceRows, height);
            float* map = to + ((long)image * height * width * channels);
            new Span<float>(map + ((long)first * width * channels), (end - first) * width * channels).Clear();
            for (int k = 0; k < count; k++)
            {
                if (boxes[(long)k * Rois.Width] != image) continue;
                Roi roi = Rois.Read(boxes, k, batch, sampling.SpatialScale, nameof(RoiAlign));
                using var taps = RoiTaps.Of(sampling, roi, height, width);
                (int low, int high) = taps.RowAxis.Reach(sampling.Output.Height, height);
                if (high < first || low >= end) continue;
                taps.Place();
                LaneLoop.Over(new BackwardKernel(sampling.Output, taps.Rows, taps.Columns, from + ((long)k * length), map, width, channels, first, end), channels);
            }
        });
        rois.Block.Release();
        return dx;
    }

    /// <summary>The taps of a region along both axes, in memory from the pool.</summary>
    private readonly struct RoiTaps : IDisposable
    {
        private readonly Scratch memory;
        private readonly BinAxis columnAxis;
        private readonly int height;
        private readonly int width;

        private RoiTaps(RoiSampling sampling, BinAxis rowAxis, BinAxis columnAxis, int height, int width)
        {
            (RowAxis, this.columnAxis, this.height, this.width) = (rowAxis, columnAxis, height, width);
            (int rowBins, int columnBins) = (sampling.Output.Height, sampling.Output.Width);
            int rowTaps = BinTaps.Capacity(rowAxis, rowBins, height), columnTaps = BinTaps.Capacity(columnAxis, columnBins, width);
            int rowFloats = BinTaps.Floats(rowBins, rowTaps);
            memory = Scratch.Floats(rowFloats + BinTaps.Floats(columnBins, columnTaps));
            float* start = Pinned.Of(memory);
            Rows = new BinTaps(start, rowBins, rowTaps);
            Columns = new BinTaps(start + rowFloats, columnBins, columnTaps);
        }

        public BinAxis RowAxis { get; }

        public BinTaps Rows { get; }

        public BinTaps Columns { get; }

        public static RoiTaps Of(RoiSampling s, Roi roi, int height, int width) => new(
            s, BinAxis.Of(roi.Y1, roi.Y2, s.Output.Height, s.Ratio, s.Aligned), BinAxis.Of(roi.X1, roi.X2, s.Output.Width, s.Ratio, s.Aligned), height, width);

        public void Place()
        {
            Rows.Place(RowAxis, height);
            Columns.Place(columnAxis, width);
        }

        public void Dispose() => memory.Dispose();
    }

    /// <summary>One region. Four registers of channels at a time read each tap; each row of taps is added up first, then weighted.</summary>
    private readonly struct ForwardKernel(Size2d output, BinTaps rows, BinTaps columns, float* image, long rowStep, int pixelStep, float* y, int channels) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            float* target = y;
            for (int oh = 0; oh < output.Height; oh++)
            {
                (int row0, int row1) = (rows.First[oh], rows.First[oh + 1]);
                for (int ow = 0; ow < output.Width; ow++, target += channels)
                {
                    (int column0, int column1) = (columns.First[ow], columns.First[ow + 1]);
                    int c = from;
                    for (; c <= end - (4 * V.Count); c += 4 * V.Count)
                    {
                        V a = V.All(0), b = a, d = a, e = a;
                        for (int r = row0; r < row1; r++)
                        {
                            float* line = image + (rows.Pixel[r] * rowStep) + c;
                            V lineA = V.All(0), lineB = lineA, lineD = lineA, lineE = lineA;
                            for (int k = column0; k < column1; k++)
                            {
                                float* cell = line + ((long)columns.Pixel[k] * pixelStep);
                                V weight = V.All(columns.Weight[k]);
                                lineA = V.MultiplyAdd(V.Load(cell), weight, lineA);
                                lineB = V.MultiplyAdd(V.Load(cell + V.Count), weight, lineB);
                                lineD = V.MultiplyAdd(V.Load(cell + (2 * V.Count)), weight, lineD);
                                lineE = V.MultiplyAdd(V.Load(cell + (3 * V.Count)), weight, lineE);
                            }
                            V share = V.All(rows.Weight[r]);
                            a = V.MultiplyAdd(lineA, share, a);
                            b = V.MultiplyAdd(lineB, share, b);
                            d = V.MultiplyAdd(lineD, share, d);
                            e = V.MultiplyAdd(lineE, share, e);
                        }
                        a.Store(target + c);
                        b.Store(target + c + V.Count);
                        d.Store(target + c + (2 * V.Count));
                        e.Store(target + c + (3 * V.Count));
                    }
                    for (; c < end; c += V.Count)
                    {
                        V sum = V.All(0);
                        for (int r = row0; r < row1; r++)
                        {
                            float* line = image + (rows.Pixel[r] * rowStep) + c;
                            V part = V.All(0);
                            for (int k = column0; k < column1; k++) part = V.MultiplyAdd(V.Load(line + ((long)columns.Pixel[k] * pixelStep)), V.All(columns.Weight[k]), part);
                            sum = V.MultiplyAdd(part, V.All(rows.Weight[r]), sum);
                        }
                        sum.Store(target + c);
                    }
                }
            }
            return end;
        }
    }

    /// <summary>What one region adds to the rows first … stop − 1 of its image.</summary>
    private readonly struct BackwardKernel(Size2d output, BinTaps rows, BinTaps columns, float* dy, float* image, int width, int channels, int first, int stop) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            for (int oh = 0; oh < output.Height; oh++)
            {
                (int row0, int row1) = (rows.First[oh], rows.First[oh + 1]);
                while (row0 < row1 && rows.Pixel[row0] < first) row0++;
                while (row0 < row1 && rows.Pixel[row1 - 1] >= stop) row1--;
                if (row0 == row1) continue;
                float* source = dy + ((long)oh * output.Width * channels);
                for (int ow = 0; ow < output.Width; ow++, source += channels)
                {
                    (int column0, int column1) = (columns.First[ow], columns.First[ow + 1]);
                    int c = from;
                    for (; c <= end - (4 * V.Count); c += 4 * V.Count)
                    {
                        V a = V.Load(source + c), b = V.Load(source + c + V.Count), d = V.Load(source + c + (2 * V.Count)), e = V.Load(source + c + (3 * V.Count));
                        for (int r = row0; r < row1; r++)
                        {
                            float* line = image + ((long)rows.Pixel[r] * width * channels) + c;
                            for (int k = column0; k < column1; k++)
                            {
                                float* cell = line + ((long)columns.Pixel[k] * channels);
                                V weight = V.All(rows.Weight[r] * columns.Weight[k]);
                                V.MultiplyAdd(a, weight, V.Load(cell)).Store(cell);
                                V.MultiplyAdd(b, weight, V.Load(cell + V.Count)).Store(cell + V.Count);
                                V.MultiplyAdd(d, weight, V.Load(cell + (2 * V.Count))).Store(cell + (2 * V.Count));
                                V.MultiplyAdd(e, weight, V.Load(cell + (3 * V.Count))).Store(cell + (3 * V.Count));
                            }
                        }
                    }
                    for (; c < end; c += V.Count)
                    {
                        V gradient = V.Load(source + c);
                        for (int r = row0; r < row1; r++)
                        {
                            float* line = image + ((long)rows.Pixel[r] * width * channels) + c;
                            for (int k = column0; k < column1; k++)
                            {
                                float* cell = line + ((long)columns.Pixel[k] * channels);
                                V.MultiplyAdd(gradient, V.All(rows.Weight[r] * columns.Weight[k]), V.Load(cell)).Store(cell);
                            }
                        }
                    }
                }
            }
            return end;
        }
    }
}

/// <summary>Reads x and the regions.</summary>
internal sealed unsafe record TracedRoiAlign(RoiSampling Sampling) : GraphOp
{
    public override bool ReadsSpacedPixels => true;

    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) =>
        RoiAlignOp.Forward(Sampling, inputs[0].Shape, inputs[0].Address, inputs[0].PixelStride, inputs[1].Address, output.Shape, output.Address);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        // Boxes and their images are two inputs there.
        string rois = onnx.Of(node.Inputs[1]!);
        string column = onnx.Add(node, "Slice", [rois, onnx.Whole(0), onnx.Whole(1), onnx.Whole(1)]);
        string images = onnx.Add(node, "Cast", [onnx.Add(node, "Reshape", [column, onnx.Whole(-1)])], new OnnxAttribute("to", (long)OnnxType.Int64));
        string boxes = onnx.Add(node, "Slice", [rois, onnx.Whole(1), onnx.Whole(Rois.Width), onnx.Whole(1)]);
        onnx.Result(node, "RoiAlign", [onnx.Of(node.Inputs[0]!), boxes, images],
            new("mode", "avg"), new("output_height", Sampling.Output.Height), new("output_width", Sampling.Output.Width), new("sampling_ratio", Sampling.Ratio),
            new("spatial_scale", Sampling.SpatialScale), new("coordinate_transformation_mode", Sampling.Aligned ? "half_pixel" : "output_half_pixel"));
    }
}
