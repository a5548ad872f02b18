using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

public sealed class OnnxWriterTests : IDisposable
{
    private readonly string path = Path.Combine(Path.GetTempPath(), $"delineate-{Path.GetRandomFileName()}.onnx");

    public void Dispose() => File.Delete(path);

    [Fact]
    public void Batch_norm_moves_into_the_weights_and_channels_come_second()
    {
        var network = new Normed();
        OnnxReader file = Save(network, network.Forward);
        Assert.Null(file.Fault());
        Assert.Equal((17L, 8L, "Delineate"), (file.Opset, file.IrVersion, file.Producer));
        Assert.Equal(["Conv", "Relu"], file.Nodes.Select(n => n.Op));
        Assert.Equal(["conv.weight", "conv.bias"], file.Nodes[0].Inputs.Skip(1));
        Assert.Equal([1L, 2, 1, 2], (long[])file.Nodes[0].Attributes["pads"]);
        Assert.Equal([2L, 1], (long[])file.Nodes[0].Attributes["strides"]);
        OnnxReadTensor weight = file.Tensors["conv.weight"];
        Assert.Equal([4L, 3, 3, 5], weight.Sizes);
        Tensor w = network.Conv.Weight;
        for (int o = 0; o < 4; o++)
        {
            double scale = network.State("bn.weight")[o] / Math.Sqrt(network.State("bn.running_var")[o] + 1e-5);
            Assert.Equal(((network.State("conv.bias")[o] - network.State("bn.running_mean")[o]) * scale) + network.State("bn.bias")[o], file.Tensors["conv.bias"].Floats[o], 5);
            for (int c = 0; c < 3; c++)
            {
                for (int k = 0; k < 15; k++) Assert.Equal(w.Span[(((o * 15) + k) * 3) + c] * scale, weight.Floats[(((o * 3) + c) * 15) + k], 5);
            }
        }
    }

    [Fact]
    public void Batch_norm_can_stay()
    {
        var network = new Normed();
        OnnxReader file = Save(network, network.Forward, new OnnxOptions { KeepBatchNorm = true });
        Assert.Null(file.Fault());
        Assert.Equal(["Conv", "BatchNormalization", "Relu"], file.Nodes.Select(n => n.Op));
        Assert.Equal(["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"], file.Nodes[1].Inputs.Skip(1));
        Assert.Equal(network.State("bn.running_var"), file.Tensors["bn.running_var"].Floats);
    }

    [Fact]
    public void A_convolution_that_others_read_too_keeps_its_batch_norm()
    {
        var network = new Normed();
        OnnxReader file = Save(network, x => network.Conv.Forward(x) is var y ? y + network.Norm.Forward(y) : x);
        Assert.Equal(["Conv", "BatchNormalization", "Add"], file.Nodes.Select(n => n.Op));
    }

    [Fact]
    public void Ops_name_their_axes_with_channels_second()
    {
        var network = new Normed();
        OnnxReader file = Save(network, x => Tensor.Concat([x.Slice(3, 1, 2), x.Softmax()], axis: 3).Permute(0, 2, 1, 3).Mean([1, 2], keepDims: true));
        Assert.Null(file.Fault());
        Assert.Equal(["Slice", "Softmax", "Concat", "Transpose", "ReduceMean"], file.Nodes.Select(n => n.Op));
        Assert.Equal([1L], file.Tensors[file.Nodes[0].Inputs[3]].Wholes);
        Assert.Equal(1L, file.Nodes[1].Attributes["axis"]);
        Assert.Equal(1L, file.Nodes[2].Attributes["axis"]);
        Assert.Equal([0L, 1, 3, 2], (long[])file.Nodes[3].Attributes["perm"]);
        Assert.Equal([2L, 3], (long[])file.Nodes[4].Attributes["axes"]);
        Assert.Equal(["batch", "out_1", "out_2", "out_3"], file.Output.Sizes);
    }

    [Fact]
    public void Sizes_that_follow_a_tensor_are_asked_when_the_file_runs()
    {
        var network = new Normed();
        Tensor Forward(Tensor x) => x.MaxPool2d(2).ResizeBilinear(2f).PadTo(x).Slice(1, 0, like: x).ResizeBilinear(like: x, alignCorners: true);
        OnnxReader file = Save(network, Forward);
        Assert.Null(file.Fault());
        Assert.Equal(["batch", "3", "height", "width"], file.Output.Sizes);
        Assert.True(file.Count("Shape") > 0);
        Assert.Equal("align_corners", file.Nodes.Last(n => n.Op == "Resize").Attributes["coordinate_transformation_mode"]);
        Assert.Equal("half_pixel", file.Nodes.First(n => n.Op == "Resize").Attributes["coordinate_transformation_mode"]);

        OnnxReader nearest = Save(network, x => x.MaxPool2d(2).ResizeNearest(like: x));
        Assert.Null(nearest.Fault());
        Assert.Equal(["batch", "3", "height", "width"], nearest.Output.Sizes);
        Assert.Equal("asymmetric", nearest.Nodes.Single(n => n.Op == "Resize").Attributes["coordinate_transformation_mode"]);

        OnnxReader single = Save(network, Forward, new OnnxOptions { Batch = 2, Size = (9, 7) });
        Assert.Equal(["2", "3", "9", "7"], single.Input.Sizes);
        Assert.Equal(0, single.Count("Shape"));
    }

    [Fact]
    public void A_size_that_is_taken_as_a_number_is_found_out()
    {
        var network = new Normed();
        Tensor Forward(Tensor x) => network.Conv.Forward(x).ResizeBilinear(x.Shape[1], x.Shape[2]);
        Assert.Contains("depends on the image's size by a number", Assert.Throws<GraphException>(() => Save(network, Forward)).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
        Assert.Null(Save(network, Forward, new OnnxOptions { Size = (8, 8) }).Fault()); // which is no fault in a file for one size
    }

    [Fact]
    public void What_has_no_form_is_named()
    {
        var network = new Normed();
        string message = Assert.Throws<GraphException>(() => Save(network, x => x.GroupNorm(3, null, null))).Message;
        Assert.Contains("GroupNorm cannot be written to an ONNX file", message, StringComparison.Ordinal);
        Assert.Contains("Reshape cannot be written", Assert.Throws<GraphException>(() => Save(network, x => x.Reshape([x.Shape[0], x.Shape.Product(1, 4)]))).Message, StringComparison.Ordinal);
        Assert.Contains("AdaptiveAvgPool2d", Assert.Throws<GraphException>(() => Save(network, x => x.AdaptiveAvgPool2d(2))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_in_and_labels_out_take_one_transposition()
    {
        var network = new Normed();
        OnnxReader file = Save(network, network.Forward, new OnnxOptions { Pixels = new OnnxPixels { Scale = [1, 2, 3], Shift = [4, 5, 6] }, Labels = true });
        Assert.Null(file.Fault());
        Assert.Equal(["Cast", "Transpose", "Mul", "Add", "Conv", "Relu", "ArgMax", "Cast"], file.Nodes.Select(n => n.Op));
        Assert.Equal(("image", 2L, "labels", 2L), (file.Input.Name, file.Input.Type, file.Output.Name, file.Output.Type));
        Assert.Equal(["batch", "height", "width", "3"], file.Input.Sizes);
        Assert.Equal([1f, 2, 3], file.Tensors["preprocessing.scale"].Floats);
        Assert.Contains("Sqrt", Save(network, network.Forward, new OnnxOptions { Pixels = new OnnxPixels() }).Nodes.Select(n => n.Op));
    }

    private OnnxReader Save(Module network, Func<Tensor, Tensor> forward, OnnxOptions? options = null)
    {
        network.Train(false);
        OnnxWriter.Save(path, "test", (batch, size) => Graph.TraceForAnySize(network, forward, [batch, size.Height, size.Width, 3]), 1, options ?? new OnnxOptions());
        return OnnxReader.Read(path);
    }

    /// <summary>A convolution that is no square in anything, its batch norm with statistics of its own, and a ReLU.</summary>
    private sealed class Normed : Layer
    {
        public Normed()
        {
            var random = new Philox(3);
            Conv = Child("conv", new Conv2d(random, 3, 4, (3, 5), stride: (2, 1), padding: (1, 2)));
            Norm = Child("bn", new BatchNorm2d(4));
            int i = 0;
            foreach ((_, Tensor tensor) in Norm.StateDict())
            {
                foreach (ref float value in tensor.Span) value = 0.5f + (0.1f * i++ % 1);
            }
        }

        public Conv2d Conv { get; }

        public BatchNorm2d Norm { get; }

        public float[] State(string name) => StateDict().Single(s => s.Name == name).Tensor.ToArray();

        protected override Tensor Apply(Tensor x) => Norm.Forward(Conv.Forward(x), Activation.Relu);
    }
}
