using System.Globalization;
using Delineate.Data;
using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Explain.Topics;

/// <summary>The image and the patches to count.</summary>
public sealed record SlidingWindowOptions
{
    /// <summary>The image's height and width.</summary>
    public Size2d Input { get; init; } = (240, 320);

    /// <summary>Pixels between neighbouring patches: odd, so that each speaks for a square around its middle; 1 scores every pixel.</summary>
    public int Stride { get; init; } = 5;

    /// <summary>Pixels along a side of a patch, one of <see cref="PatchClassifier.PatchSizes"/>.</summary>
    public int PatchSize { get; init; } = 95;

    /// <summary>Classes, the background among them.</summary>
    public int Classes { get; init; } = 21;
}

/// <summary><c>sliding-window</c>: the work that classifying every patch by itself repeats, and that a fully convolutional network does once (Long et al. 2015, section 3).</summary>
public static class SlidingWindowTopic
{
    private const int MostSide = 4096, ShownPatches = 3;

    /// <exception cref="ExplainException">An option makes no sense.</exception>
    public static Explanation Explain(SlidingWindowOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check(options);
        (Size2d input, int stride, int patch) = (options.Input, options.Stride, options.PatchSize);
        using Init.SkipScope quick = Init.Skip(); // the numbers do not depend on the weights
        var model = (SlidingWindowModel)ModelCatalog.Create("sliding_window", new ModelOptions { PatchSize = patch, PatchStride = stride }, new ClassTable(Enumerable.Range(0, options.Classes).Select(i => $"class {i}")));
        if (Math.Min(input.Height, input.Width) < model.MinimumSize)
            throw new ExplainException($"an image for patches of {patch} at stride {stride} has at least {model.MinimumSize} pixels a side, to be mirrored at its border; it is {input}");
        (Summary each, long total, Summary dense, GraphFlow flow) = Costs(model, options);
        (long rows, long columns) = (Cells(input.Height, stride), Cells(input.Width, stride));
        Agree(rows * columns, model.Summarize(input).Runs.Prediction, "patches");
        Agree(each.MultiplyAdds * rows * columns, total, "multiply-adds of all patches");
        Agree(Naive(flow), dense.MultiplyAdds, "multiply-adds of the dense network");
        Matrix coverage = Coverage(options);
        double ratio = (double)total / dense.MultiplyAdds;
        string times = Invariant($"{ratio:0.#}");
        return new Explanation(
            "sliding-window",
            new Words("A sliding window and what it wastes", "滑动窗口及其浪费"),
            new Words(
                $"image {input}, patches of {patch}×{patch} at stride {stride}: {Whole(rows * columns)} patches cost {Figures.Billions(total)} multiply-adds, the fully convolutional network {Figures.Billions(dense.MultiplyAdds)}: {times} times as much patch by patch",
                $"图像 {input}，{patch}×{patch} 的图块，步幅 {stride}：{Whole(rows * columns)} 个图块需要 {Figures.Billions(total)} 次乘加，全卷积网络需要 {Figures.Billions(dense.MultiplyAdds)}：逐块计算是其 {times} 倍"),
            new Sheet(),
            [Overlap(options, coverage), Work(options, each, rows * columns, total, dense, times), Layers(each, dense, flow, rows * columns)]);
    }

    private static void Check(SlidingWindowOptions o)
    {
        Need(Math.Min(o.Input.Height, o.Input.Width) >= 1 && Math.Max(o.Input.Height, o.Input.Width) <= MostSide, $"the image has 1 to {MostSide} pixels a side; it is {o.Input}");
        Need(PatchClassifier.PatchSizes.Contains(o.PatchSize), $"the patch size is one of {string.Join(", ", PatchClassifier.PatchSizes)}; it is {o.PatchSize}");
        Need(o.Stride >= 1 && o.Stride <= o.PatchSize && o.Stride % 2 == 1, $"the stride is odd and at most the patch size, {o.PatchSize}; it is {o.Stride}");
        Need(o.Classes is >= 1 and <= 255, $"classes must be 1 to 255; it is {o.Classes}");

        static void Need(bool holds, string rule)
        {
            if (!holds) throw new ExplainException(rule);
        }
    }

    private static (Summary Each, long Total, Summary Dense, GraphFlow Flow) Costs(SlidingWindowModel model, SlidingWindowOptions o)
    {
        var classifier = (PatchClassifier)model.Network;
        Summary each = classifier.InEvaluation(() => Summary.Of(Graph.Trace(classifier, [1, o.PatchSize, o.PatchSize, 3])));
        Graph dense = model.TraceForAnySize(1, o.Input);
        return (each, model.Summarize(o.Input).MultiplyAdds, Summary.Of(dense), GraphFlow.Of(dense));
    }

    /// <summary>The multiply-adds of the dense network from the size formula, layer after layer.</summary>
    private static long Naive(GraphFlow flow)
    {
        long sum = 0;
        foreach (FlowStep step in flow.Steps.Where(s => s.Weight is not null)) sum += Figures.MultiplyAdds(flow, step);
        return sum;
    }

    /// <summary>How many patches see each pixel of the image, counted one by one and by the library's transposed convolution: a stamp for each patch.</summary>
    private static Matrix Coverage(SlidingWindowOptions o)
    {
        (int[] rows, int[] columns) = (Along(o.Input.Height), Along(o.Input.Width));
        return new Matrix(rows.Length, columns.Length, [.. from r in rows from c in columns select (double)r * c]);

        int[] Along(int length)
        {
            int cells = (int)Cells(length, o.Stride), before = (o.PatchSize - o.Stride) / 2;
            var counts = new int[length];
            for (int cell = 0; cell < cells; cell++)
            {
                int start = (cell * o.Stride) - before;
                for (int i = Math.Max(0, start); i < Math.Min(length, start + o.PatchSize); i++) counts[i]++;
            }
            Tensor stamped = Tensor.Full([1, cells, 1, 1], 1).ConvTranspose2d(Tensor.Full([1, o.PatchSize, 1, 1], 1), stride: (o.Stride, 1));
            Shown.Agree(new Matrix(length, 1, [.. counts.Select(c => (double)c)]), stamped.ToArray().AsSpan(before, length));
            return counts;
        }
    }

    private static Step Overlap(SlidingWindowOptions o, Matrix coverage)
    {
        double share = Math.Max(0, o.PatchSize - o.Stride) / (double)o.PatchSize;
        string percent = Invariant($"{100 * share:0.#} %"), most = Matrix.Format(coverage.Values.Max()), least = Matrix.Format(coverage.Values.Min());
        return new Step(
            new Words("Patches overlap", "图块相互重叠"),
            new Words(
                $"The patch around a pixel tells the pixel's class; the next patch begins {o.Stride} further and shares {percent} of its pixels with it. So every pixel is looked at by {least} to {most} patches, each of which computes its features anew. What a patch sees outside of the image is the image mirrored.",
                $"像素周围的图块决定该像素的类别；下一个图块移动 {o.Stride} 像素，与前一个共享 {percent} 的像素。于是每个像素被 {least} 到 {most} 个图块看到，每个图块都要重新计算特征。图块超出图像的部分用镜像填充。"),
            [
                new Exhibit.Drawing(Patches(o), new Words($"the first {ShownPatches} patches of a row, and the squares they speak for", $"一行中的前 {ShownPatches} 个图块及其负责的小方块")),
                new Exhibit.Picture(HeatMap.Of(coverage), new Words($"patches that see each pixel: {least} … {most}", $"看到每个像素的图块数：{least} … {most}"), HeatMap.Scale(coverage.Height, coverage.Width)),
            ]);
    }

    /// <summary>The image with a few patches from its middle row.</summary>
    private static Sketch Patches(SlidingWindowOptions o)
    {
        const double Long = 420, Margin = 16;
        int before = (o.PatchSize - o.Stride) / 2;
        int row = (int)(Cells(o.Input.Height, o.Stride) / 2), shown = (int)Math.Min(ShownPatches, Cells(o.Input.Width, o.Stride)), first = (int)(Cells(o.Input.Width, o.Stride) - shown) / 2;
        double top = Math.Min(0, (row * o.Stride) - before), bottom = Math.Max(o.Input.Height, (row * o.Stride) - before + o.PatchSize);
        double left = Math.Min(0, (first * o.Stride) - before), right = Math.Max(o.Input.Width, ((first + shown - 1) * o.Stride) - before + o.PatchSize);
        double scale = Long / Math.Max(bottom - top, right - left);
        var shapes = new List<Shape2d> { new Shape2d.Box(X(0), Y(0), o.Input.Width * scale, o.Input.Height * scale, Tint.Filled) };
        for (int i = 0; i < shown; i++)
            shapes.Add(new Shape2d.Box(X((first + i) * o.Stride), Y(row * o.Stride), o.Stride * scale, o.Stride * scale, i % 2 == 0 ? Tint.Made : Tint.Read, Tint.Faint));
        for (int i = 0; i < shown; i++)
        {
            double x = X(((first + i) * o.Stride) - before), y = Y((row * o.Stride) - before), side = o.PatchSize * scale;
            Tint tint = i % 2 == 0 ? Tint.Ink : Tint.Faint;
            shapes.Add(new Shape2d.Stroke(x, y, x + side, y, tint));
            shapes.Add(new Shape2d.Stroke(x + side, y, x + side, y + side, tint));
            shapes.Add(new Shape2d.Stroke(x + side, y + side, x, y + side, tint));
            shapes.Add(new Shape2d.Stroke(x, y + side, x, y, tint));
        }
        return new Sketch(((right - left) * scale) + (2 * Margin), ((bottom - top) * scale) + (2 * Margin), shapes);

        double X(double x) => Margin + ((x - left) * scale);

        double Y(double y) => Margin + ((y - top) * scale);
    }

    private static Step Work(SlidingWindowOptions o, Summary each, long patches, long total, Summary dense, string times)
    {
        IReadOnlyList<IReadOnlyList<Words>> rows =
        [
            [new Words("patches", "图块数"), Whole(patches)],
            [new Words("multiply-adds of a patch", "每个图块的乘加"), Whole(each.MultiplyAdds)],
            [new Words("multiply-adds of all patches", "所有图块的乘加"), Whole(total)],
            [new Words("multiply-adds, fully convolutional", "全卷积的乘加"), Whole(dense.MultiplyAdds)],
            [new Words("saved by sharing", "共享省下的乘加"), Whole(total - dense.MultiplyAdds)],
            [new Words("ratio", "倍数"), times],
        ];
        return new Step(
            new Words("The same scores, computed once", "同样的得分，只算一次"),
            new Words(
                $"Written as convolutions over the whole image, with dilation in place of the poolings' strides, the same weights give the same scores at {(o.Stride == 1 ? "every pixel" : $"one pixel in {o.Stride} of every row and column")}, and what patches have in common is computed once. {(total > dense.MultiplyAdds ? $"Patch by patch it is {times} times the work." : $"But it looks between the patches, too: where they hardly overlap, patch by patch is less work, {times} times as much.")}",
                $"把同样的权重写成对整张图像的卷积，并用空洞代替池化的步幅，每行每列{(o.Stride == 1 ? "每个像素" : $"每 {o.Stride} 个像素")}得到同样的得分，而图块共有的部分只算一次。{(total > dense.MultiplyAdds ? $"逐块计算的工作量是它的 {times} 倍。" : $"但它也要计算图块之间的位置：图块几乎不重叠时，逐块计算反而更省，只有它的 {times} 倍。")}"),
            [new Exhibit.Table([new("", ""), new("number", "数值")], rows)]);
    }

    private static Step Layers(Summary each, Summary dense, GraphFlow flow, long patches)
    {
        var shared = dense.Rows.Zip(flow.Steps).Where(p => p.Second.Weight is not null).ToArray();
        var single = each.Rows.Where(r => r.MultiplyAdds > 0).ToArray();
        return new Step(
            new Words("Layer by layer", "逐层比较"),
            new Words("The first layers repeat most: their windows are small, and all patches that overlap ask for the same ones. The last ones score, and nothing of theirs is shared.", "重复最多的是前几层：窗口小，所有重叠的图块都要算同样的窗口。最后几层给出得分，没有可共享的部分。"),
            [new Exhibit.Table(
                [new("layer", "层"), new("in a patch", "图块内输出"), new("in the image", "整图输出"), new("all patches", "所有图块"), new("fully convolutional", "全卷积"), new("ratio", "倍数")],
                [.. single.Zip(shared, (s, d) => (IReadOnlyList<Words>)
                [
                    s.Path, Figures.Map(s.Output), Figures.Map(d.First.Output), Figures.Millions(s.MultiplyAdds * patches), Figures.Millions(d.First.MultiplyAdds),
                    Invariant($"{(double)s.MultiplyAdds * patches / d.First.MultiplyAdds:0.##}"),
                ])])]);
    }

    private static void Agree(long own, long library, string what)
    {
        if (own != library) throw new InvalidOperationException(Invariant($"the {what} are {own}, the library says {library}"));
    }

    private static long Cells(int side, int stride) => (side + stride - 1) / stride;

    private static string Whole(long number) => Figures.Whole(number);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
