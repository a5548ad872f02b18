namespace Delineate.Tensors.Weights;

/// <summary>Finds the names that were meant by others.</summary>
internal static class NearName
{
    private const int LongestCompared = 200;
    private const int MostCompared = 5000;

    /// <summary>
    /// The candidate nearest to <paramref name="name"/>: one that ends with it (or it with the candidate) and is nearest in length, else the fewest edits, at
    /// most a third of the name.
    /// </summary>
    public static string? In(IEnumerable<string> candidates, string name)
    {
        if (name.Length > LongestCompared) return null;
        (string? best, string? whole) = (null, null);
        int fewest = (name.Length / 3) + 1;
        foreach (string candidate in candidates.Take(MostCompared))
        {
            int longer = Math.Abs(candidate.Length - name.Length);
            if ((candidate.EndsWith("." + name, StringComparison.Ordinal) || name.EndsWith("." + candidate, StringComparison.Ordinal))
                && (whole is null || longer < Math.Abs(whole.Length - name.Length))) whole = candidate;
            if (whole is not null || candidate.Length > LongestCompared || longer >= fewest) continue;
            int edits = Edits(candidate, name);
            if (edits < fewest) (best, fewest) = (candidate, edits);
        }
        return whole ?? best;
    }

    /// <summary>
    /// The prefix that makes most of <paramref name="names"/> candidates, put before them (<c>net.</c>) or taken off, and how many it does. A prefix ends
    /// with a point; the count is 0 where there is none.
    /// </summary>
    public static (string Prefix, bool IsAdded, int Count) Prefix(IReadOnlyCollection<string> names, IReadOnlyCollection<string> candidates)
    {
        var counts = new Dictionary<(string Prefix, bool IsAdded), int>();
        Count(candidates, [.. names], isAdded: true);
        Count(names, [.. candidates], isAdded: false);
        ((string prefix, bool isAdded), int count) = counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key.Prefix.Length).FirstOrDefault();
        return (prefix ?? "", isAdded, count);

        void Count(IEnumerable<string> longer, HashSet<string> shorter, bool isAdded)
        {
            foreach (string name in longer.Take(MostCompared))
            {
                if (name.Length > LongestCompared) continue;
                for (int point = name.IndexOf('.'); point >= 0; point = name.IndexOf('.', point + 1))
                {
                    if (!shorter.Contains(name[(point + 1)..])) continue;
                    (string, bool) key = (name[..(point + 1)], isAdded);
                    counts[key] = counts.GetValueOrDefault(key) + 1;
                }
            }
        }
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
