using System.Text;
using Delineate.Explain;
using Delineate.Imaging;
using Spectre.Console;
using Grid = Delineate.Explain.Grid;

namespace Delineate.Cli.Commands;

/// <summary>An explanation on the terminal: grids side by side, marks as colours and, for terminals without, as brackets; pictures as shades.</summary>
internal static class ExplainView
{
    private const int Gap = 4, ShadeColumns = 56, ShadeRows = 24;
    private const string Shades = " .:-=+*#%@";

    public static void Write(Terminal terminal, Explanation explanation, Language language)
    {
        terminal.Write(new Markup($"[bold]{Markup.Escape(explanation.Title.In(language))}[/]\n"));
        terminal.Line(explanation.Summary.In(language));
        for (int i = 0; i < explanation.Steps.Count; i++)
        {
            Step step = explanation.Steps[i];
            terminal.Line();
            terminal.Write(new Markup($"[bold]{i + 1}. {Markup.Escape(step.Title.In(language))}[/]\n"));
            terminal.Write(new Markup(Markup.Escape(step.Text.In(language)) + "\n"));
            foreach (string line in Flowed([.. step.Exhibits.Select(e => Block.Of(e, explanation.Sheet, language))], terminal.Width)) terminal.MarkedLine(line);
        }
    }

    /// <summary>Blocks next to each other as far as there is room.</summary>
    private static IEnumerable<string> Flowed(Block[] blocks, int room)
    {
        for (int from = 0; from < blocks.Length;)
        {
            int to = from + 1, width = blocks[from].Width;
            while (to < blocks.Length && width + Gap + blocks[to].Width <= room && !blocks[from].IsAlone && !blocks[to].IsAlone) width += Gap + blocks[to++].Width;
            int height = blocks[from..to].Max(b => b.Lines.Count);
            for (int row = 0; row < height; row++)
            {
                var line = new StringBuilder();
                for (int b = from; b < to; b++)
                {
                    (string markup, int length) = row < blocks[b].Lines.Count ? blocks[b].Lines[row] : ("", 0);
                    line.Append(markup);
                    if (b + 1 < to) line.Append(' ', blocks[b].Width - length + Gap);
                }
                yield return line.ToString();
            }
            from = to;
        }
    }

    /// <summary>Lines of markup that belong together, each with the columns it takes.</summary>
    private sealed record Block(IReadOnlyList<(string Markup, int Length)> Lines, bool IsAlone = false)
    {
        public int Width => Lines.Max(l => l.Length);

        public static Block Of(Exhibit exhibit, Sheet sheet, Language language) => exhibit switch
        {
            Exhibit.Numbers numbers => OfGrid(sheet, numbers.Grid, language, cell => numbers.Marks.GetValueOrDefault(cell)),
            Exhibit.Labels labels => OfGrid(sheet, labels.Grid, language, cell => Sketch.Agreement(sheet[cell], sheet[labels.Truth.First + cell - labels.Grid.First], labels.Ignored) switch
            {
                Tint.Right => Mark.Right,
                Tint.Wrong => Mark.Wrong,
                _ => Mark.Ignored,
            }),
            Exhibit.Working working => OfText(Working.Of(sheet, working.Name, working.Cell)),
            Exhibit.Line line => OfText(line.Text),
            Exhibit.Picture picture => OfPicture(picture, language),
            Exhibit.Table table => OfTable(table, language),
            Exhibit.Drawing drawing => OfDrawing(drawing, sheet, language),
            _ => throw new ArgumentException($"an exhibit of {exhibit.GetType().Name}", nameof(exhibit)),
        };

        private static Block OfText(string text) => new([(Markup.Escape(text), Columns(text))], IsAlone: true);

        private static Block OfGrid(Sheet sheet, Grid grid, Language language, Func<int, Mark> markOf)
        {
            string[] texts = [.. grid.Cells.Select(cell => Matrix.Format(sheet[cell]))];
            int width = texts.Max(t => t.Length);
            string title = $"{grid.Title.In(language)}  {grid.Height}×{grid.Width}";
            var lines = new List<(string, int)> { ($"[grey]{Markup.Escape(title)}[/]", Columns(title)) };
            for (int r = 0; r < grid.Height; r++)
            {
                var line = new StringBuilder();
                for (int c = 0; c < grid.Width; c++)
                {
                    int cell = grid[r, c];
                    line.Append(Marked(texts[cell - grid.First].PadLeft(width), markOf(cell)));
                }
                lines.Add((line.ToString(), grid.Width * (width + 2)));
            }
            return new Block(lines);
        }

        /// <summary>A number with a column on either side, which says what it is where there are no colours.</summary>
        private static string Marked(string number, Mark mark)
        {
            (string before, string after, string style) = mark switch
            {
                Mark.Read => ("[", "]", "yellow"),
                Mark.Made => ("<", ">", "deepskyblue1"),
                Mark.Filled => (" ", " ", "grey"),
                Mark.Right => (" ", "+", "green"),
                Mark.Wrong => (" ", "x", "red"),
                Mark.Ignored => (" ", "?", "grey"),
                _ => (" ", " ", ""),
            };
            string text = Markup.Escape(before + number + after);
            return style.Length == 0 ? text : $"[{style}]{text}[/]";
        }

        private static Block OfPicture(Exhibit.Picture picture, Language language)
        {
            Image image = picture.Image;
            int columns = Math.Min(ShadeColumns, Math.Max(1, image.Width)), rows = Math.Clamp((int)Math.Round((double)columns * image.Height / image.Width / 2), 1, ShadeRows);
            Image small = image.Resize(rows, columns);
            var lines = new List<(string, int)>();
            for (int r = 0; r < rows; r++)
            {
                var line = new StringBuilder();
                for (int c = 0; c < columns; c++)
                {
                    ReadOnlySpan<byte> pixel = small.Pixels.AsSpan(3 * ((r * columns) + c), 3);
                    double light = ((0.299 * pixel[0]) + (0.587 * pixel[1]) + (0.114 * pixel[2])) / 256;
                    line.Append(Shades[(int)(light * Shades.Length)]);
                }
                lines.Add((Markup.Escape(line.ToString()), columns));
            }
            string caption = picture.Caption.In(language);
            lines.Add(($"[grey]{Markup.Escape(caption)}[/]", Columns(caption)));
            return new Block(lines);
        }

        private static Block OfTable(Exhibit.Table table, Language language)
        {
            string[][] rows = [[.. table.Head.Select(h => h.In(language))], .. table.Rows.Select(r => (string[])[.. r.Select(v => v.In(language))])];
            int[] widths = [.. Enumerable.Range(0, table.Head.Count).Select(c => rows.Max(r => Columns(r[c])))];
            return new Block([.. rows.Select((row, i) =>
            {
                string text = string.Join("  ", row.Select((v, c) => c == 0 ? v + new string(' ', widths[c] - Columns(v)) : new string(' ', widths[c] - Columns(v)) + v));
                return (i == 0 ? $"[grey]{Markup.Escape(text)}[/]" : Markup.Escape(text), widths.Sum() + (2 * (widths.Length - 1)));
            })], IsAlone: true);
        }

        /// <summary>A drawing has its words here: what is drawn shows on a page or as a picture.</summary>
        private static Block OfDrawing(Exhibit.Drawing drawing, Sheet sheet, Language language)
        {
            string[] texts = [.. drawing.Sketch.Shapes.OfType<Shape2d.Text>().Where(t => t.Cell is null).Select(t => t.Content.In(language))];
            string caption = drawing.Caption.In(language);
            if (texts.Length == 0) return OfPicture(new Exhibit.Picture(SketchPixels.Draw(drawing.Sketch, sheet, Language.En), drawing.Caption), language);
            return new Block([($"[grey]{Markup.Escape(caption)}[/]", Columns(caption)), .. texts.Select(t => (Markup.Escape("  " + t), Columns(t) + 2))]);
        }

        /// <summary>The columns that a text takes on a terminal: Chinese characters take two.</summary>
        private static int Columns(string text) => text.Sum(ch => ch >= 0x2E80 && ch < 0xFFEF ? 2 : 1);
    }
}
