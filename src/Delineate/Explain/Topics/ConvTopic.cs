using Delineate.Tensors;
using static Delineate.Explain.Topics.Shown;

namespace Delineate.Explain.Topics;

/// <summary><c>conv</c>: a convolution as a walking window, as a sparse matrix, and as unrolled windows.</summary>
public static class ConvTopic
{
    /// <summary>Input 0…15 as 4×4 and kernel 0…8 as 3×3, unless given: 258 294 402 438.</summary>
    public static WindowOptions Default => new() { Input = Matrix.Counting(4, 4), Kernel = Matrix.Counting(3, 3) };

    /// <exception cref="ExplainException">An option makes no sense.</exception>
    public static Explanation Explain(WindowOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check(isTransposed: false);
        (int height, int width) = options.Convolved;
        float[] library = options.InputTensor.Conv2d(options.KernelTensor, stride: options.Stride, padding: options.Padding, dilation: options.Dilation).ToArray();
        var sheet = new Sheet();
        var steps = new List<Step>();
        Words title = new("Convolution: a window that walks", "卷积：滑动的窗口");
        Words summary = new(
            $"input {Size(options.Input)}, kernel {Size(options.Kernel)}, stride {options.Stride}, padding {options.Padding}, dilation {options.Dilation} → output {height}×{width}{Values(library)}",
            $"输入 {Size(options.Input)}，卷积核 {Size(options.Kernel)}，步幅 {options.Stride}，填充 {options.Padding}，空洞率 {options.Dilation} → 输出 {height}×{width}{Values(library)}");
        Exhibit[] sizes = [.. Formulas(options, options.ConvolvedFormula)];
        if (!IsSmall(options, height, width))
        {
            Matrix naive = Naive(options, height, width);
            Agree(naive, library);
            steps.Add(new Step(SizesTitle, SizesText, [.. sizes, Picture(options.Input, InputTitle), Picture(options.Kernel, KernelTitle), Picture(naive, OutputTitle)]));
            return new Explanation("conv", title, summary, sheet, steps);
        }

        Grid x = sheet.Give("X", InputTitle, options.Input), k = sheet.Give("K", KernelTitle, options.Kernel);
        steps.Add(new Step(SizesTitle, SizesText, [.. sizes, Plain(x), Plain(k)]));
        Grid padded = options.Padding == 0 ? x : Padded(sheet, x, options.Padding);
        IReadOnlyList<(int A, int B)> Window(int r, int c) => Products(options, padded, k, r, c);

        Grid y = sheet.Compute("Y", OutputTitle, height, width, (r, c) => new Formula.Products(Window(r, c)));
        int shown = Math.Min(MostSteps, y.Height * y.Width);
        for (int n = 0; n < shown; n++)
        {
            IReadOnlyList<(int A, int B)> window = Window(n / width, n % width);
            Words rest = n + 1 < shown || shown == y.Height * y.Width ? "" : new Words($" The other {(y.Height * y.Width) - shown} windows go the same way.", $"其余 {(y.Height * y.Width) - shown} 个窗口同理。");
            steps.Add(new Step(
                new Words($"Window {n + 1} of {height * width}", $"第 {n + 1} 个窗口，共 {height * width} 个"),
                new Words(
                    $"The kernel lies on the window whose top left corner is row {n / width * options.Stride}, column {n % width * options.Stride}: each number times the kernel's number on it, all added.{rest.English}",
                    $"卷积核放在左上角为第 {n / width * options.Stride} 行、第 {n % width * options.Stride} 列的窗口上：对应的数相乘，再全部相加。{rest.Chinese}"),
                [Marked(padded, Mark.Read, window.Select(t => t.A), Filling(options, padded)), Plain(k), Marked(y, Mark.Made, [y.First + n]), new Exhibit.Working($"Y[{n / width},{n % width}]", y.First + n)]));
        }
        steps.Add(AsMatrix(sheet, options, x, k, y));
        steps.Add(AsWindows(sheet, padded, k, y, Window));
        sheet.Check(y, library);
        return new Explanation("conv", title, summary, sheet, steps);
    }

    /// <summary>y = C·x: a row of C for each window, with the kernel's numbers where the window is and zeros elsewhere.</summary>
    private static Step AsMatrix(Sheet sheet, WindowOptions options, Grid x, Grid k, Grid y)
    {
        Grid c = Connections(sheet, "C", options, small: (y.Height, y.Width), large: (x.Height, x.Width), k);
        Grid column = sheet.Compute("x", new Words("x: the input in one column", "x：输入展平为一列"), x.Height * x.Width, 1, (r, _) => new Formula.Weighted([(1, x.First + r)]));
        Grid product = sheet.Compute("C·x", new Words("C·x", "C·x"), c.Height, 1, (r, _) => new Formula.Products([.. Enumerable.Range(0, c.Width).Select(i => (c[r, i], column.First + i))]));
        sheet.Check(product, sheet.ValuesOf(y).ToFloats());
        return new Step(
            new Words("The same as a matrix", "同样的计算写成矩阵"),
            new Words(
                $"Every output is a sum over the whole input with zeros for what its window does not see: the kernel unrolled into a sparse matrix C of {c.Height}×{c.Width}, times the input in one column.",
                $"每个输出都是对整个输入的加权和，窗口之外的权重为零：把卷积核展开成 {c.Height}×{c.Width} 的稀疏矩阵 C，再乘以展平为一列的输入。"),
            [GridOrPicture(sheet, c, Zeros(sheet, c)), GridOrPicture(sheet, column), Plain(y), GridOrPicture(sheet, product)]);
    }

    /// <summary>y = P·k: a row of P for each window, unrolled (im2col).</summary>
    private static Step AsWindows(Sheet sheet, Grid padded, Grid k, Grid y, Func<int, int, IReadOnlyList<(int A, int B)>> window)
    {
        Grid patches = sheet.Compute("P", new Words("P: the windows, unrolled", "P：展开的窗口"), y.Height * y.Width, k.Height * k.Width, (r, i) => new Formula.Weighted([(1, window(r / y.Width, r % y.Width)[i].A)]));
        Grid column = sheet.Compute("k", new Words("k: the kernel in one column", "k：卷积核展平为一列"), k.Height * k.Width, 1, (r, _) => new Formula.Weighted([(1, k.First + r)]));
        Grid product = sheet.Compute("P·k", new Words("P·k", "P·k"), patches.Height, 1, (r, _) => new Formula.Products([.. Enumerable.Range(0, patches.Width).Select(i => (patches[r, i], column.First + i))]));
        sheet.Check(product, sheet.ValuesOf(y).ToFloats());
        return new Step(
            new Words("The same with unrolled windows (im2col)", "同样的计算：展开窗口（im2col）"),
            new Words(
                $"Or the image is unrolled: each window a row of P, {patches.Height}×{patches.Width}, times the kernel in one column. {padded.Height * padded.Width} numbers became {patches.Height * patches.Width}, and the rest is one matrix product.",
                $"也可以展开图像：每个窗口成为 P 的一行，共 {patches.Height}×{patches.Width}，再乘以展平为一列的卷积核。{padded.Height * padded.Width} 个数变成了 {patches.Height * patches.Width} 个，剩下的只是一次矩阵乘法。"),
            [GridOrPicture(sheet, patches), GridOrPicture(sheet, column), Plain(y), GridOrPicture(sheet, product)]);
    }

    private static Matrix Naive(WindowOptions o, int height, int width)
    {
        var y = new double[height * width];
        for (int r = 0; r < height; r++)
        {
            for (int c = 0; c < width; c++)
            {
                for (int i = 0; i < o.Kernel.Height; i++)
                {
                    for (int j = 0; j < o.Kernel.Width; j++)
                    {
                        int row = (r * o.Stride) + (i * o.Dilation) - o.Padding, column = (c * o.Stride) + (j * o.Dilation) - o.Padding;
                        if (row >= 0 && row < o.Input.Height && column >= 0 && column < o.Input.Width) y[(r * width) + c] += o.Input[row, column] * o.Kernel[i, j];
                    }
                }
            }
        }
        return new Matrix(height, width, y);
    }
}
