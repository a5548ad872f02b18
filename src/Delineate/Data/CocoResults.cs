using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Delineate.Data;

/// <summary>The objects that a model found in one image.</summary>
/// <param name="ImageId">The image's id in the annotation file that the results are to be compared with.</param>
/// <param name="FileName">The image's file, for whoever reads the list; null leaves it out.</param>
/// <param name="Objects">What was found, the surest first.</param>
public sealed record CocoImageResult(long ImageId, string? FileName, IReadOnlyList<Instance> Objects);

/// <summary>
/// COCO's result files (https://cocodataset.org/#format-results): one list of the objects of all images, each with <c>image_id</c>, <c>category_id</c>,
/// <c>bbox</c> (x, y, width, height in pixels), <c>score</c>, and as far as a model tells them <c>segmentation</c> (compressed run lengths) and
/// <c>keypoints</c> (x, y and 1 for each joint). Beside COCO's keys stand <c>file_name</c>, <c>instance_id</c> (1 for the first object of its image, and so
/// on) and <c>keypoint_scores</c> (how sure each joint is), which COCO's tools pass over.
/// </summary>
public static class CocoResults
{
    /// <summary>Writes a list, one object a line.</summary>
    /// <param name="stream">Where to; it stays open.</param>
    /// <param name="images">Each image with what was found in it.</param>
    /// <param name="categoryOf">The category id of a label, null for labels that are to be left out; the labels themselves unless told.</param>
    /// <exception cref="ArgumentException">A box, a score or a joint is not finite.</exception>
    public static void Write(Stream stream, IEnumerable<CocoImageResult> images, Func<int, long?>? categoryOf = null)
    {
        ArgumentNullException.ThrowIfNull(images);
        var writer = new CocoResultWriter(stream, categoryOf);
        foreach (CocoImageResult image in images) writer.Add(image);
        writer.Finish();
    }
}

/// <summary>Writes a COCO result file image by image, so that no more than one image's objects are held.</summary>
public sealed class CocoResultWriter
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Stream stream;
    private readonly Func<int, long?> categoryOf;
    private readonly ArrayBufferWriter<byte> lines = new();

    /// <param name="stream">Where to; it stays open.</param>
    /// <param name="categoryOf">The category id of a label, null for labels that are to be left out; the labels themselves unless told.</param>
    public CocoResultWriter(Stream stream, Func<int, long?>? categoryOf = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        (this.stream, this.categoryOf) = (stream, categoryOf ?? (label => label));
    }

    /// <summary>Objects that were written.</summary>
    public int Written { get; private set; }

    /// <summary>Objects that were left out because their label has no category.</summary>
    public int LeftOut { get; private set; }

    /// <summary>Appends the objects of an image: all of them, or none where an exception is thrown.</summary>
    /// <exception cref="ArgumentException">A box, a score or a joint is not finite.</exception>
    public void Add(CocoImageResult image)
    {
        ArgumentNullException.ThrowIfNull(image);
        lines.ResetWrittenCount();
        int written = 0;
        using (var json = new Utf8JsonWriter(lines, Options))
        {
            for (int i = 0; i < image.Objects.Count; i++)
            {
                Instance found = image.Objects[i];
                if (!IsFinite(found)) throw new ArgumentException($"object {i + 1} of image {image.FileName ?? $"{image.ImageId}"} has a box, a score or a joint that is no number", nameof(image));
                if (categoryOf(found.Label) is not { } category) continue;
                lines.Write(Written + written++ == 0 ? "[\n"u8 : ",\n"u8);
                json.Reset();
                Write(json, image, i + 1, category, found);
                json.Flush();
            }
        }
        stream.Write(lines.WrittenSpan);
        (Written, LeftOut) = (Written + written, LeftOut + image.Objects.Count - written);
    }

    /// <summary>Ends the list; nothing can be added afterwards.</summary>
    public void Finish()
    {
        stream.Write(Written == 0 ? "[]\n"u8 : "\n]\n"u8);
        stream.Flush();
    }

    private static void Write(Utf8JsonWriter json, CocoImageResult image, int instanceId, long category, Instance found)
    {
        json.WriteStartObject();
        json.WriteNumber("image_id", image.ImageId);
        if (image.FileName is { } name) json.WriteString("file_name", name);
        json.WriteNumber("instance_id", instanceId);
        json.WriteNumber("category_id", category);
        json.WriteNumber("score", found.Score);
        json.WriteStartArray("bbox");
        foreach (double side in (double[])[found.Box.X1, found.Box.Y1, found.Box.Width, found.Box.Height]) json.WriteNumberValue((float)side);
        json.WriteEndArray();
        if (found.Mask is { } mask)
        {
            json.WriteStartObject("segmentation");
            json.WriteStartArray("size");
            json.WriteNumberValue(mask.Height);
            json.WriteNumberValue(mask.Width);
            json.WriteEndArray();
            json.WriteString("counts", mask.ToCompressed());
            json.WriteEndObject();
        }
        if (found.Keypoints is { } joints)
        {
            json.WriteStartArray("keypoints");
            foreach (Keypoint joint in joints)
            {
                json.WriteNumberValue(joint.X);
                json.WriteNumberValue(joint.Y);
                json.WriteNumberValue(1); // what COCO asks for; its scores do not look at it
            }
            json.WriteEndArray();
            json.WriteStartArray("keypoint_scores");
            foreach (Keypoint joint in joints) json.WriteNumberValue(joint.Score);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static bool IsFinite(Instance found) =>
        float.IsFinite(found.Score) && double.IsFinite(found.Box.X1 + found.Box.Y1 + found.Box.X2 + found.Box.Y2)
        && (found.Keypoints?.All(k => float.IsFinite(k.X + k.Y + k.Score)) ?? true);
}
