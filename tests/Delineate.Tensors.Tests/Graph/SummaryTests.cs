using Delineate.Tensors.Nn;
using Xunit;

namespace Delineate.Tensors.Tests.Graphs;

public sealed class SummaryTests
{
    [Fact]
    public void Costs_are_those_counted_one_product_at_a_time()
    {
        var random = new Philox(1);
        Conv2d conv = new(random, 6, 8, (3, 5), stride: 2, padding: 1, groups: 2);
        ConvTranspose2d up = new(random, 8, 6, 3, stride: 2, groups: 2);
        var linear = new Linear(random, 6, 7, bias: false);
        var unused = new BatchNorm2d(9);
        var network = new PlanTests.Parts(conv, up, linear, unused);
        network.Train(false);
        Summary summary = Summary.Of(Graph.Trace(network, x => linear.Forward(up.Forward(conv.Forward(x)).Relu()).MatMul(linear.Weight.Reshape(7, 6)), [2, 9, 11, 6]));
        Assert.Equal([2, 9, 11, 6], summary.Input);
        Assert.Equal(["0 Conv2d [2, 5, 5, 8]", "1 ConvTranspose2d [2, 11, 11, 6]", " Relu [2, 11, 11, 6]", "2 Linear [2, 11, 11, 7]", "2 Reshape [7, 6]", " MatMul [2, 11, 11, 6]"],
            summary.Rows.Select(r => $"{r.Path} {r.Op} {r.Output}"));

        // Every output pixel and channel of the convolution adds up its group's window; every input value of the transposed one goes to its group's window.
        long convProducts = 0, upProducts = 0;
        for (int pixel = 0; pixel < 2 * 5 * 5; pixel++)
        {
            for (int channel = 0; channel < 8; channel++) convProducts += 3 * 5 * (6 / 2);
            for (int channel = 0; channel < 8; channel++) upProducts += 3 * 3 * (6 / 2);
        }
        Assert.Equal([convProducts, upProducts, 0, 2 * 11 * 11 * 6 * 7, 0, 2 * 11 * 11 * 6 * 7], summary.Rows.Select(r => r.MultiplyAdds));
        Assert.Equal([(8 * 15 * 3) + 8, (8 * 9 * 3) + 6, 0, 42, 0, 0], summary.Rows.Select(r => r.Parameters));
        Assert.Equal(368 + 222 + 42 + 18, summary.Parameters); // those of the norm that does not run too
        Assert.Equal(4 * 2 * ((25 * 8) + (121 * (6 + 6 + 7 + 6))), summary.ActivationBytes);
        Assert.InRange(summary.PlanBytes, 4 * 2 * 121 * 13, summary.ActivationBytes);
    }
}
