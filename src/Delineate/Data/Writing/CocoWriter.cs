using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Delineate.Data.Writing;

/// <summary>
/// COCO's JSON: <c>annotations/instances_SPLIT.json</c>, or <c>person_keypoints_SPLIT.json</c> where there are joints, and the images in <c>SPLIT/</c>.
/// Masks are uncompressed run lengths, which hold holes and are read by all of COCO's tools, or outlines where some tolerance was given.
/// </summary>
internal sealed class CocoWriter(string folder, ClassTable classes, IReadOnlyList<string> joints, double? tolerance) : DatasetWriter(folder, classes)
{
    private const string Unfinished = ".tmp";

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Dictionary<string, (FileStream Stream, Utf8JsonWriter Json, List<(ConvertItem Item, int Id, int Height, int Width)> Images)> files = [];
    private int imageId, annotationId;

    public override string ImageFolder(string split) => Made(split);

    /// <summary>The sample's annotations without ids, one a line.</summary>
    public override byte[] Write(ConvertItem item, int height, int width, Annotation truth)
    {
        if (truth.Instances is not { } objects)
        {
            Lose("images of which no objects are told left without any");
            return [];
        }
        var bytes = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(bytes, Options);
        json.WriteStartArray();
        foreach (Instance thing in objects) WriteObject(json, thing);
        json.WriteEndArray();
        json.Flush();
        return bytes.WrittenSpan.ToArray();
    }

    public override void Append(ConvertItem item, int height, int width, byte[] part)
    {
        var (_, json, images) = files.TryGetValue(item.Split, out var known) ? known : Begin(item.Split);
        images.Add((item, ++imageId, height, width));
        if (part.Length == 0) return;
        using var document = JsonDocument.Parse(part);
        foreach (JsonElement thing in document.RootElement.EnumerateArray())
        {
            json.WriteStartObject();
            json.WriteNumber("id", ++annotationId);
            json.WriteNumber("image_id", imageId);
            foreach (JsonProperty property in thing.EnumerateObject()) property.WriteTo(json);
            json.WriteEndObject();
        }
        if (json.BytesPending > 1 << 20) json.Flush();
    }

    public override void Finish(IReadOnlyList<ConvertItem> items)
    {
        foreach (var (stream, json, images) in files.Values)
        {
            json.WriteEndArray();
            json.WriteStartArray("images");
            foreach ((ConvertItem item, int id, int height, int width) in images)
            {
                json.WriteStartObject();
                json.WriteNumber("id", id);
                json.WriteString("file_name", item.ImageName);
                json.WriteNumber("height", height);
                json.WriteNumber("width", width);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteStartArray("categories");
            foreach (int label in Things) WriteCategory(json, label);
            json.WriteEndArray();
            json.WriteEndObject();
            json.Dispose();
            stream.Dispose();
            File.Move(stream.Name, stream.Name[..^Unfinished.Length], overwrite: true);
        }
        files.Clear();
    }

    public override void Dispose()
    {
        foreach (var (stream, _, _) in files.Values)
        {
            stream.Dispose(); // the writer above it has nothing that anybody will read
            File.Delete(stream.Name);
        }
        files.Clear();
    }

    private (FileStream Stream, Utf8JsonWriter Json, List<(ConvertItem Item, int Id, int Height, int Width)> Images) Begin(string split)
    {
        string path = Path.Combine(Made("annotations"), $"{(joints.Count > 0 ? "person_keypoints" : "instances")}_{split}.json");
        FileStream stream = File.Create(path + Unfinished); // beside the old file, which may be open, and renamed when it is whole
        var json = new Utf8JsonWriter(stream, Options);
        json.WriteStartObject();
        json.WriteStartArray("annotations"); // first, so that they need not be held until the images are known
        return files[split] = (stream, json, []);
    }

    private void WriteObject(Utf8JsonWriter json, Instance thing)
    {
        json.WriteStartObject();
        json.WriteNumber("category_id", thing.Label);
        json.WritePropertyName("segmentation");
        WriteMask(json, thing.Mask);
        json.WriteStartArray("bbox");
        foreach (double value in (double[])[thing.Box.X1, thing.Box.Y1, thing.Box.Width, thing.Box.Height]) json.WriteNumberValue(value);
        json.WriteEndArray();
        json.WriteNumber("area", thing.Area);
        json.WriteNumber("iscrowd", thing.IsCrowd ? 1 : 0);
        if (joints.Count > 0 && thing.Keypoints is { } keypoints)
        {
            json.WriteStartArray("keypoints");
            foreach (Keypoint joint in keypoints)
            {
                json.WriteNumberValue(joint.X);
                json.WriteNumberValue(joint.Y);
                json.WriteNumberValue(joint.Score);
            }
            json.WriteEndArray();
            json.WriteNumber("num_keypoints", keypoints.Count(k => k.Score > 0));
        }
        json.WriteEndObject();
    }

    private void WriteMask(Utf8JsonWriter json, Rle? mask)
    {
        IReadOnlyList<OutlinePart> parts = mask is not null && tolerance is { } allowed ? MaskOutline.Trace(mask, allowed) : [];
        if (mask is null || (parts.Count > 0 && parts.All(p => p.Holes.Count == 0)))
        {
            json.WriteStartArray();
            foreach (OutlinePart part in parts)
            {
                json.WriteStartArray();
                foreach (double value in part.Outer) json.WriteNumberValue(value);
                json.WriteEndArray();
            }
            json.WriteEndArray();
            return;
        }
        json.WriteStartObject();
        json.WriteStartArray("size");
        json.WriteNumberValue(mask.Height);
        json.WriteNumberValue(mask.Width);
        json.WriteEndArray();
        json.WriteStartArray("counts");
        foreach (int count in mask.Counts) json.WriteNumberValue(count);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteCategory(Utf8JsonWriter json, int label)
    {
        json.WriteStartObject();
        json.WriteNumber("id", label);
        json.WriteString("name", Classes.Names[label]);
        if (joints.Count > 0)
        {
            json.WriteStartArray("keypoints");
            foreach (string joint in joints) json.WriteStringValue(joint);
            json.WriteEndArray();
            if (joints.SequenceEqual(KeypointNames.Coco))
            {
                json.WriteStartArray("skeleton");
                foreach ((int from, int to) in KeypointNames.CocoSkeleton)
                {
                    json.WriteStartArray();
                    json.WriteNumberValue(from + 1);
                    json.WriteNumberValue(to + 1);
                    json.WriteEndArray();
                }
                json.WriteEndArray();
            }
        }
        json.WriteEndObject();
    }
}
