using Delineate.Tensors.Nn;
using Xunit;

namespace Delineate.Tensors.Tests.Graphs;

public sealed class GraphFlowTests
{
    [Fact]
    public void Ops_name_what_they_read_and_how()
    {
        var random = new Philox(1);
        var conv = new Conv2d(random, 3, 4, (3, 5), stride: 2, padding: 1, dilation: (1, 2));
        var up = new ConvTranspose2d(random, 4, 4, 4, stride: 2, padding: 1);
        var network = new PlanTests.Parts(conv, up);
        network.Train(false);
        Graph graph = Graph.Trace(network, x =>
        {
            Tensor y = conv.Forward(x[0]).Relu();
            Tensor mean = y.AdaptiveAvgPool2d(1).ResizeBilinear(like: y);
            return [up.Forward(y + mean).Slice(1, 1, 6), x[1].MaxPool2d(2)];
        }, [1, 12, 20, 3], [1, 6, 6, 2]);
        GraphFlow flow = GraphFlow.Of(graph);

        Assert.Equal([[1, 12, 20, 3], [1, 6, 6, 2]], flow.Inputs.Select(s => s.ToArray()));
        Assert.Equal(Summary.Of(graph).Rows.Select(r => (r.Path, r.Op, r.Output)), flow.Steps.Select(s => (s.Path, s.Op, s.Output)));
        Assert.Equal(["Conv2d -1", "Relu 0", "AdaptiveAvgPool2d 1", "ResizeBilinear 2", "Add 1 3", "ConvTranspose2d 4", "Slice 5", "MaxPool2d -2"], flow.Steps.Select(s => $"{s.Op} {string.Join(' ', s.Sources)}"));
        Assert.Equal([6, 7], flow.Outputs);
        Assert.Equal((new AxisRead.Window(3, 2, 1, 1), new AxisRead.Window(5, 2, 2, 1)), (flow.Steps[0].Rows, flow.Steps[0].Columns));
        Assert.Equal([4, 3, 5, 3], flow.Steps[0].Weight!.Value.ToArray());
        Assert.Equal(AxisRead.Pointwise, flow.Steps[1].Rows);
        Assert.Null(flow.Steps[1].Weight);
        Assert.Equal(new AxisRead.Everything(), flow.Steps[2].Rows);
        Assert.Equal(new AxisRead.Spread(4, 2, 1, 1), flow.Steps[5].Columns);
        Assert.Equal((new AxisRead.Window(1, 1, 1, -1), AxisRead.Pointwise), (flow.Steps[6].Rows, flow.Steps[6].Columns));
        Assert.Equal(new AxisRead.Window(2, 2, 1, 0), flow.Steps[7].Rows);
    }
}
