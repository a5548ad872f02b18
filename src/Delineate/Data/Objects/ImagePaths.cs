namespace Delineate.Data.Objects;

/// <summary>Finds images by the names that annotation files give them, never outside of the data set's folder.</summary>
internal sealed class ImagePaths(IReadOnlyList<string> folders)
{
    private string? last; // where the image before was found: most lie in one folder

    /// <summary>
    /// The image's path, or null where there is none. Folders of the name are taken first, then its last part alone, since tools write paths of the
    /// machine they ran on.
    /// </summary>
    public string? Find(string fileName)
    {
        string? relative = Relative(fileName);
        if (relative is null) return null;
        string own = Path.GetFileName(relative);
        foreach (string name in own == relative ? (string[])[relative] : [relative, own])
        {
            if (last is not null && File.Exists(Path.Combine(last, name))) return Path.Combine(last, name);
            foreach (string folder in folders)
            {
                if (!File.Exists(Path.Combine(folder, name))) continue;
                last = folder;
                return Path.Combine(folder, name);
            }
        }
        return null;
    }

    /// <summary>The name with forward slashes, without drive, root and steps upwards; null where nothing is left.</summary>
    internal static string? Relative(string fileName)
    {
        string name = fileName.Replace('\\', '/');
        if (name.Length > 1 && name[1] == ':') name = name[2..];
        if (name.Contains('\0', StringComparison.Ordinal)) return null;
        string[] parts = name.Split('/', StringSplitOptions.RemoveEmptyEntries);
        string[] kept = [.. parts.Where(p => p is not ("." or ".."))];
        return kept.Length == 0 ? null : string.Join('/', kept);
    }

    /// <summary>Names of samples: the files' names without suffix where these differ from each other, else with their folders, and with the suffix too.</summary>
    public static string[] SampleNames(IReadOnlyList<string> fileNames)
    {
        string[] whole = [.. fileNames.Select(f => Path.ChangeExtension(Relative(f) ?? "image", null))];
        string[] own = [.. whole.Select(n => Path.GetFileName(n))];
        HashSet<string> twice = Repeated(own), stillTwice = Repeated(whole);
        return [.. own.Select((name, i) => !twice.Contains(name) ? name : !stillTwice.Contains(whole[i]) ? whole[i] : Relative(fileNames[i]) ?? whole[i])];

        static HashSet<string> Repeated(string[] names) => [.. names.GroupBy(n => n, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key)];
    }
}
