using Delineate.Data;
using Delineate.Imaging;

namespace Delineate.Drawing;

/// <summary>Chooses colours for the objects of a picture so that neighbours differ plainly.</summary>
internal static class ObjectColors
{
    private const int Neighbours = 12; // so many colours are plainly apart

    private const int MostCompared = 3000; // more are too small to be told apart, and every two would be compared

    /// <summary>An id for each object, no two alike, whose colour (<see cref="MaskDrawing.InstanceColor"/>) is far from those of the objects before it that lie nearest.</summary>
    public static int[] Ids(IReadOnlyList<Instance> objects)
    {
        int[] colors = new int[objects.Count];
        var nearest = new PriorityQueue<int, double>(); // the farthest of them first
        for (int i = 0; i < colors.Length; i++)
        {
            if (i >= MostCompared)
            {
                colors[i] = (i % MaskDrawing.InstanceColors) + 1;
                continue;
            }
            nearest.Clear();
            for (int j = 0; j < i; j++)
            {
                nearest.Enqueue(colors[j], -Distance(objects[i].Box, objects[j].Box));
                if (nearest.Count > Neighbours) nearest.Dequeue();
            }
            colors[i] = MaskDrawing.IdApartFrom([.. nearest.UnorderedItems.Select(n => n.Element)]);
        }
        return [.. colors.Select((color, i) => (i * MaskDrawing.InstanceColors) + color)];
    }

    /// <summary>The gap between two boxes, and of those that touch the one whose centres are nearer.</summary>
    private static double Distance(Box a, Box b)
    {
        double gapX = Math.Max(0, Math.Max(a.X1, b.X1) - Math.Min(a.X2, b.X2)), gapY = Math.Max(0, Math.Max(a.Y1, b.Y1) - Math.Min(a.Y2, b.Y2));
        double fromX = (a.X1 + a.X2 - b.X1 - b.X2) / 2, fromY = (a.Y1 + a.Y2 - b.Y1 - b.Y2) / 2;
        const double CentresCount = 1e-3; // little, where boxes are apart
        return Math.Sqrt((gapX * gapX) + (gapY * gapY)) + (CentresCount * Math.Sqrt((fromX * fromX) + (fromY * fromY)));
    }
}
