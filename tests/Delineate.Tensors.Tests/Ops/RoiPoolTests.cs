using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class RoiPoolTests
{
    [Theory]
    [InlineData(1, 13, 17, 3, 7, 5, 0.25f)]
    [InlineData(2, 20, 9, 21, 7, 7, 0.25f)]
    [InlineData(2, 11, 14, 64, 3, 4, 0.5f)]
    [InlineData(3, 9, 10, 67, 2, 2, 0.125f)]
    [InlineData(1, 1, 1, 37, 3, 2, 0.0625f)]
    [InlineData(1, 6, 7, 16, 14, 14, 1)]
    public void Values_and_gradients_match_the_plain_loops(int batch, int height, int width, int channels, int oh, int ow, float scale)
    {
        float[] regions = RoiAlignTests.Regions(batch, height / scale, width / scale, 14);
        Tensor rois = Tensor.From(regions, [14, 5]), x = Distinct([batch, height, width, channels]);
        int[] shape = [batch, height, width, channels];
        GradCheck.Run(t => t[0].RoiPool(rois, (oh, ow), scale), v => Reference(v[0], shape, regions, oh, ow, scale), [x]);
        TensorAssert.SameBits(
            Array.ConvertAll(Reference(Array.ConvertAll(x.ToArray(), v => (double)v), shape, regions, oh, ow, scale), v => (float)v),
            x.Detach().RoiPool(rois, (oh, ow), scale).Span, "values without a gradient");
    }

    [Fact]
    public void Edges_round_away_from_0_and_belong_to_the_region()
    {
        Tensor x = Tensor.From([.. Enumerable.Range(1, 25).Select(i => (float)i)], [1, 5, 5, 1]);
        Assert.Equal([25], Pooled(1, 2.5f, 2.5f, 3.5f, 3.5f)); // pixels 3 and 4
        Assert.Equal([13], Pooled(1, 2.49f, 2.49f, 2.49f, 2.49f)); // pixel 2 alone
        Assert.Equal([0, 0, 0, 1], Pooled(2, -1.5f, -1.5f, 0, 0)); // pixels −2 to 0, of which 0 alone is on the map
        Assert.Equal([13, 15, 23, 25], Pooled(2, 0, 0, 4, 4)); // bins of 2½ pixels share the middle

        float[] Pooled(int size, params float[] box) => x.RoiPool(Tensor.From([0, .. box], [1, 5]), size, 1).ToArray();
    }

    [Fact]
    public void No_regions_give_nothing_and_a_gradient_of_zeros()
    {
        Tensor x = GradCheck.Input([2, 5, 6, 3]);
        x.RequiresGrad = true;
        Tensor y = x.RoiPool(Tensor.Zeros([0, 5]), 7, 0.25f);
        Assert.Equal([0, 7, 7, 3], y.Shape);
        y.Sum().Backward();
        Assert.Equal(new float[180], x.Gradient!.ToArray());
    }

    [Fact]
    public void The_first_of_equal_values_gets_the_gradient_and_NaN_wins()
    {
        Tensor x = Tensor.Full([1, 2, 2, 5], 7);
        x.RequiresGrad = true;
        x.RoiPool(Tensor.From([0, 0, 0, 1, 1], [1, 5]), 1, 1).Sum().Backward();
        Assert.Equal([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], x.Gradient!.ToArray());
        x.Span[5..10].Fill(float.NaN);
        Assert.All(x.Detach().RoiPool(Tensor.From([0, 0, 0, 1, 1], [1, 5]), 1, 1).ToArray(), v => Assert.True(float.IsNaN(v)));
    }

    [Fact]
    public void Bits_do_not_depend_on_threads()
    {
        float[] rois = RoiAlignTests.Regions(2, 132, 124, 40);
        KernelChecks.SameBitsOnAnyThreads(t => t[0].RoiPool(Tensor.From(rois, [40, 5]), 7, 0.25f), GradCheck.Input([2, 33, 31, 70]));
    }

    [Fact]
    public void A_plan_and_an_ONNX_file_have_it()
    {
        var conv = new Conv2d(new Philox(3), 4, 256, 1);
        conv.Train(false);
        Func<Tensor[], Tensor[]> forward = t => [conv.Forward(t[0]).RoiPool(t[1], 3, 0.5f)];
        Tensor x = GradCheck.Input([2, 9, 7, 4]), rois = Tensor.From(RoiAlignTests.Regions(2, 18, 14, 12), [12, 5]);
        using (Autograd.NoGrad()) TensorAssert.Close(forward([x, rois])[0], new PlanCache(conv, forward).Run([x, rois])[0], 1e-5);

        string path = Path.Combine(Path.GetTempPath(), $"delineate-{Path.GetRandomFileName()}.onnx");
        try
        {
            var head = new RoiAlignTests.Head(rois);
            OnnxWriter.Save(path, "test", (n, size) => Graph.TraceForAnySize(head,
                x => x.RoiPool(head.Rois, (5, 7), 0.25f), [n, size.Height, size.Width, 3]), 1, new OnnxOptions());
            OnnxReader file = OnnxReader.Read(path);
            Assert.Null(file.Fault());
            OnnxReadNode node = Assert.Single(file.Nodes);
            Assert.Equal(("MaxRoiPool", 0.25f), (node.Op, (float)node.Attributes["spatial_scale"]));
            Assert.Equal(["input", "rois"], node.Inputs);
            Assert.Equal([5L, 7], (long[])node.Attributes["pooled_shape"]);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Mistakes_are_named()
    {
        Tensor x = Tensor.Zeros([2, 4, 4, 3]);
        Assert.Contains("RoiPool takes rois of [K, 5]", Assert.Throws<ShapeException>(() => x.RoiPool(Tensor.Zeros([3, 4]), 7, 1)).Message, StringComparison.Ordinal);
        string beyond = Assert.Throws<ArgumentOutOfRangeException>(() => x.RoiPool(Tensor.From([2, 0, 0, 1, 1], [1, 5]), 7, 1)).Message;
        Assert.Contains("RoiPool: roi 0 lies on image 2", beyond, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => x.RoiPool(Tensor.From([0, 0, float.NaN, 1, 1], [1, 5]), 7, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => x.RoiPool(Tensor.Zeros([1, 5]), 7, -1));
        Assert.Throws<ShapeException>(() => x.RoiPool(Tensor.Zeros([1, 5]), (7, 0), 1));
    }

    [Fact]
    public void Torchvision_gives_the_same_at_odd_regions()
    {
        var golden = Golden.Local(Path.Combine(AppContext.BaseDirectory, "Goldens", "detector_ops"));
        Tensor x = golden.ChannelsLast("map");
        x.RequiresGrad = true;
        Tensor y = x.RoiPool(golden.Tensor("rois"), (3, 5), 0.25f);
        TensorAssert.SameBits(golden.ChannelsLast("pool").Span, y.Span);
        y.Backward(golden.ChannelsLast("dy"));
        TensorAssert.Close(golden.ChannelsLast("pool.dx"), x.Gradient!, 1e-6);
    }

    [ReferenceFact]
    public void Torchvision_gives_the_same()
    {
        var golden = Golden.Reference("losses");
        Tensor x = golden.ChannelsLast("in.roi.feat");
        x.RequiresGrad = true;
        Tensor y = x.RoiPool(golden.Tensor("in.roi.rois"), 7, 0.25f);
        TensorAssert.SameBits(golden.ChannelsLast("roi.pool").Span, y.Span);
        y.Sum().Backward();
        TensorAssert.Close(golden.ChannelsLast("roi.pool_grad.0"), x.Gradient!, 1e-6);
    }

    /// <summary>All values differ, so that no difference quotient meets a tie.</summary>
    private static Tensor Distinct(Shape shape)
    {
        int[] order = [.. Enumerable.Range(0, shape.Length)];
        new Random(5).Shuffle(order);
        return Tensor.From([.. order.Select(v => (v * 0.01f) - 3)], shape);
    }

    private static double[] Reference(double[] x, int[] shape, float[] rois, int oh, int ow, float scale)
    {
        (int height, int width, int channels) = (shape[1], shape[2], shape[3]);
        var y = new double[rois.Length / 5 * oh * ow * channels];
        for (int i = 0; i < y.Length; i++)
        {
            (int c, int column, int row, int k) = (i % channels, i / channels % ow, i / channels / ow % oh, i / channels / ow / oh);
            double? best = null;
            for (int h = 0; h < height; h++)
            {
                for (int w = 0; w < width; w++)
                {
                    if (!Holds(rois[(5 * k) + 2], rois[(5 * k) + 4], oh, row, h) || !Holds(rois[(5 * k) + 1], rois[(5 * k) + 3], ow, column, w)) continue;
                    double value = x[((((((int)rois[5 * k] * height) + h) * width) + w) * channels) + c];
                    if (best is null || value > best) best = value;
                }
            }
            y[i] = best ?? 0;
        }
        return y;

        // Bin b of a region of n pixels reaches over the pixels from b·n/bins to (b + 1)·n/bins, those that it only touches included.
        bool Holds(float low, float high, int bins, int bin, int pixel)
        {
            double first = Math.Round(low * scale, MidpointRounding.AwayFromZero), last = Math.Round(high * scale, MidpointRounding.AwayFromZero), length = Math.Max(last - first + 1, 1);
            return pixel - first + 1 > bin * length / bins && pixel - first < (bin + 1) * length / bins;
        }
    }
}
