using Delineate.Tensors;
using static Delineate.Explain.Topics.Shown;

namespace Delineate.Explain.Topics;

/// <summary>
/// <c>conv-transpose</c>: three views of a transposed convolution that agree (zeros between and a flipped kernel; the transpose of a convolution's matrix;
/// stamps that add up), why it is no inverse, where checkerboards come from, and bilinear initialisation (Dumoulin and Visin 2016, arXiv:1603.07285).
/// </summary>
public static class ConvTransposeTopic
{
    private const int MostPartials = 9;

    /// <summary>Input 1 2 / 3 4 and kernel 5 6 / 7 8 at stride 2, unless given.</summary>
    public static WindowOptions Default => new() { Input = Matrix.Counting(2, 2, 1), Kernel = Matrix.Counting(2, 2, 5), Stride = 2 };

    /// <summary>The kernel that enlarges bilinearly by a stride: 2·stride − stride mod 2 wide (Long et al. 2015).</summary>
    public static Matrix Bilinear(int stride)
    {
        int size = (2 * stride) - (stride % 2);
        double factor = (size + 1) / 2, center = size % 2 == 1 ? factor - 1 : factor - 0.5;
        double Weight(int i) => 1 - (Math.Abs(i - center) / factor);
        return new Matrix(size, size, [.. from i in Enumerable.Range(0, size) from j in Enumerable.Range(0, size) select Weight(i) * Weight(j)]);
    }

    /// <exception cref="ExplainException">An option makes no sense.</exception>
    public static Explanation Explain(WindowOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check(isTransposed: true);
        (int height, int width) = options.Transposed;
        float[] library = Library(options.InputTensor, options);
        var sheet = new Sheet();
        var steps = new List<Step>();
        Words title = new("Transposed convolution: a convolution the other way", "转置卷积：反方向的卷积");
        string figures = $"{options.Stride}, {options.Padding}, {options.Dilation}, {options.OutputPadding}";
        Words summary = new(
            $"input {Size(options.Input)}, kernel {Size(options.Kernel)}, stride {options.Stride}, padding {options.Padding}, dilation {options.Dilation}, output padding {options.OutputPadding} → output {height}×{width}{Values(library)}",
            $"输入 {Size(options.Input)}，卷积核 {Size(options.Kernel)}，步幅、填充、空洞率、输出填充 {figures} → 输出 {height}×{width}{Values(library)}");
        Exhibit[] sizes = [.. Formulas(options, options.TransposedFormula)];
        var sizesText = new Words(
            "It goes from the small side of a convolution to the large one: the size formula of the convolution, solved for its input. Several inputs of a strided convolution share one output size; output padding o says which is meant.",
            "它从卷积的小尺寸一侧回到大尺寸一侧：把卷积的尺寸公式对输入求解。步幅大于一时，多个输入尺寸对应同一个输出尺寸，输出填充 o 指明是哪一个。");
        if (IsSmall(options, height, width))
        {
            Grid x = sheet.Give("X", InputTitle, options.Input), k = sheet.Give("K", KernelTitle, options.Kernel);
            steps.Add(new Step(SizesTitle, sizesText, [.. sizes, Plain(x), Plain(k)]));
            Grid first = ZerosBetween(sheet, options, x, k, steps);
            Grid second = MatrixTransposed(sheet, options, x, k, steps, out Grid connections);
            Grid third = Stamps(sheet, options, x, k, steps);
            foreach (Grid view in (Grid[])[first, second, third]) sheet.Check(view, library);
            steps.Add(new Step(
                new Words("All three agree", "三种视角结果一致"),
                new Words("Zeros between, the transposed matrix, and stamps: three ways to say one thing. The library's own op gives the same numbers.", "插零、转置矩阵、盖章相加：同一件事的三种说法。库中的算子也给出同样的数。"),
                [Plain(first), Plain(second), Plain(third)]));
            steps.Add(NoInverse(sheet, options, x, second, connections));
        }
        else
        {
            Matrix naive = Stamped(options, options.Input, options.Kernel);
            Agree(naive, library);
            steps.Add(new Step(SizesTitle, sizesText, [.. sizes, Picture(options.Input, InputTitle), Picture(options.Kernel, KernelTitle), Picture(naive, OutputTitle)]));
        }
        steps.Add(Checkerboard(sheet, options, height, width));
        if (BilinearStart(options) is { } start) steps.Add(start);
        return new Explanation("conv-transpose", title, summary, sheet, steps);
    }

    private static float[] Library(Tensor x, WindowOptions o) =>
        x.ConvTranspose2d(o.KernelTensor, stride: o.Stride, padding: o.Padding, outputPadding: o.OutputPadding, dilation: o.Dilation).ToArray();

    /// <summary>View 1: s − 1 zeros between the numbers, d·(k − 1) − p around, the kernel turned by half a turn, and an ordinary convolution of stride 1.</summary>
    private static Grid ZerosBetween(Sheet sheet, WindowOptions o, Grid x, Grid k, List<Step> steps)
    {
        (int height, int width) = o.Transposed;
        (int aroundRows, int aroundColumns) = ((o.Dilation * (k.Height - 1)) - o.Padding, (o.Dilation * (k.Width - 1)) - o.Padding);
        Grid z = sheet.Compute("Z", new Words("Z: X with zeros between and around", "Z：中间和四周补零的 X"), height + (o.Dilation * (k.Height - 1)), width + (o.Dilation * (k.Width - 1)), (r, c) =>
        {
            (int row, int column) = (r - aroundRows, c - aroundColumns);
            bool isInput = row >= 0 && column >= 0 && row % o.Stride == 0 && column % o.Stride == 0 && row / o.Stride < x.Height && column / o.Stride < x.Width;
            return isInput ? new Formula.Weighted([(1, x[row / o.Stride, column / o.Stride])]) : new Formula.Given(0);
        });
        Grid flipped = sheet.Compute("K'", new Words("K': the kernel, turned by half a turn", "K'：旋转 180° 的卷积核"), k.Height, k.Width, (i, j) => new Formula.Weighted([(1, k[k.Height - 1 - i, k.Width - 1 - j])]));
        IReadOnlyList<(int A, int B)> Window(int r, int c) => [.. from i in Enumerable.Range(0, k.Height)
            from j in Enumerable.Range(0, k.Width)
            select (z[r + (i * o.Dilation), c + (j * o.Dilation)], flipped[i, j])];
        Grid y = sheet.Compute("Y₁", new Words("Y₁: zeros between, then a convolution", "Y₁：插零后卷积"), height, width, (r, c) => new Formula.Products(Window(r, c)));
        int shown = Math.Min(MostPartials, height * width);
        string around = aroundRows == aroundColumns ? $"{aroundRows}" : $"{aroundRows} × {aroundColumns}";
        string cut = Math.Min(aroundRows, aroundColumns) < 0 ? " (below zero: that much is cut off)" : "", cutChinese = Math.Min(aroundRows, aroundColumns) < 0 ? "（负数表示裁掉）" : "";
        for (int n = 0; n < shown; n++)
        {
            IReadOnlyList<(int A, int B)> window = Window(n / width, n % width);
            string rest = n + 1 == shown && shown < height * width ? $" The other {(height * width) - shown} go the same way." : "";
            string restChinese = rest.Length > 0 ? $"其余 {(height * width) - shown} 个同理。" : "";
            steps.Add(new Step(
                new Words($"View 1, zeros between: output {n + 1} of {height * width}", $"视角一，插零：第 {n + 1} 个输出，共 {height * width} 个"),
                new Words(
                    $"s − 1 = {o.Stride - 1} zeros between the numbers, d·(k − 1) − p = {around} around{cut}; then the turned kernel walks with stride 1.{rest}",
                    $"数与数之间插入 s − 1 = {o.Stride - 1} 个零，四周补 d·(k − 1) − p = {around} 圈{cutChinese}；然后旋转后的卷积核以步幅 1 滑动。{restChinese}"),
                [Marked(z, Mark.Read, window.Select(t => t.A), Zeros(sheet, z)), Plain(flipped), Marked(y, Mark.Made, [y.First + n]), new Exhibit.Working($"Y₁[{n / width},{n % width}]", y.First + n)]));
        }
        return y;
    }

    /// <summary>View 2: the matrix of the convolution that goes the other way, transposed.</summary>
    private static Grid MatrixTransposed(Sheet sheet, WindowOptions o, Grid x, Grid k, List<Step> steps, out Grid connections)
    {
        (int height, int width) = o.Transposed;
        Grid c = connections = Connections(sheet, "C", o, small: (x.Height, x.Width), large: (height, width), k);
        Grid transposed = sheet.Compute("Cᵀ", new Words("Cᵀ", "Cᵀ"), c.Width, c.Height, (r, i) => sheet.Formulas[c[i, r]]);
        Grid column = sheet.Compute("x", new Words("x: the input in one column", "x：输入展平为一列"), c.Height, 1, (r, _) => new Formula.Weighted([(1, x.First + r)]));
        Grid y = sheet.Compute("Y₂", new Words("Y₂ = Cᵀ·x, as a map", "Y₂ = Cᵀ·x，还原成图"), height, width, (r, i) =>
            new Formula.Products([.. Enumerable.Range(0, c.Height).Select(n => (transposed[(r * width) + i, n], column.First + n))]));
        steps.Add(new Step(
            new Words("View 2: the matrix of a convolution, transposed", "视角二：卷积矩阵的转置"),
            new Words(
                $"C, {c.Height}×{c.Width}, is the convolution with this kernel from {height}×{width} to {x.Height}×{x.Width}. Its transpose goes back from {x.Height}×{x.Width} to {height}×{width}: hence the name.",
                $"C（{c.Height}×{c.Width}）是用这个卷积核从 {height}×{width} 到 {x.Height}×{x.Width} 的卷积。它的转置从 {x.Height}×{x.Width} 回到 {height}×{width}，名称由此而来。"),
            [GridOrPicture(sheet, c, Zeros(sheet, c)), GridOrPicture(sheet, transposed, Zeros(sheet, transposed)), GridOrPicture(sheet, column), Plain(y)]));
        return y;
    }

    /// <summary>View 3: every input puts the kernel, weighted, on the output; where stamps overlap, they add.</summary>
    private static Grid Stamps(Sheet sheet, WindowOptions o, Grid x, Grid k, List<Step> steps)
    {
        (int height, int width) = o.Transposed;
        (int canvasHeight, int canvasWidth) = (height + (2 * o.Padding), width + (2 * o.Padding));
        int count = x.Height * x.Width, shown = Math.Min(MostPartials, count);
        int[] ends = [.. Enumerable.Range(1, shown), .. shown < count ? [count] : Array.Empty<int>()];
        bool IsRim(int r, int c) => r < o.Padding || c < o.Padding || r >= canvasHeight - o.Padding || c >= canvasWidth - o.Padding;
        IEnumerable<(int Stamp, int A, int B)> Terms(int r, int c) =>
            from n in Enumerable.Range(0, count)
            let i = r - (n / x.Width * o.Stride)
            let j = c - (n % x.Width * o.Stride)
            where i >= 0 && j >= 0 && i % o.Dilation == 0 && j % o.Dilation == 0 && i / o.Dilation < k.Height && j / o.Dilation < k.Width
            select (n, x.First + n, k[i / o.Dilation, j / o.Dilation]);
        Grid? canvas = null;
        foreach (int end in ends)
        {
            canvas = sheet.Compute($"S{end}", new Words($"after {end} of {count} stamps", $"盖了 {end} 次，共 {count} 次"), canvasHeight, canvasWidth, (r, c) =>
                new Formula.Products([.. Terms(r, c).Where(t => t.Stamp < end).Select(t => (t.A, t.B))]));
            int[] touched = [.. canvas.Cells.Where((_, at) => Terms(at / canvasWidth, at % canvasWidth).Any(t => t.Stamp == end - 1))];
            int[] rim = [.. canvas.Cells.Where((_, at) => IsRim(at / canvasWidth, at % canvasWidth))];
            string padding = o.Padding == 0 ? "" : $" The rim of p = {o.Padding} is cut off in the end.", paddingChinese = o.Padding == 0 ? "" : $"最后裁掉 p = {o.Padding} 的边框。";
            steps.Add(new Step(
                new Words(end <= shown ? $"View 3, stamps: {end} of {count}" : $"View 3, stamps: the other {count - shown}", end <= shown ? $"视角三，盖章：第 {end} 次，共 {count} 次" : $"视角三，盖章：其余 {count - shown} 次"),
                new Words(
                    $"Each input lays the kernel, times itself, on the output, s = {o.Stride} further for the next one; where they overlap, they add.{padding}",
                    $"每个输入把自己乘以卷积核盖在输出上，下一个移动 s = {o.Stride}；重叠处相加。{paddingChinese}"),
                [Marked(x, Mark.Read, end <= shown ? [x.First + end - 1] : x.Cells.Skip(shown)), Plain(k), Marked(canvas, Mark.Made, end <= shown ? touched : [], rim)]));
        }
        return sheet.Compute("Y₃", new Words("Y₃: stamps added", "Y₃：盖章相加"), height, width, (r, c) => new Formula.Weighted([(1, canvas![r + o.Padding, c + o.Padding])]));
    }

    private static Step NoInverse(Sheet sheet, WindowOptions o, Grid x, Grid y, Grid c)
    {
        Grid square = sheet.Compute("C·Cᵀ", new Words("C·Cᵀ", "C·Cᵀ"), c.Height, c.Height, (a, b) =>
            new Formula.Products([.. Enumerable.Range(0, c.Width).Where(i => sheet.Formulas[c[a, i]] is Formula.Weighted && sheet.Formulas[c[b, i]] is Formula.Weighted).Select(i => (c[a, i], c[b, i]))]));
        Grid back = sheet.Compute("C·y", new Words("the convolution of Y₂", "对 Y₂ 再做卷积"), x.Height, x.Width, (r, i) =>
            new Formula.Products([.. Enumerable.Range(0, c.Width).Select(n => (c[(r * x.Width) + i, n], y.First + n))]));
        Tensor large = Tensor.From(sheet.ValuesOf(y).ToFloats(), [1, y.Height, y.Width, 1]);
        float[] library = large.Conv2d(o.KernelTensor, stride: o.Stride, padding: o.Padding, dilation: o.Dilation).ToArray();
        sheet.Check(back, library.Length == back.Height * back.Width ? library : Cropped(library, o, back));
        return new Step(
            new Words("Not an inverse", "它不是逆运算"),
            new Words(
                "Taking Y back through the convolution gives the shape of X again, but as a rule not its values: C·Cᵀ is the identity only for kernels as plain as a single 1. A transposed convolution undoes what a convolution does to shapes, and passes gradients back; it does not undo the convolution.",
                "把 Y 再做一次卷积，形状回到 X，数值一般却回不去：只有像单个 1 这样简单的卷积核，C·Cᵀ 才是单位矩阵。转置卷积还原的是形状，传回的是梯度，并不撤销卷积本身。"),
            [GridOrPicture(sheet, square), Plain(x), Plain(back)]);
    }

    /// <summary>With an output padding of a stride or more (under dilation) the convolution has rows that the transposed one did not come from.</summary>
    private static float[] Cropped(float[] library, WindowOptions o, Grid back)
    {
        int width = (int)Math.Floor((o.Transposed.Width + (2.0 * o.Padding) - ((double)o.Dilation * (o.Kernel.Width - 1)) - 1) / o.Stride) + 1;
        return [.. from r in Enumerable.Range(0, back.Height) from c in Enumerable.Range(0, back.Width) select library[(r * width) + c]];
    }

    /// <summary>How many stamps reach each output: uneven counts are seen as a checkerboard.</summary>
    private static Step Checkerboard(Sheet sheet, WindowOptions o, int height, int width)
    {
        WindowOptions ones = o with { Input = Ones(o.Input), Kernel = Ones(o.Kernel) };
        Matrix counts = Stamped(ones, ones.Input, ones.Kernel);
        Agree(counts, Library(ones.InputTensor, ones));
        (int least, int most) = Inside(counts, o);
        bool isEven = least == most;
        Exhibit shown = counts.Values.Count <= WindowOptions.MostCells && width <= 40
            ? Plain(sheet.Compute("N", new Words("stamps on each output", "每个输出被盖的次数"), height, width, (r, c) => new Formula.Given(counts[r, c])))
            : Picture(counts, new Words("stamps on each output", "每个输出被盖的次数"));
        string rule = o.Dilation == 1 && o.Kernel.Height % o.Stride == 0 && o.Kernel.Width % o.Stride == 0
            ? $"The kernel's size is a multiple of the stride {o.Stride}" : $"The kernel's size, {Size(o.Kernel)}, is no multiple of the stride {o.Stride}, or its dilation leaves gaps";
        return new Step(
            new Words("Where checkerboards come from", "棋盘格从哪里来"),
            new Words(
                isEven ? $"Away from the rim every output gets {(most == 1 ? "one stamp" : $"{most} stamps")}: no checkerboard from the overlap alone. {rule}." : $"Away from the rim outputs get {least} to {most} stamps: equal inputs come out as a pattern of light and dark. {rule}.",
                isEven ? $"边缘以外，每个输出都被盖 {most} 次：重叠本身不会产生棋盘格。" : $"边缘以外，各输出被盖 {least} 到 {most} 次：相同的输入会变成明暗交替的图案。卷积核的尺寸应是步幅 {o.Stride} 的整数倍。"),
            [shown]);

        static Matrix Ones(Matrix m) => new(m.Height, m.Width, [.. m.Values.Select(_ => 1.0)]);
    }

    /// <summary>The range of counts where the rim plays no part: one period of the stride in the middle of a map that is large enough.</summary>
    private static (int Least, int Most) Inside(Matrix counts, WindowOptions o)
    {
        (int[] rows, int[] columns) = (Along(o.Kernel.Height, o), Along(o.Kernel.Width, o));
        return (rows.Min() * columns.Min(), rows.Max() * columns.Max());

        static int[] Along(int kernel, WindowOptions o) => [.. Enumerable.Range(0, o.Stride).Select(phase => Enumerable.Range(0, kernel).Count(i => ((i * o.Dilation) - phase) % o.Stride == 0))];
    }

    /// <summary>What the layer is set to before it has learned anything: enlargement by its stride; null where that would be too large to show.</summary>
    private static Step? BilinearStart(WindowOptions o)
    {
        Matrix kernel = Bilinear(o.Stride);
        int padding = o.Stride / 2; // so that the output is stride times the input
        WindowOptions enlarge = o with { Kernel = kernel, Padding = padding, Dilation = 1, OutputPadding = 0 };
        if (!enlarge.IsWithinBounds(isTransposed: true)) return null; // the padding asked for may have made a small output of a large one
        Matrix enlarged = Stamped(enlarge, enlarge.Input, enlarge.Kernel);
        Agree(enlarged, Library(enlarge.InputTensor, enlarge));
        return new Step(
            new Words("Bilinear initialisation", "双线性初始化"),
            new Words(
                $"Set to this kernel of {Size(kernel)} with padding {padding}, the layer enlarges {o.Stride} times by bilinear interpolation: {Size(o.Input)} → {Size(enlarged)}. FCN starts from it and learns the rest.",
                $"若取这个 {Size(kernel)} 的卷积核、填充 {padding}，该层就是放大 {o.Stride} 倍的双线性插值：{Size(o.Input)} → {Size(enlarged)}。FCN 由此开始，再继续学习。"),
            [Picture(kernel, new Words("the bilinear kernel", "双线性卷积核")), Picture(o.Input, InputTitle), Picture(enlarged, new Words("X, enlarged by it", "放大后的 X"))]);
    }

    /// <summary>The transposed convolution by plain stamping.</summary>
    internal static Matrix Stamped(WindowOptions o, Matrix x, Matrix k)
    {
        (int height, int width) = (o with { Input = x, Kernel = k }).Transposed;
        var y = new double[height * width];
        for (int r = 0; r < x.Height; r++)
        {
            for (int c = 0; c < x.Width; c++)
            {
                for (int i = 0; i < k.Height; i++)
                {
                    for (int j = 0; j < k.Width; j++)
                    {
                        (int row, int column) = ((r * o.Stride) + (i * o.Dilation) - o.Padding, (c * o.Stride) + (j * o.Dilation) - o.Padding);
                        if (row >= 0 && row < height && column >= 0 && column < width) y[(row * width) + column] += x[r, c] * k[i, j];
                    }
                }
            }
        }
        return new Matrix(height, width, y);
    }
}
