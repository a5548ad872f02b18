namespace Delineate.Data;

/// <summary>Suggestions for a misspelt name.</summary>
internal static class NearNames
{
    /// <summary>"did you mean 'x'?" where a known name is near, else the known names.</summary>
    public static string Suggest(string wrong, IReadOnlyList<string> known)
    {
        string? nearest = known.MinBy(name => Distance(wrong, name));
        return nearest is not null && Distance(wrong, nearest) <= Math.Max(1, wrong.Length / 3)
            ? $"did you mean '{nearest}'?"
            : $"known: {string.Join(", ", known.Take(12))}{(known.Count > 12 ? $" and {known.Count - 12} more" : "")}";
    }

    /// <summary>The number of inserted, deleted or exchanged letters between two names, case ignored (Levenshtein 1966).</summary>
    internal static int Distance(string a, string b)
    {
        const int LongestCompared = 100;
        if (a.Length > LongestCompared || b.Length > LongestCompared) return int.MaxValue;
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int exchange = diagonal + (char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(exchange, Math.Min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.Length];
    }
}
