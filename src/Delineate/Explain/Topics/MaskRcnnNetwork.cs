using Delineate.Data;
using Delineate.Models;
using Delineate.Models.Parts;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Explain.Topics;

/// <summary><c>maskrcnn</c>: backbone, pyramid, region proposals, aligned regions and heads, and a photo on its way through them (He et al. 2017).</summary>
internal static class MaskRcnnNetwork
{
    public const string Stem = "stem", BoxHead = "box head", BoxPredictor = "box predictor", MaskHead = "mask head", MaskPredictor = "mask predictor", Proposals = "RPN ";

    private const int Least = 32;
    private static readonly Size2d Usual = (800, 1088);

    public static Explanation Explain(NetworkOptions options)
    {
        NetworkTopic.Need(options.Photo is null || options.Model is not null, "a photo is followed through a trained network: name its file too");
        NetworkTopic.Need(options.Photo is null || options.Input is null, "with a photo the input's size is the photo's: leave one of them out");
        NetworkTopic.Need(options.Model is not null || options.Classes >= 2, $"a detector tells a background from at least one class of things: classes must be 2 to 255; it is {options.Classes}");
        DetectionModel model = options.Model ?? Untrained(options.Classes);
        NetworkTopic.Need(model.Network is MaskRcnn, $"maskrcnn draws a network with masks, {model.Name} has none");
        Size2d image = options.Photo is { } photo ? (photo.Height, photo.Width) : options.Input ?? Usual;
        NetworkTopic.Need(Math.Min(image.Height, image.Width) >= Least || options.Photo is not null, $"the input has at least {Least} pixels a side; it is {image}");
        NetworkBlocks network = Blocks(model, image);
        Summary summary = model.Summarize(image);
        if ((summary.Parameters, summary.MultiplyAdds) != (network.Summary.Parameters, network.Summary.MultiplyAdds))
            throw new InvalidOperationException($"the drawing has {network.Summary.MultiplyAdds} multiply-adds, the model {summary.MultiplyAdds}");
        Shape input = network.Inputs[0];
        DetectionOptions detection = model.Detection;
        var steps = new List<Step>
        {
            new(
                new Words("The drawing", "结构图"),
                new Words(
                    $"The image, {image}, is resized and padded to {input[1]}×{input[2]} and becomes four maps; the pyramid (FPN) brings them to one number of channels and adds to each the coarser one. At every place of every map the region proposal network judges three anchors; the likeliest become at most {detection.ProposalsAfterNms} proposals. RoIAlign cuts each out of the map that suits its size; the box head names and moves it, and the mask head draws the object in each box that is left.",
                    $"{image} 的图像缩放并补齐为 {input[1]}×{input[2]}，得到四张特征图；特征金字塔（FPN）把它们统一到相同的通道数，并逐级加上更粗的一张。区域建议网络（RPN）在每张图的每个位置评判三个锚框，最可能的成为至多 {detection.ProposalsAfterNms} 个候选框。RoIAlign 从与其大小相称的那张图上取出每个候选区域；边框头给出类别并修正边框，掩码头为留下的每个框画出物体。"),
                [new Exhibit.Drawing(MaskRcnnSketch.Draw(network), new Words($"{model.Name} at {input[1]}×{input[2]}", $"{model.Name}，输入 {input[1]}×{input[2]}"))]),
            new(
                new Words("What each part costs", "各部分的开销"),
                new Words(
                    $"For the most regions that the settings allow: {detection.ProposalsAfterNms} proposals and {detection.Detections} masks. The RPN's weights are the same on every map, so they are counted once. The lists of boxes between the parts cost no products.",
                    $"按设置允许的最多区域计：{detection.ProposalsAfterNms} 个候选框和 {detection.Detections} 个掩码。RPN 在各张图上共用同一组权重，参数只计一次。各部分之间的框列表没有乘加。"),
                [network.Table()]),
        };
        if (options.Photo is not null) steps.AddRange(DetectorWalk.Steps(model, options.Photo));
        return new Explanation(
            "maskrcnn",
            new Words("Mask R-CNN: find regions, then look at each", "Mask R-CNN：先找区域，再逐个细看"),
            new Words(
                $"{model.Name} at {image}: {Figures.Whole(summary.Parameters)} parameters, {Figures.Billions(summary.MultiplyAdds)} multiply-adds for {detection.ProposalsAfterNms} proposals and {detection.Detections} masks",
                $"{model.Name}，输入 {image}：{Figures.Whole(summary.Parameters)} 个参数，{detection.ProposalsAfterNms} 个候选框与 {detection.Detections} 个掩码共 {Figures.Billions(summary.MultiplyAdds)} 次乘加"),
            new Sheet(),
            steps);
    }

    public static DetectionModel Untrained(int classes)
    {
        using Init.SkipScope quick = Init.Skip();
        return (DetectionModel)ModelCatalog.Create("maskrcnn_resnet50_fpn", new ModelOptions(), new ClassTable(Enumerable.Range(0, classes).Select(i => i == 0 ? "background" : $"class {i}")) { Background = 0 });
    }

    /// <summary>The dense parts of a detector for an image of a size, with as many regions as its settings allow.</summary>
    public static NetworkBlocks Blocks(DetectionModel model, Size2d image)
    {
        var network = (MaskRcnn)model.Network;
        DetectionOptions o = model.Detection;
        Size2d input = DetectorInput.Padded([DetectorInput.Resized(image, o.MinSize, o.MaxSize)]);
        Shape images = [1, input.Height, input.Width, 3];
        Shape proposals = [o.ProposalsAfterNms, FasterRcnn.BoxSize, FasterRcnn.BoxSize, network.Channels], found = [o.Detections, MaskRcnn.PooledSize, MaskRcnn.PooledSize, network.Channels];
        return NetworkBlocks.Of(network.InEvaluation(() => Graph.Trace(network, x => [.. FasterRcnn.Listed(network.Maps(x[0])), .. Boxes(x[1]), network.Masks(x[2])], images, proposals, found)), Name);

        Tensor[] Boxes(Tensor pooled) => network.Boxes(pooled) is var (logits, deltas) ? [logits, deltas] : [];
    }

    /// <summary>P2 … P6 as they are called by everyone: the maps at strides 4 … 64.</summary>
    private static string Name(FlowStep step, IReadOnlyList<string> sources)
    {
        const string Body = "backbone.body.", Inner = "backbone.fpn.inner_blocks.", Smooth = "backbone.fpn.layer_blocks.";
        string path = step.Path;
        if (path.StartsWith(Body + "layer", StringComparison.Ordinal)) return path[Body.Length..].Split('.')[0];
        if (path.StartsWith(Body, StringComparison.Ordinal)) return Stem;
        if (path.StartsWith(Inner, StringComparison.Ordinal)) return $"P{path[Inner.Length] - '0' + 2}";
        if (path.StartsWith(Smooth, StringComparison.Ordinal)) return $"P{path[Smooth.Length] - '0' + 2}";
        if (path.StartsWith("rpn.", StringComparison.Ordinal)) return sources[0].StartsWith(Proposals, StringComparison.Ordinal) ? sources[0] : Proposals + sources[0];
        if (path.StartsWith("roi_heads.box_head", StringComparison.Ordinal)) return BoxHead;
        if (path.StartsWith("roi_heads.box_predictor", StringComparison.Ordinal)) return BoxPredictor;
        if (path.StartsWith("roi_heads.mask_head", StringComparison.Ordinal)) return MaskHead;
        if (path.StartsWith("roi_heads.mask_predictor", StringComparison.Ordinal)) return MaskPredictor;
        return (step.Op, sources[0]) switch
        {
            ("ResizeNearest", ['P', var level]) => $"P{level - '0' - 1}", // on its way down to the finer map
            ("MaxPool2d", "P5") => "P6",
            (_, var source) => source,
        };
    }
}
