using System.Globalization;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Delineate.Data.Objects;

/// <summary>A category of a COCO file: its id and name, and the names of its joints.</summary>
internal sealed record CocoCategory(string Id, string Name, string? Supercategory, IReadOnlyList<string> Keypoints);

/// <summary>
/// One file of COCO's JSON (https://cocodataset.org/#format-data). Images and categories are held; of annotations only their places in the file, from
/// where they are read when they are asked for, so that a file of any size takes little memory.
/// </summary>
internal sealed class CocoFile : ObjectPart
{
    private const int MostAnnotations = 1 << 26, MostImages = 1 << 24, MostCategories = 1 << 14, MostFaults = 10_000;

    private readonly SafeFileHandle handle;
    private readonly DateTime written;
    private readonly long length;
    private readonly List<(long Offset, int Length)> annotations = [];
    private readonly List<ImageRecord> images = [];
    private readonly Dictionary<string, int> imageById = new(StringComparer.Ordinal);
    private readonly List<CocoCategory> categories = [];
    private readonly List<FileFault> faults = [];

    private CocoFile(SafeFileHandle handle)
    {
        this.handle = handle;
        (length, written) = (RandomAccess.GetLength(handle), System.IO.File.GetLastWriteTimeUtc(handle));
    }

    public override IReadOnlyList<ImageRecord> Images => images;

    public override int ObjectCount => annotations.Count;

    public override IReadOnlyList<FileFault> Faults => faults;

    /// <summary>The categories in the file's order.</summary>
    public IReadOnlyList<CocoCategory> Categories => categories;

    /// <summary>Goes through a file once; its images are looked for in <paramref name="imageFolders"/>.</summary>
    /// <exception cref="DatasetException">The file cannot be read, is no JSON, or lacks one of its lists.</exception>
    public static CocoFile Open(string path, string split, IReadOnlyList<string> imageFolders)
    {
        SafeFileHandle handle;
        try
        {
            handle = System.IO.File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Sets.FileDataset.Unreadable(path, e);
        }
        var file = new CocoFile(handle) { Split = split, File = path };
        file.Scan(imageFolders);
        return file;
    }

    public override RawObject Read(int index)
    {
        (long offset, int count) = annotations[index];
        byte[] bytes = GC.AllocateUninitializedArray<byte>(count);
        int read = 0;
        try
        {
            while (read < count && RandomAccess.Read(handle, bytes.AsSpan(read), offset + read) is > 0 and var more) read += more;
            if (read < count || RandomAccess.GetLength(handle) != length || System.IO.File.GetLastWriteTimeUtc(handle) != written)
                throw new DatasetException(File, "the file was changed after it was opened", "open the data set again");
        }
        catch (Exception e) when (e is (IOException or UnauthorizedAccessException) and not DatasetException)
        {
            throw Sets.FileDataset.Unreadable(File, e);
        }
        return CocoAnnotation.Read(bytes, index, imageById);
    }

    private void Scan(IReadOnlyList<string> imageFolders)
    {
        var fileNames = new List<(string FileName, int Height, int Width)>();
        // A handle of its own: closing the stream would close the one that stays open.
        using var lists = new JsonLists(new FileStream(File, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1), File, "images", "annotations", "categories");
        while (lists.Next())
        {
            if (lists.Index < 0) throw new DatasetException(File, $"\"{lists.List}\" is no list in brackets: {JsonValues.Shown(lists.Element.Span)}", null);
            switch (lists.List)
            {
                case "annotations":
                    if (annotations.Count == MostAnnotations) throw TooMany(lists.List, MostAnnotations);
                    annotations.Add((lists.Offset, lists.Element.Length));
                    break;
                case "images":
                    if (lists.Index == MostImages) throw TooMany(lists.List, MostImages);
                    Element(lists, value => AddImage(value, lists.Index, fileNames));
                    break;
                default:
                    if (lists.Index == MostCategories) throw TooMany(lists.List, MostCategories);
                    Element(lists, value => AddCategory(value, lists.Index));
                    break;
            }
        }
        foreach (string key in (string[])["images", "annotations", "categories"])
        {
            if (!lists.Keys.Contains(key)) throw new DatasetException(File, $"it has no \"{key}\"", "a COCO file has \"images\", \"annotations\" and \"categories\"");
        }
        string[] names = ImagePaths.SampleNames([.. fileNames.Select(f => f.FileName)]);
        var paths = new ImagePaths(imageFolders);
        string[] ids = new string[names.Length];
        foreach ((string id, int place) in imageById) ids[place] = id;
        for (int i = 0; i < names.Length; i++)
        {
            (string fileName, int height, int width) = fileNames[i];
            images.Add(new ImageRecord(names[i], fileName, paths.Find(fileName), height, width, File, ids[i]));
        }
    }

    private void Element(JsonLists lists, Action<JsonElement> add)
    {
        try
        {
            using JsonDocument document = JsonValues.Parse(lists.Element);
            if (document.RootElement.ValueKind == JsonValueKind.Object) add(document.RootElement);
            else Fault(Severity.Error, $"entry {lists.Index + 1} of \"{lists.List}\" is no object in braces: {JsonValues.Shown(lists.Element.Span)}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter: a text that is no UTF-8
        {
            string why = e is JsonException json ? JsonValues.Explain(json) : "a text in it is no UTF-8";
            Fault(Severity.Error, $"entry {lists.Index + 1} of \"{lists.List}\" is not valid JSON: {why}");
        }
    }

    private void AddImage(JsonElement value, int index, List<(string FileName, int Height, int Width)> fileNames)
    {
        string which = $"entry {index + 1} of \"images\"";
        if (value.Find("id") is not { } idValue || idValue.Id() is not { } id)
        {
            Fault(Severity.Error, $"{which} has no id", "its annotations cannot be told; give it one");
            return;
        }
        if (value.Find("file_name").Text() is not { Length: > 0 and <= 4096 } fileName || ImagePaths.Relative(fileName) is null)
        {
            Fault(Severity.Error, $"image {id} has no file_name");
            return;
        }
        if (fileName.Replace('\\', '/').Split('/').Contains(".."))
            Fault(Severity.Warning, $"image {id}: its file_name {fileName} leads out of the folder", "it is looked for inside of it");
        else if (fileName[0] is '/' or '\\' || (fileName.Length > 1 && fileName[1] == ':'))
            Fault(Severity.Warning, $"image {id}: its file_name {fileName} is a place on some machine", "it is looked for inside of the data set's folder");
        CheckId(idValue, $"image {fileName}");
        if (!imageById.TryAdd(id, fileNames.Count))
        {
            string other = fileNames[imageById[id]].FileName;
            Fault(Severity.Error, $"image id {id} is there twice: {other} and {fileName}", "annotations of the id go to the first; give each image an id of its own");
            return;
        }
        (int height, int width) = (value.Find("height").Side(), value.Find("width").Side());
        if (height == 0 || width == 0) Fault(Severity.Warning, $"image {fileName} has no height and width above 0", "those of its file are taken");
        fileNames.Add((fileName, height, width));
    }

    private void AddCategory(JsonElement value, int index)
    {
        if (value.Find("id") is not { } idValue || idValue.Id() is not { } id)
        {
            Fault(Severity.Error, $"entry {index + 1} of \"categories\" has no id");
            return;
        }
        CheckId(idValue, $"category {id}");
        string name = value.Find("name").Text()?.Trim() ?? "";
        if (name.Length == 0)
        {
            Fault(Severity.Error, $"category {id} has no name", $"it is called 'category {id}' here; name it");
            name = $"category {id}";
        }
        if (categories.FirstOrDefault(c => c.Id == id) is { } known)
        {
            Fault(Severity.Error, $"category id {id} is there twice: '{known.Name}' and '{name}'", "the first is taken; give each category an id of its own");
            return;
        }
        if (categories.FirstOrDefault(c => c.Name == name) is { } twin)
            Fault(Severity.Warning, $"the categories {twin.Id} and {id} have one name, '{name}'", "they are one class here; name them apart if they are two");
        IReadOnlyList<string> joints = value.Find("keypoints") is { ValueKind: JsonValueKind.Array } list
            ? [.. list.EnumerateArray().Take(1000).Select((k, i) => k.ValueKind == JsonValueKind.String ? k.GetString()! : $"keypoint {i + 1}")] : [];
        categories.Add(new CocoCategory(id, name, value.Find("supercategory").Text(), joints));
    }

    private void CheckId(JsonElement id, string of)
    {
        if (id.ValueKind == JsonValueKind.Number && !id.TryGetInt64(out _))
            Fault(Severity.Warning, $"the id {id.GetRawText()} of {of} is no whole number", "most tools need whole numbers");
    }

    private void Fault(Severity severity, string message, string? remedy = null)
    {
        if (faults.Count < MostFaults) faults.Add(new FileFault(severity, File, message, remedy));
    }

    private DatasetException TooMany(string list, int most) => new(File, $"it has more than {most.ToString("N0", CultureInfo.InvariantCulture)} \"{list}\"", "divide it into files");
}
