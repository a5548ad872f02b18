using Delineate.Data;
using Delineate.Imaging;

namespace Delineate.Drawing;

/// <summary>Finds places for the names of objects, where none covers another and few cover small objects.</summary>
/// <param name="height">Rows of the picture.</param>
/// <param name="width">Columns of it.</param>
/// <param name="font">The names' font.</param>
/// <param name="boxes">The boxes of all objects.</param>
internal sealed class NamePlates(int height, int width, Font font, IReadOnlyList<Box> boxes)
{
    private const double MostCovered = 0.2; // of a plate: letters stay readable
    private const double MostOfPicture = 0.2; // that all plates together hide …
    private const int FewPlates = 4; // … where there are more than these
    private const int SmallObject = 4; // in plates: one that a plate hides much of

    private readonly List<(int Top, int Left, int Bottom, int Right)> taken = [];

    /// <summary>
    /// The top left corner of a name's plate: above its box, else below it, at its right end, or inside it, wherever names that have their places leave room. Null
    /// where they leave none, or the names hide much of the picture.
    /// </summary>
    public (int Top, int Left)? Place(string name, Box box)
    {
        (int h, int w) = Canvas.PlateSize(font.Fit(name, width), font);
        w = Math.Min(w, width);
        if (taken.Count >= FewPlates && taken.Sum(t => Shared(t, t)) + (h * w) > MostOfPicture * height * width) return null;
        (int top, int left, int bottom, int right) = Edges(box);
        (int, int)[] outside = [(top - h, left), (top - h, right - w), (bottom, left), (bottom, right - w)], beside = [(top, right), (top, left - w)], inside = [(top, left), (bottom - h, left)];
        bool isLarge = bottom - top >= 3 * h && right - left >= w; // a plate inside hides little of it
        (int Top, int Left, double Covered, double Hidden)? best = null;
        foreach ((int y, int x) in isLarge ? [.. outside, .. inside, .. beside] : (ReadOnlySpan<(int, int)>)[.. outside, .. beside, .. inside])
        {
            if (y < 0 || y + h > height) continue;
            int at = Math.Clamp(x, 0, width - w);
            (int, int, int, int) plate = (y, at, y + h, at + w);
            double covered = taken.Sum(t => Shared(t, plate)) / (double)(h * w);
            double hidden = covered + boxes.Where(b => b != box && b.Area < SmallObject * h * w).Sum(b => Shared(Edges(b), plate) / Math.Max(1, b.Area));
            if (best is null || hidden < best.Value.Hidden) best = (y, at, covered, hidden);
            if (hidden == 0) break;
        }
        if (best is not { Covered: <= MostCovered } place) return null;
        taken.Add((place.Top, place.Left, place.Top + h, place.Left + w));
        return (place.Top, place.Left);
    }

    private (int Top, int Left, int Bottom, int Right) Edges(Box box) => (Whole(box.Y1, height), Whole(box.X1, width), Whole(box.Y2, height), Whole(box.X2, width));

    private static int Whole(double at, int limit) => (int)Math.Round(Math.Clamp(at, 0, limit));

    private static long Shared((int Top, int Left, int Bottom, int Right) a, (int Top, int Left, int Bottom, int Right) b) =>
        (long)Math.Max(0, Math.Min(a.Bottom, b.Bottom) - Math.Max(a.Top, b.Top)) * Math.Max(0, Math.Min(a.Right, b.Right) - Math.Max(a.Left, b.Left));
}
