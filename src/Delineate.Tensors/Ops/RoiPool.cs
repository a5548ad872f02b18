using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Largest values on regions of a map.</summary>
public static unsafe class RoiPoolOp
{
    private const int MostPixels = 1 << 24; // whole numbers that a float holds: a winner's place
    private const int GradientPieceRows = 8;
    private const int ManyCells = 32; // above it the winners of a bin are visited one by one, not its pixels

    /// <summary>
    /// Rounds each region to whole pixels, both edges included, cuts it into OH × OW bins and takes the largest value of each; bins share pixels where
    /// the region does not divide (Girshick 2015, arXiv:1504.08083). x [N, H, W, C], rois [K, 5] (image, x1, y1, x2, y2 in pixels of the image) →
    /// [K, OH, OW, C]; K may be 0. <paramref name="spatialScale"/> brings boxes to the map: 1/16 for a map of stride 16. A bin outside the map is 0; NaN
    /// where a bin holds one. Of equal values the first in row order gets the gradient; none flows into the regions.
    /// </summary>
    /// <exception cref="ShapeException">
    /// x has not four axes, an empty height or width, or, where it wants a gradient, more than 2²⁴ pixels; rois are not [K, 5], or the output is not positive.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">A region's image is not in the batch, a corner is not finite, or the scale is not positive.</exception>
    public static Tensor RoiPool(this Tensor x, Tensor rois, Size2d outputSize, float spatialScale)
    {
        Rois.Validate(x, rois, outputSize, spatialScale);
        Shape output = [rois.Shape[0], outputSize.Height, outputSize.Width, x.Shape[3]];
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedRoiPool(outputSize, spatialScale), output, x, rois);
        if (x.WantsGrad && (long)x.Shape[1] * x.Shape[2] > MostPixels)
            throw new ShapeException($"RoiPool remembers winners on maps of at most {MostPixels} pixels, got {x.Shape}");
        Tensor y = Tensor.Empty(output);
        Tensor? winners = x.WantsGrad ? Tensor.Empty(output) : null;
        Forward(spatialScale, x.Shape, Pinned.Of(x), x.Shape[3], Pinned.Of(rois), output, Pinned.Of(y), Pinned.OfOptional(winners)).Run();
        GC.KeepAlive(x); // the work knows addresses only
        GC.KeepAlive(rois);
        if (winners is null) return y;
        Shape shape = x.Shape;
        Tensor kept = rois.Clone(); // nobody's gradient reads them for us
        return Autograd.Record(y, x, dy => Backward(spatialScale, dy, winners, kept, shape), read: []);
    }

    /// <summary>Pixels of x are <paramref name="xPixel"/> floats apart; <paramref name="winners"/> may be null.</summary>
    internal static Work Forward(float spatialScale, Shape input, float* x, int xPixel, float* rois, Shape output, float* y, float* winners)
    {
        (int batch, int height, int width, int channels) = (input[0], input[1], input[2], input[3]);
        Size2d bins = (output[1], output[2]);
        int length = output.Product(1, 4);
        if (length == 0) return Work.Nothing;
        return Work.Ranges(output[0], Math.Max(1, Elementwise.Grain / length), (from, to) =>
        {
            for (int k = from; k < to; k++)
            {
                Roi roi = Rois.Read(rois, k, batch, spatialScale, nameof(RoiPool));
                BinPixels rows = BinPixels.Of(roi.Y1, roi.Y2, bins.Height, height), columns = BinPixels.Of(roi.X1, roi.X2, bins.Width, width);
                float* image = x + ((long)roi.Image * height * width * xPixel);
                float* places = winners is null ? null : winners + ((long)k * length);
                LaneLoop.Over(new ForwardKernel(bins, rows, columns, image, width, xPixel, y + ((long)k * length), places, channels), channels);
            }
        });
    }

    /// <summary>Each piece is a band of an image's rows, to which it gives what every region sends there, in the regions' order.</summary>
    private static Tensor Backward(float spatialScale, Tensor dy, Tensor winners, Tensor rois, Shape input)
    {
        Tensor dx = Tensor.Empty(input);
        (int batch, int height, int width, int channels) = (input[0], input[1], input[2], input[3]);
        Size2d bins = (dy.Shape[1], dy.Shape[2]);
        int count = rois.Shape[0], length = dy.Shape.Product(1, 4), bands = (height + GradientPieceRows - 1) / GradientPieceRows;
        float* boxes = Pinned.Of(rois), from = Pinned.Of(dy), places = Pinned.Of(winners), to = Pinned.Of(dx);
        ThreadTeam.Run(dx.Length == 0 ? 0 : batch * bands, piece =>
        {
            (int image, int first) = (piece / bands, piece % bands * GradientPieceRows);
            int stop = Math.Min(first + GradientPieceRows, height);
            float* map = to + ((long)image * height * width * channels);
            new Span<float>(map + ((long)first * width * channels), (stop - first) * width * channels).Clear();
            for (int k = 0; k < count; k++)
            {
                if (boxes[(long)k * Rois.Width] != image) continue;
                Roi roi = Rois.Read(boxes, k, batch, spatialScale, nameof(RoiPool));
                BinPixels rows = BinPixels.Of(roi.Y1, roi.Y2, bins.Height, height), columns = BinPixels.Of(roi.X1, roi.X2, bins.Width, width);
                LaneLoop.Over(new BackwardKernel(bins, rows, columns, from + ((long)k * length), places + ((long)k * length), map, width, channels, first, stop), channels);
            }
        });
        winners.Block.Release();
        rois.Block.Release();
        return dx;
    }

    /// <summary>One axis of a region in whole pixels, cut into bins. In float, as the reference implementation does, so that both round alike.</summary>
    private readonly record struct BinPixels(int Start, float Bin, int Size)
    {
        public static BinPixels Of(float low, float high, int bins, int size)
        {
            int start = (int)MathF.Round(low, MidpointRounding.AwayFromZero), end = (int)MathF.Round(high, MidpointRounding.AwayFromZero);
            return new BinPixels(start, (float)Math.Max(end - start + 1, 1) / bins, size);
        }

        /// <summary>The pixels First … End − 1 of a bin that lie on the map.</summary>
        public (int First, int End) Of(int bin) =>
            (Math.Clamp((int)MathF.Floor(bin * Bin) + Start, 0, Size), Math.Clamp((int)MathF.Ceiling((bin + 1) * Bin) + Start, 0, Size));
    }

    /// <summary>One region.</summary>
    private readonly struct ForwardKernel(
        Size2d bins, BinPixels rows, BinPixels columns, float* image, int width, int xPixel, float* y, float* winners, int channels) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            long output = 0;
            for (int oh = 0; oh < bins.Height; oh++)
            {
                (int row0, int row1) = rows.Of(oh);
                for (int ow = 0; ow < bins.Width; ow++, output += channels)
                {
                    (int column0, int column1) = columns.Of(ow);
                    bool isEmpty = row0 >= row1 || column0 >= column1;
                    int first = isEmpty ? -1 : (row0 * width) + column0;
                    for (int c = from; c < end; c += V.Count)
                    {
                        V best = V.All(isEmpty ? 0 : float.NegativeInfinity), place = V.All(first);
                        if (winners is null)
                        {
                            for (int row = row0; row < row1; row++)
                            {
                                float* cell = image + (((long)row * width) + column0) * xPixel + c;
                                for (int column = column0; column < column1; column++, cell += xPixel) best = V.Max(best, V.Load(cell));
                            }
                        }
                        else
                        {
                            for (int row = row0; row < row1; row++)
                            {
                                float* cell = image + (((long)row * width) + column0) * xPixel + c;
                                for (int column = column0; column < column1; column++, cell += xPixel)
                                    V.TakeLarger(ref best, ref place, V.Load(cell), V.All((row * width) + column));
                            }
                            place.Store(winners + output + c);
                        }
                        best.Store(y + output + c);
                    }
                }
            }
            return end;
        }
    }

    /// <summary>What one region gives to the rows first … stop − 1 of its image.</summary>
    private readonly struct BackwardKernel(
        Size2d bins, BinPixels rows, BinPixels columns, float* dy, float* winners, float* image, int width, int channels, int first, int stop) : ILaneKernel
    {
        public int Run<V>(int from, int to)
            where V : struct, ILanes<V>
        {
            int end = to - ((to - from) % V.Count);
            for (int bin = 0; bin < bins.Height * bins.Width; bin++)
            {
                (int row0, int row1) = rows.Of(bin / bins.Width);
                (int column0, int column1) = columns.Of(bin % bins.Width);
                (row0, row1) = (Math.Max(row0, first), Math.Min(row1, stop));
                if (row0 >= row1 || column0 >= column1) continue;
                float* gradient = dy + ((long)bin * channels), places = winners + ((long)bin * channels);
                if ((row1 - row0) * (column1 - column0) > ManyCells)
                {
                    (int low, int high) = (row0 * width, row1 * width);
                    for (int c = from; c < end; c++)
                    {
                        int pixel = (int)places[c];
                        if (pixel >= low && pixel < high) image[((long)pixel * channels) + c] += gradient[c];
                    }
                    continue;
                }
                for (int row = row0; row < row1; row++)
                {
                    for (int column = column0; column < column1; column++)
                    {
                        int pixel = (row * width) + column;
                        V number = V.All(pixel);
                        float* cell = image + ((long)pixel * channels);
                        for (int c = from; c < end; c += V.Count)
                            (V.Load(cell + c) + V.WhereEqual(V.Load(places + c), number, V.Load(gradient + c))).Store(cell + c);
                    }
                }
            }
            return end;
        }
    }
}

/// <summary>Reads x and the regions.</summary>
internal sealed unsafe record TracedRoiPool(Size2d Output, float SpatialScale) : GraphOp
{
    public override bool ReadsSpacedPixels => true;

    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) =>
        RoiPoolOp.Forward(SpatialScale, inputs[0].Shape, inputs[0].Address, inputs[0].PixelStride, inputs[1].Address, output.Shape, output.Address, null);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node) =>
        onnx.Result(node, "MaxRoiPool", [onnx.Of(node.Inputs[0]!), onnx.Of(node.Inputs[1]!)], new("pooled_shape", [Output.Height, Output.Width]), new("spatial_scale", SpatialScale));
}
