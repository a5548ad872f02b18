using System.Globalization;

namespace Delineate.Data.Objects;

/// <summary>How closely an object is looked at.</summary>
internal enum Scrutiny
{
    /// <summary>Whether it can be used: masks are filled only where they may come out empty.</summary>
    Usable,

    /// <summary>Its mask is filled, the object made.</summary>
    Make,

    /// <summary>Mask, box, area and joints are compared with each other too.</summary>
    All,
}

/// <summary>Judges objects as written and makes instances of them. The same rules decide what is left out, what is used, and what a check reports.</summary>
internal sealed class ObjectRules(IReadOnlyDictionary<string, int> labels, int joints)
{
    private const double BoxTolerance = 2, LeastBoxIou = 0.8; // pixels; tools round boxes in ways of their own
    private const double AreaTolerance = 0.25, LeastAreaDifference = 32; // of the larger; square pixels: outlines that touch themselves count twice

    /// <summary>
    /// The object in an image of a size, or null where it cannot be used (and, with <see cref="Scrutiny.Usable"/>, where it can:
    /// <see cref="Verdict.Usable"/> tells). Every fault is in the verdict.
    /// </summary>
    public Verdict Judge(RawObject raw, (int Height, int Width)? imageSize, Scrutiny scrutiny)
    {
        var faults = new List<ObjectFault>(raw.Faults);
        int label = LabelOf(raw, faults);
        if (label < 0 && !faults.Any(f => f.Skips)) return new Verdict(false, null, faults) { NotAsked = true };
        if (imageSize is not (int height, int width) || faults.Any(f => f.Skips)) return new Verdict(false, null, faults);
        raw = raw.InPixels(height, width);
        bool must = scrutiny != Scrutiny.Usable;
        (Rle? mask, bool filled) = MaskOf(raw, height, width, must, faults);
        Box? box = BoxOf(raw, mask, filled, height, width, faults);
        if (faults.Any(f => f.Skips)) return new Verdict(false, null, faults);
        if (box is null && mask is null && filled)
        {
            faults.Add(new(FaultKind.NoShape, Severity.Error, true, "it has neither a box nor a mask", "draw it again, or delete it"));
            return new Verdict(false, null, faults);
        }
        IReadOnlyList<Keypoint>? keypoints = KeypointsOf(raw, height, width, faults);
        if (raw.Area is { } area) CheckArea(area, faults);
        if (faults.Any(f => f.Skips)) return new Verdict(false, null, faults);
        if (!must) return new Verdict(true, null, faults);
        if (scrutiny == Scrutiny.All) Compare(raw, box, mask, faults);
        return new Verdict(true, new Instance
        {
            Label = label,
            Box = box ?? mask!.Box,
            Mask = mask,
            Keypoints = keypoints,
            IsCrowd = raw.IsCrowd,
            AnnotatedArea = raw.Area is >= 0 and < double.PositiveInfinity ? raw.Area : null,
            Id = raw.Id,
        }, faults);
    }

    private int LabelOf(RawObject raw, List<ObjectFault> faults)
    {
        if (raw.Category is null)
        {
            faults.Add(new(FaultKind.UnknownCategory, Severity.Error, true, "it has no category"));
            return -1;
        }
        if (!labels.TryGetValue(raw.Category, out int label))
        {
            string known = labels.Count == 0 ? "there are none" : NearNames.Suggest(raw.Category, [.. labels.Keys]);
            faults.Add(new(FaultKind.UnknownCategory, Severity.Error, true, $"its category {Shown(raw.Category)} is not listed", known));
            return -1;
        }
        if (label == 0)
        {
            faults.Add(new(FaultKind.BackgroundCategory, Severity.Error, true, $"its category {Shown(raw.Category)} is the background, which has no objects",
                "give it another category, or delete it"));
        }
        return label;
    }

    /// <summary>The mask, and whether all is known of it: not where it was not filled because it has pixels for sure.</summary>
    private static (Rle? Mask, bool Known) MaskOf(RawObject raw, int height, int width, bool must, List<ObjectFault> faults)
    {
        Rle? mask = null;
        try
        {
            if (raw.Runs is { } runs) mask = FromRuns(runs, height, width, faults);
            else if (raw.Polygons is { Count: > 0 } polygons)
            {
                List<double[]> sound = Sound(polygons, faults);
                if (sound.Count == 0)
                {
                    if (polygons.Count > 1) faults.Add(new(FaultKind.BadPolygon, Severity.Error, true, $"none of its {polygons.Count} outlines can be used", "draw it again, or delete it"));
                    return (null, true);
                }
                if (sound.Any(p => Outside(p, height, width)))
                    faults.Add(new(FaultKind.OutlineOutside, Severity.Warning, false, $"its outline leaves the image of {height}×{width}", "what lies outside is cut off"));
                double length = sound.Sum(Length), most = (4.0 * height * width) + (64.0 * (height + width)); // twice round every pixel, and room to stray
                if (!(length <= most))
                {
                    faults.Add(new(FaultKind.BadPolygon, Severity.Error, true, string.Create(CultureInfo.InvariantCulture,
                        $"its outline is {length:0.##} pixels long, too long for an image of {height}×{width}"), "draw it again, or delete it"));
                    return (null, true);
                }
                if (!must && sound.Any(p => HasPixels(p, height, width))) return (null, false);
                mask = Rle.FromPolygons(sound, height, width);
            }
        }
        catch (ArgumentException e)
        {
            faults.Add(new(FaultKind.BadPolygon, Severity.Error, true, $"its outline is refused: {e.Message.Split(" (Parameter")[0]}"));
            return (null, true);
        }
        catch (FormatException e)
        {
            faults.Add(new(FaultKind.BadRuns, Severity.Error, true, e.Message, "write the mask again from its picture"));
            return (null, true);
        }
        if (mask?.Area == 0)
            faults.Add(new(FaultKind.EmptyMask, Severity.Error, true, "its mask has no pixel", "draw it larger or inside the image, or delete it"));
        return (mask, true);
    }

    private static Rle? FromRuns(RawRuns runs, int height, int width, List<ObjectFault> faults)
    {
        if (runs.Height != height || runs.Width != width)
        {
            string swapped = runs.Height == width && runs.Width == height ? "; height comes first" : "";
            faults.Add(new(FaultKind.RunsOfAnotherSize, Severity.Error, true,
                string.Create(CultureInfo.InvariantCulture, $"its mask is of {runs.Height}×{runs.Width} pixels, its image of {height}×{width}{swapped}"),
                "write the mask again at the size of its image"));
            return null;
        }
        if (runs.Ready is not null) return runs.Ready;
        if (runs.Compressed is not null) return Rle.Parse(runs.Compressed, height, width);
        long[] counts = new long[runs.Counts!.Length];
        for (int i = 0; i < counts.Length; i++)
        {
            double count = runs.Counts[i];
            if (count != Math.Floor(count) || Math.Abs(count) > long.MaxValue / 2)
                throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"run {i + 1} of the mask has a length of {count}"));
            counts[i] = (long)count;
        }
        return Rle.FromCounts(counts, height, width);
    }

    /// <summary>The outlines that are some.</summary>
    private static List<double[]> Sound(IReadOnlyList<double[]> polygons, List<ObjectFault> faults)
    {
        var sound = new List<double[]>();
        for (int i = 0; i < polygons.Count; i++)
        {
            string which = polygons.Count == 1 ? "its outline" : $"outline {i + 1} of {polygons.Count}";
            string? problem = polygons[i] switch
            {
                { Length: var n } when n % 2 != 0 => $"has {n} coordinates: x and y come in pairs",
                { Length: < 6 and var n } => $"has {n / 2} point{(n == 2 ? "" : "s")}: three are the least",
                var p when p.Any(v => !double.IsFinite(v)) => "has a coordinate that is no number",
                _ => null,
            };
            if (problem is null) sound.Add(polygons[i]);
            else if (problem.EndsWith("no number", StringComparison.Ordinal)) faults.Add(new(FaultKind.NotANumber, Severity.Error, true, $"{which} {problem}"));
            else if (polygons.Count == 1) faults.Add(new(FaultKind.BadPolygon, Severity.Error, true, $"{which} {problem}", "draw it again, or delete it"));
            else faults.Add(new(FaultKind.BadPolygon, Severity.Warning, false, $"{which} {problem}", "it is left out; draw it again, or delete it"));
        }
        return sound;
    }

    /// <summary>
    /// True where an outline holds pixels for sure: a closed curve of area A and length L around all of which pixels lie holds more than A − L of their
    /// centres (Jarník 1925); with room for rounding to fifths of a pixel.
    /// </summary>
    private static bool HasPixels(double[] polygon, int height, int width)
    {
        double area = 0, length = 0;
        for (int i = 0, j = polygon.Length - 2; i < polygon.Length; j = i, i += 2)
        {
            (double x, double y, double beforeX, double beforeY) = (polygon[i], polygon[i + 1], polygon[j], polygon[j + 1]);
            if (x < 0 || y < 0 || x > width || y > height) return false;
            area += (beforeX * y) - (x * beforeY);
            length += Math.Sqrt(((x - beforeX) * (x - beforeX)) + ((y - beforeY) * (y - beforeY)));
        }
        return Math.Abs(area) / 2 > (2 * length) + 4;
    }

    /// <summary>Once round an outline, in pixels.</summary>
    private static double Length(double[] polygon)
    {
        double length = 0;
        for (int i = 0, j = polygon.Length - 2; i < polygon.Length; j = i, i += 2) length += double.Hypot(polygon[i] - polygon[j], polygon[i + 1] - polygon[j + 1]);
        return length;
    }

    private static bool Outside(double[] polygon, int height, int width)
    {
        for (int i = 0; i < polygon.Length; i += 2)
        {
            if (polygon[i] < -BoxTolerance || polygon[i + 1] < -BoxTolerance || polygon[i] > width + BoxTolerance || polygon[i + 1] > height + BoxTolerance) return true;
        }
        return false;
    }

    /// <summary>The box on the image; null where there is none or it is of no use: then the mask's box takes its place.</summary>
    private static Box? BoxOf(RawObject raw, Rle? mask, bool maskKnown, int height, int width, List<ObjectFault> faults)
    {
        if (raw.Xywh is not { } box) return null;
        bool hasMask = mask is { Area: > 0 } || !maskKnown;
        (Severity severity, string? remedy) = hasMask ? (Severity.Warning, "the box around its mask is taken") : (Severity.Error, "draw it again, or delete it");
        if (box.Any(v => !double.IsFinite(v)))
        {
            faults.Add(new(FaultKind.NotANumber, Severity.Error, true, "its box has a coordinate that is no number"));
            return null;
        }
        string written = string.Create(CultureInfo.InvariantCulture, $"[{box[0]:0.##}, {box[1]:0.##}, {box[2]:0.##}, {box[3]:0.##}]");
        if (box[2] <= 0 || box[3] <= 0)
        {
            string sign = box[2] < 0 || box[3] < 0 ? "a negative" : "no";
            faults.Add(new(FaultKind.DegenerateBox, severity, !hasMask, $"its box {written} has {sign} {(box[2] <= 0 ? "width" : "height")}", remedy));
            return null;
        }
        var whole = new Box(box[0], box[1], box[0] + box[2], box[1] + box[3]);
        Box clipped = whole.Clip(height, width);
        if (clipped.Width <= 0 || clipped.Height <= 0)
        {
            faults.Add(new(FaultKind.BoxOutside, severity, !hasMask, $"its box {written} lies outside of the image of {height}×{width}", remedy));
            return null;
        }
        if (Farthest(whole, clipped) <= BoxTolerance) return whole; // as it is written: scores compare boxes to the fraction of a pixel
        faults.Add(new(FaultKind.BoxOutside, Severity.Warning, false, $"its box {written} leaves the image of {height}×{width}", "what lies outside is cut off"));
        return clipped;
    }

    private Keypoint[]? KeypointsOf(RawObject raw, int height, int width, List<ObjectFault> faults)
    {
        if (joints == 0 || raw.Keypoints is not { } values) return null;
        if (values.Length != 3 * joints)
        {
            faults.Add(new(FaultKind.KeypointCount, Severity.Error, true, $"it has {values.Length} keypoint numbers; {joints} joints have {3 * joints}"));
            return null;
        }
        var keypoints = new Keypoint[joints];
        int labelled = 0, outside = 0;
        for (int i = 0; i < joints; i++)
        {
            (double x, double y, double v) = (values[3 * i], values[(3 * i) + 1], values[(3 * i) + 2]);
            if (!double.IsFinite(x) || !double.IsFinite(y))
            {
                faults.Add(new(FaultKind.NotANumber, Severity.Error, true, $"keypoint {i + 1} has a coordinate that is no number"));
                return null;
            }
            if (v is not (0 or 1 or 2))
            {
                faults.Add(new(FaultKind.KeypointVisibility, Severity.Error, true,
                    string.Create(CultureInfo.InvariantCulture, $"keypoint {i + 1} has the visibility {v}: it is 0 (not labelled), 1 (hidden) or 2 (visible)")));
                return null;
            }
            if (v == 0) continue;
            labelled++;
            if (x < 0 || y < 0 || x > width || y > height) outside++;
            keypoints[i] = new Keypoint((float)x, (float)y, (float)v);
        }
        if (outside > 0)
            faults.Add(new(FaultKind.KeypointOutside, Severity.Warning, false, $"{outside} of its labelled keypoints lie outside of the image of {height}×{width}"));
        if (raw.LabelledKeypoints is { } claimed && claimed != labelled)
            faults.Add(new(FaultKind.LabelledKeypoints, Severity.Warning, false, $"num_keypoints is {claimed.ToString(CultureInfo.InvariantCulture)}, but {labelled} are labelled"));
        return keypoints;
    }

    private static void CheckArea(double area, List<ObjectFault> faults)
    {
        if (area >= 0 && double.IsFinite(area)) return;
        string problem = area < 0 ? string.Create(CultureInfo.InvariantCulture, $"its area is {area:0.##}, below 0") : "its area is no number";
        faults.Add(new(double.IsFinite(area) ? FaultKind.Area : FaultKind.NotANumber, Severity.Error, false, problem, "the mask's is taken; scores by size need it right"));
    }

    private static void Compare(RawObject raw, Box? box, Rle? mask, List<ObjectFault> faults)
    {
        if (mask is null) return;
        Box around = mask.Box;
        if (box is { } own && own.Iou(around) < LeastBoxIou && Farthest(own, around) > BoxTolerance)
        {
            faults.Add(new(FaultKind.BoxDiffersFromMask, Severity.Warning, false, string.Create(CultureInfo.InvariantCulture,
                $"its box ({own.X1:0.#}, {own.Y1:0.#})–({own.X2:0.#}, {own.Y2:0.#}) is not the one around its mask, ({around.X1:0}, {around.Y1:0})–({around.X2:0}, {around.Y2:0})"),
                "boxes are x, y, width, height in pixels"));
        }
        double pixels = mask.Area;
        if (raw.Area is >= 0 and { } area && Math.Abs(area - pixels) > Math.Max(LeastAreaDifference, AreaTolerance * Math.Max(area, pixels)))
            faults.Add(new(FaultKind.AreaDiffersFromMask, Severity.Warning, false, string.Create(CultureInfo.InvariantCulture, $"its area is {area:0.##}, but its mask has {pixels} pixels")));
    }

    private static double Farthest(Box a, Box b) =>
        Math.Max(Math.Max(Math.Abs(a.X1 - b.X1), Math.Abs(a.Y1 - b.Y1)), Math.Max(Math.Abs(a.X2 - b.X2), Math.Abs(a.Y2 - b.Y2)));

    private static string Shown(string category) => category.Length <= 60 ? $"'{category}'" : $"'{category[..60]}…'";
}

/// <summary>What the rules say of an object.</summary>
/// <param name="Usable">Whether it can be used.</param>
/// <param name="Instance">The object, where it can be used and was to be made.</param>
/// <param name="Faults">All that is wrong with it.</param>
internal readonly record struct Verdict(bool Usable, Instance? Instance, IReadOnlyList<ObjectFault> Faults)
{
    /// <summary>True where nothing is wrong, but its category was not asked for.</summary>
    public bool NotAsked { get; init; }
}
