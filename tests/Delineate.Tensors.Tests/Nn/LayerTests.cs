using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Nn;

public sealed class LayerTests
{
    public static TheoryData<string> Kinds => ["conv", "grouped conv", "transposed", "linear", "batch norm", "frozen norm", "layer norm", "group norm"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_layer_is_its_op_on_its_weights(string kind)
    {
        var random = new Philox(1);
        Tensor x = GradCheck.Input([2, 9, 8, 6]);
        (Layer layer, Func<Tensor> op) = kind switch
        {
            "conv" => Pair(new Conv2d(random, 6, 4, (3, 5), stride: 2, padding: (1, 2), dilation: (2, 1)), l => x.Conv2d(l.Weight, l.Bias, 2, (1, 2), (2, 1))),
            "grouped conv" => Pair(new Conv2d(random, 6, 4, 3, groups: 2, bias: false), l => x.Conv2d(l.Weight, groups: 2)),
            "transposed" => Pair(new ConvTranspose2d(random, 6, 4, 3, stride: 2, padding: 1, outputPadding: 1), l => x.ConvTranspose2d(l.Weight, l.Bias, 2, 1, 1)),
            "linear" => Pair(new Linear(random, 6, 5), l => x.Linear(l.Weight, l.Bias)),
            "batch norm" => Pair(new BatchNorm2d(6), l => x.BatchNorm(l.Weight, l.Bias, Tensor.Zeros([6]), Tensor.Full([6], 1), training: true)),
            "frozen norm" => Pair(new FrozenBatchNorm2d(6), l => x.BatchNorm(l.Weight, l.Bias, l.RunningMean, l.RunningVariance, training: false)),
            "layer norm" => Pair(new LayerNorm(6), l => x.LayerNorm(l.Weight, l.Bias)),
            _ => Pair(new GroupNorm(3, 6), l => x.GroupNorm(3, l.Weight, l.Bias)),
        };
        TensorAssert.SameBits(op().Span, layer.Forward(x).Span, kind);
        string[] learned = kind == "frozen norm" ? [] : kind == "grouped conv" ? ["weight"] : ["weight", "bias"];
        Assert.Equal(learned, layer.NamedParameters().Select(p => p.Name));
        Assert.All(layer.NamedParameters(), p => Assert.True(p.Tensor.RequiresGrad));
        string[] kept = kind switch { "batch norm" => ["running_mean", "running_var"], "frozen norm" => ["weight", "bias", "running_mean", "running_var"], _ => [] };
        Assert.Equal(kept, layer.NamedBuffers().Select(b => b.Name));

        static (Layer, Func<Tensor>) Pair<T>(T layer, Func<T, Tensor> op)
            where T : Layer => (layer, () => op(layer));
    }

    [Fact]
    public void A_relu_after_a_layer_keeps_one_map_and_gives_the_same_bits()
    {
        var random = new Philox(1);
        var conv = new Conv2d(random, 6, 16, 3, padding: 1);
        Tensor x = GradCheck.Input([2, 9, 8, 6]);
        (float[] apart, float[] apartGradient, bool isGiven) = Step(() => conv.Forward(x).Relu());
        (float[] together, float[] gradient, bool isGivenBack) = Step(() => conv.ForwardRelu(x));
        Assert.Equal((false, true), (isGiven, isGivenBack));
        Assert.Equal(apart, together);
        Assert.Equal(apartGradient, gradient);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Assert.Equal(apart, conv.ForwardRelu(x).ToArray());

        // The output, the weight's gradient, and whether the memory of what the convolution made went back before the gradients were computed.
        (float[] Output, float[] Gradient, bool IsGivenBack) Step(Func<Tensor> forward)
        {
            conv.Weight.ZeroGrad();
            using MemoryScope scope = TensorMemory.Scope();
            Tensor? between = null;
            Tensor y = LayerOutputs.Watch((_, made) => between = made, forward);
            bool isGivenBack = between!.Block.IsReleased;
            float[] output = y.ToArray();
            (y * y).Sum().Backward();
            return (output, conv.Weight.Gradient!.ToArray(), isGivenBack);
        }
    }

    [Fact]
    public void Batch_norm_learns_statistics_only_while_training()
    {
        var norm = new BatchNorm2d(3);
        Tensor x = GradCheck.Input([2, 4, 4, 3]);
        norm.Train(false);
        norm.Forward(x);
        Assert.Equal([0f, 0, 0], norm.RunningMean.ToArray());
        norm.Train();
        norm.Forward(x);
        Assert.DoesNotContain(0f, norm.RunningMean.ToArray());
    }

    [Fact]
    public void Batch_norm_adds_and_activates_in_the_same_pass()
    {
        Tensor x = GradCheck.Input([2, 4, 4, 3]), residual = GradCheck.Input([2, 4, 4, 3], 2);
        TensorAssert.Close((new BatchNorm2d(3).Forward(x) + residual).Relu(), new BatchNorm2d(3).Forward(x, Activation.Relu, residual));
        TensorAssert.Close((new FrozenBatchNorm2d(3).Forward(x) + residual).Relu(), new FrozenBatchNorm2d(3).Forward(x, Activation.Relu, residual));
    }

    [Fact]
    public void Dropout_drops_only_while_training()
    {
        Tensor x = Tensor.Full([1, 8, 8, 16], 1);
        foreach (Layer layer in new Layer[] { new Dropout(0.5f), new Dropout2d(0.5f) })
        {
            Assert.Contains(0f, layer.Forward(x).ToArray());
            layer.Train(false);
            Assert.DoesNotContain(0f, layer.Forward(x).ToArray());
        }
    }

    [Fact]
    public void Layers_without_weights_are_their_ops()
    {
        Tensor x = GradCheck.Input([1, 5, 6, 2]);
        TensorAssert.SameBits(x.Relu().Span, new Relu().Forward(x).Span);
        TensorAssert.SameBits(x.MaxPool2d(3, 2, 1, ceilMode: true).Span, new MaxPool2d(3, 2, 1, ceilMode: true).Forward(x).Span);
        TensorAssert.SameBits(x.ResizeNearest(10, 18).Span, new Upsample((2, 3)).Forward(x).Span);
        TensorAssert.SameBits(x.ResizeBilinear(10, 12, alignCorners: true).Span, new Upsample(2, ResizeMode.Bilinear, alignCorners: true).Forward(x).Span);
        Assert.Throws<ShapeException>(() => new Upsample(2).Forward(Tensor.Zeros([5, 6, 2])));
    }

    [Fact]
    public void Groups_that_do_not_divide_the_channels_are_refused()
    {
        Assert.Throws<ShapeException>(() => new Conv2d(new Philox(1), 6, 4, 3, groups: 4));
        Assert.Throws<ShapeException>(() => new ConvTranspose2d(new Philox(1), 6, 4, 3, groups: 3));
        Assert.Throws<ShapeException>(() => new GroupNorm(4, 6));
    }

    [Fact]
    public void A_sequence_runs_in_order_and_names_its_layers_by_position()
    {
        var random = new Philox(1);
        var sequence = new Sequential(new Linear(random, 3, 4), new Relu(), new Linear(random, 4, 2));
        Assert.Equal(["0.weight", "0.bias", "2.weight", "2.bias"], sequence.NamedParameters().Select(p => p.Name));
        Tensor x = GradCheck.Input([5, 3]);
        Tensor[] w = [.. sequence.NamedParameters().Select(p => p.Tensor)];
        Tensor expected = x.Linear(w[0], w[1]).Relu().Linear(w[2], w[3]);
        TensorAssert.SameBits(expected.Span, sequence.Forward(x).Span);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        TensorAssert.SameBits(expected.Span, sequence.Forward(x).Span);
    }

    [Fact]
    public void A_sequence_gives_back_what_lies_between_its_layers_but_not_what_came_in_or_goes_out()
    {
        var sequence = new Sequential(new Dropout(0.5f), new Dropout(0.5f), new Relu(), new Dropout(0.5f), new Relu(), new Dropout(0.5f));
        sequence.Train(false); // dropout hands its input on as it is
        Tensor x = GradCheck.Input([7]);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Tensor y = sequence.Forward(x);
        TensorAssert.SameBits(x.Relu().Span, y.Span);
        var nothing = new Sequential(new Dropout(0.5f));
        nothing.Train(false);
        Assert.Same(x, nothing.Forward(x));
        Assert.Equal(7, x.Span.Length);
    }
}
