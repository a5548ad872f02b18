using System.Text.Json;
using System.Text.Json.Nodes;

namespace Delineate.Cli.Commands;

/// <summary>
/// The folder that 'predict' writes into: gives every image its file names, and lets nothing be lost. It replaces what the list of an earlier run names
/// and nothing else, unless told to; an image that is being read it replaces never. The list is <c>predictions.json</c>; beside COCO's list of results, which
/// has that name then, it is <c>images.json</c>.
/// </summary>
internal sealed class PredictionFolder
{
    private const string Predictions = "predictions.json", Images = "images.json", OverlaySuffix = "_overlay";

    private readonly string path, list;
    private readonly IReadOnlyList<string> names;

    /// <param name="path">The folder; it is made where it is missing.</param>
    /// <param name="inputs">The images that are predicted.</param>
    /// <param name="overwrite">Whether files that no earlier run wrote may be replaced.</param>
    /// <param name="hasMasks">Whether a mask is written for each image.</param>
    /// <param name="hasResults">Whether COCO's list of results is written.</param>
    /// <exception cref="UserException">A file of the user's would be overwritten, or the folder cannot be made.</exception>
    public PredictionFolder(string path, IReadOnlyList<string> inputs, bool overwrite, bool hasMasks = true, bool hasResults = false)
    {
        (this.path, list, names) = (path, Path.Combine(path, hasResults ? Images : Predictions), Names(inputs));
        var inputPaths = inputs.Select(Path.GetFullPath).ToHashSet(StringComparer.OrdinalIgnoreCase);
        HashSet<string> earlier = [.. EarlierFiles(Predictions), .. EarlierFiles(Images)];
        for (int i = 0; i < names.Count; i++)
        {
            foreach (string file in hasMasks ? [MaskOf(i), OverlayOf(i)] : (string[])[OverlayOf(i)])
            {
                if (inputPaths.Contains(Path.GetFullPath(file))) throw new UserException($"the results would overwrite the input {file}: choose another --output");
                if (!overwrite && File.Exists(file) && !earlier.Contains(Path.GetFileName(file)))
                    throw new UserException($"{file} is there already and was not listed by an earlier 'predict': choose another --output, or give --overwrite");
            }
        }
        foreach (string file in hasResults ? [list, Results] : (string[])[list])
        {
            if (!overwrite && File.Exists(file) && !earlier.Contains(Path.GetFileName(file)))
                throw new UserException($"{file} is there already and is not of 'predict': choose another --output, or give --overwrite");
        }
        SharedOptions.OutputFolder(path);
    }

    /// <summary>COCO's list of results.</summary>
    public string Results => Path.Combine(path, Predictions);

    public string MaskOf(int i) => Path.Combine(path, names[i] + ".png");

    public string OverlayOf(int i) => Path.Combine(path, names[i] + OverlaySuffix + ".png");

    /// <summary>Writes the list of what was done.</summary>
    public void Save(JsonObject result) => Terminal.SaveJson(list, result);

    /// <summary>A name for the results of each file: its own without suffix, made unique by a number where two would share a file.</summary>
    internal static IReadOnlyList<string> Names(IReadOnlyList<string> inputs)
    {
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var names = new List<string>(inputs.Count);
        foreach (string input in inputs)
        {
            string name = Path.GetFileNameWithoutExtension(input), unique = name;
            for (int i = 2; taken.Contains(unique) || taken.Contains(unique + OverlaySuffix); i++) unique = $"{name}_{i}";
            taken.Add(unique);
            taken.Add(unique + OverlaySuffix);
            names.Add(unique);
        }
        return names;
    }

    /// <summary>A list of an earlier run, and the files that it names; nothing where there is none.</summary>
    private IEnumerable<string> EarlierFiles(string name)
    {
        string file = Path.Combine(path, name);
        if (!File.Exists(file)) return [];
        try
        {
            using FileStream stream = File.OpenRead(file);
            if (stream.ReadByte() != '{') return []; // COCO's list of results may be too long to be read for nothing
            stream.Position = 0;
            if (JsonNode.Parse(stream) is not JsonObject list || list["images"] is not JsonArray images || list["weights"] is null) return [];
            IEnumerable<string?> named = images.SelectMany(image => (string?[])[(string?)image!["mask"], (string?)image["overlay"]]).Append((string?)list["results"]);
            return [name, .. named.OfType<string>().Select(f => Path.GetFileName(f))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException)
        {
            return [];
        }
    }
}
