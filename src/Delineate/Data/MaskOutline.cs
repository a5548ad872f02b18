using System.Numerics;

namespace Delineate.Data;

/// <summary>A connected part of a mask: its outer line and those of its holes, each [x0, y0, x1, y1, …] along the edges of pixels.</summary>
public sealed record OutlinePart(double[] Outer, IReadOnlyList<double[]> Holes);

/// <summary>
/// Outlines of masks. They run along the edges of pixels, so that filling them (<see cref="Rle.FromPolygons"/>) gives back the mask, pixel for pixel.
/// </summary>
public static class MaskOutline
{
    private const int MostPairs = 1 << 22; // of corners that are compared to find the shortest bridge

    /// <summary>The parts of a mask that hang together by pixels' sides, from the top down.</summary>
    /// <param name="mask">The mask.</param>
    /// <param name="tolerance">Pixels by which a line may leave the mask's edge for the sake of fewer corners; 0: none.</param>
    public static IReadOnlyList<OutlinePart> Trace(Rle mask, double tolerance = 0)
    {
        ArgumentNullException.ThrowIfNull(mask);
        ArgumentOutOfRangeException.ThrowIfNegative(tolerance);
        if (mask.Area == 0) return [];
        Box box = mask.Box;
        (int left, int top, int width, int height) = ((int)box.X1, (int)box.Y1, (int)box.Width, (int)box.Height);
        byte[] pixels = mask.Crop(top, left, height, width).Decode();
        int[] part = Parts(pixels, height, width, out int count);
        var outers = new double[count][];
        var holes = new List<double[]>[count];
        foreach ((int pixel, double[] line) in Loops(pixels, height, width))
        {
            double[] moved = Simplified(line, tolerance);
            for (int i = 0; i < moved.Length; i += 2) (moved[i], moved[i + 1]) = (moved[i] + left, moved[i + 1] + top);
            if (SignedArea(line) > 0) outers[part[pixel] - 1] = moved;
            else (holes[part[pixel] - 1] ??= []).Add(moved);
        }
        return [.. outers.Select((outer, i) => new OutlinePart(outer, holes[i] ?? []))];
    }

    /// <summary>
    /// Several lines as one: each is reached from the nearest corner of those before it and left the same way, over a bridge without width. Filled by
    /// the even-odd rule, and by COCO's, it is the same as the lines themselves, holes and gaps included.
    /// </summary>
    public static double[] Join(IEnumerable<double[]> lines)
    {
        ArgumentNullException.ThrowIfNull(lines);
        List<double> joined = [];
        foreach (double[] line in lines)
        {
            if (joined.Count == 0)
            {
                joined.AddRange(line);
                continue;
            }
            (int at, int start) = Nearest(joined, line);
            List<double> detour = [];
            for (int k = 0; k <= line.Length / 2; k++)
            {
                int corner = (start + k) % (line.Length / 2);
                detour.AddRange([line[2 * corner], line[(2 * corner) + 1]]);
            }
            detour.AddRange([joined[2 * at], joined[(2 * at) + 1]]);
            joined.InsertRange((2 * at) + 2, detour);
        }
        return [.. joined];
    }

    private static (int At, int Start) Nearest(List<double> joined, double[] line)
    {
        if ((long)joined.Count * line.Length > 4L * MostPairs) return (0, 0);
        (int at, int start, double least) = (0, 0, double.MaxValue);
        for (int i = 0; i < joined.Count; i += 2)
        {
            for (int j = 0; j < line.Length; j += 2)
            {
                double dx = joined[i] - line[j], dy = joined[i + 1] - line[j + 1], distance = (dx * dx) + (dy * dy);
                if (distance < least) (at, start, least) = (i / 2, j / 2, distance);
            }
        }
        return (at, start);
    }

    /// <summary>The number of its part for each pixel inside, from 1 on; 0 outside.</summary>
    private static int[] Parts(byte[] pixels, int height, int width, out int count)
    {
        int[] part = new int[pixels.Length];
        var open = new Stack<int>();
        count = 0;
        for (int start = 0; start < pixels.Length; start++)
        {
            if (pixels[start] == 0 || part[start] != 0) continue;
            part[start] = ++count;
            open.Push(start);
            while (open.TryPop(out int i))
            {
                int x = i % width, number = count;
                if (x > 0) Visit(i - 1, number);
                if (x + 1 < width) Visit(i + 1, number);
                if (i >= width) Visit(i - width, number);
                if (i + width < pixels.Length) Visit(i + width, number);
            }
        }
        return part;

        void Visit(int i, int number)
        {
            if (pixels[i] == 0 || part[i] != 0) return;
            part[i] = number;
            open.Push(i);
        }
    }

    /// <summary>
    /// Closed lines around the pixels inside, these to the right of the way, with a pixel that touches each. Where two pixels touch at a corner alone, the way
    /// stays at its own: outer lines go round single parts.
    /// </summary>
    private static IEnumerable<(int Pixel, double[] Line)> Loops(byte[] pixels, int height, int width)
    {
        // Ways out of each corner, one bit a direction: right 0, down 1, left 2, up 3.
        int stride = width + 1;
        byte[] ways = new byte[stride * (height + 1)];
        for (int y = 0, i = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++, i++)
            {
                if (pixels[i] == 0) continue;
                int corner = (y * stride) + x;
                if (y == 0 || pixels[i - width] == 0) ways[corner] |= 1;
                if (x + 1 == width || pixels[i + 1] == 0) ways[corner + 1] |= 2;
                if (y + 1 == height || pixels[i + width] == 0) ways[corner + stride + 1] |= 4;
                if (x == 0 || pixels[i - 1] == 0) ways[corner + stride] |= 8;
            }
        }
        int[] step = [1, stride, -1, -stride];
        byte[] gone = new byte[ways.Length];
        for (int start = 0; start < ways.Length; start++)
        {
            while (ways[start] != gone[start])
            {
                int first = BitOperations.TrailingZeroCount((uint)(ways[start] & ~gone[start])), direction = first, at = start;
                (int y, int x) = Math.DivRem(start, stride);
                int pixel = first switch { 0 => (y * width) + x, 1 => (y * width) + x - 1, 2 => ((y - 1) * width) + x - 1, _ => ((y - 1) * width) + x };
                var line = new List<double>();
                do
                {
                    gone[at] |= (byte)(1 << direction);
                    at += step[direction];
                    int next = Turn(ways[at], direction);
                    if (next != direction) line.AddRange([at % stride, at / stride]);
                    direction = next;
                }
                while (at != start || direction != first);
                yield return (pixel, [.. line]);
            }
        }
    }

    /// <summary>The way on: to the right where there is one, else straight on, else to the left.</summary>
    private static int Turn(byte ways, int direction) =>
        (ways >> ((direction + 1) & 3) & 1) != 0 ? (direction + 1) & 3 : (ways >> direction & 1) != 0 ? direction : (direction + 3) & 3;

    private static double SignedArea(double[] line)
    {
        double twice = 0;
        for (int i = 0, j = line.Length - 2; i < line.Length; j = i, i += 2) twice += (line[j] * line[i + 1]) - (line[i] * line[j + 1]);
        return twice / 2;
    }

    /// <summary>Fewer corners, none of the old ones farther than the tolerance from the new line (Douglas and Peucker 1973); at least three.</summary>
    private static double[] Simplified(double[] line, double tolerance)
    {
        int corners = line.Length / 2;
        if (tolerance == 0 || corners < 5) return line;
        // The closed line is halved at the corner farthest from the first.
        int far = 0;
        double most = -1;
        for (int i = 1; i < corners; i++)
        {
            double dx = line[2 * i] - line[0], dy = line[(2 * i) + 1] - line[1], distance = (dx * dx) + (dy * dy);
            if (distance > most) (far, most) = (i, distance);
        }
        bool[] keep = new bool[corners + 1];
        keep[0] = keep[far] = keep[corners] = true;
        var open = new Stack<(int From, int To)>([(0, far), (far, corners)]);
        while (open.TryPop(out (int From, int To) stretch))
        {
            (int farthest, double distance) = (-1, tolerance);
            for (int i = stretch.From + 1; i < stretch.To; i++)
            {
                double d = Distance(line, i, stretch.From, stretch.To % corners);
                if (d > distance) (farthest, distance) = (i, d);
            }
            if (farthest < 0) continue;
            keep[farthest] = true;
            open.Push((stretch.From, farthest));
            open.Push((farthest, stretch.To));
        }
        double[] fewer = [.. Enumerable.Range(0, corners).Where(i => keep[i]).SelectMany(i => (double[])[line[2 * i], line[(2 * i) + 1]])];
        return fewer.Length >= 6 ? fewer : line;
    }

    private static double Distance(double[] line, int corner, int from, int to)
    {
        (double x, double y) = (line[2 * corner] - line[2 * from], line[(2 * corner) + 1] - line[(2 * from) + 1]);
        (double dx, double dy) = (line[2 * to] - line[2 * from], line[(2 * to) + 1] - line[(2 * from) + 1]);
        double squared = (dx * dx) + (dy * dy), along = squared == 0 ? 0 : Math.Clamp(((x * dx) + (y * dy)) / squared, 0, 1);
        return Math.Sqrt(((x - (along * dx)) * (x - (along * dx))) + ((y - (along * dy)) * (y - (along * dy))));
    }
}
