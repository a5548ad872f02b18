using System.Globalization;
using Delineate.Data;
using Delineate.Explain;
using Delineate.Explain.Topics;
using Delineate.Imaging;
using Delineate.Models;
using Delineate.Tensors;
using Xunit;

namespace Delineate.Tests.Explain;

public sealed class NetworkTopicTests
{
    [Theory]
    [InlineData("fcn32s_vgg16", 0)]
    [InlineData("fcn16s_vgg16", 1)]
    [InlineData("fcn8s_vgg16", 2)]
    public void The_finer_fcns_add_maps_that_came_another_way(string model, int fusions)
    {
        Size2d size = (96, 128);
        NetworkBlocks network = FcnNetworks.Blocks(model, 5, size);
        Sketch sketch = NetworkSketch.Draw(network);
        Assert.Equal(fusions, sketch.Shapes.OfType<Shape2d.Text>().Count(t => t.Content.English == "+"));
        Assert.Equal(fusions, network.Blocks.Count(b => b.IsFusion));
        Assert.All(network.Blocks.Where(b => b.IsFusion), b => Assert.Equal(2, b.Reads.Count));
        IsComplete(sketch, network);

        Summary summary = Create(model, 5).Summarize(size);
        Assert.Equal(summary.Parameters, network.Blocks.Sum(b => b.Parameters));
        Assert.Equal(summary.MultiplyAdds, network.Blocks.Sum(b => b.MultiplyAdds));
        Assert.Equal("5×96×128", network.Blocks[^1].Output);
    }

    [Fact]
    public void The_fcns_are_drawn_beside_each_other_with_their_totals()
    {
        Size2d size = (64, 64);
        Explanation fcn = NetworkTopic.Explain("fcn", new NetworkOptions { Input = size, Classes = 3 });
        Assert.Equal(["FCN-32s", "FCN-16s", "FCN-8s", "Side by side"], fcn.Steps.Select(s => s.Title.English));
        Summary summary = Create("fcn16s_vgg16", 3).Summarize(size);
        Assert.Equal(["total", "", Whole(summary.Parameters), Millions(summary.MultiplyAdds)], Assert.Single(fcn.Steps[1].Exhibits.OfType<Exhibit.Table>()).Rows[^1].Select(w => w.English));
        ReadsWell(fcn);
    }

    [Theory]
    [InlineData(64, 96)]
    [InlineData(75, 50)] // odd sizes are filled up on the way
    public void A_unet_has_four_skips_between_maps_of_one_level(int height, int width)
    {
        NetworkBlocks network = UNetNetwork.Blocks(4, (height, width));
        Assert.Equal([("down3", "up1"), ("down2", "up2"), ("down1", "up3"), ("inc", "up4")], UNetNetwork.Skips(network).Select(s => (network.Blocks[s.From].Name, network.Blocks[s.To].Name)));
        Assert.All(UNetNetwork.Skips(network), s => Assert.Equal(network.Blocks[s.From].Output, network.Blocks[s.To].Output));
        IsComplete(NetworkSketch.Draw(network), network);
        Explanation unet = NetworkTopic.Explain("unet", new NetworkOptions { Input = (height, width), Classes = 4 });
        Summary summary = Create("unet", 4).Summarize((height, width));
        Assert.Contains(Whole(summary.Parameters), unet.Summary.English, StringComparison.Ordinal);
        ReadsWell(unet);
    }

    [Fact]
    public void A_mask_rcnn_is_drawn_with_all_of_its_parts()
    {
        DetectionModel model = Detector();
        NetworkBlocks network = MaskRcnnNetwork.Blocks(model, (64, 96));
        Assert.Equal(
            ["stem", "layer1", "layer2", "layer3", "layer4", "P5", "P4", "P3", "P2", "P6", "RPN P2", "RPN P3", "RPN P4", "RPN P5", "RPN P6", "box head", "box predictor", "mask head", "mask predictor"],
            network.Blocks.Select(b => b.Name));
        Summary summary = model.Summarize((64, 96));
        Assert.Equal((summary.Parameters, summary.MultiplyAdds), (network.Blocks.Sum(b => b.Parameters), network.Blocks.Sum(b => b.MultiplyAdds)));
        Assert.Equal(["layer3", "P5"], network.Blocks.First(b => b.Name == "P4").Reads.Select(r => network.Blocks[r].Name)); // across and from above

        Explanation drawn = NetworkTopic.Explain("maskrcnn", new NetworkOptions { Model = model, Input = (64, 96) });
        Sketch sketch = Assert.Single(drawn.Steps[0].Exhibits.OfType<Exhibit.Drawing>()).Sketch;
        string[] texts = [.. sketch.Shapes.OfType<Shape2d.Text>().Select(t => t.Content.English)];
        Assert.All(network.Blocks, b => Assert.Contains(b.Output, texts));
        Assert.Contains("RoIAlign", texts);
        ReadsWell(drawn);
    }

    [Fact]
    public void A_photo_is_followed_through_a_mask_rcnn()
    {
        DetectionModel model = Detector();
        Image photo = Models.Objects.Sample(3).Image;
        Explanation walk = NetworkTopic.Explain("maskrcnn", new NetworkOptions { Model = model, Photo = photo });
        Assert.Equal(
            ["The drawing", "What each part costs", "The photo, resized", "The pyramid", "Anchors", "Proposals", "Aligned regions and their masks", "The result"], walk.Steps.Select(s => s.Title.English));
        Assert.Equal([(16, 24), (8, 12), (4, 6), (2, 3), (1, 2)], walk.Steps[3].Exhibits.Cast<Exhibit.Picture>().Select(p => (p.Image.Height, p.Image.Width)));
        Exhibit.Table anchors = Assert.Single(walk.Steps[4].Exhibits.OfType<Exhibit.Table>());
        Assert.Equal(["1,152", "288", "72", "18", "6", "1,536"], anchors.Rows.Select(r => r[^1].English));
        Assert.Equal(12, walk.Steps[6].Exhibits.Count); // of four objects the photo, the region and the mask
        ReadsWell(walk);
    }

    [Theory]
    [InlineData("vgg", 21, 64, "the networks that are drawn are fcn, unet, maskrcnn, not vgg")]
    [InlineData("fcn", 0, 64, "classes must be 1 to 255; it is 0")]
    [InlineData("fcn", 21, 5000, "the input has 1 to 4096 pixels a side; it is 5000×5000")]
    [InlineData("unet", 21, 15, "a U-Net halves its map four times: the input has at least 16 pixels a side; it is 15×15")]
    [InlineData("maskrcnn", 1, 64, "a detector tells a background from at least one class of things: classes must be 2 to 255; it is 1")]
    [InlineData("maskrcnn", 2, 31, "the input has at least 32 pixels a side; it is 31×31")]
    public void What_cannot_be_drawn_is_refused_with_the_rule(string topic, int classes, int side, string rule) =>
        Assert.Equal(rule, Assert.Throws<ExplainException>(() => NetworkTopic.Explain(topic, new NetworkOptions { Classes = classes, Input = side })).Message);

    [Fact]
    public void A_photo_wants_a_trained_detector_with_masks()
    {
        var photo = new Image(40, 40);
        Assert.Equal("a trained network and a photo belong to maskrcnn: unet is drawn without", Refusal("unet", new NetworkOptions { Photo = photo }));
        Assert.Equal("a photo is followed through a trained network: name its file too", Refusal("maskrcnn", new NetworkOptions { Photo = photo }));
        Assert.Equal("with a photo the input's size is the photo's: leave one of them out", Refusal("maskrcnn", new NetworkOptions { Photo = photo, Model = Detector(), Input = 64 }));
        var boxes = (DetectionModel)ModelCatalog.Create("fasterrcnn_resnet50_fpn", new ModelOptions { WidthDivisor = 64 }, Models.Objects.Classes);
        Assert.Equal("maskrcnn draws a network with masks, fasterrcnn_resnet50_fpn has none", Refusal("maskrcnn", new NetworkOptions { Model = boxes }));

        static string Refusal(string topic, NetworkOptions options) => Assert.Throws<ExplainException>(() => NetworkTopic.Explain(topic, options)).Message;
    }

    /// <summary>Every text is there in both languages, and every drawing has all of its shapes on the sheet.</summary>
    internal static void ReadsWell(Explanation explanation)
    {
        IEnumerable<Words> texts = [explanation.Title, explanation.Summary, .. explanation.Steps.SelectMany(s => (Words[])[s.Title, s.Text])];
        Assert.All(texts, t => Assert.False(string.IsNullOrWhiteSpace(t.English) || string.IsNullOrWhiteSpace(t.Chinese)));
        foreach (Sketch sketch in explanation.Steps.SelectMany(s => s.Exhibits).OfType<Exhibit.Drawing>().Select(d => d.Sketch)) LiesOnTheSheet(sketch);
    }

    private static void IsComplete(Sketch sketch, NetworkBlocks network)
    {
        string[] texts = [.. sketch.Shapes.OfType<Shape2d.Text>().Select(t => t.Content.English)];
        Assert.All(network.Blocks, b => Assert.Contains(b.IsFusion ? "+" : b.Name, texts));
        Assert.All(network.Blocks, b => Assert.Contains(b.Output, texts));
        int edges = network.Blocks.Sum(b => b.Reads.Count);
        Assert.Equal(edges, sketch.Shapes.OfType<Shape2d.Stroke>().Count(s => s.IsArrow));
        LiesOnTheSheet(sketch);
    }

    private static void LiesOnTheSheet(Sketch sketch)
    {
        Assert.All(sketch.Shapes.OfType<Shape2d.Box>(), b => Assert.True(b.X >= 0 && b.Y >= 0 && b.X + b.Width <= sketch.Width && b.Y + b.Height <= sketch.Height));
        Rectangle[] texts = [.. sketch.Shapes.OfType<Shape2d.Text>().Select(Rectangle.Of)];
        Assert.All(texts, t => Assert.True(t.Left >= 0 && t.Top >= 0 && t.Right <= sketch.Width && t.Bottom <= sketch.Height));
        for (int a = 0; a < texts.Length; a++)
        {
            for (int b = a + 1; b < texts.Length; b++) Assert.False(texts[a].Meets(texts[b]), $"{texts[a]} and {texts[b]}");
        }
    }

    private static Model Create(string name, int classes) => ModelCatalog.Create(name, new ModelOptions(), new ClassTable(Enumerable.Range(0, classes).Select(i => $"class {i}")));

    private static DetectionModel Detector() => (DetectionModel)ModelCatalog.Create(
        "maskrcnn_resnet18_fpn",
        new ModelOptions { WidthDivisor = 16, FrozenNorm = false, Detection = new DetectionOptions { MinSize = 64, MaxSize = 128, ProposalsAfterNms = 60, Detections = 8 } },
        Models.Objects.Classes);

    private static string Whole(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Millions(long number) => string.Create(CultureInfo.InvariantCulture, $"{number / 1e6:N1} M");

    /// <summary>About where a text is drawn.</summary>
    private sealed record Rectangle(string Text, double Left, double Top, double Right, double Bottom)
    {
        public static Rectangle Of(Shape2d.Text t)
        {
            double width = Sketch.TextWidth(t.Content.English, t.Size), left = t.IsCentred ? t.X - (width / 2) : t.X;
            return new Rectangle(t.Content.English, left, t.Y - (t.Size / 2.0), left + width, t.Y + (t.Size / 2.0));
        }

        public bool Meets(Rectangle other) => Left < other.Right && other.Left < Right && Top < other.Bottom && other.Top < Bottom;
    }
}
