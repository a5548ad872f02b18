using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Kernels;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Optim;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>The memory counters and the thread team are the process's, so these tests run while no other does.</summary>
[CollectionDefinition(nameof(TrainingStepTests), DisableParallelization = true)]
[Collection(nameof(TrainingStepTests))]
public sealed class TrainingStepTests
{
    private const int Side = 160; // of the images that AssertHolds takes

    [Fact]
    public void A_training_step_gives_everything_back_but_weights_gradients_and_state()
    {
        Fcn network = SmallFcn();
        var optimizer = new Sgd([new ParameterGroup(network.NamedParameters())]);
        int threads = ThreadTeam.Threads;
        ThreadTeam.Threads = 1; // several take working memory in changing numbers, and a gradient then gets now this buffer, now that larger one
        try
        {
            AssertKeepsNothing(Step);
        }
        finally
        {
            ThreadTeam.Threads = threads;
        }

        void Step()
        {
            network.ZeroGrad();
            TensorMemory.Trim(); // so that every step finds the same buffers: none
            using MemoryScope scope = TensorMemory.Scope();
            SemanticLogits output = network.Forward(GradCheck.Input([2, 33, 47, 3]));
            byte[] labels = new byte[2 * 33 * 47];
            (output.Out.CrossEntropy(labels) + (0.5f * output.Aux!.CrossEntropy(labels))).Backward();
            optimizer.Step(0.01);
        }
    }

    [Fact]
    public void A_prediction_keeps_only_its_logits()
    {
        Fcn network = SmallFcn();
        network.Train(false);
        Tensor x = GradCheck.Input([1, 33, 47, 3]);
        using MemoryScope scope = TensorMemory.Scope();
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        long before = TensorMemory.BytesInUse;
        Tensor logits = network.Forward(x).Out;
        long one = TensorMemory.BytesInUse - before;
        // Sizes are rounded up by at most an eighth, and a pooled buffer is at most twice as large as that.
        Assert.True(one <= (2.25 * logits.Length * sizeof(float)) + 256, $"{one} bytes stay in use for logits of {logits.Length * sizeof(float)}");
    }

    [Fact]
    public void A_U_Net_step_gives_everything_back_but_weights_gradients_and_state()
    {
        var network = new UNet(new Philox(1), new UNetOptions { Channels = 4, Depth = 2 });
        var optimizer = new AdamW([new ParameterGroup(network.NamedParameters())]);
        AssertKeepsNothing(Step);

        void Step()
        {
            network.ZeroGrad();
            TensorMemory.Trim(); // so that every step finds the same buffers: none
            using MemoryScope scope = TensorMemory.Scope();
            network.Forward(GradCheck.Input([1, 33, 31, 3])).CrossEntropy(new byte[33 * 31]).Backward();
            optimizer.Step(0.01);
        }
    }

    [Fact]
    public void A_residual_block_holds_for_backward_what_its_convolutions_and_norms_read()
    {
        var block = new Bottleneck(new Philox(1), channels => new BatchNorm2d(channels), 16, 8, stride: 2, dilation: 1);
        const int Large = Side * Side, Small = Large / 4;
        // Each convolution's output, which its norm reads, and each norm's, which the next convolution reads or the last ReLU's sign: not the shortcut's.
        AssertHolds((Large * (8 + 8)) + (Small * (8 + 8 + 32 + 32 + 32)), channels: 16, x => block.Forward(x));
    }

    [Fact]
    public void A_U_Net_holds_for_backward_no_map_that_lies_in_a_joined_one()
    {
        var network = new UNet(new Philox(1), new UNetOptions { Channels = 16, Depth = 1 });
        const int Large = Side * Side, Small = Large / 4;
        // The double convolutions' maps but the first one's last, which lies in the joined map as the enlarged one does; the pooled map and its winners, a byte each.
        AssertHolds((Large * (16 + 16 + 16)) + (Small * (16 + 4 + 32 + 32 + 32 + 32)) + (Large * (32 + 16 + 16 + 16 + 16 + 2)), channels: 3, x => network.Forward(x));
    }

    [Theory]
    [InlineData(18)]
    [InlineData(50)]
    [InlineData(0)]
    public void Checkpointing_takes_less_memory_and_changes_no_bit(int depth)
    {
        (float[][] plain, long plainBytes) = Run(checkpointing: false);
        (float[][] recomputed, long bytes) = Run(checkpointing: true);
        for (int i = 0; i < plain.Length; i++) TensorAssert.SameBits(plain[i], recomputed[i], $"result {i}");
        Assert.True(bytes < 0.7 * plainBytes, $"{bytes} bytes instead of {plainBytes} before backward");

        (float[][] Results, long Bytes) Run(bool checkpointing)
        {
            Module network = depth == 0
                ? new UNet(new Philox(1), new UNetOptions { Channels = 4, Depth = 2 })
                : new Fcn(new Philox(1), new FcnOptions { NumClasses = 3, Depth = depth, WidthDivisor = 16, Dropout = 0.3f });
            network.Checkpoint(checkpointing);
            Tensor x = GradCheck.Input([2, 41, 47, 3]);
            using RandomScope random = RandomScope.Begin(1, 2, 3);
            TensorMemory.Trim();
            GC.Collect(); // what other tests left would be taken, and counted off, in the middle of the measurement
            GC.WaitForPendingFinalizers();
            using MemoryScope scope = TensorMemory.Scope();
            long before = TensorMemory.BytesInUse;
            Tensor loss = (network is UNet unet ? unet.Forward(x) : ((Fcn)network).Forward(x).Out).CrossEntropy(new byte[2 * 41 * 47]);
            long held = TensorMemory.BytesInUse - before;
            loss.Backward();
            return ([loss.ToArray(), .. network.NamedParameters().Select(p => p.Tensor.Gradient!.ToArray()), .. network.NamedBuffers().Select(b => b.Tensor.ToArray())], held);
        }
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit_of_a_training()
    {
        int before = ThreadTeam.Threads;
        try
        {
            ThreadTeam.Threads = 1;
            float[] one = Train();
            ThreadTeam.Threads = 3;
            TensorAssert.SameBits(one, Train());
        }
        finally
        {
            ThreadTeam.Threads = before;
        }

        static float[] Train()
        {
            Fcn network = SmallFcn();
            var optimizer = new Sgd([new ParameterGroup(network.NamedParameters())]);
            byte[] labels = [.. Enumerable.Range(0, 2 * 65 * 57).Select(i => (byte)(i % 4))];
            for (ulong step = 0; step < 3; step++)
            {
                using MemoryScope scope = TensorMemory.Scope();
                using RandomScope random = RandomScope.Begin(1, 0, step);
                network.ZeroGrad();
                SemanticLogits output = network.Forward(GradCheck.Input([2, 65, 57, 3]));
                (output.Out.CrossEntropy(labels) + (0.5f * output.Aux!.CrossEntropy(labels))).Backward();
                optimizer.Step(0.01);
            }
            return [.. network.StateDict().SelectMany(s => s.Tensor.ToArray())];
        }
    }

    /// <summary>
    /// A step that keeps something holds more after every repetition; a gradient that got a larger buffer of the pool this time comes and
    /// goes. So the least of several counts is compared.
    /// </summary>
    private static void AssertKeepsNothing(Action step)
    {
        step();
        step();
        long after = TensorMemory.BytesInUse; // falls when the collector takes what other tests left
        long least = long.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            step();
            least = Math.Min(least, TensorMemory.BytesInUse);
        }
        Assert.InRange(least, 0, after);
    }

    /// <summary>
    /// Two images leave <paramref name="floats"/> for each in use, and little beside. They are so large that no kernel's scratch, once free, serves as a map.
    /// </summary>
    private static void AssertHolds(long floats, int channels, Func<Tensor, Tensor> forward)
    {
        int threads = ThreadTeam.Threads;
        ThreadTeam.Threads = 1;
        try
        {
            Tensor x = GradCheck.Input([2, Side, Side, channels]);
            TensorMemory.Trim();
            GC.Collect(); // what other tests left would be counted off in the middle of the measurement
            GC.WaitForPendingFinalizers();
            using MemoryScope scope = TensorMemory.Scope();
            long before = TensorMemory.BytesInUse;
            Tensor y = forward(x);
            long bytes = 2 * floats * sizeof(float);
            Assert.InRange(TensorMemory.BytesInUse - before, bytes, bytes * 1.1);
            GC.KeepAlive(y);
        }
        finally
        {
            ThreadTeam.Threads = threads;
        }
    }

    private static Fcn SmallFcn() => new(new Philox(2), new FcnOptions { Depth = 18, NumClasses = 4, AuxiliaryHead = true, WidthDivisor = 16 });
}
