using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Optim;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class FcnTests
{
    [ReferenceTheory]
    [InlineData("fcn_resnet50", 50, GoldenChecks.Outputs)]
    [InlineData("fcn_resnet101", 101, GoldenChecks.IllConditioned)]
    [InlineData("fcn_resnet50_legacy", 50, GoldenChecks.Outputs, "model_legacy.pth")]
    public void Logits_equal_torchvisions(string folder, int depth, double relative, string file = "model.pth")
    {
        Golden golden = Golden.Reference(folder);
        Fcn network = Load(golden, depth, file);
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        SemanticLogits output = network.Forward(golden.ChannelsLast("in.x"), auxiliary: true);
        GoldenChecks.Close(golden, "out.out", output.Out, relative);
        Assert.Equal(golden.Has("out.aux"), output.Aux is not null);
        if (output.Aux is not null) GoldenChecks.Close(golden, "out.aux", output.Aux, relative);
        GoldenChecks.SameLabels(golden, output.Out, relative);
    }

    [ReferenceFact]
    public void Loss_gradients_and_running_statistics_equal_torchvisions()
    {
        Golden golden = Golden.Reference("fcn_resnet50");
        Fcn network = Load(golden, 50);
        Tensor loss = Loss(network, golden.ChannelsLast("in.x"), golden.Array("in.label").Bytes);
        TensorAssert.Close(golden.Array("out.train_loss").Values, loss, GoldenChecks.Losses, "loss");
        loss.Backward();
        GoldenChecks.SameGradients(golden, network);
        foreach ((string name, Tensor statistic) in network.NamedBuffers()) GoldenChecks.Close(golden, $"bn_after.{name}", statistic);
    }

    /// <summary>PyTorch's losses over 20 SGD steps from the same weights on the same batches (tools/golden/train20.py).</summary>
    [Fact]
    public void Twenty_training_steps_follow_PyTorchs_losses()
    {
        Golden golden = Golden.Local(Path.Combine(AppContext.BaseDirectory, "Goldens", "train20"));
        var network = new Fcn(new Philox(1), new FcnOptions { NumClasses = 5, AuxiliaryHead = true, Dropout = 0, WidthDivisor = golden.Meta.GetProperty("narrow").GetInt32() });
        using (Tensors.Weights.WeightFile file = Tensors.Weights.WeightFile.Open(golden.FilePath("model.pth"))) Tensors.Weights.WeightLoading.Load(network, file);
        var optimizer = new Sgd(
            [
                new ParameterGroup(network.NamedParameters().Where(p => !p.Name.StartsWith("aux_classifier.", StringComparison.Ordinal))),
                new ParameterGroup(network.NamedParameters().Where(p => p.Name.StartsWith("aux_classifier.", StringComparison.Ordinal)), learningRateScale: 10),
            ],
            new SgdOptions { Momentum = 0.9, WeightDecay = 1e-4 });
        NpyArray images = golden.Array("in.images"), labels = golden.Array("in.labels");
        double[] expected = golden.Array("out.losses").Values;
        var schedule = new PolySchedule(golden.Meta.GetProperty("rate").GetDouble(), expected.Length);
        int pixels = 2 * 65 * 65;
        for (int step = 0; step < expected.Length; step++)
        {
            using MemoryScope scope = TensorMemory.Scope();
            int batch = step % images.Shape[0];
            float[] values = Array.ConvertAll(images.Values[(batch * pixels * 3)..((batch + 1) * pixels * 3)], v => (float)((v / 127.5) - 1));
            Tensor loss = Loss(network, Tensor.From(values, [2, 65, 65, 3]), labels.Bytes[(batch * pixels)..((batch + 1) * pixels)]);
            Assert.True(Math.Abs(loss.Item() - expected[step]) <= 1e-3 * expected[step], $"step {step}: loss {loss.Item():G8}, PyTorch's {expected[step]:G8}");
            network.ZeroGrad();
            loss.Backward();
            optimizer.Step(schedule.At(step));
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(8, 300)]
    [InlineData(37, 41)]
    public void Logits_have_the_size_of_the_image_whatever_it_is(int height, int width)
    {
        Fcn network = Small();
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        SemanticLogits output = network.Forward(GradCheck.Input([1, height, width, 3]));
        Assert.Equal([1, height, width, 4], output.Out.Shape);
        Assert.Null(output.Aux);
    }

    private static Fcn Small() => new(new Philox(2), new FcnOptions { Depth = 18, NumClasses = 4, AuxiliaryHead = true, WidthDivisor = 16 });

    private static Fcn Load(Golden golden, int depth, string file = "model.pth") => GoldenChecks.Loaded(new Fcn(new Philox(1), new FcnOptions
    {
        Depth = depth,
        NumClasses = golden.Meta.GetProperty("classes").GetInt32(),
        AuxiliaryHead = golden.Meta.GetProperty("aux").GetBoolean(),
        WidthDivisor = golden.Meta.GetProperty("narrow").GetInt32(),
        Dropout = 0,
    }), golden, file);

    private static Tensor Loss(Fcn network, Tensor x, byte[] labels)
    {
        SemanticLogits output = network.Forward(x);
        return output.Out.CrossEntropy(labels) + (0.5f * output.Aux!.CrossEntropy(labels));
    }
}
