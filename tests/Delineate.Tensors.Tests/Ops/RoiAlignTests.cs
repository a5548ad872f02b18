using Delineate.Tensors.Kernels;
using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

public sealed class RoiAlignTests
{
    [Theory]
    [InlineData(1, 13, 17, 3, 7, 5, 0.25f, -1, false)]
    [InlineData(2, 20, 9, 21, 7, 7, 0.25f, 2, false)]
    [InlineData(2, 11, 14, 64, 3, 4, 0.5f, -1, true)]
    [InlineData(3, 9, 30, 67, 2, 2, 0.25f, 2, true)]
    [InlineData(1, 1, 1, 5, 3, 2, 0.125f, 3, false)]
    [InlineData(1, 1, 1, 130, 2, 2, 0.125f, -1, true)]
    [InlineData(1, 40, 33, 37, 1, 1, 1, -1, false)]
    [InlineData(1, 6, 7, 16, 14, 14, 1, 1, true)]
    [InlineData(1, 18, 2, 8, 5, 5, 0.25f, 0, false)]
    public void Values_and_gradients_match_the_plain_loops(int batch, int height, int width, int channels, int oh, int ow, float scale, int ratio, bool aligned)
    {
        float[] rois = Regions(batch, height / scale, width / scale, 14);
        GradCheck.Run(
            t => t[0].RoiAlign(Tensor.From(rois, [rois.Length / 5, 5]), (oh, ow), scale, ratio, aligned),
            v => Reference(v[0], [batch, height, width, channels], rois, oh, ow, scale, ratio, aligned),
            [GradCheck.Input([batch, height, width, channels])]);
    }

    [Fact]
    public void No_regions_give_nothing_and_a_gradient_of_zeros()
    {
        Tensor x = GradCheck.Input([2, 5, 6, 3]);
        x.RequiresGrad = true;
        Tensor y = x.RoiAlign(Tensor.Zeros([0, 5]), 7, 0.25f);
        Assert.Equal([0, 7, 7, 3], y.Shape);
        y.Sum().Backward();
        Assert.Equal(new float[180], x.Gradient!.ToArray());
        Assert.Equal([3, 7, 7, 0], Tensor.Zeros([1, 5, 6, 0]).RoiAlign(Tensor.Zeros([3, 5]), 7, 0.25f).Shape);
    }

    [Fact]
    public void A_constant_map_is_constant_where_the_samples_lie_on_it_and_0_a_pixel_outside()
    {
        Tensor x = Tensor.Full([1, 4, 6, 5], 3);
        Assert.All(x.RoiAlign(Tensor.From([0, 0, 0, 6, 4], [1, 5]), (4, 3), 1).ToArray(), v => Assert.Equal(3, v, 5));
        // Samples at −1 and at H count as the edge, those beyond as nothing: places −1.5, −1, …, 4.5 of one sample each.
        float[] column = x.RoiAlign(Tensor.From([0, 1, -1.75f, 2, 4.75f], [1, 5]), (13, 1), 1, 1).ToArray();
        Assert.Equal([0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0], column.Where((_, i) => i % 5 == 0));
        Assert.All(x.RoiAlign(Tensor.From([0, 8, 1, 12, 3], [1, 5]), 2, 1).ToArray(), v => Assert.Equal(0, v));
    }

    [Fact]
    public void A_region_is_a_pixel_at_least_unless_aligned()
    {
        Tensor x = GradCheck.Input([1, 8, 8, 4]);
        Tensor point = Tensor.From([0, 3, 4, 3, 4], [1, 5]);
        TensorAssert.SameBits(x.RoiAlign(Tensor.From([0, 3, 4, 4, 5], [1, 5]), 2, 1).Span, x.RoiAlign(point, 2, 1).Span);
        Assert.All(x.RoiAlign(point, 2, 1, aligned: true).ToArray(), v => Assert.Equal(0, v)); // no pixels, no samples
        Tensor centre = Tensor.From([0, 3.5f, 4.5f, 3.5f, 4.5f], [1, 5]);
        TensorAssert.Close(x.RoiAlign(centre, 1, 1, 2, aligned: true), x.Slice(1, 4, 1).Slice(2, 3, 1)); // but here they all lie at the point
    }

    [Fact]
    public void A_region_as_large_as_can_be_takes_the_samples_that_lie_on_the_map()
    {
        Tensor x = GradCheck.Input([1, 3, 5, 4]);
        x.RequiresGrad = true;
        const float Far = Rois.Farthest / 2;
        Tensor y = x.RoiAlign(Tensor.From([0, -Far, -Far, Far, Far, 0, 0, 0, Far, Far], [2, 5]), 2, 1);
        Assert.All(y.ToArray(), v => Assert.InRange(v, -1e-5f, 1e-5f)); // a mean over billions of samples, nearly all outside
        y.Sum().Backward();
        Assert.All(x.Gradient!.ToArray(), g => Assert.True(g >= 0 && g < 1e-9f, $"{g}"));
        // The same samples are found as where all are tried: 70 in a bin, more than the map has pixels.
        float[] long70 = [0, -30, -40, 40, 30];
        TensorAssert.Close(Reference(Array.ConvertAll(x.ToArray(), v => (double)v), [1, 3, 5, 4], long70, 1, 1, 1, -1, false), x.Detach().RoiAlign(Tensor.From(long70, [1, 5]), 1, 1));
    }

    [Fact]
    public void Bits_do_not_depend_on_threads()
    {
        float[] rois = Regions(2, 132, 124, 40);
        KernelChecks.SameBitsOnAnyThreads(t => t[0].RoiAlign(Tensor.From(rois, [40, 5]), 7, 0.25f, 2), GradCheck.Input([2, 33, 31, 21]));
        KernelChecks.SameBitsOnAnyThreads(t => t[0].RoiAlign(Tensor.From(rois, [40, 5]), (3, 5), 0.25f, -1, true), GradCheck.Input([2, 33, 31, 64]));
    }

    [Fact]
    public void The_regions_may_be_given_back_before_the_gradient_is_computed()
    {
        float[] rois = Regions(1, 9, 9, 6);
        Tensor x = GradCheck.Input([1, 9, 9, 4]);
        float[] expected = Gradient(false), actual = Gradient(true);
        TensorAssert.SameBits(expected, actual);

        float[] Gradient(bool givesBack)
        {
            using MemoryScope scope = TensorMemory.Scope();
            Tensor leaf = x.Clone(), boxes = Tensor.From(rois, [6, 5]);
            leaf.RequiresGrad = true;
            Tensor y = leaf.RoiAlign(boxes, 3, 1);
            if (givesBack) boxes.GiveBack();
            y.Sum().Backward();
            return leaf.Gradient!.ToArray();
        }
    }

    [Fact]
    public void A_plan_takes_other_regions_each_time_and_reads_pixels_that_lie_apart()
    {
        var conv = new Conv2d(new Philox(3), 4, 256, 1);
        conv.Train(false);
        Func<Tensor[], Tensor[]> forward = t => [conv.Forward(t[0]).RoiAlign(t[1], 3, 0.5f, 2)];
        Tensor x = GradCheck.Input([2, 9, 7, 4]);
        var plans = new PlanCache(conv, forward);
        float[] rois = Regions(2, 18, 14, 12);
        foreach (Tensor boxes in new[] { Tensor.From(rois.AsSpan(0, 30), [6, 5]), Tensor.From(rois.AsSpan(30), [6, 5]) })
        {
            using Autograd.NoGradScope quiet = Autograd.NoGrad();
            TensorAssert.Close(forward([x, boxes])[0], plans.Run([x, boxes])[0], 1e-5);
        }
        Plan plan = PlanBuilder.Build(Graph.Trace(conv, forward, [2, 9, 7, 4], [6, 5]), Rounding.Direct);
        Assert.Equal([272, 256], plan.Steps.Select(s => s.Output.PixelStride));
        Assert.Contains("roi 0 lies on image 2", Assert.Throws<ArgumentOutOfRangeException>(() => plans.Run([x, Tensor.Full([6, 5], 2)])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, -1, "output_half_pixel", 0L)]
    [InlineData(true, 2, "half_pixel", 2L)]
    public void In_ONNX_boxes_and_their_images_are_two_inputs(bool aligned, int ratio, string mode, long samples)
    {
        string path = Path.Combine(Path.GetTempPath(), $"delineate-{Path.GetRandomFileName()}.onnx");
        try
        {
            var head = new Head(Tensor.From(Regions(1, 9, 9, 3), [3, 5]));
            OnnxWriter.Save(path, "test", (n, size) => Graph.TraceForAnySize(head,
                x => x.RoiAlign(head.Rois, (5, 7), 0.25f, ratio, aligned), [n, size.Height, size.Width, 3]), 1, new OnnxOptions());
            OnnxReader file = OnnxReader.Read(path);
            Assert.Null(file.Fault());
            Assert.Equal(["Slice", "Reshape", "Cast", "Slice", "RoiAlign"], file.Nodes.Select(n => n.Op));
            OnnxReadNode node = file.Nodes[^1];
            Assert.Equal(["input", file.Nodes[3].Output, file.Nodes[2].Output], node.Inputs);
            Assert.Equal((mode, samples, 5L, 7L, 0.25f, "avg"), ((string)node.Attributes["coordinate_transformation_mode"], (long)node.Attributes["sampling_ratio"],
                (long)node.Attributes["output_height"], (long)node.Attributes["output_width"], (float)node.Attributes["spatial_scale"], (string)node.Attributes["mode"]));
            Assert.Equal([1L], file.Tensors[file.Nodes[3].Inputs[1]].Wholes);
            Assert.Equal([5L], file.Tensors[file.Nodes[3].Inputs[2]].Wholes);
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
        Assert.Contains("[K, 5]", Assert.Throws<ShapeException>(() => x.RoiAlign(Tensor.Zeros([3, 4]), 7, 1)).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => x.RoiAlign(Tensor.Zeros([5]), 7, 1));
        Assert.Throws<ShapeException>(() => x.RoiAlign(Tensor.Zeros([1, 5]), (0, 7), 1));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([1, 0, 4, 3]).RoiAlign(Tensor.Zeros([1, 5]), 7, 1));
        Assert.Throws<ShapeException>(() => Tensor.Zeros([4, 4, 3]).RoiAlign(Tensor.Zeros([1, 5]), 7, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => x.RoiAlign(Tensor.Zeros([1, 5]), 7, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => x.RoiAlign(Tensor.Zeros([1, 5]), 7, float.NaN));
        Assert.Contains("roi 1 lies on image 2 of a batch of 2", Refused(0, 0, 0, 1, 1, 2, 0, 0, 1, 1), StringComparison.Ordinal);
        Refused(-1, 0, 0, 1, 1);
        Refused(0.5f, 0, 0, 1, 1);
        Refused(float.NaN, 0, 0, 1, 1);
        Assert.Contains("roi 0 is no box on a map: (0, NaN, 1, 1)", Refused(0, 0, float.NaN, 1, 1), StringComparison.Ordinal);
        Refused(0, 0, 0, float.PositiveInfinity, 1);
        Refused(0, -1e9f, 0, 0, 1);

        string Refused(params float[] rois) => Assert.Throws<ArgumentOutOfRangeException>(() => x.RoiAlign(Tensor.From(rois, [rois.Length / 5, 5]), 7, 1)).Message;
    }

    [Theory]
    [InlineData("align", -1, false)]
    [InlineData("align.2", 2, false)]
    [InlineData("align.aligned", -1, true)]
    [InlineData("align.aligned.3", 3, true)]
    public void Torchvision_gives_the_same_at_odd_regions(string name, int ratio, bool aligned)
    {
        var golden = Golden.Local(Path.Combine(AppContext.BaseDirectory, "Goldens", "detector_ops"));
        Tensor x = golden.ChannelsLast("map");
        x.RequiresGrad = true;
        Tensor y = x.RoiAlign(golden.Tensor("rois"), (3, 5), 0.25f, ratio, aligned);
        TensorAssert.Close(golden.ChannelsLast(name), y, 1e-6);
        y.Backward(golden.ChannelsLast("dy"));
        TensorAssert.Close(golden.ChannelsLast($"{name}.dx"), x.Gradient!, 1e-6);
    }

    [ReferenceTheory]
    [InlineData(false, -1)]
    [InlineData(false, 2)]
    [InlineData(true, -1)]
    [InlineData(true, 2)]
    public void Torchvision_gives_the_same(bool aligned, int ratio)
    {
        var golden = Golden.Reference("losses");
        string name = $"roi.align_{(aligned ? "true" : "false")}_{ratio}";
        Tensor x = golden.ChannelsLast("in.roi.feat");
        x.RequiresGrad = true;
        Tensor y = x.RoiAlign(golden.Tensor("in.roi.rois"), (7, 5), 0.25f, ratio, aligned);
        TensorAssert.Close(golden.ChannelsLast(name), y, 1e-6);
        y.Sum().Backward();
        TensorAssert.Close(golden.ChannelsLast($"{name}_grad.0"), x.Gradient!, 1e-6);
    }

    /// <summary>Boxes on, over and beyond the edges of images of a size, empty ones and some with their edges the wrong way round.</summary>
    internal static float[] Regions(int batch, float height, float width, int count)
    {
        var random = new Random(3);
        var rois = new float[5 * count];
        for (int k = 0; k < count; k++)
        {
            float x = Between(-0.3, 1.2) * width, y = Between(-0.3, 1.2) * height, w = Between(0, 0.8) * width, h = Between(0, 0.8) * height;
            switch (k)
            {
                case 0: (x, y, w, h) = (0, 0, width, height); break;
                case 1: (w, h) = (0, 0); break;
                case 2: (w, h) = (-w, -h); break;
                case 3: (x, y) = (2 * width, 3 * height); break;
                case 4: (x, y, w, h) = (-width, -height, 3 * width, 3 * height); break;
                case 5: w = 0.001f; break;
            }
            (rois[5 * k], rois[(5 * k) + 1], rois[(5 * k) + 2], rois[(5 * k) + 3], rois[(5 * k) + 4]) = (k % batch, x, y, x + w, y + h);
        }
        return rois;

        float Between(double low, double high) => (float)(low + (random.NextDouble() * (high - low)));
    }

    /// <summary>Every sample of every bin, each from its four pixels.</summary>
    private static double[] Reference(double[] x, int[] shape, float[] rois, int oh, int ow, float scale, int ratio, bool aligned)
    {
        (int height, int width, int channels) = (shape[1], shape[2], shape[3]);
        var y = new double[rois.Length / 5 * oh * ow * channels];
        for (int i = 0; i < y.Length; i++)
        {
            (int c, int column, int row, int k) = (i % channels, i / channels % ow, i / channels / ow % oh, i / channels / ow / oh);
            (double left, double binWidth, int across) = Axis(rois[(5 * k) + 1], rois[(5 * k) + 3], ow);
            (double top, double binHeight, int down) = Axis(rois[(5 * k) + 2], rois[(5 * k) + 4], oh);
            for (int s = 0; s < down * across; s++)
            {
                double py = top + (row * binHeight) + (((s / across) + 0.5) * binHeight / down), px = left + (column * binWidth) + (((s % across) + 0.5) * binWidth / across);
                if (py < -1 || py > height || px < -1 || px > width) continue;
                y[i] += Bilinear(Math.Clamp(py, 0, height - 1), Math.Clamp(px, 0, width - 1), (int)rois[5 * k], c) / (down * across);
            }
        }
        return y;

        (double Start, double Bin, int Samples) Axis(float low, float high, int bins)
        {
            double start = (low * scale) - (aligned ? 0.5 : 0), length = (high - low) * (double)scale;
            if (!aligned) length = Math.Max(length, 1);
            return (start, length / bins, ratio > 0 ? ratio : Math.Max(0, (int)Math.Ceiling(length / bins)));
        }

        double Bilinear(double py, double px, int image, int c)
        {
            (int y0, int x0) = ((int)py, (int)px);
            (int y1, int x1) = (Math.Min(y0 + 1, height - 1), Math.Min(x0 + 1, width - 1));
            (double fy, double fx) = (py - y0, px - x0);
            return ((1 - fy) * (((1 - fx) * At(y0, x0)) + (fx * At(y0, x1)))) + (fy * (((1 - fx) * At(y1, x0)) + (fx * At(y1, x1))));

            double At(int row, int column) => x[(((((image * height) + row) * width) + column) * channels) + c];
        }
    }

    /// <summary>Regions as a buffer.</summary>
    internal sealed class Head : Module
    {
        public Head(Tensor rois)
        {
            Rois = Buffer("rois", rois);
            Train(false);
        }

        public Tensor Rois { get; }
    }
}
