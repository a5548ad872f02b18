namespace Delineate.Models;

/// <summary>What became of a network's tensors, and of a file's, when weights were loaded that need not be all of the network's.</summary>
/// <param name="Taken">The network's tensors that have the file's values.</param>
/// <param name="Anew">The network's tensors that kept the values they had.</param>
/// <param name="Unused">The file's tensors that went nowhere.</param>
public sealed record LoadedWeights(IReadOnlyList<string> Taken, IReadOnlyList<string> Anew, IReadOnlyList<string> Unused)
{
    private const int MostNamed = 24; // parts in a sentence
    private const int LongestName = 80; // a file can come from anywhere

    /// <summary>The file's tensors that were taken, under the file's own names.</summary>
    internal IReadOnlyList<string> Used { get; init; } = [];

    /// <summary>"conv1_1, …, fc7 taken over; anew: score_fr, upscore; not used: classifier.6": by the largest parts that share a fate.</summary>
    public override string ToString()
    {
        string unused = Unused.Count == 0 ? "" : $"; not used: {Listed(Parts(Unused, Used))}";
        return (Anew.Count == 0 ? "all taken over" : $"{Listed(Parts(Taken, Anew))} taken over; anew: {Listed(Parts(Anew, Taken))}") + unused;
    }

    /// <summary>Names by the largest parts that hold none of <paramref name="others"/>: <c>backbone</c> instead of three hundred names.</summary>
    internal static IReadOnlyList<string> Parts(IReadOnlyList<string> names, IReadOnlyList<string> others)
    {
        HashSet<string> mixed = [.. others.SelectMany(Beginnings)];
        return [.. names.Select(name => Beginnings(name).FirstOrDefault(part => !mixed.Contains(part)) ?? name).Distinct()];
    }

    private static string Listed(IReadOnlyList<string> parts)
    {
        string rest = parts.Count > MostNamed ? $" and {parts.Count - MostNamed} more" : "";
        return string.Join(", ", parts.Take(MostNamed).Select(p => p.Length <= LongestName ? p : p[..LongestName] + "…")) + rest;
    }

    /// <summary>a, a.b and a.b.weight of a.b.weight.</summary>
    private static IEnumerable<string> Beginnings(string name)
    {
        for (int dot = name.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = name.IndexOf('.', dot + 1)) yield return name[..dot];
        yield return name;
    }
}
