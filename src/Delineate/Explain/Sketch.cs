using Delineate.Imaging;

namespace Delineate.Explain;

/// <summary>The colour of a shape by what it means, so that a dark page can have colours of its own.</summary>
public enum Tint
{
    /// <summary>Nothing behind a number.</summary>
    Paper,

    /// <summary>Text and outlines.</summary>
    Ink,

    /// <summary>Text and outlines of less weight.</summary>
    Faint,

    Read,
    Made,
    Filled,
    Right,
    Wrong,
    Ignored,
}

/// <summary>A shape of a <see cref="Sketch"/>; x to the right and y down, in pixels.</summary>
public abstract record Shape2d
{
    /// <summary>A filled rectangle with an outline. With <paramref name="Truth"/> its tint follows from whether two cells of the sheet agree.</summary>
    public sealed record Box(double X, double Y, double Width, double Height, Tint Fill, Tint Outline = Tint.Faint, (int Label, int Truth, int Ignored)? Truth = null) : Shape2d;

    /// <summary>Text about a middle, or from its left end. With <paramref name="Cell"/> it is that cell's value.</summary>
    public sealed record Text(double X, double Y, Words Content, int Size, Tint Tint = Tint.Ink, bool IsCentred = true, int? Cell = null) : Shape2d;

    /// <summary>A straight line, with a head at its end where it is an arrow.</summary>
    public sealed record Stroke(double X0, double Y0, double X1, double Y1, Tint Tint = Tint.Ink, bool IsArrow = false) : Shape2d;

    /// <summary>A picture, enlarged pixel by pixel.</summary>
    public sealed record Bitmap(double X, double Y, double Width, double Height, Image Image) : Shape2d;
}

/// <summary>Shapes on a sheet of a size, drawn as SVG by <see cref="SketchSvg"/> and as pixels by <see cref="SketchPixels"/>.</summary>
public sealed record Sketch(double Width, double Height, IReadOnlyList<Shape2d> Shapes)
{
    private const int CellHeight = 34, LeastCellWidth = 38, DigitWidth = 9, TextSize = 15, TitleHeight = 24;

    /// <summary>A grid of numbers under its title.</summary>
    public static Sketch Of(Sheet sheet, Exhibit.Numbers numbers, Language language)
    {
        ArgumentNullException.ThrowIfNull(numbers);
        return Of(sheet, numbers.Grid, language, cell => (numbers.Marks.TryGetValue(cell, out Mark mark) ? TintOf(mark) : Tint.Paper, null));
    }

    /// <summary>A grid of labels under its title, right and wrong ones in their colours.</summary>
    public static Sketch Of(Sheet sheet, Exhibit.Labels labels, Language language)
    {
        ArgumentNullException.ThrowIfNull(sheet);
        ArgumentNullException.ThrowIfNull(labels);
        return Of(sheet, labels.Grid, language, cell =>
        {
            int truth = labels.Truth.First + cell - labels.Grid.First;
            return (Agreement(sheet[cell], sheet[truth], labels.Ignored), (cell, truth, labels.Ignored));
        });
    }

    /// <summary>The tint of a label beside the truth.</summary>
    public static Tint Agreement(double label, double truth, int ignored) => truth == ignored ? Tint.Ignored : label == truth ? Tint.Right : Tint.Wrong;

    private static Sketch Of(Sheet sheet, Grid grid, Language language, Func<int, (Tint, (int, int, int)?)> look)
    {
        ArgumentNullException.ThrowIfNull(sheet);
        int longest = grid.Cells.Select(cell => Matrix.Format(sheet[cell]).Length).DefaultIfEmpty(1).Max();
        int cellWidth = Math.Max(LeastCellWidth, (longest * DigitWidth) + 12);
        var shapes = new List<Shape2d>();
        string title = $"{grid.Title.In(language)}  {grid.Height}×{grid.Width}";
        shapes.Add(new Shape2d.Text(0, TitleHeight / 2 - 2, new Words($"{grid.Title.English}  {grid.Height}×{grid.Width}", $"{grid.Title.Chinese}  {grid.Height}×{grid.Width}"), TextSize - 2, Tint.Faint, IsCentred: false));
        for (int r = 0; r < grid.Height; r++)
        {
            for (int c = 0; c < grid.Width; c++)
            {
                int cell = grid[r, c];
                (Tint fill, (int, int, int)? truth) = look(cell);
                double x = 1 + (c * cellWidth), y = TitleHeight + (r * CellHeight);
                shapes.Add(new Shape2d.Box(x, y, cellWidth, CellHeight, fill, Tint.Faint, truth));
                shapes.Add(new Shape2d.Text(x + (cellWidth / 2.0), y + (CellHeight / 2.0), Matrix.Format(sheet[cell]), TextSize, fill == Tint.Filled ? Tint.Faint : Tint.Ink, Cell: cell));
            }
        }
        return new Sketch(Math.Max((grid.Width * cellWidth) + 2, TextWidth(title, TextSize - 2)), TitleHeight + (grid.Height * CellHeight) + 1, shapes);
    }

    /// <summary>About how wide a text is; a Chinese character is as wide as it is high.</summary>
    internal static double TextWidth(string text, int size) => text.Sum(ch => ch >= 0x2E80 ? size * 1.05 : size * 0.58);

    private static Tint TintOf(Mark mark) => mark switch
    {
        Mark.Read => Tint.Read,
        Mark.Made => Tint.Made,
        Mark.Filled => Tint.Filled,
        Mark.Right => Tint.Right,
        Mark.Wrong => Tint.Wrong,
        Mark.Ignored => Tint.Ignored,
        _ => Tint.Paper,
    };
}
