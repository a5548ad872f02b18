namespace Delineate.Data;

/// <summary>Moves an object with its image: box, mask and joints together.</summary>
public static class InstanceGeometry
{
    /// <summary>
    /// The object in an image of this width whose left and right were exchanged. <paramref name="mirrorOrder"/> says which joint each one becomes
    /// (<see cref="KeypointNames.MirrorOrder"/>); a joint at x goes to W − x, as in torchvision.
    /// </summary>
    /// <exception cref="ArgumentException">The object has another number of joints than the order.</exception>
    public static Instance FlipHorizontal(this Instance thing, int imageWidth, IReadOnlyList<int>? mirrorOrder = null)
    {
        ArgumentNullException.ThrowIfNull(thing);
        return thing with
        {
            Box = new Box(imageWidth - thing.Box.X2, thing.Box.Y1, imageWidth - thing.Box.X1, thing.Box.Y2),
            Mask = thing.Mask?.FlipHorizontal(),
            Keypoints = Mirrored(thing.Keypoints, mirrorOrder, k => k with { X = imageWidth - k.X }),
        };
    }

    /// <summary>The object in an image of this height whose top and bottom were exchanged; joints change sides as in any mirror.</summary>
    /// <exception cref="ArgumentException">The object has another number of joints than the order.</exception>
    public static Instance FlipVertical(this Instance thing, int imageHeight, IReadOnlyList<int>? mirrorOrder = null)
    {
        ArgumentNullException.ThrowIfNull(thing);
        return thing with
        {
            Box = new Box(thing.Box.X1, imageHeight - thing.Box.Y2, thing.Box.X2, imageHeight - thing.Box.Y1),
            Mask = thing.Mask?.FlipVertical(),
            Keypoints = Mirrored(thing.Keypoints, mirrorOrder, k => k with { Y = imageHeight - k.Y }),
        };
    }

    /// <summary>
    /// The object of an image scaled from one size to another. Masks are resized as <see cref="RleGeometry.Resize"/> does, under the centres of the new
    /// pixels where <paramref name="centers"/> is true.
    /// </summary>
    public static Instance Resize(this Instance thing, (int Height, int Width) from, (int Height, int Width) to, bool centers = false)
    {
        ArgumentNullException.ThrowIfNull(thing);
        if (from == to) return thing;
        double scaleX = (double)to.Width / from.Width, scaleY = (double)to.Height / from.Height;
        return thing with
        {
            Box = new Box(thing.Box.X1 * scaleX, thing.Box.Y1 * scaleY, thing.Box.X2 * scaleX, thing.Box.Y2 * scaleY),
            Mask = thing.Mask?.Resize(to.Height, to.Width, centers),
            Keypoints = thing.Keypoints?.Select(k => k with { X = (float)(k.X * scaleX), Y = (float)(k.Y * scaleY) }).ToArray(),
            AnnotatedArea = thing.AnnotatedArea * scaleX * scaleY,
        };
    }

    /// <summary>
    /// The object in a rectangle that was cut out of its image, or null where nothing of it is left. The box of an object that was cut is the one around
    /// what is left of its mask; joints outside are no longer labelled.
    /// </summary>
    public static Instance? Crop(this Instance thing, int top, int left, int height, int width)
    {
        ArgumentNullException.ThrowIfNull(thing);
        Rle? mask = thing.Mask?.Crop(top, left, height, width);
        if (mask?.Area == 0) return null;
        var moved = new Box(thing.Box.X1 - left, thing.Box.Y1 - top, thing.Box.X2 - left, thing.Box.Y2 - top);
        Box inside = moved.Clip(height, width);
        if (mask is null && (inside.Width <= 0 || inside.Height <= 0)) return null;
        bool cut = inside != moved;
        return thing with
        {
            Box = cut ? mask?.Box ?? inside : moved,
            Mask = mask,
            Keypoints = thing.Keypoints?.Select(k => Inside(k with { X = k.X - left, Y = k.Y - top }, height, width)).ToArray(),
            AnnotatedArea = cut ? null : thing.AnnotatedArea,
        };
    }

    /// <summary>The object of an image to which borders were added.</summary>
    public static Instance Pad(this Instance thing, int top, int left, int bottom, int right)
    {
        ArgumentNullException.ThrowIfNull(thing);
        return thing with
        {
            Box = new Box(thing.Box.X1 + left, thing.Box.Y1 + top, thing.Box.X2 + left, thing.Box.Y2 + top),
            Mask = thing.Mask?.Pad(top, left, bottom, right),
            Keypoints = thing.Keypoints?.Select(k => k.Score > 0 ? k with { X = k.X + left, Y = k.Y + top } : k).ToArray(),
        };
    }

    private static Keypoint Inside(Keypoint joint, int height, int width) =>
        joint.Score > 0 && joint.X >= 0 && joint.Y >= 0 && joint.X <= width && joint.Y <= height ? joint : default;

    private static Keypoint[]? Mirrored(IReadOnlyList<Keypoint>? joints, IReadOnlyList<int>? order, Func<Keypoint, Keypoint> mirror)
    {
        if (joints is null) return null;
        if (order is not null && order.Count != joints.Count) throw new ArgumentException($"an object with {joints.Count} joints, where {order.Count} are named");
        var mirrored = new Keypoint[joints.Count];
        for (int i = 0; i < mirrored.Length; i++)
        {
            Keypoint joint = joints[order?[i] ?? i];
            mirrored[i] = joint.Score > 0 ? mirror(joint) : default; // what is not labelled has no place: COCO writes zeros
        }
        return mirrored;
    }
}
