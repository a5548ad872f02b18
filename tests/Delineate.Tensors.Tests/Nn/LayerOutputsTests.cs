using Delineate.Tensors.Nn;
using Xunit;

namespace Delineate.Tensors.Tests.Nn;

public sealed class LayerOutputsTests
{
    [Fact]
    public void Inner_layers_are_seen_first_and_gradients_start_from_any()
    {
        Linear first = new(new Philox(1), 2, 3), second = new(new Philox(2), 3, 1);
        var network = new Sequential(first, second);
        Tensor x = Tensor.From([1, 2], [1, 2]);
        x.RequiresGrad = true;
        var seen = new List<(Layer Layer, Tensor Output)>();
        Tensor y = LayerOutputs.Watch((layer, output) => seen.Add((layer, output)), () => network.Forward(x));
        Assert.Equal([first, second, network], seen.Select(s => s.Layer));
        Assert.Same(y, seen[2].Output);

        seen[0].Output.Backward(Tensor.From([1, 0, 0], [1, 3]));
        Assert.Equal(first.Weight.ToArray()[..2], x.Gradient!.ToArray());
        network.Forward(x);
        Assert.Equal(3, seen.Count); // no longer watched
    }

    [Fact]
    public void Nothing_is_seen_where_nothing_is_recorded()
    {
        var layer = new Linear(new Philox(1), 2, 3);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        LayerOutputs.Watch((_, _) => Assert.Fail("seen"), () => layer.Forward(Tensor.From([1, 2], [1, 2])));
    }
}
