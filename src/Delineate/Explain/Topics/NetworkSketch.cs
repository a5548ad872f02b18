using Delineate.Tensors;

namespace Delineate.Explain.Topics;

/// <summary>
/// Draws a network as it runs, from left to right, and down where maps become coarser: a box is as high as the logarithm of its map's rows and as wide as
/// that of its channels. Blocks off the main path lie above the row of the maps that they meet.
/// </summary>
internal static class NetworkSketch
{
    private const int NameSize = 12, MapSize = 12;
    private const double Margin = 14, Gutter = 24, TextRow = 16, RowGap = 14, FusionSide = 24;

    public static Sketch Draw(NetworkBlocks network)
    {
        List<Placed> all = Place(network);
        double[] lefts = Columns(all, out double width), tops = Rows(all, out double height);
        foreach (Placed p in all)
        {
            p.X = lefts[p.Column] + ((lefts[p.Column + 1] - Gutter - lefts[p.Column]) / 2);
            double room = tops[p.Row + 1] - RowGap - tops[p.Row];
            p.Y = tops[p.Row] + (room / 2);
        }
        var shapes = new List<Shape2d>();
        foreach (Placed to in all)
        {
            foreach (int read in to.Reads) Arrow(shapes, all.First(p => p.Block == read), to, lefts);
        }
        foreach (Placed p in all)
        {
            shapes.Add(new Shape2d.Box(p.X - (p.Width / 2), p.Y - (p.Height / 2), p.Width, p.Height, p.Tint, Tint.Ink));
            if (p.IsFusion) shapes.Add(new Shape2d.Text(p.X, p.Y, NetworkBlocks.Fusion, NameSize + 4));
            else shapes.Add(new Shape2d.Text(p.X, p.Y - (p.Height / 2) - (TextRow / 2), p.Name, NameSize));
            shapes.Add(new Shape2d.Text(p.X, p.Y + (p.Height / 2) + (TextRow / 2) + 1, p.Map, MapSize, Tint.Faint));
        }
        return new Sketch(width, height, shapes);
    }

    private static List<Placed> Place(NetworkBlocks network)
    {
        var all = new List<Placed> { new(-1, "input", Figures.Map(network.Inputs[0]), network.Inputs[0], []) { Column = 0, Level = 0 } };
        for (int i = 0; i < network.Main.Count; i++) all.Add(Of(network.Main[i], i + 1));
        foreach (int side in Enumerable.Range(0, network.Blocks.Count).Except(network.Main))
        {
            // In the middle between what it reads and what reads it.
            NetworkBlock block = network.Blocks[side];
            int from = block.Reads.Max(r => all.First(p => p.Block == r).Column);
            int[] readers = [.. all.Where(p => p.Reads.Contains(side)).Select(p => p.Column)];
            Placed placed = Of(side, readers.Length == 0 ? from + 1 : (from + readers.Min()) / 2);
            placed.IsSide = true;
            all.Add(placed);
        }
        // Levels with blocks off the main path have a row for them above.
        int row = 0;
        foreach (int level in all.Select(p => p.Level).Distinct().Order().ToArray())
        {
            foreach (bool isSide in (bool[])[true, false])
            {
                Placed[] here = [.. all.Where(p => p.Level == level && p.IsSide == isSide)];
                foreach (Placed p in here) p.Row = row;
                if (here.Length > 0) row++;
            }
        }
        return all;

        Placed Of(int index, int column)
        {
            NetworkBlock block = network.Blocks[index];
            return new Placed(index, block.Name, block.Output, block.Shape, block.Reads) { Column = column, Level = (int)Math.Round(Math.Log2(block.Jump)), IsFusion = block.IsFusion };
        }
    }

    private static double[] Columns(List<Placed> all, out double width)
    {
        var lefts = new double[all.Max(p => p.Column) + 2];
        lefts[0] = Margin;
        for (int c = 0; c + 1 < lefts.Length; c++) lefts[c + 1] = lefts[c] + Gutter + all.Where(p => p.Column == c).Select(p => Math.Max(p.Width, p.TextWidth)).DefaultIfEmpty(0).Max();
        width = lefts[^1] - Gutter + Margin;
        return lefts;
    }

    private static double[] Rows(List<Placed> all, out double height)
    {
        var tops = new double[all.Max(p => p.Row) + 2];
        tops[0] = Margin;
        for (int r = 0; r + 1 < tops.Length; r++) tops[r + 1] = tops[r] + RowGap + (2 * TextRow) + all.Where(p => p.Row == r).Max(p => p.Height);
        height = tops[^1] - RowGap + Margin;
        return tops;
    }

    /// <summary>From the right of one box to the left of another, around a corner between columns; down into a fusion from a row above.</summary>
    private static void Arrow(List<Shape2d> shapes, Placed from, Placed to, double[] lefts)
    {
        double x0 = from.X + (from.Width / 2), x1 = to.X - (to.Width / 2);
        if (from.Row == to.Row)
        {
            shapes.Add(new Shape2d.Stroke(x0, from.Y, x1, to.Y, Tint.Ink, IsArrow: true));
        }
        else if (to.IsFusion && from.IsSide)
        {
            shapes.Add(new Shape2d.Stroke(x0, from.Y, to.X, from.Y));
            shapes.Add(new Shape2d.Stroke(to.X, from.Y, to.X, to.Y - (to.Height / 2), Tint.Ink, IsArrow: true));
        }
        else
        {
            double corner = to.IsSide ? lefts[from.Column + 1] - (Gutter / 2) : lefts[to.Column] - (Gutter / 2);
            shapes.Add(new Shape2d.Stroke(x0, from.Y, corner, from.Y));
            shapes.Add(new Shape2d.Stroke(corner, from.Y, corner, to.Y));
            shapes.Add(new Shape2d.Stroke(corner, to.Y, x1, to.Y, Tint.Ink, IsArrow: true));
        }
    }

    /// <summary>A block with its place.</summary>
    private sealed class Placed(int block, string name, string map, Shape shape, IReadOnlyList<int> reads)
    {
        public int Block => block;

        public string Name => name;

        public string Map => map;

        public IReadOnlyList<int> Reads => reads;

        public int Column { get; set; }

        /// <summary>The logarithm of the pixels between neighbouring values.</summary>
        public int Level { get; set; }

        public int Row { get; set; }

        public bool IsSide { get; set; }

        public bool IsFusion { get; set; }

        /// <summary>Of the box's middle.</summary>
        public double X { get; set; }

        public double Y { get; set; }

        public double Width => IsFusion ? FusionSide : 8 + (4 * Math.Log2(shape[^1]));

        public double Height => IsFusion ? FusionSide : 10 + (6 * Math.Log2(shape[1]));

        public double TextWidth => Math.Max(IsFusion ? 0 : Sketch.TextWidth(name, NameSize), Sketch.TextWidth(map, MapSize));

        public Tint Tint => block < 0 ? Tint.Paper : IsFusion ? Tint.Read : IsSide ? Tint.Filled : Tint.Made;
    }
}
