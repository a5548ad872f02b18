using Delineate.Tensors;
using static Delineate.Explain.Topics.Shown;

namespace Delineate.Explain.Topics;

/// <summary><c>dilated-conv</c>: holes in the kernel, field of view, and the gridding of stacked rates (Yu and Koltun 2016; Wang et al. 2018, arXiv:1702.08502).</summary>
public static class DilatedConvTopic
{
    private const int MostWindows = 4, MostRates = 12, MostSide = 129;

    /// <summary>Input 0…48 as 7×7, a kernel of ones 3×3 at rate 2 with the padding that keeps the size, unless given.</summary>
    public static WindowOptions Default => new() { Input = Matrix.Counting(7, 7), Kernel = new Matrix(3, 3, [1, 1, 1, 1, 1, 1, 1, 1, 1]), Dilation = 2, Padding = 2 };

    /// <summary>Stacked layers of 3×3 whose fields are compared: the same rate thrice, and a sawtooth.</summary>
    public static IReadOnlyList<IReadOnlyList<int>> DefaultRates => [[2, 2, 2], [1, 2, 3]];

    /// <exception cref="ExplainException">An option makes no sense.</exception>
    public static Explanation Explain(WindowOptions options, IReadOnlyList<IReadOnlyList<int>>? rates = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check(isTransposed: false);
        rates ??= DefaultRates;
        foreach (IReadOnlyList<int> stack in rates)
        {
            if (stack.Count is 0 or > MostRates || stack.Any(r => r < 1)) throw new ExplainException($"rates are 1 to {MostRates} whole numbers of at least 1; they are {string.Join(',', stack)}");
            if (1 + (2 * stack.Sum()) > MostSide) throw new ExplainException($"rates may add up to {(MostSide - 1) / 2}, a field of {MostSide} pixels; {string.Join(',', stack)} add up to {stack.Sum()}");
        }
        (int height, int width) = options.Convolved;
        float[] library = options.InputTensor.Conv2d(options.KernelTensor, stride: options.Stride, padding: options.Padding, dilation: options.Dilation).ToArray();
        var sheet = new Sheet();
        var steps = new List<Step> { Field(options) };
        if (IsSmall(options, height, width)) Windows(sheet, options, height, width, library, steps);
        else steps.Add(new Step("X, K, Y", SizesText, [Picture(options.Input, InputTitle), Picture(options.Kernel, KernelTitle), Picture(new Matrix(height, width, [.. library.Select(v => (double)v)]), OutputTitle)]));

        var rows = new List<IReadOnlyList<Words>>();
        var fields = new List<string>();
        foreach (IReadOnlyList<int> stack in rates)
        {
            (Step step, int side, int unseen) = Stack(sheet, stack);
            steps.Add(step);
            rows.Add([string.Join(", ", stack), $"{side}×{side}", $"{(side * side) - unseen}", $"{unseen}"]);
            fields.Add($"{string.Join(',', stack)}: {unseen}");
        }
        steps.Add(new Step(
            new Words("Gridding", "网格效应"),
            new Words(
                "Layers of one rate after another see a grid of pixels only, however many there are. Rates without a common factor that rise and fall (a sawtooth) fill the field.",
                "连续使用同一空洞率的层，无论多少层，只能看到网格状的像素。没有公因数、锯齿状变化的空洞率能填满整个视野。"),
            [new Exhibit.Table([new Words("rates", "空洞率"), new Words("field", "视野"), new Words("pixels seen", "可见像素"), new Words("unseen", "不可见像素")], rows)]));
        string values = Values(library);
        return new Explanation(
            "dilated-conv", new Words("Dilated convolution: a kernel with holes", "空洞卷积：带孔的卷积核"),
            new Words(
                $"input {Size(options.Input)}, kernel {Size(options.Kernel)}, rate {options.Dilation}, padding {options.Padding} → output {height}×{width}{values}; pixels of the field unseen by rates {string.Join("; ", fields)}",
                $"输入 {Size(options.Input)}，卷积核 {Size(options.Kernel)}，空洞率 {options.Dilation}，填充 {options.Padding} → 输出 {height}×{width}{values}；各组空洞率看不到的像素 {string.Join("；", fields)}"),
            sheet, steps);
    }

    private static Step Field(WindowOptions o)
    {
        (int rows, int columns) = ((o.Dilation * (o.Kernel.Height - 1)) + 1, (o.Dilation * (o.Kernel.Width - 1)) + 1);
        bool keeps = o.Convolved == (o.Input.Height, o.Input.Width);
        var text = new Words(
            $"d − 1 = {o.Dilation - 1} pixels between the kernel's numbers: it has {o.Kernel.Values.Count} weights and sees {rows}×{columns}. With a kernel of 3 and stride 1, padding = dilation keeps the size{(keeps ? ", as here" : "")}.",
            $"卷积核的数之间隔开 d − 1 = {o.Dilation - 1} 个像素：权重仍为 {o.Kernel.Values.Count} 个，视野却是 {rows}×{columns}。核为 3、步幅为 1 时，填充 = 空洞率能保持尺寸{(keeps ? "，此处正是如此" : "")}。");
        return new Step(new Words("Holes in the kernel", "卷积核中的孔"), text, [new Exhibit.Line($"d·(k − 1) + 1 = {o.Dilation}·({o.Kernel.Height} − 1) + 1 = {rows}"), .. Formulas(o, o.ConvolvedFormula)]);
    }

    private static void Windows(Sheet sheet, WindowOptions o, int height, int width, float[] library, List<Step> steps)
    {
        Grid x = sheet.Give("X", InputTitle, o.Input), k = sheet.Give("K", KernelTitle, o.Kernel);
        Grid padded = o.Padding == 0 ? x : Padded(sheet, x, o.Padding);
        IReadOnlyList<(int A, int B)> Window(int r, int c) => Products(o, padded, k, r, c);
        Grid y = sheet.Compute("Y", OutputTitle, height, width, (r, c) => new Formula.Products(Window(r, c)));
        sheet.Check(y, library);
        // Corner, middle, and what lies between: the window walks as any other.
        int[] places = [.. new[] { 0, 1, (height / 2 * width) + (width / 2), (height * width) - 1 }.Where(n => n < height * width).Distinct().Take(MostWindows)];
        foreach (int n in places)
        {
            IReadOnlyList<(int A, int B)> window = Window(n / width, n % width);
            steps.Add(new Step(
                new Words($"Window at row {n / width}, column {n % width}", $"第 {n / width} 行、第 {n % width} 列的窗口"),
                new Words("The same sum of products as ever; only its pixels lie apart.", "仍是同样的乘积之和，只是像素彼此隔开。"),
                [Marked(padded, Mark.Read, window.Select(t => t.A), Filling(o, padded)), Plain(k), Marked(y, Mark.Made, [y.First + n]), new Exhibit.Working($"Y[{n / width},{n % width}]", y.First + n)]));
        }
    }

    /// <summary>The pixels that reach one output through layers of 3×3, each by as many paths as the map says.</summary>
    private static (Step Step, int Side, int Unseen) Stack(Sheet sheet, IReadOnlyList<int> rates)
    {
        int side = 1 + (2 * rates.Sum());
        Matrix paths = Paths(rates, side);
        var delta = new float[side * side];
        delta[((side / 2) * side) + (side / 2)] = 1;
        Tensor map = Tensor.From(delta, [1, side, side, 1]), ones = Tensor.Full([1, 3, 3, 1], 1);
        foreach (int rate in rates) map = map.Conv2d(ones, padding: rate, dilation: rate);
        Agree(paths, map.ToArray());
        int unseen = paths.Values.Count(v => v == 0);
        string name = string.Join(", ", rates);
        Exhibit shown;
        if (side * side <= WindowOptions.MostCells)
        {
            Grid grid = sheet.Compute($"paths {name}", new Words($"paths from each pixel, rates {name}", $"各像素的路径数，空洞率 {name}"), side, side, (r, c) => new Formula.Given(paths[r, c]));
            shown = new Exhibit.Numbers(grid, grid.Cells.ToDictionary(cell => cell, cell => sheet[cell] == 0 ? Mark.Filled : Mark.Read));
        }
        else
        {
            shown = Picture(paths, new Words($"paths from each pixel, rates {name}", $"各像素的路径数，空洞率 {name}"));
        }
        return (new Step(
            new Words($"A stack of rates {name}", $"空洞率依次为 {name}"),
            new Words(
                $"{rates.Count} layers of 3×3: the field is 1 + 2·({string.Join(" + ", rates)}) = {side} wide. A number says by how many paths a pixel reaches the output in the middle; {unseen} of {side * side} pixels do not reach it at all.",
                $"{rates.Count} 层 3×3 卷积：视野宽 1 + 2·({string.Join(" + ", rates)}) = {side}。每个数表示该像素有多少条路径到达中间的输出；{side * side} 个像素中有 {unseen} 个完全到不了。"),
            [shown]), side, unseen);
    }

    private static Matrix Paths(IReadOnlyList<int> rates, int side)
    {
        var paths = new double[side * side];
        paths[((side / 2) * side) + (side / 2)] = 1;
        foreach (int rate in rates)
        {
            var next = new double[paths.Length];
            for (int r = 0; r < side; r++)
            {
                for (int c = 0; c < side; c++)
                {
                    for (int i = -rate; i <= rate; i += rate)
                    {
                        for (int j = -rate; j <= rate; j += rate)
                        {
                            if (r + i >= 0 && r + i < side && c + j >= 0 && c + j < side) next[((r + i) * side) + c + j] += paths[(r * side) + c];
                        }
                    }
                }
            }
            paths = next;
        }
        return new Matrix(side, side, paths);
    }
}
