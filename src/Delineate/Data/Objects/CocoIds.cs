using System.Globalization;
using System.Text.Json;

namespace Delineate.Data.Objects;

/// <summary>The ids that a COCO file gives to images and categories, by their names; its annotations are passed over.</summary>
internal sealed class CocoIds
{
    private const int MostImages = 1 << 24, MostCategories = 1 << 16;

    private readonly Dictionary<string, (long Id, string FileName)> images = new(StringComparer.Ordinal); // by the name with its folders
    private readonly Dictionary<string, (long Id, string FileName)?> ownNames = new(StringComparer.Ordinal); // by its last part; null: of several images
    private readonly Dictionary<string, long> categories = new(StringComparer.Ordinal);

    private CocoIds(string file) => File = file;

    /// <summary>The file's path.</summary>
    public string File { get; }

    /// <summary>The names of some categories, for messages.</summary>
    public string Categories => Sets.FileDataset.FirstOf([.. categories.Keys]);

    /// <summary>Reads a file.</summary>
    /// <exception cref="DatasetException">It is no COCO file, or an image or a category has no whole number for its id, no name, or another's.</exception>
    public static CocoIds Load(string path)
    {
        var ids = new CocoIds(path);
        using var lists = new JsonLists(Open(path), path, "images", "categories");
        while (lists.Next())
        {
            string which = $"entry {lists.Index + 1} of \"{lists.List}\"";
            bool isImage = lists.List == "images";
            if (lists.Index < 0) throw new DatasetException(path, $"\"{lists.List}\" is no list in brackets: {JsonValues.Shown(lists.Element.Span)}", null);
            if (lists.Index == (isImage ? MostImages : MostCategories)) throw new DatasetException(path, $"it has more than {lists.Index} \"{lists.List}\"", "divide it into files");
            try
            {
                using JsonDocument document = JsonValues.Parse(lists.Element);
                JsonElement value = document.RootElement;
                if (value.ValueKind != JsonValueKind.Object) throw new DatasetException(path, $"{which} is no object in braces: {JsonValues.Shown(lists.Element.Span)}", null);
                if (!long.TryParse(value.Find("id")?.Id(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long id))
                    throw new DatasetException(path, $"{which} has no whole number for its id", "COCO's results name images and categories by whole numbers");
                ids.Add(which, isImage, id, value.Find(isImage ? "file_name" : "name").Text());
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter: a text that is no UTF-8
            {
                throw new DatasetException(path, $"{which} is not valid JSON: {(e is JsonException json ? JsonValues.Explain(json) : "a text in it is no UTF-8")}", null);
            }
        }
        foreach (string key in (string[])["images", "categories"])
        {
            if (!lists.Keys.Contains(key)) throw new DatasetException(path, $"it has no \"{key}\"", "ids come from a COCO file, which has \"images\" and \"categories\"");
        }
        return ids;
    }

    /// <summary>
    /// The id of an image file, and its name in the list: that of the name that the path ends in with most folders, else of the one whose last part is the
    /// file's. Null where there is none, or several.
    /// </summary>
    public (long Id, string FileName)? ImageOf(string path)
    {
        string[] parts = Path.GetFullPath(path).Replace('\\', '/').Split('/', StringSplitOptions.RemoveEmptyEntries);
        for (int i = 0; i < parts.Length; i++)
        {
            if (images.TryGetValue(string.Join('/', parts[i..]), out (long Id, string FileName) image)) return image;
        }
        return ownNames.GetValueOrDefault(parts[^1]);
    }

    /// <summary>The id of the category of a name, or null.</summary>
    public long? CategoryOf(string name) => categories.TryGetValue(name, out long id) ? id : null;

    private void Add(string which, bool isImage, long id, string? name)
    {
        if (isImage)
        {
            string relative = (name is { Length: <= 4096 } ? ImagePaths.Relative(name) : null) ?? throw new DatasetException(File, $"{which} has no file_name", null);
            if (!images.TryAdd(relative, (id, name!))) throw new DatasetException(File, $"{which}: another image is called {name} too", "take one of them out");
            string own = relative[(relative.LastIndexOf('/') + 1)..];
            if (!ownNames.TryAdd(own, (id, name!))) ownNames[own] = null;
            return;
        }
        name = name?.Trim();
        if (string.IsNullOrEmpty(name)) throw new DatasetException(File, $"{which} has no name", null);
        if (!categories.TryAdd(name, id)) throw new DatasetException(File, $"{which}: another category is called '{name}' too", "name them apart");
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Sets.FileDataset.Unreadable(path, e);
        }
    }
}
