namespace Delineate.Data;

/// <summary>
/// A rectangle in pixels of the image: its left, top, right and bottom edge, where pixel 0 reaches from 0 to 1. Right and bottom are the first
/// coordinates outside, so that a box of one pixel is (x, y, x + 1, y + 1).
/// </summary>
public readonly record struct Box(double X1, double Y1, double X2, double Y2)
{
    /// <summary>Pixels from left to right; below 0 where the edges are the wrong way round.</summary>
    public double Width => X2 - X1;

    /// <summary>Pixels from top to bottom.</summary>
    public double Height => Y2 - Y1;

    /// <summary>Square pixels.</summary>
    public double Area => Width * Height;

    /// <summary>The area that two boxes share over the area that either covers, 0…1; 0 where both are empty.</summary>
    public double Iou(Box other)
    {
        double width = Math.Min(X2, other.X2) - Math.Max(X1, other.X1), height = Math.Min(Y2, other.Y2) - Math.Max(Y1, other.Y1);
        if (width <= 0 || height <= 0) return 0;
        double shared = width * height;
        return shared / (Area + other.Area - shared);
    }

    /// <summary>The part of the box that lies on an image.</summary>
    public Box Clip(int imageHeight, int imageWidth) =>
        new(Math.Clamp(X1, 0, imageWidth), Math.Clamp(Y1, 0, imageHeight), Math.Clamp(X2, 0, imageWidth), Math.Clamp(Y2, 0, imageHeight));
}
