using System.Text.Json;

namespace Delineate.Data.Objects;

/// <summary>Reads one entry of a COCO file's <c>annotations</c>.</summary>
internal static class CocoAnnotation
{
    private const int MostPolygons = 100_000;

    /// <summary>The object of some bytes, which may be anything; what cannot be read is among its faults.</summary>
    /// <param name="json">The entry's bytes.</param>
    /// <param name="index">Its place in the list, which names it where it has no id.</param>
    /// <param name="images">Places of the images by their ids.</param>
    public static RawObject Read(byte[] json, int index, IReadOnlyDictionary<string, int> images)
    {
        string place = $"entry {index + 1} of \"annotations\"";
        try
        {
            using JsonDocument document = JsonValues.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? Read(document.RootElement, place, images)
                : Unreadable(place, $"it is no object in braces: {JsonValues.Shown(json)}");
        }
        catch (JsonException e)
        {
            return Unreadable(place, $"it is not valid JSON: {JsonValues.Explain(e)}");
        }
        catch (InvalidOperationException)
        {
            return Unreadable(place, "a text in it is no UTF-8");
        }
    }

    private static RawObject Unreadable(string place, string problem) =>
        new() { Id = place, Faults = [new ObjectFault(FaultKind.Unreadable, Severity.Error, true, problem)] };

    private static RawObject Read(JsonElement value, string place, IReadOnlyDictionary<string, int> images)
    {
        var faults = new List<ObjectFault>();
        JsonElement? idValue = value.Find("id");
        string? id = idValue?.Id();
        if (id is null) faults.Add(new(FaultKind.Id, Severity.Warning, false, "it has no id", "scores and other tools need one"));
        else if (idValue is { ValueKind: JsonValueKind.Number } number && !number.TryGetInt64(out _))
            faults.Add(new(FaultKind.Id, Severity.Warning, false, $"its id {number.GetRawText()} is no whole number", "most tools need whole numbers"));
        string? imageKey = value.Find("image_id")?.Id();
        int image = imageKey is not null && images.TryGetValue(imageKey, out int found) ? found : -1;
        if (image < 0)
        {
            string problem = imageKey is null ? "it has no image_id" : $"its image {imageKey} is not listed in \"images\"";
            faults.Add(new(FaultKind.UnknownImage, Severity.Error, true, problem, "list the image, or delete the annotation"));
        }
        (IReadOnlyList<double[]>? polygons, RawRuns? runs) = Shape(value.Find("segmentation"), faults);
        return new RawObject
        {
            Id = id is null ? place : $"annotation {id}",
            Image = image,
            ImageKey = imageKey,
            Category = value.Find("category_id")?.Id(),
            Xywh = BoxOf(value.Find("bbox"), faults),
            Polygons = polygons,
            Runs = runs,
            Keypoints = value.Find("keypoints") is { } joints ? joints.Numbers() ?? [] : null, // what is no list is one of no joints
            LabelledKeypoints = value.Find("num_keypoints")?.Number(),
            IsCrowd = IsCrowd(value.Find("iscrowd"), faults),
            Area = value.Find("area")?.Number(),
            Faults = faults,
        };
    }

    private static (IReadOnlyList<double[]>? Polygons, RawRuns? Runs) Shape(JsonElement? segmentation, List<ObjectFault> faults)
    {
        switch (segmentation?.ValueKind)
        {
            case null:
                return (null, null);
            case JsonValueKind.Array when segmentation.Value.GetArrayLength() is var count and <= MostPolygons:
                if (count > 0 && segmentation.Value[0].ValueKind is JsonValueKind.Number or JsonValueKind.String) return ([segmentation.Value.Numbers()!], null); // one outline without its brackets
                double[]?[] polygons = [.. segmentation.Value.EnumerateArray().Select(p => p.Numbers())];
                if (polygons.All(p => p is not null)) return (polygons!, null);
                break;
            case JsonValueKind.Object when segmentation.Value.Find("counts") is { } counts:
                double[] size = segmentation.Value.Find("size")?.Numbers() ?? [];
                if (size.Length != 2)
                {
                    faults.Add(new(FaultKind.BadRuns, Severity.Error, true, "its run-length mask has no size", "\"size\" is [height, width]"));
                    return (null, null);
                }
                if (counts.ValueKind == JsonValueKind.String) return (null, new RawRuns(size[0], size[1], null, counts.GetString()));
                if (counts.Numbers() is { } lengths) return (null, new RawRuns(size[0], size[1], lengths, null));
                break;
            default:
                break;
        }
        string raw = segmentation.Value.GetRawText();
        faults.Add(new(FaultKind.Unreadable, Severity.Error, true, $"its segmentation is neither outlines [[x, y, …]] nor run lengths: {(raw.Length <= 40 ? raw : raw[..40] + "…")}"));
        return (null, null);
    }

    private static double[]? BoxOf(JsonElement? bbox, List<ObjectFault> faults)
    {
        if (bbox is null) return null;
        if (bbox.Value.Numbers() is { Length: 4 } box) return box;
        if (bbox is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() == 0) return null;
        faults.Add(new(FaultKind.Unreadable, Severity.Error, true, "its bbox is not four numbers: x, y, width, height"));
        return null;
    }

    private static bool IsCrowd(JsonElement? flag, List<ObjectFault> faults)
    {
        switch (flag?.ValueKind)
        {
            case null or JsonValueKind.False:
                return false;
            case JsonValueKind.True:
                return true;
            default:
                double value = flag.Value.Number();
                if (value is not (0 or 1))
                    faults.Add(new(FaultKind.CrowdFlag, Severity.Error, false, $"iscrowd is {flag.Value.GetRawText()}: it is 0 or 1", "it is taken for 1 here unless it is 0"));
                return value != 0;
        }
    }
}
