using Delineate.Tensors.Kernels;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Optim;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Graphs;

public sealed class PlanCacheTests
{
    private static readonly Shape Input = [1, 6, 7, 3];

    [Fact]
    public void Weights_that_change_are_packed_anew()
    {
        (Sequential network, Tensor x) = (Small(), GradCheck.Input(Input, 1));
        var cache = new PlanCache(network, network.Forward);
        Tensor weight = network.NamedParameters().First().Tensor, mean = network.NamedBuffers().First().Tensor;
        var optimizer = new Sgd([new ParameterGroup(network.NamedParameters())]);
        Action[] changes =
        [
            () => weight.Span[0] += 1,
            () => mean.Span.Fill(0.25f),
            () => weight.Detach().Span[1] -= 2, // another tensor over the same memory
            () => weight.Reshape(weight.Length).Span[2] += 3,
            () =>
            {
                network.Train();
                network.Forward(x).Sum().Backward();
                optimizer.Step(0.1);
            },
            () => WeightLoading.Load(network, Small(seed: 9).StateDict().ToDictionary(s => s.Name, s => RawTensor.Of(s.Tensor))),
            () => Init.Uniform(weight, new Philox(4), 1),
        ];
        Check("at first");
        for (int i = 0; i < changes.Length; i++)
        {
            float[] before = cache.Run(x).ToArray();
            changes[i]();
            Check($"after change {i}");
            Assert.NotEqual(before, cache.Run(x).ToArray());
        }

        void Check(string when)
        {
            float[] actual = cache.Run(x).ToArray();
            network.Train(false);
            using Autograd.NoGradScope quiet = Autograd.NoGrad();
            TensorAssert.Close(Array.ConvertAll(network.Forward(x).ToArray(), v => (double)v), actual, 1e-5, when);
        }
    }

    [Fact]
    public void Parts_of_a_module_share_arenas_and_are_not_mixed_up()
    {
        Sequential network = Small();
        Tensor x = GradCheck.Input(Input, 1);
        var parts = new PlanCache(network, [inputs => [network.Forward(inputs[0])], inputs => [network.Forward(inputs[0]) * 3f, inputs[0] + 1f]]);
        var alone = new PlanCache(network, network.Forward);
        for (int round = 0; round < 2; round++)
        {
            float[] expected = alone.Run(x).ToArray();
            Assert.Equal(expected, parts.Run([x])[0].ToArray());
            Tensor[] second = parts.Run([x], 1);
            TensorAssert.Close(Array.ConvertAll(expected, v => 3.0 * v), second[0].ToArray(), 1e-6, "the second part");
            Assert.Equal(x.ToArray().Select(v => v + 1f), second[1].ToArray());
        }
        Assert.Equal(2, parts.Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => parts.Run([x], 2));
        // One arena, and one copy of the weights that both have in common.
        Assert.Same(ArenaOf(parts, 0), ArenaOf(parts, 1));
        Assert.NotSame(ArenaOf(parts, 0), ArenaOf(alone, 0));
        Assert.Same(FirstWeights(parts, 0), FirstWeights(parts, 1));
        Assert.NotSame(FirstWeights(parts, 0), FirstWeights(alone, 0));

        Arena ArenaOf(PlanCache cache, int part)
        {
            using PlanCache.Lease lease = cache.Rent([x], leavesEnlargement: false, part);
            return lease.Arena;
        }

        ConvWeights FirstWeights(PlanCache cache, int part)
        {
            using PlanCache.Lease lease = cache.Rent([x], leavesEnlargement: false, part);
            return lease.Plan.Steps.OfType<ConvStep>().First().Packed!.Value.Weights;
        }
    }

    [Fact]
    public void Weights_that_nobody_touched_stay_packed()
    {
        (Sequential network, Tensor x) = (Small(), GradCheck.Input(Input, 1));
        var cache = new PlanCache(network, network.Forward);
        Plan first = PlanOf(cache, x);
        cache.Run(x);
        network.Train(false); // says nothing of the weights
        Assert.Same(first, PlanOf(cache, x));
        _ = network.NamedParameters().First().Tensor.Span; // whoever asks for the values may write them
        Assert.NotSame(first, PlanOf(cache, x));
    }

    [Fact]
    public void Plans_of_all_sizes_share_one_copy_of_the_weights()
    {
        Sequential network = Small();
        var cache = new PlanCache(network, network.Forward, new PlanOptions { Rounding = Rounding.Direct });
        cache.Run(GradCheck.Input(Input, 1));
        Plan first = PlanOf(cache, GradCheck.Input(Input, 1));
        Plan second = PlanOf(cache, GradCheck.Input([2, 9, 9, 3], 1));
        Assert.Equal(2, cache.Count);
        foreach ((PlanStep a, PlanStep b) in first.Steps.Zip(second.Steps)) Assert.Same(((ConvStep)a).Packed!.Value.Weights, ((ConvStep)b).Packed!.Value.Weights);
    }

    [Fact]
    public void Two_hundred_sizes_keep_a_bounded_number_of_plans_and_one_arena()
    {
        Sequential network = Small();
        var cache = new PlanCache(network, network.Forward, new PlanOptions { MostPlans = 5 });
        var random = new Random(1);
        cache.Run(GradCheck.Input([1, 60, 60, 3], 1));
        long bytes = cache.Bytes;
        long held = Held();
        for (int i = 0; i < 200; i++)
        {
            using MemoryScope scope = TensorMemory.Scope();
            cache.Run(GradCheck.Input([1, random.Next(3, 60), random.Next(3, 60), 3], 1));
        }
        Assert.Equal(5, cache.Count);
        Assert.InRange(cache.Bytes, 0, bytes);
        Assert.InRange(Held(), 0, held + (1 << 20));

        static long Held() => TensorMemory.BytesInUse + TensorMemory.BytesPooled + TensorMemory.BytesPlanned;
    }

    [Fact]
    public void An_arena_that_was_needed_once_is_given_up()
    {
        Sequential network = Small();
        var cache = new PlanCache(network, network.Forward);
        Tensor large = GradCheck.Input([1, 100, 100, 3], 1), small = GradCheck.Input(Input, 1);
        cache.Run(large);
        long bytes = cache.Bytes;
        for (int i = 0; i < 20; i++) cache.Run(small);
        Assert.InRange(cache.Bytes, 0, bytes / 4);
        TensorAssert.Close(Eager(network, large), cache.Run(large));
    }

    [Fact]
    public void What_exceeds_the_bound_is_not_kept_and_still_right()
    {
        Sequential network = Small();
        var cache = new PlanCache(network, network.Forward, new PlanOptions { MostBytes = 1 });
        long planned = TensorMemory.BytesPlanned;
        foreach (int side in new[] { 5, 8, 5, 8 })
        {
            Tensor x = GradCheck.Input([1, side, side, 3], side);
            TensorAssert.Close(Eager(network, x), cache.Run(x));
            Assert.Equal(1, cache.Count);
            Assert.InRange(TensorMemory.BytesPlanned, 0, planned); // falls when the collector takes what other tests left
        }
    }

    [Fact]
    public void Threads_run_at_once_each_in_its_own_arena()
    {
        Sequential network = Small();
        var cache = new PlanCache(network, network.Forward);
        Tensor[] inputs = [.. Enumerable.Range(0, 12).Select(i => GradCheck.Input([1, 5 + (i % 3), 9, 3], i))];
        Tensor[] expected = [.. inputs.Select(x => Eager(network, x))];
        Parallel.For(0, 120, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => TensorAssert.Close(expected[i % 12], cache.Run(inputs[i % 12]), 1e-5));
        Assert.Equal(3, cache.Count);
        cache.Clear();
        Assert.Equal(0, cache.Count);
        TensorAssert.Close(expected[0], cache.Run(inputs[0]));
    }

    [Fact]
    public void A_network_in_training_is_traced_as_in_evaluation_and_stays_in_training()
    {
        Sequential network = Small();
        Tensor x = GradCheck.Input(Input, 1), expected = Eager(network, x);
        network.Train();
        float[] mean = network.NamedBuffers().First().Tensor.ToArray();
        TensorAssert.Close(expected, new PlanCache(network, network.Forward).Run(x));
        Assert.True(network.IsTraining);
        Assert.Equal(mean, network.NamedBuffers().First().Tensor.ToArray());
    }

    [Theory]
    [InlineData(false, 11, 13, 11, 13, 11, 13)]
    [InlineData(true, 5, 4, 40, 33, 40, 33)]
    [InlineData(true, 5, 4, 40, 33, 40, 30)]
    [InlineData(true, 5, 4, 40, 33, 37, 21)]
    [InlineData(false, 20, 30, 20, 30, 9, 30)]
    public void Labels_are_those_of_resizing_cutting_and_choosing(bool enlarges, int h, int w, int height, int width, int cropHeight, int cropWidth)
    {
        foreach (int classes in new[] { 1, 2, 5, 16, 21, 40 })
        {
            var conv = new Conv2d(new Philox(3), 3, classes, 1);
            conv.Train(false);
            Func<Tensor, Tensor> forward = x => enlarges ? conv.Forward(x).ResizeBilinear(height, width) : conv.Forward(x);
            Tensor x = GradCheck.Input([2, h, w, 3], 5);
            var cache = new PlanCache(conv, forward, new PlanOptions { Rounding = Rounding.Direct });
            foreach (Size2d size in new Size2d[] { (cropHeight, cropWidth), (50, 47), (3, 4), (1, 1) })
            {
                using Autograd.NoGradScope quiet = Autograd.NoGrad();
                Tensor scores = cache.Run(x).Slice(1, 0, cropHeight).Slice(2, 0, cropWidth);
                if (size != (cropHeight, cropWidth)) scores = scores.ResizeBilinear(size.Height, size.Width);
                Assert.Equal(scores.ArgMaxLabels(), cache.Labels(x, (cropHeight, cropWidth), size));
            }
        }
    }

    [Fact]
    public void Labels_of_what_is_no_map_of_scores_are_refused()
    {
        var conv = new Conv2d(new Philox(3), 3, 300, 1);
        Tensor x = GradCheck.Input(Input, 1);
        Assert.Contains("1 to 256 classes", Assert.Throws<ShapeException>(() => new PlanCache(conv, conv.Forward).Labels(x, (6, 7), (6, 7))).Message, StringComparison.Ordinal);
        Assert.Contains("of scores of 6×7", Assert.Throws<ShapeException>(() => new PlanCache(conv, y => conv.Forward(y).Slice(3, 0, 9)).Labels(x, (7, 7), (6, 7))).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => new PlanCache(conv, conv.Forward).Run(GradCheck.Input([1, 6, 7, 4], 1)));
    }

    private static Plan PlanOf(PlanCache cache, Tensor x)
    {
        using PlanCache.Lease lease = cache.Rent([x], leavesEnlargement: false);
        return lease.Plan;
    }

    private static Tensor Eager(Layer network, Tensor x)
    {
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        return network.Forward(x);
    }

    private static Sequential Small(ulong seed = 1)
    {
        var random = new Philox(seed);
        return new Sequential(new Conv2d(random, 3, 8, 3, padding: 1), new BatchNorm2d(8), new Relu(), new ConvTranspose2d(random, 8, 4, 2, stride: 2), new Conv2d(random, 4, 5, 1));
    }
}
