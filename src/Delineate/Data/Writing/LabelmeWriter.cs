using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Delineate.Data.Writing;

/// <summary>
/// labelme's JSON beside each image, <c>labels.txt</c> and a list of names for each split. Parts of an object are polygons of one group; holes are reached
/// over bridges without width.
/// </summary>
internal sealed class LabelmeWriter(string folder, ClassTable classes, double tolerance) : DatasetWriter(folder, classes)
{
    private static readonly JsonWriterOptions Options = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public override string ImageFolder(string split) => Made();

    public override byte[] Write(ConvertItem item, int height, int width, Annotation truth)
    {
        IReadOnlyList<Instance> objects = truth.Instances ?? [];
        if (truth.Instances is null) Lose("images of which no objects are told left without any");
        Lose("objects lost their joints", objects.Count(o => o.Keypoints?.Any(k => k.Score > 0) == true));
        Lose("boxes without masks became masks of their area", objects.Count(o => o.Mask is null));
        var bytes = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(bytes, Options))
        {
            json.WriteStartObject();
            json.WriteString("version", "5.0.1");
            json.WriteStartObject("flags");
            json.WriteEndObject();
            json.WriteStartArray("shapes");
            for (int i = 0; i < objects.Count; i++) WriteObject(json, objects[i], i + 1);
            json.WriteEndArray();
            json.WriteString("imagePath", item.ImageName);
            json.WriteNull("imageData");
            json.WriteNumber("imageHeight", height);
            json.WriteNumber("imageWidth", width);
            json.WriteEndObject();
        }
        File.WriteAllBytes(Path.Combine(Folder, item.Name + ".json"), bytes.WrittenSpan.ToArray());
        return [];
    }

    public override void Finish(IReadOnlyList<ConvertItem> items)
    {
        File.WriteAllLines(Path.Combine(Folder, "labels.txt"), [(string)"__ignore__", "_background_", .. Things.Select(c => Classes.Names[c])]);
        WriteLists(Folder, items);
    }

    private void WriteObject(Utf8JsonWriter json, Instance thing, int group)
    {
        if (thing.Mask is not { } mask)
        {
            WriteShape(json, thing, null, "rectangle", [thing.Box.X1, thing.Box.Y1, thing.Box.X2, thing.Box.Y2]);
            return;
        }
        IReadOnlyList<OutlinePart> parts = MaskOutline.Trace(mask, tolerance);
        foreach (OutlinePart part in parts) WriteShape(json, thing, parts.Count > 1 ? group : null, "polygon", MaskOutline.Join(part.Holes.Prepend(part.Outer)));
    }

    private void WriteShape(Utf8JsonWriter json, Instance thing, int? group, string type, double[] line)
    {
        json.WriteStartObject();
        json.WriteString("label", Classes.Names[thing.Label]);
        json.WriteStartArray("points");
        for (int i = 0; i < line.Length; i += 2)
        {
            json.WriteStartArray();
            json.WriteNumberValue(line[i]);
            json.WriteNumberValue(line[i + 1]);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        if (group is { } number) json.WriteNumber("group_id", number);
        else json.WriteNull("group_id");
        json.WriteString("shape_type", type);
        json.WriteStartObject("flags");
        if (thing.IsCrowd) json.WriteBoolean("crowd", true);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
