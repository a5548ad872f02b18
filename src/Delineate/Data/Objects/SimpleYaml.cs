using System.Text;

namespace Delineate.Data.Objects;

/// <summary>
/// Reads the part of YAML that lists of data sets are written in: one map of texts, of lists of texts and of maps of texts, in blocks or in brackets,
/// with comments and quotes. Anchors, tags, blocks of text and deeper nesting are refused.
/// </summary>
internal static class SimpleYaml
{
    private const int MostBytes = 1 << 20, MostEntries = 100_000;

    /// <summary>Each key's text; for a list its elements and for a map its entries, keyed in order ("0", "1", … for lists).</summary>
    /// <exception cref="DatasetException">The file is too large, or not understood: the line is named.</exception>
    public static Dictionary<string, YamlValue> Read(string path)
    {
        if (new FileInfo(path).Length > MostBytes) throw new DatasetException(path, $"it is larger than {MostBytes / 1024} KB", "it should hold only the description of the data set");
        string[] lines = File.ReadAllLines(path, Encoding.UTF8);
        var values = new Dictionary<string, YamlValue>(StringComparer.Ordinal);
        for (int i = 0; i < lines.Length;)
        {
            string line = Bare(lines[i]);
            if (line.Length == 0 || line is "---" or "...")
            {
                i++;
                continue;
            }
            if (char.IsWhiteSpace(line[0]) || line[0] == '-') throw Wrong(path, i, "it belongs to no key");
            (string key, string rest) = Entry(path, i, line);
            int start = i++;
            // What is opened in brackets may go on over lines.
            while (rest.Length > 0 && rest[0] is '[' or '{' && !Closed(rest) && i < lines.Length) rest += " " + Bare(lines[i++]).Trim();
            if (!values.TryAdd(key, rest.Length > 0 ? Inline(path, start, rest) : Block(path, lines, ref i))) throw Wrong(path, start, $"the key '{key}' is there twice");
        }
        return values;
    }

    private static YamlValue Block(string path, string[] lines, ref int i)
    {
        var entries = new List<(string Key, string Value)>();
        bool? isList = null;
        int indent = -1;
        for (; i < lines.Length; i++)
        {
            string line = Bare(lines[i]), text = line.TrimStart();
            if (text.Length == 0) continue;
            bool item = text[0] == '-' && (text.Length == 1 || text[1] == ' ');
            int own = line.Length - text.Length;
            if (own == 0 && !item) break;
            if (indent < 0) (indent, isList) = (own, item);
            if (own != indent || item != isList) throw Wrong(path, i, "lists of lists and maps of maps are not read here");
            if (entries.Count == MostEntries) throw Wrong(path, i, $"there are more than {MostEntries} entries");
            if (item) entries.Add((entries.Count.ToString(), Scalar(path, i, text[1..].Trim())));
            else
            {
                (string key, string value) = Entry(path, i, text);
                entries.Add((key, Scalar(path, i, value)));
            }
        }
        return new YamlValue(null, entries);
    }

    private static YamlValue Inline(string path, int line, string text)
    {
        if (text[0] is not ('[' or '{')) return new YamlValue(Scalar(path, line, text), []);
        bool isList = text[0] == '[';
        if (text.Length < 2 || text[^1] != (isList ? ']' : '}')) throw Wrong(path, line, "a bracket is not closed");
        var entries = new List<(string Key, string Value)>();
        foreach (string part in Parts(text[1..^1]))
        {
            if (entries.Count == MostEntries) throw Wrong(path, line, $"there are more than {MostEntries} entries");
            if (isList) entries.Add((entries.Count.ToString(), Scalar(path, line, part)));
            else
            {
                (string key, string value) = Entry(path, line, part);
                entries.Add((key, Scalar(path, line, value)));
            }
        }
        return new YamlValue(null, entries);
    }

    /// <summary>What stands between commas outside of quotes; a comma at the end adds nothing.</summary>
    private static IEnumerable<string> Parts(string text)
    {
        int start = 0;
        char quote = '\0';
        for (int i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && quote == '\0' && text[i] is '"' or '\'') quote = text[i];
            else if (i < text.Length && text[i] == quote) quote = '\0';
            if (i < text.Length && (quote != '\0' || text[i] != ',')) continue;
            if (text[start..i].Trim() is { Length: > 0 } part) yield return part;
            start = i + 1;
        }
    }

    private static (string Key, string Value) Entry(string path, int line, string text)
    {
        int end = text[0] is '"' or '\'' ? text.IndexOf(text[0], 1) + 1 : 0;
        int colon = text.IndexOf(':', Math.Max(end, 0));
        while (colon >= 0 && colon + 1 < text.Length && text[colon + 1] != ' ') colon = text.IndexOf(':', colon + 1);
        if (colon <= 0) throw Wrong(path, line, "a colon is missing after the key");
        return (Scalar(path, line, text[..colon].Trim()), text[(colon + 1)..].Trim());
    }

    private static string Scalar(string path, int line, string text)
    {
        if (text.Length > 1 && text[0] is '"' or '\'' && text[^1] == text[0])
        {
            string inner = text[1..^1];
            return text[0] == '\'' ? inner.Replace("''", "'") : inner.Replace("\\\"", "\"").Replace("\\\\", "\\");
        }
        if (text.Length > 0 && text[0] is '&' or '*' or '!' or '|' or '>' or '[' or '{' or '"' or '\'') throw Wrong(path, line, $"'{(text.Length <= 40 ? text : text[..40] + "…")}' is not understood");
        return text is "~" or "null" ? "" : text;
    }

    /// <summary>The line without its comment and the white space at its end.</summary>
    private static string Bare(string line)
    {
        char quote = '\0';
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            if (quote != '\0') quote = c == quote ? '\0' : quote;
            else if (c is '"' or '\'' && (i == 0 || line[i - 1] is ' ' or '[' or '{' or ',')) quote = c;
            else if (c == '#' && (i == 0 || char.IsWhiteSpace(line[i - 1]))) return line[..i].TrimEnd();
        }
        return line.TrimEnd();
    }

    private static bool Closed(string text) => text[^1] == (text[0] == '[' ? ']' : '}');

    private static DatasetException Wrong(string path, int line, string problem) =>
        new(path, $"line {line + 1}: {problem}", "what is read here is 'key: value', 'key: [a, b]' and blocks of '- a' or '0: a'");
}

/// <summary>A text, or the entries of a list or a map.</summary>
internal sealed record YamlValue(string? Text, IReadOnlyList<(string Key, string Value)> Entries);
