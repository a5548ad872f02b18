using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Graphs;

public sealed class GraphTests
{
    [Fact]
    public void Ops_are_recorded_with_what_they_read_and_the_module_they_ran_in()
    {
        var random = new Philox(1);
        var inner = new Sequential(new (string, Layer)[] { ("first", new Conv2d(random, 3, 4, 3)), ("norm", new BatchNorm2d(4)), ("act", new Relu()), ("drop", new Dropout(0.5f)) });
        var network = new Sequential(new (string, Layer)[] { ("body", inner), ("score", new Linear(random, 4, 2)) });
        network.Train(false);
        Graph graph = Graph.Trace(network, [2, 6, 5, 3]);
        Assert.Equal(
            ["body.first Conv2d [2, 4, 3, 4]", "body.norm BatchNorm [2, 4, 3, 4]", "body.act Relu [2, 4, 3, 4]", "score Linear [2, 4, 3, 2]"],
            graph.Nodes.Select(n => $"{n.Path} {n.Op.Name} {n.Output.Shape}"));
        Assert.Equal([null, "body.first.weight", "body.first.bias"], graph.Nodes[0].Inputs.Select(v => v!.StateName));
        Assert.Same(graph.Inputs[0], graph.Nodes[0].Inputs[0]);
        Assert.Same(graph.Nodes[0].Output, graph.Nodes[1].Inputs[0]);
        Assert.Same(graph.Nodes[3], graph.Outputs[0].Producer);
        Assert.Null(graph.Nodes[1].Inputs[5]); // no residual
    }

    [Fact]
    public void A_trace_takes_no_memory_and_counts_as_no_change_of_the_weights()
    {
        var network = new Conv2d(new Philox(1), 64, 64, 3);
        network.Train(false);
        long version = network.Weight.Block.Version;
        TensorMemory.ResetPeak();
        long before = TensorMemory.PeakBytes;
        Graph.Trace(network, [8, 4000, 400, 64]);
        Assert.Equal(before, TensorMemory.PeakBytes);
        Assert.Equal(version, network.Weight.Block.Version);
    }

    [Fact]
    public void Every_op_of_a_forward_pass_can_be_traced()
    {
        var state = new State([4], GradCheck.Input([4], 3));
        Func<Tensor, Tensor>[] ops =
        [
            x => x.Conv2d(state.Value.Reshape(1, 1, 1, 4)), x => x.ConvTranspose2d(state.Value.Reshape(4, 1, 1, 1), stride: 2), x => x.Conv2d(x.Slice(0, 0, 1).Slice(1, 0, 3)), x => x.AvgPool2d(2), x => x.AdaptiveAvgPool2d(3), x => x.MaxPool2d(2),
            x => x.ResizeNearest(5, 4), x => x.ResizeNearest(1.5f), x => x.ResizeBilinear(5, 4), x => x.ResizeBilinear(0.5f), x => x.ResizeBilinear(5, 7, alignCorners: true),
            x => Tensor.Concat([x, x], 1), x => x.Slice(2, 1, 2), x => x.Pad(1, 0, 2, 1, mode: PadMode.Replicate), x => x.Permute(3, 1, 2, 0), x => x.Reshape(-1, 4), x => x.Detach(),
            x => x + state.Value, x => x - state.Value, x => x * state.Value, x => x / state.Value, x => state.Value - x, x => x + 1, x => 2 - x, x => x * 3, x => x / 4, x => 5 / x, x => -x, x => x - 1,
            x => x.Exp(), x => (x * x).Log(), x => (x * x).Sqrt(), x => x.Relu(), x => x.Relu6(), x => x.LeakyRelu(), x => x.Elu(), x => x.Sigmoid(), x => x.LogSigmoid(), x => x.Softplus(), x => x.Tanh(),
            x => x.Gelu(), x => x.Gelu(approximate: true), x => x.Silu(), x => x.HardSigmoid(), x => x.HardSwish(),
            x => x.Softmax(), x => x.Softmax(1), x => x.LogSoftmax(), x => x.Linear(state.Value.Reshape(1, 4)), x => x.MatMul(x, transposeB: true), x => x.MatMul(x.Permute(0, 1, 3, 2)),
            x => x.Sum([1]), x => x.Mean([1, 2], keepDims: true), x => x.Mean(), x => x.Max([3]), x => x.Variance([1, 2]), x => x.LayerNorm(state.Value), x => x.GroupNorm(2, state.Value),
            x => x.BatchNorm(null, null, state.Value, state.Value * state.Value, training: false), x => x.BatchNorm(state.Value, null, state.Value, state.Value * state.Value, training: false, residual: x),
            x => x.Dropout(0.5f, false), x => x.Dropout2d(0.5f, false), x => x.IndexSelect(3, [2, 0, 2]),
        ];
        Tensor x = GradCheck.Input([2, 6, 5, 4], 9);
        for (int i = 0; i < ops.Length; i++)
        {
            using Autograd.NoGradScope quiet = Autograd.NoGrad();
            Plan.PoisonsArenas = true;
            Tensor actual = new PlanCache(state, ops[i]).Run(x);
            Plan.PoisonsArenas = false;
            TensorAssert.Close(ops[i](x), actual, 1e-6, $"op {i}");
        }
    }

    [Fact]
    public void What_cannot_be_part_of_a_graph_is_refused_by_name()
    {
        var random = new Philox(1);
        var conv = new Conv2d(random, 4, 4, 1);
        Tensor stranger = Tensor.Full([4], 1);
        (string Part, Func<Tensor, Tensor> Forward)[] cases =
        [
            ("Mul reads a tensor of [4] that is neither", x => x * stranger),
            ("ArgMaxLabels cannot be part of a graph", x => Tensor.Full([x.ArgMaxLabels().Length], 0)),
            ("ArgMax cannot be part of a graph", x => Tensor.Full([x.ArgMax().Length], 0)),
            ("Gather cannot be part of a graph", x => x.Gather(3, new int[30])),
            ("values are not known while a graph is traced", x => x.Sum().Item() > 0 ? x : x.Relu()),
            ("values are not known while a graph is traced", x => Tensor.From(x.ToArray(), x.Shape)),
            ("values are not known while a graph is traced", x => x.CrossEntropy(new byte[30])),
            ("Dropout cannot be part of a graph: in training", x => x.Dropout(0.5f, training: true)),
            ("BatchNorm cannot be part of a graph: in training", x => x.BatchNorm(null, null, conv.Bias!, conv.Bias!, training: true)),
            ("the result reads a tensor of [4] that is neither", x => stranger),
            ("being traced on this thread already", x => { Graph.Trace(conv, x.Shape); return x; }),
        ];
        foreach ((string part, Func<Tensor, Tensor> forward) in cases)
            Assert.Contains(part, Assert.Throws<GraphException>(() => Graph.Trace(conv, forward, [1, 5, 6, 4])).Message, StringComparison.Ordinal);
        Assert.Null(Tracer.Current);
        Assert.Contains("Conv2d of [1, 5, 6, 3]", Assert.Throws<ShapeException>(() => Graph.Trace(conv, [1, 5, 6, 3])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_op_that_forgets_to_record_fails_instead_of_becoming_a_constant()
    {
        var conv = new Conv2d(new Philox(1), 4, 4, 1);
        Assert.Throws<GraphException>(() => Graph.Trace(conv, x =>
        {
            Tensor y = Tensor.Empty(x.Shape);
            x.Span.CopyTo(y.Span);
            return conv.Forward(y);
        }, [1, 2, 2, 4]));
        Tensor fresh = Tensor.Empty([1, 2, 2, 4]);
        Assert.Contains("Conv2d reads a tensor", Assert.Throws<GraphException>(() => Graph.Trace(conv, _ => conv.Forward(fresh), [1, 2, 2, 4])).Message, StringComparison.Ordinal);
    }

    /// <summary>One buffer.</summary>
    private sealed class State : Module
    {
        public State(Shape shape, Tensor value)
        {
            Assert.Equal(shape, value.Shape);
            Value = Buffer("value", value);
        }

        public Tensor Value { get; }
    }
}
