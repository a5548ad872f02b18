using System.Text.Json;
using System.Text.Json.Nodes;

namespace Delineate.Cli.Commands;

/// <summary>
/// The folder that 'predict' writes into: gives every image its file names, and lets nothing be lost. It replaces what its <c>predictions.json</c>
/// lists from an earlier run and nothing else, unless told to; an image that is being read it replaces never.
/// </summary>
internal sealed class PredictionFolder
{
    private const string ListFile = "predictions.json", OverlaySuffix = "_overlay";

    private readonly string path;
    private readonly IReadOnlyList<string> names;

    /// <exception cref="UserException">A file of the user's would be overwritten, or the folder cannot be made.</exception>
    public PredictionFolder(string path, IReadOnlyList<string> inputs, bool overwrite)
    {
        (this.path, names) = (path, Names(inputs));
        var inputPaths = inputs.Select(Path.GetFullPath).ToHashSet(StringComparer.OrdinalIgnoreCase);
        HashSet<string>? earlier = EarlierFiles();
        for (int i = 0; i < names.Count; i++)
        {
            foreach (string file in (string[])[MaskOf(i), OverlayOf(i)])
            {
                if (inputPaths.Contains(Path.GetFullPath(file))) throw new UserException($"the results would overwrite the input {file}: choose another --output");
                if (!overwrite && File.Exists(file) && earlier?.Contains(Path.GetFileName(file)) != true)
                    throw new UserException($"{file} is there already and was not listed by an earlier 'predict': choose another --output, or give --overwrite");
            }
        }
        if (!overwrite && earlier is null && File.Exists(List)) throw new UserException($"{List} is there already and is not of 'predict': choose another --output, or give --overwrite");
        SharedOptions.OutputFolder(path);
    }

    private string List => Path.Combine(path, ListFile);

    public string MaskOf(int i) => Path.Combine(path, names[i] + ".png");

    public string OverlayOf(int i) => Path.Combine(path, names[i] + OverlaySuffix + ".png");

    /// <summary>Writes the list of what was done.</summary>
    public void Save(JsonObject result) => Terminal.SaveJson(List, result);

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

    /// <summary>The files that an earlier run lists; null where there was none.</summary>
    private HashSet<string>? EarlierFiles()
    {
        if (!File.Exists(List)) return null;
        try
        {
            if (JsonNode.Parse(File.ReadAllText(List)) is not JsonObject list || list["images"] is not JsonArray images || list["weights"] is null) return null;
            return [.. images.SelectMany(image => (string?[])[(string?)image!["mask"], (string?)image["overlay"]]).OfType<string>().Select(f => Path.GetFileName(f))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException)
        {
            return null;
        }
    }
}
