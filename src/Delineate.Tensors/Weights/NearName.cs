namespace Delineate.Tensors.Weights;

/// <summary>Finds the name a user may have meant.</summary>
internal static class NearName
{
    private const int LongestCompared = 200;
    private const int MostCompared = 5000;

    /// <summary>
    /// The candidate nearest to <paramref name="name"/>: one that ends with it (or it with the candidate), else the fewest edits, at most a
    /// third of the name.
    /// </summary>
    public static string? In(IReadOnlyList<string> candidates, string name)
    {
        if (name.Length > LongestCompared) return null;
        string? best = null;
        int fewest = (name.Length / 3) + 1;
        foreach (string candidate in candidates.Take(MostCompared))
        {
            if (candidate.EndsWith("." + name, StringComparison.Ordinal) || name.EndsWith("." + candidate, StringComparison.Ordinal)) return candidate;
            if (candidate.Length > LongestCompared || Math.Abs(candidate.Length - name.Length) >= fewest) continue;
            int edits = Edits(candidate, name);
            if (edits < fewest) (best, fewest) = (candidate, edits);
        }
        return best;
    }

    /// <summary>Insertions, deletions and replacements between two words (Levenshtein), row by row.</summary>
    private static int Edits(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, 1 + Math.Min(row[j], row[j - 1]));
            }
        }
        return row[b.Length];
    }
}
