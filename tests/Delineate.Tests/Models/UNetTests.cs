using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Optim;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

public sealed class UNetTests
{
    [ReferenceTheory]
    [InlineData("milesial_unet", UNetDecoder.TransposedConvolution)]
    [InlineData("milesial_unet_bilinear", UNetDecoder.Bilinear)]
    public void Names_and_shapes_equal_the_ports(string list, UNetDecoder decoder) =>
        Assert.Equal(GoldenChecks.StateList(ReferenceFolder.Path("facts", "state-dicts", $"{list}.txt")), GoldenChecks.StateList(new UNet(new Philox(1), new UNetOptions { Decoder = decoder })));

    [ReferenceTheory]
    [InlineData("unet", UNetDecoder.TransposedConvolution)]
    [InlineData("unet_bilinear", UNetDecoder.Bilinear)]
    public void Logits_equal_the_ports(string folder, UNetDecoder decoder)
    {
        Golden golden = Golden.Reference(folder);
        UNet network = Load(golden, decoder);
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        GoldenChecks.Close(golden, "out", network.Forward(golden.ChannelsLast("in.x")));
    }

    [ReferenceFact]
    public void Loss_and_gradients_equal_the_ports()
    {
        Golden golden = Golden.Reference("unet");
        UNet network = Load(golden, UNetDecoder.TransposedConvolution);
        Tensor loss = network.Forward(golden.ChannelsLast("in.x")).CrossEntropy(golden.Array("in.label").Bytes);
        TensorAssert.Close(golden.Array("out.ce").Values, loss, GoldenChecks.Losses, "loss");
        loss.Backward();
        GoldenChecks.SameGradients(golden, network);
    }

    [Theory]
    [InlineData(UNetDecoder.TransposedConvolution, 37, 45, 3)]
    [InlineData(UNetDecoder.Bilinear, 37, 45, 3)]
    [InlineData(UNetDecoder.Bilinear, 16, 16, 4)]
    [InlineData(UNetDecoder.TransposedConvolution, 5, 90, 2)]
    public void Logits_have_the_size_of_the_image_whatever_it_is(UNetDecoder decoder, int height, int width, int depth)
    {
        var network = new UNet(new Philox(1), new UNetOptions { Decoder = decoder, Channels = 4, Depth = depth, NumClasses = 3, InChannels = 1 });
        network.Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        Assert.Equal([2, height, width, 3], network.Forward(GradCheck.Input([2, height, width, 1])).Shape);
    }

    [Fact]
    public void Training_lowers_the_loss()
    {
        var network = new UNet(new Philox(1), new UNetOptions { Channels = 4, Depth = 2 });
        var optimizer = new AdamW([new ParameterGroup(network.NamedParameters())]);
        Tensor x = GradCheck.Input([1, 32, 32, 3]);
        byte[] labels = [.. Enumerable.Range(0, 32 * 32).Select(i => (byte)(x.Span[i * 3] > 0 ? 1 : 0))];
        float first = Step();
        float last = 0;
        for (int i = 0; i < 30; i++) last = Step();
        Assert.True(last < 0.5f * first, $"the loss went from {first} to {last}");

        float Step()
        {
            using MemoryScope scope = TensorMemory.Scope();
            network.ZeroGrad();
            Tensor loss = network.Forward(x).CrossEntropy(labels);
            loss.Backward();
            optimizer.Step(0.02);
            return loss.Item();
        }
    }

    [Fact]
    public void Impossible_options_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new UNet(new Philox(1), new UNetOptions { Depth = 0 }));
        Assert.Throws<ArgumentException>(() => new UNet(new Philox(1), new UNetOptions { Channels = 3, Decoder = UNetDecoder.Bilinear }));
    }

    private static UNet Load(Golden golden, UNetDecoder decoder) => GoldenChecks.Loaded(
        new UNet(new Philox(1), new UNetOptions { NumClasses = golden.Meta.GetProperty("classes").GetInt32(), Channels = 64 / golden.Meta.GetProperty("narrow").GetInt32(), Decoder = decoder }), golden);
}
