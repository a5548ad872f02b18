using System.Globalization;
using Delineate.Data;
using Delineate.Tensors;
using static Delineate.Explain.Topics.Shown;

namespace Delineate.Explain.Topics;

/// <summary>A box on a map of features, and how it is read.</summary>
public sealed record RoiOptions
{
    /// <summary>The map.</summary>
    public Matrix Features { get; init; } = Matrix.Counting(6, 8);

    /// <summary>Pixels of the image for a pixel of the map.</summary>
    public int Stride { get; init; } = 32;

    /// <summary>The box, in pixels of the image.</summary>
    public Box Box { get; init; } = new(52, 70, 180, 165);

    /// <summary>Bins of the result, both ways.</summary>
    public int Bins { get; init; } = 2;

    /// <summary>Samples of a bin, both ways.</summary>
    public int Samples { get; init; } = 2;

    /// <summary>Pixel centres at half numbers, as they should be; without it half a pixel off, as the first implementations were.</summary>
    public bool IsAligned { get; init; } = true;
}

/// <summary><c>roi-align</c>: RoIPool's two roundings against RoIAlign's bilinear samples (He et al. 2017, arXiv:1703.06870).</summary>
public static class RoiAlignTopic
{
    private const int CellSide = 40;

    /// <exception cref="ExplainException">An option makes no sense.</exception>
    public static Explanation Explain(RoiOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check(options);
        (Matrix map, Box box, int bins) = (options.Features, options.Box, options.Bins);
        double scale = 1.0 / options.Stride;
        var sheet = new Sheet();
        Grid x = sheet.Give("F", new Words("F: features", "F：特征图"), map);
        Tensor features = Tensor.From(map.ToFloats(), [1, map.Height, map.Width, 1]), rois = Tensor.From([0, (float)box.X1, (float)box.Y1, (float)box.X2, (float)box.Y2], [1, 5]);

        // RoIPool: whole pixels, both edges included, in bins of whole pixels.
        (int Start, int Length) rows = Rounded(box.Y1, box.Y2, scale), columns = Rounded(box.X1, box.X2, scale);
        (int From, int To)[] rowBins = Cut(rows, bins, map.Height), columnBins = Cut(columns, bins, map.Width);
        IReadOnlyList<int> Pixels(int i, int j) => [.. from r in Enumerable.Range(rowBins[i].From, Math.Max(0, rowBins[i].To - rowBins[i].From))
            from c in Enumerable.Range(columnBins[j].From, Math.Max(0, columnBins[j].To - columnBins[j].From))
            select x[r, c]];
        Grid pooled = sheet.Compute("pool", new Words("RoIPool", "RoIPool"), bins, bins, (i, j) => new Formula.Largest(Pixels(i, j)));
        sheet.Check(pooled, features.RoiPool(rois, bins, (float)scale).ToArray());

        // RoIAlign: the mean of bilinear samples, nothing rounded.
        double offset = options.IsAligned ? 0.5 : 0;
        double[] ys = Places(box.Y1, box.Y2, scale, offset, options), xs = Places(box.X1, box.X2, scale, offset, options);
        IReadOnlyList<(double Weight, int Cell)> Taps(int i, int j)
        {
            var weights = new SortedDictionary<int, double>();
            int n = options.Samples;
            foreach (double y in ys.AsSpan(i * n, n))
            {
                foreach (double across in xs.AsSpan(j * n, n))
                {
                    foreach ((int r, double wr) in Bilinear(y, map.Height))
                    {
                        foreach ((int c, double wc) in Bilinear(across, map.Width)) weights[x[r, c]] = weights.GetValueOrDefault(x[r, c]) + (wr * wc / (n * n));
                    }
                }
            }
            return [.. weights.Where(w => w.Value > 0).Select(w => (w.Value, w.Key))];
        }

        Grid aligned = sheet.Compute("align", new Words("RoIAlign", "RoIAlign"), bins, bins, (i, j) => new Formula.Weighted(Taps(i, j)));
        sheet.Check(aligned, features.RoiAlign(rois, bins, (float)scale, options.Samples, options.IsAligned).ToArray());

        double[] errors = [(rows.Start / scale) - box.Y1, ((rows.Start + rows.Length) / scale) - box.Y2, (columns.Start / scale) - box.X1, ((columns.Start + columns.Length) / scale) - box.X2];
        double worst = errors.Max(Math.Abs), shift = options.IsAligned ? 0 : 0.5 / scale;
        var steps = new List<Step>
        {
            new(new Words("A box on the features", "特征图上的框"),
                new Words(
                    $"A pixel of the features stands for {options.Stride} of the image. The box, {Show(box.X1)}, {Show(box.Y1)} to {Show(box.X2)}, {Show(box.Y2)} in the image, divided by {options.Stride}, falls between pixels.",
                    $"特征图的一个像素代表图像的 {options.Stride} 个像素。图像中的框（{Show(box.X1)}, {Show(box.Y1)} 到 {Show(box.X2)}, {Show(box.Y2)}）除以 {options.Stride} 后落在像素之间。"),
                [new Exhibit.Line(string.Join("   ", new[] { ("x₁", box.X1), ("y₁", box.Y1), ("x₂", box.X2), ("y₂", box.Y2) }.Select(v => $"{v.Item1} = {Show(v.Item2)} / {options.Stride} = {Show(v.Item2 * scale)}"))),
                    Drawn(sheet, x, new Words("the box where it is", "框的真实位置"), [Frame(box.X1 * scale, box.Y1 * scale, box.X2 * scale, box.Y2 * scale, Tint.Ink)])]),
            new(new Words("RoIPool, first rounding: the box", "RoIPool 的第一次取整：框"),
                new Words(
                    $"RoIPool rounds the corners to whole pixels. In the image its edges move by {Signed(errors[2])} and {Signed(errors[3])} pixels across, {Signed(errors[0])} and {Signed(errors[1])} down.",
                    $"RoIPool 把角点取整到整数像素。换算到图像中，左右边移动 {Signed(errors[2])} 和 {Signed(errors[3])} 像素，上下边移动 {Signed(errors[0])} 和 {Signed(errors[1])} 像素。"),
                [Drawn(sheet, x, new Words("the box (black) and what RoIPool takes for it", "真实的框（黑）与 RoIPool 取的框"),
                    [Frame(columns.Start, rows.Start, columns.Start + columns.Length, rows.Start + rows.Length, Tint.Wrong), Frame(box.X1 * scale, box.Y1 * scale, box.X2 * scale, box.Y2 * scale, Tint.Ink)])]),
        };
        for (int n = 0; n < Math.Min(bins * bins, MostSteps); n++)
        {
            steps.Add(new Step(
                new Words($"RoIPool, second rounding: bin {n + 1} of {bins * bins}", $"RoIPool 的第二次取整：第 {n + 1} 格，共 {bins * bins} 格"),
                new Words("Bins are cut at whole pixels too, and overlap or differ in size where the box does not divide. The largest value of each stays.", "格子也取整到整数像素；框不能整除时，格子重叠或大小不一。每格只留下最大值。"),
                [Marked(x, Mark.Read, Pixels(n / bins, n % bins)), Marked(pooled, Mark.Made, [pooled.First + n]), new Exhibit.Working($"pool[{n / bins},{n % bins}]", pooled.First + n)]));
        }
        for (int n = 0; n < Math.Min(bins * bins, MostSteps); n++)
        {
            (double[] rowsOf, double[] columnsOf) = (ys[(n / bins * options.Samples)..((n / bins * options.Samples) + options.Samples)], xs[(n % bins * options.Samples)..((n % bins * options.Samples) + options.Samples)]);
            steps.Add(new Step(
                new Words($"RoIAlign: bin {n + 1} of {bins * bins}", $"RoIAlign：第 {n + 1} 格，共 {bins * bins} 格"),
                new Words(
                    $"Nothing is rounded: {options.Samples}×{options.Samples} points in the bin, each a bilinear mean of the four pixels around it, and the mean of them.{(options.IsAligned ? "" : " Without 'aligned' all of it lies half a pixel of the map to the right and down.")}",
                    $"不做取整：格内取 {options.Samples}×{options.Samples} 个点，每点由周围四个像素双线性插值，再取平均。{(options.IsAligned ? "" : "不使用 aligned 时，整体向右下偏移半个特征像素。")}"),
                [Drawn(sheet, x, new Words("the samples of the bin", "格内的采样点"),
                    [Frame(box.X1 * scale, box.Y1 * scale, box.X2 * scale, box.Y2 * scale, Tint.Ink), .. Dots(rowsOf, columnsOf)], Taps(n / bins, n % bins).Select(t => t.Cell)),
                    Marked(aligned, Mark.Made, [aligned.First + n]), new Exhibit.Working($"align[{n / bins},{n % bins}]", aligned.First + n)]));
        }
        steps.Add(new Step(
            new Words("Side by side", "两者对比"),
            new Words(
                $"RoIPool's region is off by up to {Show(worst)} pixels of the image at an edge; RoIAlign's by {Show(shift)}. For a class that does not matter; a mask of 28×28 is drawn wrong by it.",
                $"RoIPool 的区域在边缘处最多偏差图像的 {Show(worst)} 个像素，RoIAlign 偏差 {Show(shift)} 个。对分类无妨，但 28×28 的掩膜会因此画错。"),
            [Plain(pooled), Plain(aligned), new Exhibit.Table(
                [new Words("edge", "边"), new Words("box", "框"), new Words("RoIPool", "RoIPool"), new Words("error, px", "误差（像素）")],
                [Row(new Words("left", "左"), box.X1, errors[2]), Row(new Words("top", "上"), box.Y1, errors[0]), Row(new Words("right", "右"), box.X2, errors[3]), Row(new Words("bottom", "下"), box.Y2, errors[1])])]));
        return new Explanation(
            "roi-align", new Words("RoIAlign: reading a box without rounding it", "RoIAlign：不取整地读取一个框"),
            new Words(
                $"features {Size(map)}, stride {options.Stride}, box {Show(box.X1)},{Show(box.Y1)},{Show(box.X2)},{Show(box.Y2)} → RoIAlign {bins}×{bins}{Values(sheet.ValuesOf(aligned).ToFloats())}; RoIPool is off by up to {Show(worst)} pixels",
                $"特征图 {Size(map)}，步幅 {options.Stride}，框 {Show(box.X1)},{Show(box.Y1)},{Show(box.X2)},{Show(box.Y2)} → RoIAlign {bins}×{bins}{Values(sheet.ValuesOf(aligned).ToFloats())}；RoIPool 最多偏差 {Show(worst)} 像素"),
            sheet, steps);

        static IReadOnlyList<Words> Row(Words edge, double at, double error) => [edge, Show(at), Show(at + error), Signed(error)];
    }

    private static void Check(RoiOptions o)
    {
        Need(o.Features.Values.Count is > 0 and <= WindowOptions.MostCells, $"features have 1 to {WindowOptions.MostCells} numbers here; they are {Size(o.Features)}");
        Need(o.Features.Values.All(v => double.IsFinite(v) && Math.Abs(v) < 1e15), "features must be numbers below 1e15");
        Need(o.Stride is >= 1 and <= 1024, $"stride must be 1 to 1024; it is {o.Stride}");
        Need(o.Bins is >= 1 and <= 8, $"bins must be 1 to 8; they are {o.Bins}");
        Need(o.Samples is >= 1 and <= 8, $"samples must be 1 to 8; they are {o.Samples}");
        double[] corners = [o.Box.X1, o.Box.Y1, o.Box.X2, o.Box.Y2];
        Need(corners.All(double.IsFinite) && o.Box.X2 > o.Box.X1 && o.Box.Y2 > o.Box.Y1, $"a box is x1,y1,x2,y2 with x1 < x2 and y1 < y2; it is {string.Join(',', corners.Select(Show))}");
        (int height, int width) = (o.Features.Height * o.Stride, o.Features.Width * o.Stride);
        Need(o.Box.X1 >= 0 && o.Box.Y1 >= 0 && o.Box.X2 <= width && o.Box.Y2 <= height, $"the box must lie in the image, {height}×{width} by the features and their stride; it is {string.Join(',', corners.Select(Show))}");

        static void Need(bool holds, string rule)
        {
            if (!holds) throw new ExplainException(rule);
        }
    }

    private static (int Start, int Length) Rounded(double from, double to, double scale)
    {
        int start = (int)Math.Round((float)from * (float)scale, MidpointRounding.AwayFromZero), end = (int)Math.Round((float)to * (float)scale, MidpointRounding.AwayFromZero);
        return (start, Math.Max(1, end - start + 1));
    }

    private static (int From, int To)[] Cut((int Start, int Length) span, int bins, int most) => [.. Enumerable.Range(0, bins).Select(b => (
        Math.Clamp((int)MathF.Floor(b * ((float)span.Length / bins)) + span.Start, 0, most),
        Math.Clamp((int)MathF.Ceiling((b + 1) * ((float)span.Length / bins)) + span.Start, 0, most)))];

    /// <summary>Where the samples of all bins lie along an axis, in numbers of map pixels.</summary>
    private static double[] Places(double from, double to, double scale, double offset, RoiOptions o)
    {
        double start = (from * scale) - offset, length = (to - from) * scale;
        if (!o.IsAligned) length = Math.Max(length, 1);
        int count = o.Bins * o.Samples;
        return [.. Enumerable.Range(0, count).Select(i => start + ((i + 0.5) * length / count))];
    }

    /// <summary>The two pixels around a place with their weights; beyond the rim the rim's own.</summary>
    private static (int Pixel, double Weight)[] Bilinear(double at, int length)
    {
        if (at < -1 || at > length) return [];
        at = Math.Max(at, 0);
        int low = (int)at;
        return low >= length - 1 ? [(length - 1, 1)] : [(low, 1 - (at - low)), (low + 1, at - low)];
    }

    private static Exhibit.Drawing Drawn(Sheet sheet, Grid grid, Words caption, IReadOnlyList<Shape2d> over, IEnumerable<int>? read = null)
    {
        var marked = new HashSet<int>(read ?? []);
        var shapes = new List<Shape2d>();
        for (int r = 0; r < grid.Height; r++)
        {
            for (int c = 0; c < grid.Width; c++)
            {
                shapes.Add(new Shape2d.Box(1 + (c * CellSide), 1 + (r * CellSide), CellSide, CellSide, marked.Contains(grid[r, c]) ? Tint.Read : Tint.Paper));
                shapes.Add(new Shape2d.Text(1 + ((c + 0.5) * CellSide), 1 + ((r + 0.5) * CellSide), Matrix.Format(sheet[grid[r, c]]), 13, Tint.Faint, Cell: grid[r, c]));
            }
        }
        shapes.AddRange(over);
        return new Exhibit.Drawing(new Sketch((grid.Width * CellSide) + 2, (grid.Height * CellSide) + 2, [.. shapes.SelectMany(s => s is FrameOf f ? f.Lines() : [s])]), caption);
    }

    private static FrameOf Frame(double x0, double y0, double x1, double y1, Tint tint) => new(x0, y0, x1, y1, tint);

    private static IEnumerable<Shape2d> Dots(double[] rows, double[] columns)
    {
        const double Side = 6;
        // A pixel's number is its middle: half a cell further in the drawing.
        foreach (double y in rows)
        {
            foreach (double x in columns) yield return new Shape2d.Box(1 + ((x + 0.5) * CellSide) - (Side / 2), 1 + ((y + 0.5) * CellSide) - (Side / 2), Side, Side, Tint.Ink, Tint.Ink);
        }
    }

    private static string Show(double value) => Matrix.Format(Math.Round(value, 3));

    private static string Signed(double value) => (value > 0 ? "+" : "") + Show(value);

    /// <summary>The outline of a box in map coordinates, drawn as four lines.</summary>
    private sealed record FrameOf(double X0, double Y0, double X1, double Y1, Tint Tint) : Shape2d
    {
        public IEnumerable<Shape2d> Lines()
        {
            (double l, double t, double r, double b) = (1 + (X0 * CellSide), 1 + (Y0 * CellSide), 1 + (X1 * CellSide), 1 + (Y1 * CellSide));
            yield return new Stroke(l, t, r, t, Tint);
            yield return new Stroke(r, t, r, b, Tint);
            yield return new Stroke(r, b, l, b, Tint);
            yield return new Stroke(l, b, l, t, Tint);
        }
    }
}
