using Delineate.Tensors.Nn;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests;

/// <summary>Recomputation: <see cref="Autograd.Checkpoint(Func{Tensor, Tensor}, Tensor)"/> and the layers that use it.</summary>
public sealed class CheckpointTests
{
    [Fact]
    public void Values_gradients_statistics_and_dropped_places_are_the_plain_runs_to_the_bit()
    {
        float[][] plain = Train(checkpointing: false), recomputed = Train(checkpointing: true);
        Assert.Equal(plain.Length, recomputed.Length);
        for (int i = 0; i < plain.Length; i++) TensorAssert.SameBits(plain[i], recomputed[i], $"result {i}");

        static float[][] Train(bool checkpointing)
        {
            var network = new Sequential(new Block(new Philox(1), 3, 8), new Block(new Philox(2), 8, 8), new Block(new Philox(3), 8, 5));
            network.Checkpoint(checkpointing);
            Tensor x = GradCheck.Input([2, 9, 7, 3]);
            x.RequiresGrad = true;
            var losses = new List<float>();
            for (int step = 0; step < 3; step++)
            {
                using RandomScope random = RandomScope.Begin(1, 2, (ulong)step);
                using MemoryScope scope = TensorMemory.Scope();
                Tensor dropped = x.Dropout(0.1f, training: true); // draws before and after the blocks keep their places too
                Tensor loss = (network.Forward(dropped).Dropout(0.2f, training: true) * 0.5f).Sum();
                loss.Backward();
                losses.Add(loss.Item());
            }
            return [[.. losses], x.Gradient!.ToArray(), .. network.NamedParameters().Select(p => p.Tensor.Gradient!.ToArray()), .. network.NamedBuffers().Select(b => b.Tensor.ToArray())];
        }
    }

    [Fact]
    public void A_function_of_two_tensors_gives_each_its_gradient()
    {
        Tensor a = GradCheck.Input([4, 5], 1), b = GradCheck.Input([4, 5], 2), still = GradCheck.Input([4, 5], 3);
        (a.RequiresGrad, b.RequiresGrad) = (true, true);
        Autograd.Checkpoint((u, v) => (u * v).Tanh() + v, a * 2, b).Sum().Backward();
        float[] da = a.Gradient!.ToArray(), db = b.Gradient!.ToArray();
        a.ZeroGrad();
        b.ZeroGrad();
        (((a * 2) * b).Tanh() + b).Sum().Backward();
        TensorAssert.SameBits(a.Gradient!.Span, da);
        TensorAssert.SameBits(b.Gradient!.Span, db);
        a.ZeroGrad();
        Autograd.Checkpoint((u, v) => u * v, a, still).Sum().Backward();
        TensorAssert.SameBits(still.Span, a.Gradient!.Span);
        Assert.Null(still.Gradient);
    }

    [Fact]
    public void An_input_with_other_readers_sums_its_gradients_in_the_plain_order()
    {
        float[] plain = Gradient((f, t) => f(t)), recomputed = Gradient(Autograd.Checkpoint);
        TensorAssert.SameBits(plain, recomputed);

        static float[] Gradient(Func<Func<Tensor, Tensor>, Tensor, Tensor> call)
        {
            Tensor x = GradCheck.Input([500]);
            x.RequiresGrad = true;
            for (int pass = 0; pass < 2; pass++)
            {
                using MemoryScope scope = TensorMemory.Scope();
                Tensor hidden = x.Tanh();
                Tensor before = hidden.Sigmoid(), y = call(t => (t * 0.3f) + t.Exp() + (t * t), hidden), after = hidden.Exp() + call(t => t.Sigmoid() + (t * 0.7f), x);
                (before + y + after).Sum().Backward();
            }
            return x.Gradient!.ToArray();
        }
    }

    [Theory]
    [InlineData(Rounding.Direct)]
    [InlineData(Rounding.Strict)]
    public void It_is_computed_again_with_the_rounding_of_the_first_time(Rounding rounding)
    {
        TensorAssert.SameBits(Gradient((f, t) => f(t)), Gradient(Autograd.Checkpoint));

        float[] Gradient(Func<Func<Tensor, Tensor>, Tensor, Tensor> call)
        {
            Tensor x = GradCheck.Input([1, 24, 24, 32]), weight = GradCheck.Input([32, 3, 3, 32], 2);
            x.RequiresGrad = true;
            Tensor y;
            using (RoundingPolicy.Use(rounding)) y = call(t => t.Conv2d(weight, padding: 1).Tanh(), x);
            y.Sum().Backward();
            return x.Gradient!.ToArray();
        }
    }

    [Fact]
    public void Functions_that_give_back_their_input_or_a_view_of_it_work()
    {
        Tensor x = GradCheck.Input([2, 6]);
        x.RequiresGrad = true;
        using (TensorMemory.Scope())
        {
            Tensor y = Autograd.Checkpoint(t => t, x * 3);
            Tensor z = Autograd.Checkpoint(t => t.Reshape(3, 4), y);
            Tensor w = Autograd.Checkpoint(t => t.Reshape(12), x);
            ((z * 2).Sum() + w.Sum()).Backward();
        }
        Assert.All(x.Gradient!.ToArray(), g => Assert.Equal(7, g));
        Assert.Equal(GradCheck.Input([2, 6]).ToArray(), x.ToArray());
    }

    [Fact]
    public void A_checkpoint_within_a_checkpoint_is_computed_twice_not_thrice()
    {
        int calls = 0;
        Tensor x = GradCheck.Input([5]);
        x.RequiresGrad = true;
        Tensor y = Autograd.Checkpoint(
            t => Autograd.Checkpoint(
                u =>
                {
                    calls++;
                    return u * u;
                },
                t) + t,
            x);
        y.Sum().Backward();
        Assert.Equal(2, calls);
        TensorAssert.Close(Array.ConvertAll(x.ToArray(), v => v + v + 1.0), x.Gradient!, 1e-6);
    }

    [Fact]
    public void Without_recording_it_is_an_ordinary_call()
    {
        Tensor x = GradCheck.Input([5]);
        x.RequiresGrad = true;
        using (Autograd.NoGrad()) Assert.Same(x, Autograd.Checkpoint(t => t, x));
        Assert.True(Autograd.IsEnabled);
    }

    [Fact]
    public void Reading_a_recorded_tensor_that_is_no_input_is_refused_and_leaves_the_thread_as_it_was()
    {
        Tensor x = GradCheck.Input([5]);
        x.RequiresGrad = true;
        Tensor hidden = x * 2;
        Tensor loss = Autograd.Checkpoint(t => t * hidden, x * 3).Sum();
        Assert.Contains("pass it as one", Assert.Throws<InvalidOperationException>(loss.Backward).Message, StringComparison.Ordinal);
        Assert.True(Autograd.IsEnabled);
        Assert.False(Autograd.IsRecomputing);
    }

    [Fact]
    public void Only_the_inputs_of_blocks_are_kept()
    {
        const long Map = 64 << 10; // bytes of x
        Tensor x = GradCheck.Input([64, 256]);
        x.RequiresGrad = true;
        long plain = Kept(t => t.Tanh().Exp().Sigmoid().Tanh()), kept = Kept(t => Autograd.Checkpoint(u => u.Tanh().Exp().Sigmoid().Tanh(), t));
        Assert.InRange(plain, 32 * Map, 33 * Map);
        Assert.InRange(kept, 8 * Map, 9 * Map);

        long Kept(Func<Tensor, Tensor> block)
        {
            x.ZeroGrad();
            // What other tests left behind must neither go away meanwhile nor be handed out, larger than asked for.
            GC.Collect();
            GC.WaitForPendingFinalizers();
            TensorMemory.Trim();
            using MemoryScope scope = TensorMemory.Scope();
            long before = TensorMemory.BytesInUse;
            Tensor y = x;
            for (int i = 0; i < 8; i++) y = block(y);
            long after = TensorMemory.BytesInUse;
            y.Sum().Backward();
            return after - before;
        }
    }

    /// <summary>A convolution, a normalisation in training, and dropout.</summary>
    private sealed class Block : Layer
    {
        private readonly Conv2d conv;
        private readonly BatchNorm2d norm;

        public Block(Philox random, int inChannels, int outChannels)
        {
            conv = Child("conv", new Conv2d(random, inChannels, outChannels, 3, padding: 1));
            norm = Child("norm", new BatchNorm2d(outChannels));
        }

        protected override bool IsBlock => true;

        protected override Tensor Apply(Tensor x) => norm.Forward(conv.Forward(x), Activation.Relu).Dropout(0.3f, IsTraining);
    }
}
