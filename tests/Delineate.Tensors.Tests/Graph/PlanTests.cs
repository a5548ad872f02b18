using Delineate.Tensors.Kernels;
using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Graphs;

public sealed class PlanTests : IDisposable
{
    private readonly int threads = ThreadTeam.Threads;

    public PlanTests() => Plan.PoisonsArenas = true;

    public void Dispose()
    {
        Plan.PoisonsArenas = false;
        ThreadTeam.Threads = threads;
    }

    [Fact]
    public void Random_networks_give_what_eager_mode_gives_the_same_bits_on_any_threads()
    {
        for (int seed = 0; seed < 80; seed++)
        {
            var random = new Random(seed);
            var network = new RandomNetwork(seed, [random.Next(1, 3), random.Next(3, 14), random.Next(3, 14), random.Next(1, 20)], random.Next(3, 26));
            Tensor x = GradCheck.Input(network.Input, seed + 1000);
            Tensor[] expected = Eager(network, x);
            var plans = new PlanCache(network, network.Forward, new PlanOptions { Rounding = (Rounding)(seed % 3) });
            ThreadTeam.Threads = 1;
            Tensor[] one = plans.Run([x]);
            ThreadTeam.Threads = 2;
            Tensor[] two = plans.Run([x]);
            for (int i = 0; i < expected.Length; i++)
            {
                TensorAssert.Close(expected[i], one[i], 1e-4, $"output {i} of network {seed}");
                TensorAssert.SameBits(one[i].Span, two[i].Span, $"output {i} of network {seed} on two threads");
            }
        }
    }

    [Fact]
    public void A_residual_block_becomes_one_step_for_each_convolution()
    {
        var random = new Philox(3);
        var block = new Block3(random);
        Plan plan = PlanBuilder.Build(Graph.Trace(block.Train(false), block.Forward, [1, 6, 7, 8]), Rounding.Direct);
        Assert.Equal(4, plan.Steps.Count);
        Assert.All(plan.Steps, s => Assert.IsType<ConvStep>(s));
        var last = (ConvStep)plan.Steps[^1];
        Assert.NotNull(last.Residual);
        Assert.Equal(Activation.Relu, last.Activation);
        Check(block, block.Forward, [1, 6, 7, 8]);
    }

    [Fact]
    public void Parts_of_a_concatenation_are_written_in_place()
    {
        var random = new Philox(3);
        Conv2d a = new(random, 4, 5, 3, padding: 1), b = new(random, 5, 7, 1), c = new(random, 16, 3, 1);
        var all = new Parts(a, b, c);
        Func<Tensor, Tensor> forward = x =>
        {
            Tensor first = a.Forward(x);
            Tensor inner = Tensor.Concat([first, b.Forward(first)], 3);
            return c.Forward(Tensor.Concat([inner, x], 3));
        };
        Plan plan = PlanBuilder.Build(Graph.Trace(all.Train(false), forward, [2, 5, 5, 4]), Rounding.Direct);
        Assert.Equal(["ConvStep", "ConvStep", "CopyStep", "ConvStep"], plan.Steps.Select(s => s.GetType().Name)); // only the input has to be copied
        Check(all, forward, [2, 5, 5, 4]);
    }

    [Fact]
    public void What_nobody_reads_is_not_computed_and_what_is_constant_is_computed_once()
    {
        var random = new Philox(3);
        Conv2d a = new(random, 4, 5, 3), b = new(random, 4, 5, 3);
        var all = new Parts(a, b);
        Func<Tensor, Tensor> forward = x =>
        {
            b.Forward(x).Relu().Softmax();
            Tensor scaled = (a.Weight * 2).Reshape(a.Weight.Shape);
            return x.Conv2d(scaled, a.Bias).Relu();
        };
        Plan plan = PlanBuilder.Build(Graph.Trace(all.Train(false), forward, [1, 5, 5, 4]), Rounding.Direct);
        Assert.Single(plan.Steps);
        Check(all, forward, [1, 5, 5, 4]);
    }

    [Fact]
    public void Elementwise_steps_write_over_what_nobody_needs()
    {
        var nothing = new Parts();
        Func<Tensor, Tensor> chain = x => ((x.MaxPool2d(1) * 2).Sigmoid() + 1).Relu();
        Plan plan = PlanBuilder.Build(Graph.Trace(nothing, chain, [1, 16, 16, 16]), Rounding.Direct);
        Assert.Equal(2 * 16 * 16 * 16, plan.ArenaLength); // the input and one more
        Check(nothing, chain, [1, 16, 16, 16]);
        Check(nothing, x =>
        {
            Tensor y = x.MaxPool2d(1);
            Tensor z = y * 2;
            return z + y.Reshape(1, 4, 64, 1).Reshape(1, 16, 16, 1).Slice(3, 0, 1); // y is still needed under another name
        }, [1, 16, 16, 1]);
    }

    [Fact]
    public void Maps_whose_pixels_would_alias_in_the_caches_are_spaced()
    {
        var random = new Philox(3);
        Conv2d a = new(random, 4, 256, 1), b = new(random, 256, 256, 3, padding: 1), c = new(random, 256, 3, 1);
        var all = new Parts(a, b, c);
        Func<Tensor, Tensor> forward = x =>
        {
            Tensor y = a.Forward(x).Relu();
            return c.Forward((b.Forward(y) + y).Relu());
        };
        Plan plan = PlanBuilder.Build(Graph.Trace(all.Train(false), forward, [1, 3, 3, 4]), Rounding.Direct);
        Assert.Equal([272, 272, 3], plan.Steps.Select(s => s.Output.PixelStride));
        Check(all, forward, [1, 3, 3, 4]);
    }

    [Fact]
    public void An_input_may_be_an_output_and_an_output_may_be_one_twice()
    {
        var nothing = new Parts();
        Func<Tensor[], Tensor[]> forward = x => [x[0], x[1].Relu(), x[1].Relu() + x[0], x[0]];
        Tensor a = GradCheck.Input([2, 3], 1), b = GradCheck.Input([2, 3], 2);
        Tensor[] y = new PlanCache(nothing, forward).Run([a, b]);
        TensorAssert.SameBits(a.Span, y[0].Span);
        TensorAssert.SameBits(b.Relu().Span, y[1].Span);
        TensorAssert.SameBits((b.Relu() + a).Span, y[2].Span);
        TensorAssert.SameBits(a.Span, y[3].Span);
    }

    [Fact]
    public void Inputs_and_outputs_that_only_convolutions_touch_stay_in_the_callers_tensors()
    {
        var random = new Philox(3);
        Conv2d first = new(random, 4, 6, 3, padding: 1), second = new(random, 6, 6, 1), third = new(random, 6, 5, 1);
        var all = new Parts(first, second, third);
        all.Train(false);
        Func<Tensor[], Tensor[]> forward = x =>
        {
            Tensor a = first.Forward(x[0]), b = second.Forward(a) + x[1], c = third.Forward(a);
            return [a, b, c, c, b.Relu() * 2];
        };
        Tensor x = GradCheck.Input([1, 6, 7, 4], 1), y = GradCheck.Input([1, 6, 7, 6], 2);
        Plan plan = PlanBuilder.Build(Graph.Trace(all, forward, [x.Shape, y.Shape]), Rounding.Direct);
        Assert.Equal([true, true], plan.Inputs.Select(v => v.IsOutside));
        Assert.Equal([true, false, false, false, false], plan.Outputs.Select(v => v.IsOutside)); // b is activated by an op, c is there twice

        var cache = new PlanCache(all, forward);
        for (int run = 0; run < 3; run++) // at other addresses each time
        {
            Tensor[] actual = cache.Run([x, y]);
            using Autograd.NoGradScope quiet = Autograd.NoGrad();
            foreach ((Tensor e, Tensor a) in forward([x, y]).Zip(actual)) TensorAssert.Close(e, a, 1e-5);
            (x, y) = (GradCheck.Input(x.Shape, run + 3), GradCheck.Input(y.Shape, run + 7));
        }
    }

    [Fact]
    public void A_batch_norm_in_the_weights_is_the_batch_norm_after_them()
    {
        var random = new Philox(3);
        foreach (int groups in new[] { 1, 2, 6 })
        {
            Conv2d conv = new(random, 6, 6, 3, padding: 1, groups: groups);
            ConvTranspose2d up = new(random, 6, 12, 2, stride: 2, groups: groups);
            BatchNorm2d norm = new(6), upNorm = new(12);
            foreach (BatchNorm2d n in new[] { norm, upNorm })
            {
                for (int c = 0; c < n.Weight.Length; c++)
                    (n.Weight.Span[c], n.Bias.Span[c], n.RunningMean.Span[c], n.RunningVariance.Span[c]) = (1 + (0.1f * c), -c, 0.3f * c, 0.5f + c);
            }
            var all = new Parts(conv, up, norm, upNorm);
            Plan plan = Check(all, x => upNorm.Forward(up.Forward(norm.Forward(conv.Forward(x), Activation.Relu))), [2, 5, 4, 6]);
            Assert.Equal(2, plan.Steps.Count);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_run_makes_nothing_on_the_heap(int count)
    {
        ThreadTeam.Threads = count;
        Plan.PoisonsArenas = false;
        var random = new Philox(3);
        Conv2d dense = new(random, 8, 16, 3, padding: 1), point = new(random, 16, 16, 1), half = new(random, 16, 24, 3, stride: 2, padding: 1), deep = new(random, 24, 24, 3, padding: 1, groups: 24);
        ConvTranspose2d up = new(random, 24, 8, 2, stride: 2);
        var norm = new BatchNorm2d(16);
        var all = new Parts(dense, point, half, deep, up, norm);
        Func<Tensor, Tensor> forward = x =>
        {
            Tensor a = norm.Forward(dense.Forward(x), Activation.Relu);
            Tensor b = up.Forward(deep.Forward(half.Forward(point.Forward(a) + a)));
            Tensor y = (b.MaxPool2d(3, 2, 1) * 2).Sigmoid();
            Tensor z = Tensor.Concat([y.ResizeBilinear(32, 32), x.Pad(0, 0, 0, 0).Relu(), b.Softmax()], 3);
            return (z + z.AvgPool2d(2).ResizeNearest(32, 32)).LayerNorm().Permute(0, 3, 1, 2).Slice(1, 2, 5);
        };
        Tensor x = GradCheck.Input([1, 32, 32, 8]);
        var cache = new PlanCache(all, forward);
        using PlanCache.Lease lease = cache.Rent([x], leavesEnlargement: false);
        Tensor[] given = [x], results = [.. lease.Plan.Outputs.Select(v => Tensor.Empty(v.Shape))];
        // Two threads that need a kernel's scratch at the same moment for the first time fill the pool once more, so the first rounds
        // may take memory; a run that makes an object each time does so in the last round too.
        long made = 1;
        for (int round = 0; round < 10 && made > 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 20; i++) lease.Run.Run(given, results);
            made = GC.GetAllocatedBytesForCurrentThread() - before;
        }
        Assert.Equal(0, made);
    }

    private static Plan Check(Module module, Func<Tensor, Tensor> forward, Shape shape)
    {
        module.Train(false);
        Tensor x = GradCheck.Input(shape, 7);
        Tensor expected;
        using (Autograd.NoGrad()) expected = forward(x);
        TensorAssert.Close(expected, new PlanCache(module, forward).Run(x), 1e-5);
        return PlanBuilder.Build(Graph.Trace(module, forward, shape), Rounding.Direct);
    }

    private static Tensor[] Eager(RandomNetwork network, Tensor x)
    {
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        return network.Forward([x]);
    }

    /// <summary>Modules side by side.</summary>
    internal sealed class Parts : Module
    {
        public Parts(params IEnumerable<Module> modules)
        {
            int i = 0;
            foreach (Module module in modules) Child($"{i++}", module);
        }
    }

    private sealed class Block3 : Layer
    {
        private readonly Conv2d a, b, c, shortcut;
        private readonly BatchNorm2d an, bn, cn, sn;

        public Block3(Philox random)
        {
            (a, an) = (Child("a", new Conv2d(random, 8, 4, 1, bias: false)), Child("an", new BatchNorm2d(4)));
            (b, bn) = (Child("b", new Conv2d(random, 4, 4, 3, padding: 1, bias: false)), Child("bn", new BatchNorm2d(4)));
            (c, cn) = (Child("c", new Conv2d(random, 4, 16, 1, bias: false)), Child("cn", new BatchNorm2d(16)));
            (shortcut, sn) = (Child("s", new Conv2d(random, 8, 16, 1, bias: false)), Child("sn", new BatchNorm2d(16)));
        }

        protected override Tensor Apply(Tensor x)
        {
            Tensor y = bn.Forward(b.Forward(an.Forward(a.Forward(x), Activation.Relu)), Activation.Relu);
            return (cn.Forward(c.Forward(y)) + sn.Forward(shortcut.Forward(x))).Relu();
        }
    }
}
