using Delineate.Imaging;
using Delineate.Metrics;
using static Delineate.Explain.Topics.Shown;

namespace Delineate.Explain.Topics;

/// <summary>Two label maps to compare.</summary>
public sealed record ConfusionOptions
{
    /// <summary>What is there.</summary>
    public LabelMap Truth { get; init; } = new(4, 5, [0, 0, 1, 1, 1, 0, 0, 1, 1, 255, 0, 2, 2, 1, 255, 2, 2, 2, 2, 0]);

    /// <summary>What was taken for it.</summary>
    public LabelMap Prediction { get; init; } = new(4, 5, [0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 2, 1, 1, 0, 2, 2, 2, 0, 0]);

    /// <summary>Classes, or null for as many as the labels need.</summary>
    public int? Classes { get; init; }

    /// <summary>The truth that does not count.</summary>
    public int Ignored { get; init; } = 255;
}

/// <summary><c>confusion-matrix</c>: from two label maps to positions, counts, the matrix, and the figures of segmentation (Long et al. 2015, section 5).</summary>
public static class ConfusionMatrixTopic
{
    private const int MostShownClasses = 12;

    /// <exception cref="ExplainException">The maps do not fit together.</exception>
    public static Explanation Explain(ConfusionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        (LabelMap truth, LabelMap prediction) = (options.Truth, options.Prediction);
        if ((truth.Height, truth.Width) != (prediction.Height, prediction.Width))
            throw new ExplainException($"truth and prediction must be of one size; they are {truth.Height}×{truth.Width} and {prediction.Height}×{prediction.Width}");
        int needed = 1 + truth.Labels.Select((t, i) => t == options.Ignored ? 0 : Math.Max(t, prediction.Labels[i])).DefaultIfEmpty((byte)0).Max(v => (int)v);
        int classes = options.Classes ?? needed;
        if (classes < needed || classes > 256) throw new ExplainException($"classes must be {needed} to 256, for the labels go up to {needed - 1}; they are {classes}");
        var matrix = new ConfusionMatrix(classes, options.Ignored);
        matrix.Add(truth, prediction);
        SegmentationScores scores = matrix.Scores();
        long[,] naive = Counted(options, classes);
        for (int t = 0; t < classes; t++)
        {
            for (int p = 0; p < classes; p++)
            {
                if (naive[t, p] != matrix[t, p]) throw new InvalidOperationException($"the library counts {matrix[t, p]} pixels of {t} as {p}, a plain loop {naive[t, p]}");
            }
        }
        var sheet = new Sheet();
        var steps = new List<Step>();
        bool isSmall = truth.Labels.Length <= WindowOptions.MostCells && truth.Width <= 24 && classes <= MostShownClasses;
        Grid counts = isSmall ? FromPixels(sheet, options, classes, steps) : FromPictures(sheet, options, matrix, steps);
        if (classes <= MostShownClasses) Figures(sheet, counts, classes, scores, steps);
        else steps.Add(new Step(new Words("The figures", "各项指标"), new Words("The best and worst classes of all.", "所有类别中最好与最差者。"), [ClassTable(scores)]));
        string figures = $"{Percent(scores.PixelAccuracy)}, {Percent(scores.MeanAccuracy)}, {Percent(scores.MeanIou)}";
        return new Explanation(
            "confusion-matrix", new Words("The confusion matrix: every pixel counted once", "混淆矩阵：每个像素计一次"),
            new Words(
                $"two maps of {truth.Height}×{truth.Width}, {classes} classes, {matrix.Ignored} pixels ignored → pixel accuracy, mean accuracy, mean IoU: {figures}",
                $"两张 {truth.Height}×{truth.Width} 的标签图，{classes} 个类别，忽略 {matrix.Ignored} 个像素 → 像素准确率、平均准确率、平均 IoU：{figures}"),
            sheet, steps);
    }

    private static Grid FromPixels(Sheet sheet, ConfusionOptions o, int classes, List<Step> steps)
    {
        Grid truth = sheet.Give("T", new Words("T: truth", "T：真值"), Numbers(o.Truth)), prediction = sheet.Give("P", new Words("P: prediction", "P：预测"), Numbers(o.Prediction));
        steps.Add(new Step(
            new Words("Two label maps", "两张标签图"),
            new Words($"What is there, and what was predicted: green where they agree, red where not, grey where the truth says that nobody knows ({o.Ignored}).", $"真值与预测：一致为绿色，不一致为红色，真值为“未知”（{o.Ignored}）处为灰色。"),
            [new Exhibit.Labels(truth, truth, o.Ignored), new Exhibit.Labels(prediction, truth, o.Ignored)]));
        Grid places = sheet.Compute("n·T + P", new Words($"{classes}·T + P: positions", $"{classes}·T + P：位置"), truth.Height, truth.Width, (r, c) => new Formula.Place(classes, truth[r, c], prediction[r, c], o.Ignored));
        int firstCounted = Math.Max(0, Array.FindIndex(o.Truth.Labels.ToArray(), t => t != o.Ignored));
        steps.Add(new Step(
            new Words("A position for every pixel", "每个像素的位置"),
            new Words($"With {classes} classes, {classes}·truth + prediction names the field of a {classes}×{classes} matrix, row by row. Ignored pixels have none.", $"共 {classes} 个类别，{classes}·真值 + 预测 指出 {classes}×{classes} 矩阵中按行排列的一格。被忽略的像素没有位置。"),
            [new Exhibit.Numbers(truth, Only(truth, firstCounted, Mark.Read)), new Exhibit.Numbers(prediction, Only(prediction, firstCounted, Mark.Read)), new Exhibit.Numbers(places, Only(places, firstCounted, Mark.Made)), new Exhibit.Working("position", places.First + firstCounted)]));
        Grid bins = sheet.Compute("bins", new Words("bincount: pixels at each position", "bincount：各位置的像素数"), 1, classes * classes, (_, i) => new Formula.CountOf(i, places.Cells));
        Grid counts = sheet.Compute("M", new Words("M: rows truth, columns prediction", "M：行为真值，列为预测"), classes, classes, (t, p) => new Formula.Weighted([(1, bins[0, (t * classes) + p])]));
        steps.Add(new Step(
            new Words("Counted and folded", "计数并折叠"),
            new Words("One count of equal positions (bincount), folded into rows of the truth: the confusion matrix. Its diagonal is what was right.", "对相同的位置计数（bincount），再按真值折成行：这就是混淆矩阵。对角线上是预测正确的像素。"),
            [GridOrPicture(sheet, bins), Marked(counts, Mark.Right, Enumerable.Range(0, classes).Select(c => counts[c, c]))]));
        return counts;
    }

    private static Grid FromPictures(Sheet sheet, ConfusionOptions o, ConfusionMatrix matrix, List<Step> steps)
    {
        int scale = HeatMap.Scale(o.Truth.Height, o.Truth.Width);
        steps.Add(new Step(
            new Words("Two label maps", "两张标签图"),
            new Words("Green where truth and prediction agree, red where not, grey where the truth says that nobody knows.", "一致为绿色，不一致为红色，真值未知处为灰色。"),
            [
                new Exhibit.Picture(Colored(o.Truth), new Words("truth", "真值"), scale),
                new Exhibit.Picture(Colored(o.Prediction), new Words("prediction", "预测"), scale),
                new Exhibit.Picture(Agreement(o), new Words("right and wrong", "对与错"), scale),
            ]));
        int n = matrix.Classes;
        Grid counts = sheet.Compute("M", new Words("M: rows truth, columns prediction", "M：行为真值，列为预测"), n, n, (t, p) => new Formula.Given(matrix[t, p]));
        steps.Add(new Step(
            new Words("Counted", "计数"),
            new Words($"Every pixel falls into the field {n}·truth + prediction of the matrix. Its diagonal is what was right.", $"每个像素落入矩阵中 {n}·真值 + 预测 那一格。对角线上是预测正确的像素。"),
            [n <= MostShownClasses ? Marked(counts, Mark.Right, Enumerable.Range(0, n).Select(c => counts[c, c])) : Picture(sheet.ValuesOf(counts), counts.Title)]));
        return counts;
    }

    private static void Figures(Sheet sheet, Grid m, int n, SegmentationScores scores, List<Step> steps)
    {
        int[] diagonal = [.. Enumerable.Range(0, n).Select(c => m[c, c])];
        IReadOnlyList<int> Row(int c) => [.. Enumerable.Range(0, n).Select(k => m[c, k])];
        IReadOnlyList<int> Cross(int c) => [.. Enumerable.Range(0, n).Select(k => m[c, k]), .. Enumerable.Range(0, n).Where(k => k != c).Select(k => m[k, c])];
        Grid pixel = sheet.Compute("pixel accuracy", new Words("pixel accuracy", "像素准确率"), 1, 1, (_, _) => new Formula.Ratio(diagonal, m.Cells));
        Grid accuracy = sheet.Compute("accuracy", new Words("accuracy of each class", "各类准确率"), n, 1, (c, _) => new Formula.Ratio([m[c, c]], Row(c)));
        Grid iou = sheet.Compute("IoU", new Words("IoU of each class", "各类 IoU"), n, 1, (c, _) => new Formula.Ratio([m[c, c]], Cross(c)));
        Grid meanAccuracy = sheet.Compute("mean accuracy", new Words("mean accuracy", "平均准确率"), 1, 1, (_, _) => new Formula.Mean(accuracy.Cells));
        Grid meanIou = sheet.Compute("mean IoU", new Words("mean IoU", "平均 IoU"), 1, 1, (_, _) => new Formula.Mean(iou.Cells));
        if (sheet.ValuesOf(m).Values.Sum() > 0)
        {
            sheet.Check(pixel, [(float)scores.PixelAccuracy]);
            sheet.Check(meanAccuracy, [(float)scores.MeanAccuracy]);
            sheet.Check(meanIou, [(float)scores.MeanIou]);
        }
        steps.Add(new Step(
            new Words("Pixel accuracy", "像素准确率"), new Words("The diagonal over everything: the share of pixels that are right. A large background hides small classes in it.", "对角线之和除以总数：正确像素的比例。大面积的背景会掩盖小类别。"),
            [Marked(m, Mark.Right, diagonal), Marked(pixel, Mark.Made, pixel.Cells), new Exhibit.Working("pixel accuracy", pixel.First)]));
        for (int c = 0; c < n; c++)
        {
            steps.Add(new Step(
                new Words($"Class {c}", $"类别 {c}"),
                new Words(
                    $"Accuracy: the hits over the row, all that is there. IoU: the hits over row and column together, the union of what is there and what was predicted; false alarms count too.",
                    $"准确率：命中数除以该行之和（真值中的全部）。IoU：命中数除以行与列的并集，误报也计入。"),
                [new Exhibit.Numbers(m, Crossed(m, c, n)), Marked(accuracy, Mark.Made, [accuracy[c, 0]]), Marked(iou, Mark.Made, [iou[c, 0]]),
                    new Exhibit.Working($"accuracy[{c}]", accuracy[c, 0]), new Exhibit.Working($"IoU[{c}]", iou[c, 0])]));
        }
        steps.Add(new Step(
            new Words("The means", "平均值"), new Words("Classes that occur nowhere are left out (–). Mean IoU is the figure by which segmentation is compared.", "哪里都没出现的类别不计入（–）。平均 IoU 是比较分割结果的常用指标。"),
            [Plain(accuracy), Plain(iou), Marked(meanAccuracy, Mark.Made, meanAccuracy.Cells), Marked(meanIou, Mark.Made, meanIou.Cells), new Exhibit.Working("mean accuracy", meanAccuracy.First), new Exhibit.Working("mean IoU", meanIou.First)]));
    }

    private static Dictionary<int, Mark> Crossed(Grid m, int c, int n)
    {
        var marks = new Dictionary<int, Mark>();
        for (int k = 0; k < n; k++) (marks[m[c, k]], marks[m[k, c]]) = (Mark.Read, Mark.Wrong);
        marks[m[c, c]] = Mark.Right;
        return marks;
    }

    private static Exhibit.Table ClassTable(SegmentationScores scores) => new(
        [new Words("class", "类别"), new Words("accuracy", "准确率"), "IoU"],
        [.. scores.Classes.Where(c => c.Iou is not null).OrderBy(c => c.Iou).Select(c => (IReadOnlyList<Words>)[c.Name, c.Accuracy is { } a ? Percent(a) : "–", Percent(c.Iou!.Value)])]);

    private static Dictionary<int, Mark> Only(Grid grid, int at, Mark mark) => new() { [grid.First + at] = mark };

    private static Matrix Numbers(LabelMap map) => new(map.Height, map.Width, [.. map.Labels.Select(v => (double)v)]);

    private static string Percent(double share) => $"{Matrix.Format(Math.Round(100 * share, 2))} %";

    private static long[,] Counted(ConfusionOptions o, int classes)
    {
        var counts = new long[classes, classes];
        for (int i = 0; i < o.Truth.Labels.Length; i++)
        {
            if (o.Truth.Labels[i] != o.Ignored) counts[o.Truth.Labels[i], o.Prediction.Labels[i]]++;
        }
        return counts;
    }

    private static Image Colored(LabelMap map)
    {
        Palette palette = Palette.Voc;
        return new Image(map.Height, map.Width, [.. map.Labels.SelectMany(v => (byte[])[palette[v].R, palette[v].G, palette[v].B])]);
    }

    private static Image Agreement(ConfusionOptions o) => new(o.Truth.Height, o.Truth.Width, [.. o.Truth.Labels.SelectMany((t, i) =>
        t == o.Ignored ? (byte[])[170, 175, 182] : t == o.Prediction.Labels[i] ? [70, 170, 80] : [220, 70, 60])]);
}
