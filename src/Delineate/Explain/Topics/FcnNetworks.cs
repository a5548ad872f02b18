using System.Globalization;
using Delineate.Tensors;

namespace Delineate.Explain.Topics;

/// <summary><c>fcn</c>: FCN-32s, FCN-16s and FCN-8s on VGG-16 beside each other, and the maps that the finer ones add (Long et al. 2015).</summary>
internal static class FcnNetworks
{
    private static readonly Size2d Usual = (320, 480);

    public static Explanation Explain(NetworkOptions options)
    {
        Size2d input = options.Input ?? Usual;
        var steps = new List<Step>();
        var compared = new List<IReadOnlyList<Words>>();
        var networks = new List<NetworkBlocks>();
        foreach (int stride in (int[])[32, 16, 8])
        {
            NetworkBlocks network = Blocks($"fcn{stride}s_vgg16", options.Classes, input);
            networks.Add(network);
            NetworkBlock[] fusions = [.. network.Blocks.Where(b => b.IsFusion)];
            string name = $"FCN-{stride}s";
            steps.Add(new Step(name, Text(stride), [new Exhibit.Drawing(NetworkSketch.Draw(network), new Words($"{name} at {input}", $"{name}，输入 {input}")), network.Table(Label)]));
            compared.Add([name, $"{stride}", $"{fusions.Length}", Figures.Whole(network.Summary.Parameters), Figures.Billions(network.Summary.MultiplyAdds)]);
        }
        string share = Percent(networks[2].Blocks.Where(b => b.Name is "fc6" or "fc7").Sum(b => b.Parameters), networks[2].Summary.Parameters);
        string more = Percent(networks[2].Summary.MultiplyAdds - networks[0].Summary.MultiplyAdds, networks[0].Summary.MultiplyAdds);
        steps.Add(new Step(
            new Words("Side by side", "三者对照"),
            new Words(
                $"Two fusions change the work by {more}: a 1×1 convolution on a map that is there anyway, and a smaller transposed convolution at the end. {share} of the parameters of FCN-8s lie in fc6 and fc7, the classifier's layers written as convolutions.",
                $"两次融合使计算量改变 {more}：只是在已有的特征图上做 1×1 卷积，末端的转置卷积反而更小。FCN-8s 有 {share} 的参数在 fc6 和 fc7，即写成卷积的分类器层。"),
            [new Exhibit.Table([new("network", "网络"), new("stride of the finest scores", "最细得分图的步幅"), new("fusions", "融合次数"), new("parameters", "参数"), new("multiply-adds", "乘加")], compared)]));
        return new Explanation(
            "fcn",
            new Words("FCN: a classifier made convolutional", "FCN：全卷积化的分类网络"),
            new Words($"FCN-32s, 16s and 8s on VGG-16 at {input}, {options.Classes} classes: scores at 1/32, 1/16 and 1/8 of the image's resolution", $"VGG-16 上的 FCN-32s、16s、8s，输入 {input}，{options.Classes} 类：得分图分别为图像分辨率的 1/32、1/16、1/8"),
            new Sheet(),
            steps);
    }

    /// <summary>The stages of one of the three: convolutions with the pooling after them, then layer by layer.</summary>
    public static NetworkBlocks Blocks(string model, int classes, Size2d input) => NetworkBlocks.Of(NetworkTopic.Trace(NetworkTopic.Semantic(model, classes), input), (step, sources) =>
    {
        if (step.Path.StartsWith("conv", StringComparison.Ordinal)) return step.Path[..step.Path.IndexOf('_', StringComparison.Ordinal)];
        if (step.Path.Length > 0) return step.Path;
        return sources.Distinct().Count() > 1 ? $"{NetworkBlocks.Fusion} {sources[^1]}" : sources[0];
    });

    private static string Percent(long part, long whole) => string.Create(CultureInfo.InvariantCulture, $"{100.0 * part / whole:0.##} %");

    private static string Label(NetworkBlock block) => block.Name.StartsWith("conv", StringComparison.Ordinal) ? $"{block.Name}, pool{block.Name[4..]}" : block.Name;

    private static Words Text(int stride) => stride switch
    {
        32 => new(
            "Five stages of convolutions halve the map each; fc6 and fc7 slide the classifier over what is left; score_fr scores each place, and one transposed convolution enlarges the scores 32 times. A hundred zeros around the image keep the map from vanishing; crops bring the scores into line with the image.",
            "五个卷积阶段各把特征图减半；fc6、fc7 让分类器在剩下的图上滑动；score_fr 给每个位置打分，再由一个转置卷积放大 32 倍。图像四周补一百圈零，使特征图不致消失；裁剪使得分与图像对齐。"),
        16 => new(
            "The map after the fourth pooling is twice as fine. Its scores are added to those of the last map, enlarged twice; the sum is enlarged 16 times: one fusion (+).",
            "第四次池化后的图精细一倍。它的得分加到放大两倍的末层得分上，和再放大 16 倍：一次融合（+）。"),
        _ => new(
            "The same once more with the map after the third pooling: two fusions (+), and only a factor of 8 is left to interpolate.",
            "再对第三次池化后的图做同样的事：两次融合（+），只剩 8 倍需要插值。"),
    };
}
