namespace Delineate.Explain.Topics;

/// <summary>Draws a Mask R-CNN: a row for each stride, from the image on the left to boxes and masks on the right.</summary>
internal static class MaskRcnnSketch
{
    private const double Width = 112, Height = 42, RowHeight = 80, Top = 36;
    private const double Body = 14, Pyramid = 170, Rpn = 320, RpnWidth = 124, Bus = 458, Align = 486, Heads = 678, Predictors = 834, Total = Predictors + 118 + 14;
    private const double Above = 16, Below = 11; // lines to RoIAlign and to the RPN leave a map above and below its middle

    private static readonly Words Title = new("RoIAlign", "RoIAlign");

    public static Sketch Draw(NetworkBlocks network)
    {
        var shapes = new List<Shape2d>();
        var places = new Dictionary<string, Frame>();
        foreach ((double x, Words text) in ((double, Words)[])[(Body, new("backbone", "主干网络")), (Pyramid, new("pyramid (FPN)", "金字塔（FPN）")), (Rpn + ((RpnWidth - Width) / 2), new("proposals (RPN)", "候选（RPN）")), (Align, new("regions", "区域")), (Heads, new("heads", "检测头")), (Predictors, new("results", "结果"))])
            shapes.Add(new Shape2d.Text(x + (Width / 2), Top - 20, text, 12, Tint.Faint));

        places["input"] = new Frame(Body, Row(0) - (Height / 2), Width, Height);
        foreach (NetworkBlock block in network.Blocks) places[block.Name] = Place(block.Name);
        Frame input = places["input"], align = new(Align, Row(2) - (Height / 2), Width, Row(5) - Row(2) + Height), proposals = new(Align, Row(6) - (Height / 2), Width, Height);

        foreach (NetworkBlock to in network.Blocks)
        {
            foreach (int read in to.Reads.Where(r => r >= -1)) Edge(shapes, read < 0 ? input : places[network.Blocks[read].Name], places[to.Name], to.Name);
        }
        foreach (NetworkBlock block in network.Blocks)
        {
            Frame at = places[block.Name];
            if (block.Name is ['P', >= '2' and <= '5']) Line(shapes, true, (at.Right, at.Middle - Above), (align.X, at.Middle - Above));
            if (block.Name.StartsWith(MaskRcnnNetwork.Proposals, StringComparison.Ordinal)) Line(shapes, false, (at.Right, at.Middle), (Bus, at.Middle));
        }
        // The anchors of all maps become one list, which says where to cut.
        Frame last = places[MaskRcnnNetwork.Proposals + "P6"];
        Line(shapes, false, (Bus, places[MaskRcnnNetwork.Proposals + "P2"].Middle), (Bus, last.Middle));
        Line(shapes, true, (Bus, last.Middle), (proposals.X, last.Middle));
        Line(shapes, true, (proposals.X + (Width / 2), proposals.Y), (proposals.X + (Width / 2), align.Bottom));
        Regions(shapes, network, places, align);

        Box(shapes, input, "input", Figures.Map(network.Inputs[0]), Tint.Paper);
        foreach (NetworkBlock block in network.Blocks) Box(shapes, places[block.Name], Label(block.Name), block.Output, TintOf(block.Name));
        Box(shapes, proposals, new Words("NMS", "NMS"), new Words($"≤ {network.Inputs[1][0]} boxes", $"≤ {network.Inputs[1][0]} 个框"), Tint.Read);
        shapes.Add(new Shape2d.Box(align.X, align.Y, align.Width, align.Height, Tint.Read, Tint.Ink));
        shapes.Add(new Shape2d.Text(align.X + (Width / 2), align.Middle - 10, Title, 13));
        shapes.Add(new Shape2d.Text(align.X + (Width / 2), align.Middle + 10, new Words("by size: P2 … P5", "按大小：P2 … P5"), 12, Tint.Faint));
        return new Sketch(Total, Row(6) + (Height / 2) + 16, shapes);
    }

    /// <summary>What RoIAlign gives to the heads, and the boxes that come back for the masks.</summary>
    private static void Regions(List<Shape2d> shapes, NetworkBlocks network, Dictionary<string, Frame> places, Frame align)
    {
        (Frame box, Frame boxes, Frame mask) = (places[MaskRcnnNetwork.BoxHead], places[MaskRcnnNetwork.BoxPredictor], places[MaskRcnnNetwork.MaskHead]);
        foreach ((Frame head, int source) in ((Frame, int)[])[(box, 1), (mask, 2)])
        {
            Line(shapes, true, (align.Right, head.Middle), (head.X, head.Middle));
            shapes.Add(new Shape2d.Text((align.Right + head.X) / 2, head.Middle - 10, Figures.Map(network.Inputs[source]), 12, Tint.Faint));
        }
        double between = (box.Middle + mask.Middle) / 2, x = boxes.X + (Width / 2);
        Line(shapes, false, (x, boxes.Bottom), (x, between));
        Line(shapes, true, (x, between), (align.Right, between));
        shapes.Add(new Shape2d.Text((align.Right + x) / 2, between - 10, new Words($"boxes after NMS, ≤ {network.Inputs[2][0]}", $"NMS 后的框，≤ {network.Inputs[2][0]}"), 12, Tint.Faint));
    }

    private static void Edge(List<Shape2d> shapes, Frame from, Frame to, string name)
    {
        if (from.X == to.X && from.Y < to.Y) Line(shapes, true, (from.X + (from.Width / 2), from.Bottom), (to.X + (to.Width / 2), to.Y));
        else if (from.X == to.X) Line(shapes, true, (from.X + (from.Width / 2), from.Y), (to.X + (to.Width / 2), to.Bottom));
        else if (name.StartsWith(MaskRcnnNetwork.Proposals, StringComparison.Ordinal)) Line(shapes, true, (from.Right, to.Middle), (to.X, to.Middle));
        else Line(shapes, true, (from.Right, from.Middle), (to.X, to.Middle));
    }

    private static Frame Place(string name) => name switch
    {
        MaskRcnnNetwork.Stem => new(Body, Row(1) - (Height / 2), Width, Height),
        ['l', 'a', 'y', 'e', 'r', var n] => new(Body, Row(n - '0' + 1) - (Height / 2), Width, Height),
        ['P', var n] => new(Pyramid, Row(n - '0') - (Height / 2), Width, Height),
        [.., 'P', var n] => new(Rpn, Row(n - '0') + Below - (Height / 2) + 2, RpnWidth, Height - 4),
        MaskRcnnNetwork.BoxHead => new(Heads, Row(2.5) - (Height / 2), Width, Height),
        MaskRcnnNetwork.BoxPredictor => new(Predictors, Row(2.5) - (Height / 2), Width + 6, Height),
        MaskRcnnNetwork.MaskHead => new(Heads, Row(4.5) - (Height / 2), Width, Height),
        _ => new(Predictors, Row(4.5) - (Height / 2), Width + 6, Height),
    };

    private static Words Label(string name) => name switch
    {
        MaskRcnnNetwork.BoxHead => new Words(name, "边框头"),
        MaskRcnnNetwork.BoxPredictor => new Words("classes + boxes", "类别 + 边框"),
        MaskRcnnNetwork.MaskHead => new Words(name, "掩码头"),
        MaskRcnnNetwork.MaskPredictor => new Words("masks", "掩码"),
        _ => name.StartsWith(MaskRcnnNetwork.Proposals, StringComparison.Ordinal) ? MaskRcnnNetwork.Proposals.Trim() : name,
    };

    private static Tint TintOf(string name) => name[0] switch
    {
        'P' => Tint.Right,
        'R' => Tint.Read,
        'b' or 'm' => Tint.Wrong,
        _ => Tint.Made,
    };

    private static void Box(List<Shape2d> shapes, Frame at, Words name, Words map, Tint tint)
    {
        shapes.Add(new Shape2d.Box(at.X, at.Y, at.Width, at.Height, tint, Tint.Ink));
        shapes.Add(new Shape2d.Text(at.X + (at.Width / 2), at.Middle - 8, name, 12));
        shapes.Add(new Shape2d.Text(at.X + (at.Width / 2), at.Middle + 8, map, 12));
    }

    private static void Line(List<Shape2d> shapes, bool isArrow, (double X, double Y) from, (double X, double Y) to) =>
        shapes.Add(new Shape2d.Stroke(from.X, from.Y, to.X, to.Y, Tint.Ink, isArrow));

    /// <summary>The middle of a row: 0 is the image, 2 stride 4, 6 stride 64.</summary>
    private static double Row(double row) => Top + (Height / 2) + (row * RowHeight);

    private readonly record struct Frame(double X, double Y, double Width, double Height)
    {
        public double Right => X + Width;

        public double Bottom => Y + Height;

        public double Middle => Y + (Height / 2);
    }
}
