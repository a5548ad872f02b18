namespace Delineate.Data;

/// <summary>
/// The pixels of a polygon, as pycocotools decides them, so that areas, boxes and scores equal COCO's: the outline is walked on a grid five times as
/// fine, and where it passes the middle of a column of pixels, the column changes between outside and inside below that place.
/// </summary>
internal static class PolygonFill
{
    private const int Fineness = 5;
    private const double MostCoordinate = 1 << 24; // beyond any image; keeps the walk's integers and length in bounds
    private const long MostSteps = 1L << 26;

    /// <summary>Run lengths of one polygon [x0, y0, x1, y1, …], down the columns, outside first.</summary>
    /// <exception cref="ArgumentException">The coordinates are odd in number, of fewer than three corners, no numbers, or unbounded.</exception>
    public static long[] Runs(IReadOnlyList<double> polygon, int height, int width)
    {
        ArgumentNullException.ThrowIfNull(polygon);
        int corners = polygon.Count / 2;
        if (polygon.Count % 2 != 0) throw new ArgumentException($"a polygon of {polygon.Count} coordinates: x and y come in pairs");
        if (corners < 3) throw new ArgumentException($"a polygon of {corners} corner{(corners == 1 ? "" : "s")}: three are the least");
        for (int i = 0; i < polygon.Count; i++)
        {
            if (!(Math.Abs(polygon[i]) <= MostCoordinate)) throw new ArgumentException($"a polygon's coordinate of {polygon[i]}");
        }
        var changes = new List<int>(); // places, counted down the columns, from which on a column is the other kind
        long steps = 0;
        for (int i = 0; i < corners; i++)
        {
            int next = i + 1 == corners ? 0 : i + 1;
            steps += Walk(Fine(polygon[2 * i]), Fine(polygon[(2 * i) + 1]), Fine(polygon[2 * next]), Fine(polygon[(2 * next) + 1]), height, width, changes);
            if (steps > MostSteps) throw new ArgumentException("a polygon whose outline is too long for an image");
        }
        changes.Sort();
        var runs = new List<long>();
        int place = 0;
        for (int i = 0, end; i < changes.Count; i = end)
        {
            end = i + 1;
            while (end < changes.Count && changes[end] == changes[i]) end++;
            if ((end - i) % 2 == 0) continue; // changes at one place undo each other in pairs
            runs.Add(changes[i] - place);
            place = changes[i];
        }
        runs.Add(((long)height * width) - place);
        return [.. runs];

        static int Fine(double coordinate) => (int)((Fineness * coordinate) + 0.5);
    }

    /// <summary>One side of the outline, in fine steps along its longer axis. Returns their number.</summary>
    private static long Walk(int x0, int y0, int x1, int y1, int height, int width, List<int> changes)
    {
        int dx = Math.Abs(x1 - x0), dy = Math.Abs(y1 - y0);
        bool alongX = dx >= dy;
        // The same cells both ways: a side is always computed from its lower end.
        bool reversed = alongX ? x0 > x1 : y0 > y1;
        (int fromX, int fromY, int toX, int toY) = reversed ? (x1, y1, x0, y0) : (x0, y0, x1, y1);
        int length = alongX ? dx : dy;
        double slope = length == 0 ? 0 : alongX ? (double)(toY - fromY) / dx : (double)(toX - fromX) / dy;
        (int beforeX, int beforeY) = (x0, y0);
        for (int d = 0; d <= length; d++)
        {
            int t = reversed ? length - d : d;
            int x = alongX ? fromX + t : (int)(fromX + (slope * t) + 0.5), y = alongX ? (int)(fromY + (slope * t) + 0.5) : fromY + t;
            if (d > 0 && x != beforeX) Cross(x, y, beforeX, beforeY, height, width, changes);
            (beforeX, beforeY) = (x, y);
        }
        return length;
    }

    /// <summary>A fine step from column to column: where it passes the middle of a column of pixels, the column changes there.</summary>
    private static void Cross(int x, int y, int beforeX, int beforeY, int height, int width, List<int> changes)
    {
        double column = ((x < beforeX ? x : x - 1) + 0.5) / Fineness - 0.5;
        if (Math.Floor(column) != column || column < 0 || column > width - 1) return;
        double row = (Math.Min(y, beforeY) + 0.5) / Fineness - 0.5;
        changes.Add(((int)column * height) + (int)Math.Ceiling(Math.Clamp(row, 0, height)));
    }
}
