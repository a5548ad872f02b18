using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Delineate.Data.Sets;
using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>
/// What a data set says of itself in its <c>dataset.json</c>. Every key is optional; comments and trailing commas are allowed; unknown keys
/// are refused.
/// <code>
/// { "layout": "folder",                        // or voc, coco, yolo, labelme, cvat; else recognised from the files
///   "variant": "instances",                    // COCO: instances | keypoints | vocClasses
///   "classes": ["background", "nucleus"],      // in the order of the labels
///   "colors": ["#000000", [220, 20, 60]],      // one per class: the palette, and the colour table of RGB masks
///   "background": "background",                // the class that overlays leave clear
///   "ignoreIndex": 255,                        // the label that counts nowhere
///   "masks": { "coding": "labels",             // labels | binary | colors | instances
///              "suffix": "_mask",              // the mask of a.jpg is a_mask.png
///              "map": { "7": "ignore", "255": 1 } },  // stored value → label, class name or "ignore"; others stay
///   "validation": 0.2,                         // share of the images held out where no split files exist
///   "name": "", "description": "", "licence": "", "source": "" }
/// </code>
/// </summary>
public sealed record DatasetManifest
{
    /// <summary>The file's name inside the data set's folder.</summary>
    public const string FileName = "dataset.json";

    /// <summary>Larger files are refused: a manifest holds a few hundred lines.</summary>
    private const long MaxBytes = 1 << 20;

    /// <summary>The path, or null where the folder has no manifest and all is found from the files.</summary>
    public string? Path { get; init; }

    /// <summary>How the files are laid out; null: recognised.</summary>
    public DatasetLayout? Layout { get; init; }

    /// <summary>Which of its annotations are taken, where it has several; null: instances.</summary>
    public DatasetVariant? Variant { get; init; }

    /// <summary>Class names in the order of their labels; null: found elsewhere.</summary>
    public IReadOnlyList<string>? Classes { get; init; }

    /// <summary>One colour per class; null: found elsewhere.</summary>
    public IReadOnlyList<Rgb>? Colors { get; init; }

    /// <summary>The name of the class that overlays leave clear.</summary>
    public string? Background { get; init; }

    /// <summary>The label that counts nowhere; null: 255.</summary>
    public byte? IgnoreIndex { get; init; }

    /// <summary>How masks hold classes; null: found from the files.</summary>
    public MaskCoding? Coding { get; init; }

    /// <summary>What a mask's name has beyond its image's.</summary>
    public string MaskSuffix { get; init; } = "";

    /// <summary>Stored value → label (as a number), class name, or "ignore".</summary>
    public IReadOnlyDictionary<byte, string> MaskMap { get; init; } = new Dictionary<byte, string>();

    /// <summary>Share of the images that are held out for validation where no split files exist.</summary>
    public double Validation { get; init; } = 0.2;

    /// <summary>The data set's name.</summary>
    public string? Name { get; init; }

    /// <summary>Licence of the images and masks.</summary>
    public string? Licence { get; init; }

    /// <summary>Reads the manifest of a folder; an empty one where there is none.</summary>
    /// <exception cref="DatasetException">The file is not JSON, or a key or value is not understood: the message names the line or
    /// key.</exception>
    public static DatasetManifest Read(string folder)
    {
        string path = System.IO.Path.Combine(folder, FileName);
        if (!File.Exists(path)) return new DatasetManifest();
        if (new FileInfo(path).Length > MaxBytes)
            throw new DatasetException(path, $"it is larger than {MaxBytes / 1024} KB", "it should hold only the keys that describe the data set");
        ManifestFile file;
        try
        {
            ReadOnlySpan<byte> json = File.ReadAllBytes(path);
            if (json.StartsWith("\uFEFF"u8)) json = json[3..];
            file = JsonSerializer.Deserialize(json, ManifestJson.Default.ManifestFile)
                ?? throw new DatasetException(path, "it holds null", "write an object: { \"classes\": […] }");
        }
        catch (JsonException e)
        {
            throw new DatasetException(path, Explain(e), null, e);
        }
        return Checked(path, file);
    }

    private static DatasetManifest Checked(string path, ManifestFile file)
    {
        DatasetException Wrong(string key, string problem, string? remedy = null) => new(path, $"\"{key}\" {problem}", remedy);
        if (file.Classes is not null)
        {
            try
            {
                _ = new ClassTable(file.Classes);
            }
            catch (ArgumentException e)
            {
                throw Wrong("classes", "is refused: " + e.Message.Split(" (Parameter")[0]);
            }
        }
        List<Rgb>? colors = file.Colors?.Select((c, i) => ParseColor(c)
            ?? throw Wrong("colors", $"holds {c.GetRawText()} at place {i}, which is no colour",
            "write \"#rrggbb\" or [red, green, blue] with numbers from 0 to 255")).ToList();
        if (colors is not null && file.Classes is null) throw Wrong("colors", "needs \"classes\" beside it", "name one class for each colour");
        if (colors is not null && colors.Count != file.Classes!.Count)
            throw Wrong("colors", $"has {colors.Count} entries for {file.Classes.Count} classes", "give one colour per class, in the same order");
        if (file.IgnoreIndex is < 0 or > 255) throw Wrong("ignoreIndex", $"is {file.IgnoreIndex}", "labels are numbers from 0 to 255");
        if (file.Background is not null && file.Classes?.Contains(file.Background) == false)
            throw Wrong("background", $"names '{file.Background}', which is not one of the classes",
                NearNames.Suggest(file.Background, file.Classes));
        if (file.Validation is not null and not (>= 0 and < 1))
            throw Wrong("validation", $"is {file.Validation}", "it is a share: at least 0 and below 1");
        string suffix = file.Masks?.Suffix ?? "";
        if (suffix.AsSpan().ContainsAny('/', '\\'))
            throw Wrong("masks.suffix", $"is '{suffix}'", "it is a part of the file's name and holds no folder");
        return new DatasetManifest
        {
            Path = path,
            Layout = file.Layout switch
            {
                null => null,
                "voc" => DatasetLayout.Voc,
                "folder" => DatasetLayout.Folder,
                "coco" => DatasetLayout.Coco,
                "yolo" => DatasetLayout.Yolo,
                "labelme" => DatasetLayout.Labelme,
                "cvat" => DatasetLayout.Cvat,
                _ => throw Wrong("layout", $"is '{file.Layout}'", "it is \"voc\", \"folder\", \"coco\", \"yolo\", \"labelme\" or \"cvat\""),
            },
            Variant = file.Variant switch
            {
                null => null,
                "instances" => DatasetVariant.Instances,
                "keypoints" => DatasetVariant.Keypoints,
                "vocClasses" => DatasetVariant.VocClasses,
                _ => throw Wrong("variant", $"is '{file.Variant}'", "it is \"instances\", \"keypoints\" or \"vocClasses\""),
            },
            Classes = file.Classes,
            Colors = colors,
            Background = file.Background,
            IgnoreIndex = (byte?)file.IgnoreIndex,
            Coding = file.Masks?.Coding switch
            {
                null => null,
                "labels" => MaskCoding.Labels,
                "binary" => MaskCoding.Binary,
                "colors" when colors is null => throw Wrong("masks.coding", "is \"colors\" without a table of colours", "add \"classes\" and \"colors\""),
                "colors" => MaskCoding.Colors,
                "instances" => MaskCoding.Instances,
                string other => throw Wrong("masks.coding", $"is '{other}'", "it is \"labels\", \"binary\", \"colors\" or \"instances\""),
            },
            MaskSuffix = suffix,
            MaskMap = ParseMap(file.Masks?.Map, Wrong),
            Validation = file.Validation ?? 0.2,
            Name = file.Name,
            Licence = file.Licence,
        };
    }

    private static Dictionary<byte, string> ParseMap(Dictionary<string, JsonElement>? map, Func<string, string, string?, DatasetException> wrong)
    {
        var parsed = new Dictionary<byte, string>();
        foreach ((string key, JsonElement value) in map ?? [])
        {
            if (!byte.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out byte stored))
                throw wrong("masks.map", $"has the key '{key}'", "its keys are the values 0 to 255 that masks hold");
            parsed[stored] = value.ValueKind switch
            {
                JsonValueKind.String => value.GetString()!,
                JsonValueKind.Number when value.TryGetByte(out byte label) => label.ToString(CultureInfo.InvariantCulture),
                _ => throw wrong("masks.map", $"maps {key} to {value.GetRawText()}",
                    "a value is mapped to a label from 0 to 255, a class name or \"ignore\""),
            };
        }
        return parsed;
    }

    private static Rgb? ParseColor(JsonElement color)
    {
        if (color.ValueKind == JsonValueKind.String)
        {
            string text = color.GetString()!;
            return text.Length == 7 && text[0] == '#'
                && int.TryParse(text.AsSpan(1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int rgb)
                ? new Rgb((byte)(rgb >> 16), (byte)(rgb >> 8), (byte)rgb)
                : null;
        }
        if (color.ValueKind != JsonValueKind.Array || color.GetArrayLength() != 3) return null;
        Span<byte> parts = stackalloc byte[3];
        for (int i = 0; i < 3; i++)
            if (color[i].ValueKind != JsonValueKind.Number || !color[i].TryGetByte(out parts[i])) return null;
        return new Rgb(parts[0], parts[1], parts[2]);
    }

    /// <summary>A parser's complaint in the words of the file: line, key, and the nearest known key where one is unknown.</summary>
    private static string Explain(JsonException e)
    {
        string line = e.LineNumber is long number ? $"line {number + 1}: " : "";
        string key = e.Path is { Length: > 2 } path ? path[2..] : "";
        if (e.Message.Contains("could not be mapped", StringComparison.Ordinal))
        {
            string[] known = key.StartsWith("masks.", StringComparison.Ordinal)
                ? ["masks.coding", "masks.suffix", "masks.map"]
                : ["layout", "classes", "variant", "colors", "background", "ignoreIndex", "masks", "validation", "name", "description", "licence", "source"];
            return $"{line}the key \"{key}\" is unknown; {NearNames.Suggest(key, known)}";
        }
        if (e.Message.Contains("Duplicate", StringComparison.OrdinalIgnoreCase)) return $"{line}the key \"{key}\" occurs twice";
        if (e.Message.Contains("could not be converted", StringComparison.Ordinal)) return $"{line}\"{key}\" holds a value of the wrong kind";
        return $"{line}this is not valid JSON: {e.Message.Split(" Path:")[0].Split(" LineNumber:")[0]}";
    }
}

/// <summary><c>dataset.json</c> as written.</summary>
internal sealed record ManifestFile
{
    public string? Layout { get; init; }

    public string? Variant { get; init; }

    public List<string>? Classes { get; init; }

    public List<JsonElement>? Colors { get; init; }

    public string? Background { get; init; }

    public int? IgnoreIndex { get; init; }

    public ManifestMasks? Masks { get; init; }

    public double? Validation { get; init; }

    public string? Name { get; init; }

    public string? Description { get; init; }

    public string? Licence { get; init; }

    public string? Source { get; init; }
}

/// <summary>The <c>masks</c> part of <c>dataset.json</c> as written.</summary>
internal sealed record ManifestMasks
{
    public string? Coding { get; init; }

    public string? Suffix { get; init; }

    public Dictionary<string, JsonElement>? Map { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    AllowDuplicateProperties = false,
    MaxDepth = 8)]
[JsonSerializable(typeof(ManifestFile))]
internal sealed partial class ManifestJson : JsonSerializerContext;
