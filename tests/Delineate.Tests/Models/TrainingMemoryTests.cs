using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Optim;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>The memory counters are the process's, so these tests run while no other does.</summary>
[CollectionDefinition(nameof(TrainingMemoryTests), DisableParallelization = true)]
[Collection(nameof(TrainingMemoryTests))]
public sealed class TrainingMemoryTests
{
    [Fact]
    public void A_training_step_gives_everything_back_but_weights_gradients_and_state()
    {
        Fcn network = SmallFcn();
        var optimizer = new Sgd([new ParameterGroup(network.NamedParameters())]);
        Step();
        long after = TensorMemory.BytesInUse;
        Step();
        Step();
        Assert.Equal(after, TensorMemory.BytesInUse);

        void Step()
        {
            using MemoryScope scope = TensorMemory.Scope();
            network.ZeroGrad();
            FcnOutput output = network.Forward(GradCheck.Input([2, 33, 47, 3]));
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
        Assert.InRange(one, logits.Length * sizeof(float), (logits.Length * sizeof(float) * 9 / 8) + 256);
    }

    [Fact]
    public void A_U_Net_step_gives_everything_back_but_weights_gradients_and_state()
    {
        var network = new UNet(new Philox(1), new UNetOptions { Channels = 4, Depth = 2 });
        var optimizer = new AdamW([new ParameterGroup(network.NamedParameters())]);
        Step();
        long after = TensorMemory.BytesInUse;
        Step();
        Assert.Equal(after, TensorMemory.BytesInUse);

        void Step()
        {
            using MemoryScope scope = TensorMemory.Scope();
            network.ZeroGrad();
            network.Forward(GradCheck.Input([1, 33, 31, 3])).CrossEntropy(new byte[33 * 31]).Backward();
            optimizer.Step(0.01);
        }
    }

    private static Fcn SmallFcn() => new(new Philox(2), new FcnOptions { Depth = 18, NumClasses = 4, AuxiliaryHead = true, WidthDivisor = 16 });
}
