using System.Text.Json;
using Delineate.Data.Objects;
using Delineate.Imaging;

namespace Delineate.Data.Sets;

/// <summary>Reads one of a labelme file's <c>shapes</c>.</summary>
internal static class LabelmeShape
{
    public static (string? Group, RawObject Shape) Read(byte[] json, int index, int height, int width)
    {
        string id = $"shape {index + 1}";
        try
        {
            using JsonDocument document = JsonValues.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object) return (null, Faulty(id, FaultKind.Unreadable, $"it is no object in braces: {JsonValues.Shown(json)}"));
            return (document.RootElement.Find("group_id")?.Id(), Read(document.RootElement, id, height, width));
        }
        catch (JsonException e)
        {
            return (null, Faulty(id, FaultKind.Unreadable, $"it is not valid JSON: {JsonValues.Explain(e)}"));
        }
        catch (InvalidOperationException)
        {
            return (null, Faulty(id, FaultKind.Unreadable, "a text in it is no UTF-8"));
        }
    }

    private static RawObject Read(JsonElement shape, string id, int height, int width)
    {
        string type = shape.Find("shape_type").Text() ?? "polygon";
        double[]?[] points = shape.Find("points") is { ValueKind: JsonValueKind.Array } list ? [.. list.EnumerateArray().Select(p => p.Numbers())] : [];
        var raw = new RawObject
        {
            Id = id,
            Category = shape.Find("label").Text(),
            IsCrowd = shape.Find("flags") is { ValueKind: JsonValueKind.Object } flags && flags.Find("crowd") is { ValueKind: JsonValueKind.True },
        };
        if (points.Any(p => p?.Length != 2)) return Faulty(raw, FaultKind.Unreadable, "a point of it is not two numbers");
        double[] line = [.. points.SelectMany(p => p!)];
        switch (type)
        {
            case "polygon":
                return raw with { Polygons = [line] };
            case "rectangle" when line.Length == 4:
                return raw with { Polygons = [ObjectJoin.Rectangle(line[0], line[1], line[2], line[3])] };
            case "circle" when line.Length == 4:
                double radius = Math.Sqrt(((line[2] - line[0]) * (line[2] - line[0])) + ((line[3] - line[1]) * (line[3] - line[1])));
                return raw with { Polygons = [ObjectJoin.Ellipse(line[0], line[1], radius, radius)] };
            case "rectangle" or "circle":
                return Faulty(raw, FaultKind.BadPolygon, $"a {type} has two points, not {points.Length}");
            case "mask" when line.Length == 4:
                return Mask(raw, shape.Find("mask").Text() ?? "", line, height, width);
            case "point" or "points" or "line" or "linestrip":
                return Faulty(raw, FaultKind.OtherShape, $"a {type} has no area", severity: Severity.Note);
            default:
                return Faulty(raw, FaultKind.OtherShape, $"it is a {type}, which is not read");
        }
    }

    /// <summary>A picture of the object, written as text, that lies between two corners of the image.</summary>
    private static RawObject Mask(RawObject raw, string text, double[] corners, int height, int width)
    {
        byte[] file = new byte[text.Length];
        if (!Convert.TryFromBase64String(text, file, out int length)) return Faulty(raw, FaultKind.BadRuns, "its mask is no base64 text");
        const long MostPixels = 1 << 28; // as many as a decoded image may have
        if (height == 0 || width == 0 || (long)height * width > MostPixels) return Faulty(raw, FaultKind.BadRuns, "its mask cannot be placed: the file does not give imageHeight and imageWidth");
        try
        {
            var limits = new DecodeLimits { MaxPixels = (long)height * width };
            PngImage png = Png.Decode(file.AsMemory(0, length), raw.Id, limits);
            int[] ids = png.ToIdMap().Ids;
            (int left, int top) = ((int)Math.Round(corners[0]), (int)Math.Round(corners[1]));
            if (left < 0 || top < 0 || left > width - png.Width || top > height - png.Height)
                return Faulty(raw, FaultKind.RunsOfAnotherSize, $"its mask of {png.Height}×{png.Width} pixels leaves the image of {height}×{width}");
            Rle mask = Rle.Encode([.. ids.Select(v => (byte)(v == 0 ? 0 : 1))], png.Height, png.Width);
            Rle whole = mask.Pad(top, left, height - top - png.Height, width - left - png.Width);
            return raw with { Runs = new RawRuns(height, width, null, null) { Ready = whole } };
        }
        catch (ImageFormatException e)
        {
            return Faulty(raw, FaultKind.BadRuns, $"its mask cannot be read: {e.Message}");
        }
    }

    private static RawObject Faulty(string id, FaultKind kind, string problem) => Faulty(new RawObject { Id = id }, kind, problem);

    private static RawObject Faulty(RawObject raw, FaultKind kind, string problem, Severity severity = Severity.Error) =>
        raw with { Faults = [new ObjectFault(kind, severity, true, problem)] };
}
