using Delineate.Data;
using Delineate.Imaging;

namespace Delineate.Drawing;

/// <summary>How objects are drawn over a photo.</summary>
public sealed record InstanceOverlayOptions
{
    /// <summary>How strongly masks cover the photo, 0…1.</summary>
    public double Opacity { get; init; } = 0.45;

    /// <summary>Whether boxes are drawn around objects with a mask; null: where there are few objects. Objects without a mask always have theirs.</summary>
    public bool? Boxes { get; init; }

    /// <summary>Whether boxes bear the class's name, and the score where it is below 1; null: where boxes are drawn and there are classes to tell apart.</summary>
    public bool? Names { get; init; }

    /// <summary>Font of the names; null: one by the size of the photo.</summary>
    public Font? Font { get; init; }
}

/// <summary>Photos with objects drawn over: masks, outlines, boxes, names and joints.</summary>
public static class InstanceOverlay
{
    private const int FewObjects = 25; // more boxes and names than these hide the photo

    /// <summary>
    /// The photo with every object in a colour of its own, smaller ones above larger ones. Photo [H, W, 3] → [H, W, 3]. Where masks overlap, the one above
    /// is seen.
    /// </summary>
    /// <exception cref="ArgumentException">A mask is of another size than the photo.</exception>
    public static Image Draw(Image photo, IReadOnlyList<Instance> objects, ClassTable classes, InstanceOverlayOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(photo);
        ArgumentNullException.ThrowIfNull(objects);
        ArgumentNullException.ThrowIfNull(classes);
        options ??= new InstanceOverlayOptions();
        if (objects.FirstOrDefault(o => o.Mask is { } m && (m.Height, m.Width) != (photo.Height, photo.Width)) is { } odd)
            throw new ArgumentException($"the photo is {photo.Height}×{photo.Width}, a mask {odd.Mask!.Height}×{odd.Mask.Width}: resize one of them first", nameof(objects));
        int[] order = [.. Enumerable.Range(0, objects.Count).OrderByDescending(i => objects[i].Mask?.Area ?? objects[i].Box.Area).ThenBy(i => i)];
        var ids = new IdMap(photo.Height, photo.Width);
        foreach (int i in order) objects[i].Mask?.Paint(ids.Ids.AsSpan(), i + 1);
        int side = Math.Min(photo.Height, photo.Width), thickness = 1 + (side / 800);
        var canvas = new Canvas(photo.Clone());
        canvas.Fill(ids, options.Opacity);
        canvas.Contour(ids, thickness);
        bool boxes = options.Boxes ?? objects.Count <= FewObjects;
        Font font = options.Font ?? Font.For(photo.Height, photo.Width);
        foreach (int i in order)
        {
            Instance thing = objects[i];
            if (!boxes && thing.Mask is not null) continue;
            string? name = options.Names ?? (boxes && classes.Count > 2) ? NameOf(thing, classes) : null;
            canvas.Box(thing.Box.X1, thing.Box.Y1, thing.Box.X2, thing.Box.Y2, MaskDrawing.InstanceColor(i + 1), name, thickness, font);
        }
        foreach (int i in order)
            if (objects[i].Keypoints is { } joints) Body(canvas, joints, MaskDrawing.InstanceColor(i + 1), 1 + (side / 250.0));
        return canvas.Image;
    }

    private static string NameOf(Instance thing, ClassTable classes)
    {
        string name = thing.Label >= 0 && thing.Label < classes.Count ? classes.Names[thing.Label] : $"class {thing.Label}";
        return thing.IsCrowd ? $"{name} (crowd)" : thing.Score < 1 ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{name} {thing.Score:0.00}") : name;
    }

    private static void Body(Canvas canvas, IReadOnlyList<Keypoint> joints, Rgb color, double radius)
    {
        if (joints.Count == KeypointNames.Coco.Count)
        {
            foreach ((int from, int to) in KeypointNames.CocoSkeleton)
            {
                (Keypoint a, Keypoint b) = (joints[from], joints[to]);
                if (a.Score > 0 && b.Score > 0) canvas.Line(a.X, a.Y, b.X, b.Y, color, Math.Max(1, radius));
            }
        }
        foreach (Keypoint joint in joints)
            if (joint.Score > 0) canvas.Keypoint(joint.X, joint.Y, color, radius);
    }
}
