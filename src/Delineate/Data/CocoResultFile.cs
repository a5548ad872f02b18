using System.Globalization;
using System.Text.Json;
using Delineate.Data.Objects;
using Delineate.Data.Sets;
using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>
/// Objects that any tool found in the images of a data set, read from COCO's results (https://cocodataset.org/#format-results): one list of objects with
/// <c>image_id</c>, <c>category_id</c>, <c>score</c>, and <c>bbox</c>, <c>segmentation</c> or <c>keypoints</c>. An image is known by its id, and in data sets that
/// give none, or where the entry says it as well, by <c>file_name</c>.
/// </summary>
public sealed class CocoResultFile
{
    private const int MostEntries = 1 << 24, MostShown = 60;

    private readonly string path;
    private readonly ImageFileDataset data;
    private readonly List<Instance>[] found;
    private readonly Dictionary<string, int> byId = new(StringComparer.Ordinal), byName = new(StringComparer.Ordinal);
    private readonly Dictionary<int, (int Height, int Width)> sizes = [];

    private CocoResultFile(string path, ImageFileDataset data)
    {
        (this.path, this.data) = (path, data);
        found = [.. Enumerable.Range(0, data.Count).Select(_ => new List<Instance>())];
        for (int i = 0; i < data.Count; i++)
        {
            if (data.ImageId(i) is { } id) byId.TryAdd(id, i);
            byName.TryAdd(data.Names[i], i);
            byName.TryAdd(Path.GetFileName(data.ImagePath(i)), i);
        }
    }

    /// <summary>The number of objects.</summary>
    public int Count { get; private set; }

    /// <summary>Whether every object has a box of its own, or one that follows from its mask.</summary>
    public bool HasBoxes { get; private set; } = true;

    /// <summary>Whether every object has a mask.</summary>
    public bool HasMasks { get; private set; } = true;

    /// <summary>Whether every object has joints.</summary>
    public bool HasKeypoints { get; private set; } = true;

    /// <summary>The samples by their images' ids, as COCO's evaluation takes them: their order decides between objects of equal scores.</summary>
    internal IReadOnlyList<int> Order => [.. Enumerable.Range(0, data.Count).OrderBy(i => long.TryParse(data.ImageId(i), CultureInfo.InvariantCulture, out long id) ? id : long.MaxValue)];

    /// <summary>The objects of a sample of the data set, in the order of the file.</summary>
    public IReadOnlyList<Instance> this[int sample] => found[sample];

    /// <summary>Reads a file; its images and categories are those of a data set that was opened from a folder.</summary>
    /// <exception cref="DatasetException">It cannot be read or is no list of results; the message names the entry and what is wrong with it.</exception>
    /// <exception cref="ArgumentException">The data set has no files.</exception>
    public static CocoResultFile Read(string path, Dataset data)
    {
        var results = new CocoResultFile(path, data as ImageFileDataset ?? throw new ArgumentException("results are of images that are files", nameof(data)));
        using JsonLists entries = JsonLists.OfList(Open(path), path);
        while (entries.Next())
        {
            if (entries.Index == MostEntries) throw new DatasetException(path, $"it has more than {MostEntries:N0} entries", "divide it");
            results.Parsed(entries, results.Add);
        }
        if (results.Count == 0) results.HasMasks = results.HasKeypoints = false;
        return results;
    }

    /// <summary>Whether the first entry of a file has joints: then they are compared with a data set's joints.</summary>
    /// <exception cref="DatasetException">As for <see cref="Read"/>.</exception>
    public static bool TellsKeypoints(string path)
    {
        using JsonLists entries = JsonLists.OfList(Open(path), path);
        if (!entries.Next()) return false;
        try
        {
            using JsonDocument document = JsonValues.Parse(entries.Element);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.Find("keypoints") is not null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false; // said when it is read
        }
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw FileDataset.Unreadable(path, e);
        }
    }

    private void Parsed(JsonLists entries, Action<JsonElement, int> add)
    {
        try
        {
            using JsonDocument document = JsonValues.Parse(entries.Element);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw Wrong(entries.Index, $"is no object in braces: {JsonValues.Shown(entries.Element.Span)}");
            add(document.RootElement, entries.Index);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter: a text that is no UTF-8
        {
            throw Wrong(entries.Index, $"is not valid JSON: {(e is JsonException json ? JsonValues.Explain(json) : "a text in it is no UTF-8")}");
        }
    }

    private void Add(JsonElement entry, int index)
    {
        int sample = SampleOf(entry, index);
        string category = entry.Find("category_id")?.Id() ?? throw Wrong(index, "has no category_id");
        int label = data.LabelOf(sample, category) ?? throw Wrong(index, $"has the category_id {Shown(category)}, which the data set does not have");
        double score = entry.Find("score")?.Number() ?? double.NaN;
        if (!double.IsFinite(score)) throw Wrong(index, "has no score that is a number");
        Rle? mask = entry.Find("segmentation") is { } segmentation ? MaskOf(segmentation, sample, index) : null;
        Keypoint[]? joints = entry.Find("keypoints") is { } keypoints ? JointsOf(keypoints, index) : null;
        Box? box = entry.Find("bbox") is { } bbox ? BoxOf(bbox, index) : mask?.Box;
        if (box is null && joints is null) throw Wrong(index, "has neither a bbox nor a segmentation nor keypoints");
        found[sample].Add(new Instance
        {
            Label = label,
            Score = (float)score,
            Box = box ?? Around(joints!),
            Mask = mask,
            Keypoints = joints,
            Id = $"entry {index + 1}",
        });
        (HasBoxes, HasMasks, HasKeypoints) = (HasBoxes && box is not null, HasMasks && mask is not null, HasKeypoints && joints is not null);
        Count++;
    }

    private int SampleOf(JsonElement entry, int index)
    {
        string? id = entry.Find("image_id")?.Id(), name = entry.Find("file_name").Text();
        if (id is null && name is null) throw Wrong(index, "has no image_id");
        if (byId.Count > 0 && id is not null)
        {
            if (!byId.TryGetValue(id, out int sample)) throw Wrong(index, $"has the image_id {Shown(id)}, which the data set does not have");
            if (name is not null && Named(name) is var same && same != sample)
            {
                string image = Path.GetFileName(data.ImagePath(sample));
                throw Wrong(index, $"has the image_id {Shown(id)}, which is {image} in the data set, and the file_name {Shown(name)}: its ids are another data set's");
            }
            return sample;
        }
        if (name is null) throw Wrong(index, "has no file_name, and the images of the data set have no ids");
        return Named(name) ?? throw Wrong(index, $"has the file_name {Shown(name)}, which the data set does not have");
    }

    /// <summary>The sample of a file's name, with folders or without.</summary>
    private int? Named(string name)
    {
        string plain = name.Replace('\\', '/');
        string[] ways = [plain, plain[(plain.LastIndexOf('/') + 1)..], Path.ChangeExtension(plain, null)];
        foreach (string way in ways)
            if (byName.TryGetValue(way, out int sample)) return sample;
        return null;
    }

    private Rle MaskOf(JsonElement segmentation, int sample, int index)
    {
        (int height, int width) = SizeOf(sample);
        try
        {
            if (segmentation.ValueKind == JsonValueKind.Array)
            {
                double[]?[] polygons = [.. segmentation.EnumerateArray().Select(p => p.Numbers())];
                if (polygons.Length == 0 || !polygons.All(p => p is { Length: >= 6 } && p.Length % 2 == 0 && p.All(double.IsFinite))) throw Wrong(index, "has an outline that is none");
                return Rle.FromPolygons(polygons!, height, width);
            }
            if (segmentation.ValueKind != JsonValueKind.Object || segmentation.Find("counts") is not { } counts)
                throw Wrong(index, "has a segmentation that is neither outlines nor run lengths");
            double[] size = segmentation.Find("size")?.Numbers() ?? [];
            if (size is not [var h, var w] || h != height || w != width)
                throw Wrong(index, string.Create(CultureInfo.InvariantCulture, $"has a mask of [{string.Join(", ", size)}] pixels, its image has [{height}, {width}]"));
            if (counts.ValueKind == JsonValueKind.String) return Rle.Parse(counts.GetString()!, height, width);
            double[] lengths = counts.Numbers() ?? throw Wrong(index, "has run lengths that are neither a text nor a list");
            if (lengths.FirstOrDefault(c => c != Math.Floor(c) || Math.Abs(c) > long.MaxValue / 2) is not 0 and var odd)
                throw Wrong(index, string.Create(CultureInfo.InvariantCulture, $"has a run length of {odd}"));
            return Rle.FromCounts(Array.ConvertAll(lengths, c => (long)c), height, width);
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw Wrong(index, $"has a mask that cannot be read: {e.Message.Split(" (Parameter")[0]}");
        }
    }

    private Box BoxOf(JsonElement bbox, int index) =>
        bbox.Numbers() is [var x, var y, var width, var height] && double.IsFinite(x + y + width + height) ? new Box(x, y, x + width, y + height)
            : throw Wrong(index, "has a bbox that is not four numbers");

    private Keypoint[] JointsOf(JsonElement keypoints, int index)
    {
        double[] numbers = keypoints.Numbers() ?? [];
        if (numbers.Length != 3 * data.KeypointNames.Count || numbers.Length == 0 || !numbers.All(double.IsFinite))
            throw Wrong(index, $"has {numbers.Length} keypoint numbers that are not three for each of the data set's {data.KeypointNames.Count} joints");
        return [.. numbers.Chunk(3).Select(k => new Keypoint((float)k[0], (float)k[1], (float)k[2]))];
    }

    private static Box Around(Keypoint[] joints) => new(joints.Min(k => k.X), joints.Min(k => k.Y), joints.Max(k => k.X), joints.Max(k => k.Y));

    private (int Height, int Width) SizeOf(int sample)
    {
        if (sizes.TryGetValue(sample, out (int Height, int Width) known)) return known;
        string image = data.ImagePath(sample);
        try
        {
            ImageHeader header = ImageFile.ReadHeader(image);
            return sizes[sample] = (header.Height, header.Width);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw FileDataset.Unreadable(image, e);
        }
    }

    private DatasetException Wrong(int index, string problem) => new(path, $"entry {index + 1} {problem}", null);

    private static string Shown(string text) => text.Length <= MostShown ? $"'{text}'" : $"'{text[..MostShown]}…'";
}
