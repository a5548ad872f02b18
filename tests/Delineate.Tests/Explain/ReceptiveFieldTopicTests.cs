using Delineate.Data;
using Delineate.Explain;
using Delineate.Explain.Topics;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Xunit;

namespace Delineate.Tests.Explain;

public sealed class ReceptiveFieldTopicTests
{
    /// <summary>
    /// Fields that can be added up by hand. Those published for ResNets (Araujo, Norris and Sim 2019: 483 and 1027) are of networks whose blocks stride in their first
    /// 1×1 convolution; where the 3×3 strides, as here, each of three such convolutions looks around at half the distance: 8 + 16 + 32 less.
    /// </summary>
    [Theory]
    [InlineData("fcn32s_vgg16", "conv5_3", 196, 16)]
    [InlineData("fcn32s_vgg16", "fc6", 404, 32)]
    [InlineData("fcn_resnet50", "backbone.layer4.2.conv2", 483 - 56, 32)]
    [InlineData("fcn_resnet101", "backbone.layer4.2.conv2", 1027 - 56, 32)]
    [InlineData("fcn_resnet18", "backbone.layer4.1.conv2", 435, 32)]
    [InlineData("sliding_window", "classifier", 95, 16)]
    public void Known_networks_have_their_known_fields(string model, string layer, double size, double jump)
    {
        (GraphFlow flow, ReceptiveField[] fields) = Fields(model, 225);
        int at = flow.Steps.ToList().FindIndex(s => s.Path == layer && s.Weight is not null);
        Assert.Equal((size, jump), (fields[at].Size, fields[at].Jump));
    }

    [Fact]
    public void Vgg_sees_212_pixels_after_its_last_pooling()
    {
        (GraphFlow flow, ReceptiveField[] fields) = Fields("fcn8s_vgg16", 193);
        int[] pools = [.. Enumerable.Range(0, fields.Length).Where(i => flow.Steps[i].Op == "MaxPool2d")];
        Assert.Equal([6.0, 16, 44, 100, 212], pools.Select(i => fields[i].Size));
        Assert.Equal([2.0, 4, 8, 16, 32], pools.Select(i => fields[i].Jump));
        Assert.Equal(0.5 - 99, fields[pools[0]].Start); // a hundred zeros before the image, one of which the first window reaches beyond
    }

    /// <summary>With weights above zero nothing cancels: the gradient must be wherever the formula says, and nowhere else.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_gradient_of_positive_weights_covers_the_whole_field(bool isStrided)
    {
        Philox random = new(1);
        var network = new Sequential(new Conv2d(random, 3, 2, 3, padding: 1), new Conv2d(random, 2, 2, (3, 5), stride: isStrided ? 2 : 1, padding: (0, 2)), new Conv2d(random, 2, 2, 3, padding: 1), new Conv2d(random, 2, 1, 2));
        foreach ((_, Tensor weight) in network.NamedParameters()) weight.Span.Fill(0.5f);
        GraphFlow flow = network.InEvaluation(() => GraphFlow.Of(Graph.Trace(network, [1, 31, 33, 3])));
        (ReceptiveField rows, ReceptiveField columns) = (ReceptiveFields.Along(flow, rows: true)[^1], ReceptiveFields.Along(flow, rows: false)[^1]);
        Shape output = flow.Steps[^1].Output;
        Matrix energy = EffectiveField.Energy(network, network.Forward, network, (output[1] / 2, output[2] / 2), (31, 33), seed: 1);
        ((double top, double bottom), (double left, double right)) = (rows.At(output[1] / 2), columns.At(output[2] / 2));
        Assert.Equal(((int)top, (int)left, (int)bottom, (int)right), EffectiveField.Support(energy));
        Assert.Equal(rows.Size * columns.Size, energy.Values.Count(e => e > 0));
    }

    [Theory]
    [InlineData("fcn_resnet18_tconv", 65)]
    [InlineData("fcn32s_alexnet", 65)]
    [InlineData("deeplabv3_mobilenet_v3_large", 65)]
    [InlineData("lraspp_mobilenet_v3_large", 65)]
    [InlineData("unet", 193)] // the field, 140, lies inside
    [InlineData("sliding_window", 111)]
    public void Networks_of_every_kind_are_measured(string model, int side)
    {
        Explanation explained = ReceptiveFieldTopic.Explain(new ReceptiveFieldOptions { Model = model, Input = side, Seeds = 1, Network = new ModelOptions { Channels = 4 } });
        Assert.Equal(["By the formula", "By gradients"], explained.Steps.Select(s => s.Title.English));
        Assert.True(explained.Steps[0].Exhibits.OfType<Exhibit.Table>().Single().Rows.Count > 5);
        NetworkTopicTests.ReadsWell(explained);
    }

    [Fact]
    public void Global_pooling_is_said_in_words()
    {
        Explanation explained = ReceptiveFieldTopic.Explain(new ReceptiveFieldOptions { Model = "lraspp_mobilenet_v3_large", Input = 65, Seeds = 1 });
        IReadOnlyList<IReadOnlyList<Words>> rows = explained.Steps[0].Exhibits.OfType<Exhibit.Table>().Single().Rows;
        Assert.Equal("3", rows[1][^1].English);
        Assert.EndsWith("+ whole image", rows[^1][^1].English, StringComparison.Ordinal);
        Assert.EndsWith("+ 整张图像", rows[^1][^1].Chinese, StringComparison.Ordinal);
    }

    [Fact]
    public void The_square_that_holds_a_share_of_the_energy_grows_ring_by_ring()
    {
        var energy = new Matrix(5, 5, [.. Enumerable.Range(0, 25).Select(i => i == 12 ? 10.0 : i is 11 or 13 ? 4 : i == 0 ? 2 : 0)]);
        Assert.Equal(1, EffectiveField.Side(energy, 2, 2, 0.5));
        Assert.Equal(3, EffectiveField.Side(energy, 2, 2, 0.9));
        Assert.Equal(5, EffectiveField.Side(energy, 2, 2, 0.95));
        Assert.Equal((0, 0, 2, 3), EffectiveField.Support(energy));
        Assert.Null(EffectiveField.Support(new Matrix(1, 2, [0, 0])));
    }

    [Theory]
    [InlineData("unet", 8, 1, "the input has 16 to 1024 pixels a side; it is 8×8")]
    [InlineData("unet", 64, 0, "seeds must be 1 to 32; it is 0")]
    [InlineData("maskrcnn_resnet50_fpn", 64, 1, "maskrcnn_resnet50_fpn looks at regions of its own choice, which have no fixed field: name a network that labels pixels")]
    [InlineData("sliding_window", 64, 1, "sliding_window cannot take an image of 64×64: ")]
    [InlineData("unett", 64, 1, "there is no model 'unett': ")]
    public void What_cannot_be_measured_is_refused_with_the_rule(string model, int side, int seeds, string rule)
    {
        string message = Assert.Throws<ExplainException>(() => ReceptiveFieldTopic.Explain(new ReceptiveFieldOptions { Model = model, Input = side, Seeds = seeds })).Message;
        Assert.StartsWith(rule, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    private static (GraphFlow Flow, ReceptiveField[] Fields) Fields(string model, int side)
    {
        using Init.SkipScope quick = Init.Skip();
        Module network = ModelCatalog.Create(model, new ModelOptions { OutputStride = 32 }, new ClassTable(["a", "b"])).Network;
        GraphFlow flow = network.InEvaluation(() => GraphFlow.Of(Graph.Trace(network, EffectiveField.Forward(network), [1, side, side, 3])));
        return (flow, ReceptiveFields.Along(flow, rows: true));
    }
}
