using System.Globalization;
using Delineate.Data;
using Delineate.Imaging;

namespace Delineate.Drawing;

/// <summary>How objects are drawn over a photo.</summary>
public sealed record InstanceOverlayOptions
{
    /// <summary>How strongly masks cover the photo, 0…1.</summary>
    public double Opacity { get; init; } = 0.45;

    /// <summary>
    /// Whether boxes are drawn around objects with a mask; null: where the photo has room for them, one for every 8000 pixels, or there are no more than 12. Objects
    /// without a mask always have theirs.
    /// </summary>
    public bool? Boxes { get; init; }

    /// <summary>
    /// Whether boxes bear the class's name, and the score where it is below 1; null: where boxes are drawn and there are classes to tell apart. Where all objects are of
    /// one class, small ones bear the score alone. Names that would cover others, or much of the photo, are left out: the surest objects have theirs first.
    /// </summary>
    public bool? Names { get; init; }

    /// <summary>Font of the names; null: one by the size of the photo.</summary>
    public Font? Font { get; init; }
}

/// <summary>Photos with objects drawn over: masks, outlines, boxes, names and joints.</summary>
public static class InstanceOverlay
{
    private const int FewObjects = 12, PixelsToABox = 8000; // more boxes and names hide the photo

    /// <summary>
    /// The photo with every object in a colour of its own, unlike its neighbours', smaller ones above larger ones. Photo [H, W, 3] → [H, W, 3]. Where masks overlap,
    /// the one above is seen.
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
        int[] ids = ObjectColors.Ids(objects);
        var map = new IdMap(photo.Height, photo.Width);
        foreach (int i in order) objects[i].Mask?.Paint(map.Ids.AsSpan(), ids[i]);
        int side = Math.Min(photo.Height, photo.Width), thickness = 1 + (side / 400);
        var canvas = new Canvas(photo.Clone());
        canvas.Fill(map, options.Opacity);
        canvas.Contour(map, 1 + (side / 800));
        bool boxes = options.Boxes ?? objects.Count <= Math.Max(FewObjects, photo.Height * photo.Width / PixelsToABox);
        foreach (int i in order)
            if (HasBox(objects[i])) Frame(canvas, objects[i].Box, MaskDrawing.InstanceColor(ids[i]), thickness);
        foreach (int i in order)
            if (objects[i].Keypoints is { } joints) Body(canvas, joints, MaskDrawing.InstanceColor(ids[i]), JointRadius(objects[i].Box, side));
        if (!(options.Names ?? (boxes && classes.Count > 2))) return canvas.Image;
        Font font = options.Font ?? Font.For(photo.Height, photo.Width);
        var plates = new NamePlates(photo.Height, photo.Width, font, [.. objects.Select(o => o.Box)]);
        foreach (int i in Enumerable.Range(0, objects.Count).Where(i => HasBox(objects[i])).OrderByDescending(i => objects[i].Score).ThenByDescending(i => objects[i].Box.Area))
        {
            string name = NameOf(objects[i], classes);
            if (classes.Count <= 2 && objects[i] is { IsCrowd: false, Score: < 1 } found && Canvas.PlateSize(name, font).Width > found.Box.Width) name = ScoreOf(found);
            if (plates.Place(name, objects[i].Box) is var (top, left)) canvas.Label(name, top, left, font, MaskDrawing.InstanceColor(ids[i]));
        }
        return canvas.Image;

        bool HasBox(Instance thing) => boxes || thing.Mask is null;
    }

    /// <summary>A box that lies in the picture, as thin as it must be to leave a small object to be seen.</summary>
    private static void Frame(Canvas canvas, Box box, Rgb color, int thickness)
    {
        const double Share = 0.06; // of a box's shorter side
        double side = Math.Min(box.Width, box.Height);
        canvas.Box(box.X1, box.Y1, box.X2, box.Y2, color, thickness: side > thickness / Share ? thickness : Math.Max(1, (int)(Share * side)));
    }

    /// <summary>By the size of the picture, and smaller in a small body, whose joints lie close together.</summary>
    private static double JointRadius(Box body, int side) => Math.Clamp(Math.Max(body.Width, body.Height) / 60, 1, 1 + (side / 250.0));

    private static string NameOf(Instance thing, ClassTable classes)
    {
        string name = thing.Label >= 0 && thing.Label < classes.Count ? classes.Names[thing.Label] : $"class {thing.Label}";
        return thing.IsCrowd ? $"{name} (crowd)" : thing.Score < 1 ? $"{name} {ScoreOf(thing)}" : name;
    }

    private static string ScoreOf(Instance thing) => thing.Score.ToString("0.00", CultureInfo.InvariantCulture);

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
