using Delineate.Tensors;

namespace Delineate.Explain.Topics;

/// <summary><c>unet</c>: the way down, the way up, and what crosses between (Ronneberger et al. 2015).</summary>
internal static class UNetNetwork
{
    private const int Least = 16; // the map is halved four times
    private static readonly Size2d Usual = 512;

    public static Explanation Explain(NetworkOptions options)
    {
        Size2d input = options.Input ?? Usual;
        NetworkTopic.Need(Math.Min(input.Height, input.Width) >= Least, $"a U-Net halves its map four times: the input has at least {Least} pixels a side; it is {input}");
        NetworkBlocks network = Blocks(options.Classes, input);
        var skips = Skips(network);
        IReadOnlyList<IReadOnlyList<Words>> crossing = [.. skips.Select(s => (IReadOnlyList<Words>)[network.Blocks[s.From].Name, network.Blocks[s.To].Name, network.Blocks[s.From].Output])];
        bool isUneven = input.Height % Least != 0 || input.Width % Least != 0;
        return new Explanation(
            "unet",
            new Words("U-Net: down, up, and across", "U-Net：下行、上行与跳连"),
            new Words(
                $"U-Net at {input}, {options.Classes} classes: {Figures.Whole(network.Summary.Parameters)} parameters, {Figures.Billions(network.Summary.MultiplyAdds)} multiply-adds",
                $"U-Net，输入 {input}，{options.Classes} 类：{Figures.Whole(network.Summary.Parameters)} 个参数，{Figures.Billions(network.Summary.MultiplyAdds)} 次乘加"),
            new Sheet(),
            [
                new Step(
                    new Words("The drawing", "结构图"),
                    new Words(
                        $"On the left each stage halves the map and doubles its channels; on the right a transposed convolution doubles the map, the map of the same size from the left is put beside it, and two convolutions mix both. {skips.Count} skips carry outlines across that the way down has lost.{(isUneven ? " Halving rounds odd sizes down: zeros make up for the missing row or column." : "")}",
                        $"左侧每一级把图减半、通道加倍；右侧转置卷积把图放大一倍，与左侧同样大小的图并列拼接，再由两个卷积混合。{skips.Count} 条跳连把下行中丢失的轮廓带过去。{(isUneven ? "奇数尺寸减半时向下取整，缺的行列用零补上。" : "")}"),
                    [new Exhibit.Drawing(NetworkSketch.Draw(network), new Words($"U-Net at {input}", $"U-Net，输入 {input}")), new Exhibit.Table([new("from", "从"), new("to", "到"), new("map C×H×W", "特征图 C×H×W")], crossing)]),
                new Step(
                    new Words("What each stage costs", "各阶段的开销"),
                    new Words(
                        "Parameters gather at the bottom, where channels are many; work is spread nearly evenly, for each halving leaves a quarter of the pixels and four times the products.",
                        "参数集中在底部，那里通道多；计算量大致均匀，因为每次减半后像素剩四分之一，每像素的乘积多四倍。"),
                    [network.Table()]),
            ]);
    }

    public static NetworkBlocks Blocks(int classes, Size2d input) => NetworkBlocks.Of(NetworkTopic.Trace(NetworkTopic.Semantic("unet", classes), input), (step, sources) =>
        step.Path.Length > 0 ? step.Path.Split('.')[0] : sources.FirstOrDefault(s => s.StartsWith("up", StringComparison.Ordinal)) ?? sources[0]);

    /// <summary>The edges that leap over stages of the main path.</summary>
    public static IReadOnlyList<(int From, int To)> Skips(NetworkBlocks network) =>
        [.. from to in Enumerable.Range(0, network.Blocks.Count)
            from read in network.Blocks[to].Reads
            where read >= 0 && network.Main.ToList().IndexOf(to) - network.Main.ToList().IndexOf(read) > 1
            select (read, to)];
}
