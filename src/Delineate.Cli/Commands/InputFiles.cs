namespace Delineate.Cli.Commands;

/// <summary>The images that files, folders and patterns on the command line stand for.</summary>
internal static class InputFiles
{
    private static readonly string[] Suffixes = [".png", ".jpg", ".jpeg"];

    /// <summary>Every image once, in order. A folder stands for the images right in it; <c>*</c>, <c>?</c> and <c>**</c> match names, for shells that leave them to us.</summary>
    /// <exception cref="UserException">An input matches nothing.</exception>
    public static IReadOnlyList<string> Expand(IEnumerable<string> inputs)
    {
        var files = new List<string>();
        foreach (string input in inputs)
        {
            string[] found = File.Exists(input) ? [input]
                : Directory.Exists(input) ? [.. Directory.EnumerateFiles(input).Where(IsImage).Order(StringComparer.Ordinal)]
                : input.AsSpan().IndexOfAny('*', '?') >= 0 ? [.. Matches(input).Order(StringComparer.Ordinal)]
                : throw new UserException($"there is no file or folder {input}");
            if (found.Length == 0) throw new UserException($"{input} matches no PNG or JPEG image");
            files.AddRange(found);
        }
        return [.. files.DistinctBy(Path.GetFullPath)];
    }

    private static IEnumerable<string> Matches(string pattern)
    {
        string[] parts = pattern.Replace('\\', '/').Split('/');
        int fixedParts = Array.FindIndex(parts, p => p.AsSpan().IndexOfAny('*', '?') >= 0);
        string root = string.Join('/', parts[..fixedParts]);
        if (root.Length == 0) root = pattern.StartsWith('/') ? "/" : ".";
        return Directory.Exists(root) ? Walk(root, parts.AsMemory(fixedParts)) : [];
    }

    private static IEnumerable<string> Walk(string folder, ReadOnlyMemory<string> parts)
    {
        string part = parts.Span[0];
        if (part == "**")
        {
            if (parts.Length == 1) return Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(IsImage);
            IEnumerable<string> folders = [folder, .. Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories)];
            return folders.SelectMany(f => Walk(f, parts[1..]));
        }
        return parts.Length == 1
            ? Directory.EnumerateFiles(folder, part).Where(IsImage)
            : Directory.EnumerateDirectories(folder, part).SelectMany(f => Walk(f, parts[1..]));
    }

    private static bool IsImage(string path) => Suffixes.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);
}
