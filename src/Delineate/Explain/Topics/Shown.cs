using System.Globalization;

namespace Delineate.Explain.Topics;

/// <summary>What the topics about windows show alike.</summary>
internal static class Shown
{
    /// <summary>Windows, or stamps, that get a step of their own.</summary>
    public const int MostSteps = 16;

    private const int MostProducts = 20_000; // terms of one grid

    public static readonly Words InputTitle = new("X: input", "X：输入"), KernelTitle = new("K: kernel", "K：卷积核"), OutputTitle = new("Y: output", "Y：输出");

    public static readonly Words SizesTitle = new("Sizes", "尺寸");

    public static readonly Words SizesText = new(
        "The output's size follows from the input H, the kernel k, the stride s, the padding p and the dilation d.",
        "输出的尺寸由输入 H、卷积核 k、步幅 s、填充 p 和空洞率 d 决定。");

    public static string Size(Matrix m) => $"{m.Height}×{m.Width}";

    /// <summary>The values in the summary line, where there are few.</summary>
    public static string Values(float[] values) => values.Length > 16 ? "" : ": " + string.Join(' ', values.Select(v => Matrix.Format(v)));

    public static bool IsSmall(WindowOptions o, int height, int width) =>
        Math.Max(Math.Max(o.Input.Values.Count, o.Kernel.Values.Count), height * width) <= WindowOptions.MostCells
        && (o.Input.Height + (2 * o.Padding)) * (long)(o.Input.Width + (2 * o.Padding)) <= 2 * WindowOptions.MostCells
        && (long)Math.Max(o.Input.Values.Count, height * width) * o.Kernel.Values.Count <= MostProducts
        && (long)o.Input.Values.Count * height * width <= MostProducts;

    /// <summary>The size formula along each axis, once where they are alike.</summary>
    public static IEnumerable<Exhibit> Formulas(WindowOptions o, Func<int, int, string> formula)
    {
        string rows = formula(o.Input.Height, o.Kernel.Height), columns = formula(o.Input.Width, o.Kernel.Width);
        yield return new Exhibit.Line(rows);
        if (columns != rows) yield return new Exhibit.Line(columns.Replace("H", "W", StringComparison.Ordinal));
    }

    public static Exhibit Plain(Grid grid) => new Exhibit.Numbers(grid, new Dictionary<int, Mark>());

    /// <summary>A grid with some cells marked, others marked as filled in.</summary>
    public static Exhibit Marked(Grid grid, Mark mark, IEnumerable<int> cells, IEnumerable<int>? filled = null)
    {
        var marks = new Dictionary<int, Mark>();
        foreach (int cell in filled ?? []) marks[cell] = Mark.Filled;
        foreach (int cell in cells) marks[cell] = mark;
        return new Exhibit.Numbers(grid, marks);
    }

    /// <summary>A grid of numbers, or its picture where it has too many.</summary>
    public static Exhibit GridOrPicture(Sheet sheet, Grid grid, IEnumerable<int>? filled = null) =>
        grid.Height * grid.Width <= WindowOptions.MostCells && grid.Width <= 40 ? Marked(grid, Mark.None, [], filled) : Picture(sheet.ValuesOf(grid), grid.Title);

    public static Exhibit Picture(Matrix matrix, Words title) =>
        new Exhibit.Picture(HeatMap.Of(matrix), new Words($"{title.English}  {Size(matrix)}, {Range(matrix)}", $"{title.Chinese}  {Size(matrix)}，{Range(matrix)}"), HeatMap.Scale(matrix.Height, matrix.Width));

    /// <summary>The input with zeros around it.</summary>
    public static Grid Padded(Sheet sheet, Grid x, int padding) => sheet.Compute(
        "Xp", new Words("X with padding", "填充后的 X"), x.Height + (2 * padding), x.Width + (2 * padding), (r, c) =>
            r >= padding && r < padding + x.Height && c >= padding && c < padding + x.Width ? new Formula.Weighted([(1, x[r - padding, c - padding])]) : new Formula.Given(0));

    /// <summary>What a convolution multiplies for one output: the padded input's cells under its window, each with the kernel's cell on it.</summary>
    public static IReadOnlyList<(int A, int B)> Products(WindowOptions o, Grid padded, Grid k, int row, int column) => [.. from i in Enumerable.Range(0, k.Height)
        from j in Enumerable.Range(0, k.Width)
        select (padded[(row * o.Stride) + (i * o.Dilation), (column * o.Stride) + (j * o.Dilation)], k[i, j])];

    /// <summary>The cells of a padded grid that padding put in.</summary>
    public static IEnumerable<int> Filling(WindowOptions o, Grid padded) => padded.Cells.Where((_, i) =>
        i / padded.Width < o.Padding || i / padded.Width >= padded.Height - o.Padding || i % padded.Width < o.Padding || i % padded.Width >= padded.Width - o.Padding);

    /// <summary>The cells that are zero by their making.</summary>
    public static IEnumerable<int> Zeros(Sheet sheet, Grid grid) => grid.Cells.Where(cell => sheet.Formulas[cell] is Formula.Given { Value: 0 });

    /// <summary>The matrix of a convolution from a large map to a small one: a row for each small pixel, the kernel's number where it sees the large one.</summary>
    public static Grid Connections(Sheet sheet, string name, WindowOptions o, (int Height, int Width) small, (int Height, int Width) large, Grid k) => sheet.Compute(
        name, new Words($"{name}: the kernel, unrolled", $"{name}：展开的卷积核"), small.Height * small.Width, large.Height * large.Width, (s, l) =>
        {
            int i = (l / large.Width) - (s / small.Width * o.Stride) + o.Padding, j = (l % large.Width) - (s % small.Width * o.Stride) + o.Padding;
            bool isSeen = i >= 0 && j >= 0 && i % o.Dilation == 0 && j % o.Dilation == 0 && i / o.Dilation < k.Height && j / o.Dilation < k.Width;
            return isSeen ? new Formula.Weighted([(1, k[i / o.Dilation, j / o.Dilation])]) : new Formula.Given(0);
        });

    /// <summary>Demands that the library's op gave what a plain loop did.</summary>
    /// <exception cref="InvalidOperationException">It did not: a fault of the program.</exception>
    public static void Agree(Matrix naive, ReadOnlySpan<float> library)
    {
        var sheet = new Sheet();
        sheet.Check(sheet.Give("output", OutputTitle, naive), library);
    }

    private static string Range(Matrix m) => string.Create(CultureInfo.InvariantCulture, $"{Matrix.Format(m.Values.Min())} … {Matrix.Format(m.Values.Max())}");
}
