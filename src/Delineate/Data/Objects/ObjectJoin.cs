namespace Delineate.Data.Objects;

/// <summary>Makes one object of shapes that were drawn one by one: parts of it that something in front of it divides.</summary>
internal static class ObjectJoin
{
    private const double Sagitta = 0.05; // pixels between a circle and the polygon that stands for it

    /// <summary>The objects of an image's shapes: those of one group and category are one, the others stay as they are.</summary>
    /// <param name="shapes">Each shape with its group, null for none.</param>
    /// <param name="height">Rows of the image, to which masks among the parts belong.</param>
    /// <param name="width">Columns of it.</param>
    public static IEnumerable<RawObject> Join(IEnumerable<(string? Group, RawObject Shape)> shapes, int height, int width)
    {
        var groups = new Dictionary<(string, string), List<RawObject>>();
        var order = new List<List<RawObject>>();
        foreach ((string? group, RawObject shape) in shapes)
        {
            bool mayJoin = group is not null && shape.Category is not null && !shape.Faults.Any(f => f.Skips);
            List<RawObject> parts = [];
            if (!mayJoin || !groups.TryGetValue((group!, shape.Category!), out List<RawObject>? known))
            {
                order.Add(parts);
                if (mayJoin) groups[(group!, shape.Category!)] = parts;
            }
            else parts = known;
            parts.Add(shape);
        }
        foreach (List<RawObject> parts in order) yield return parts.Count == 1 ? parts[0] : One(parts, height, width);
    }

    private static RawObject One(List<RawObject> parts, int height, int width)
    {
        RawObject first = parts[0] with { Id = parts[0].Id + " and its group", IsCrowd = parts.Any(p => p.IsCrowd), Faults = [.. parts.SelectMany(p => p.Faults)] };
        double[][] outlines = [.. parts.SelectMany(p => p.Polygons ?? [])];
        RawRuns[] masks = [.. parts.Select(p => p.Runs).OfType<RawRuns>()];
        if (masks.Length == 0) return first with { Polygons = outlines };
        // Masks and outlines together can only be joined as pixels; what is wrong with an outline is found when it is judged alone.
        RawRuns? odd = masks.FirstOrDefault(m => m.Height != height || m.Width != width);
        if (odd is not null) return first with { Polygons = null, Runs = odd };
        try
        {
            Rle[] all = [.. masks.Select(m => m.Ready!), .. outlines.Length > 0 ? [Rle.FromPolygons(outlines, height, width)] : Array.Empty<Rle>()];
            return first with { Polygons = null, Runs = new RawRuns(height, width, null, null) { Ready = Rle.Merge(all) } };
        }
        catch (ArgumentException)
        {
            return first with { Runs = null, Polygons = outlines };
        }
    }

    /// <summary>The outline of an ellipse, turned by degrees clockwise.</summary>
    public static double[] Ellipse(double x, double y, double radiusX, double radiusY, double degrees = 0)
    {
        double radius = Math.Max(Math.Abs(radiusX), Math.Abs(radiusY));
        int corners = !(radius > Sagitta) || !double.IsFinite(radius) ? 12 : Math.Clamp((int)Math.Ceiling(Math.PI / Math.Acos(1 - (Sagitta / radius))), 12, 720);
        double[] outline = new double[2 * corners];
        for (int i = 0; i < corners; i++)
        {
            double angle = 2 * Math.PI * i / corners;
            (outline[2 * i], outline[(2 * i) + 1]) = (x + (radiusX * Math.Cos(angle)), y + (radiusY * Math.Sin(angle)));
        }
        return Turned(outline, x, y, degrees);
    }

    /// <summary>The outline of a rectangle, turned about its middle by degrees clockwise.</summary>
    public static double[] Rectangle(double left, double top, double right, double bottom, double degrees = 0) =>
        Turned([left, top, right, top, right, bottom, left, bottom], (left + right) / 2, (top + bottom) / 2, degrees);

    private static double[] Turned(double[] outline, double x, double y, double degrees)
    {
        if (degrees == 0) return outline;
        (double sine, double cosine) = Math.SinCos(degrees * Math.PI / 180);
        for (int i = 0; i < outline.Length; i += 2)
        {
            (double dx, double dy) = (outline[i] - x, outline[i + 1] - y);
            (outline[i], outline[i + 1]) = (x + (dx * cosine) - (dy * sine), y + (dx * sine) + (dy * cosine));
        }
        return outline;
    }
}
