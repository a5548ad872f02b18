using System.Text;

namespace Delineate.Tensors.Weights;

/// <summary>A tensor that has one shape in the file and another in the network (both in PyTorch's order of axes).</summary>
public readonly record struct ShapeMismatch(string Name, Shape InFile, Shape InNetwork);

/// <summary>
/// The names or shapes in a weight file are not the network's: every difference at once, with the prefix that sets most of the names apart, or the nearest
/// name of the same shape where one is near.
/// </summary>
public sealed class WeightsMismatchException : IOException
{
    private const int Shown = 12; // of each kind in the message; the properties hold all

    internal WeightsMismatchException(
        string? source, string module, IReadOnlyList<(string Name, Shape Shape)> missing, IReadOnlyList<(string Name, Shape Shape)> unexpected, IReadOnlyList<ShapeMismatch> mismatched)
        : base(Describe(source, module, missing, unexpected, mismatched))
    {
        (Missing, Unexpected, Mismatched) = ([.. missing.Select(m => m.Name)], [.. unexpected.Select(u => u.Name)], mismatched);
    }

    /// <summary>Names that the network has and the file lacks.</summary>
    public IReadOnlyList<string> Missing { get; }

    /// <summary>Names that the file has and the network lacks.</summary>
    public IReadOnlyList<string> Unexpected { get; }

    /// <summary>Tensors whose shapes differ.</summary>
    public IReadOnlyList<ShapeMismatch> Mismatched { get; }

    private static string Describe(
        string? source, string module, IReadOnlyList<(string Name, Shape Shape)> missing, IReadOnlyList<(string Name, Shape Shape)> unexpected, IReadOnlyList<ShapeMismatch> mismatched)
    {
        var text = new StringBuilder($"{(source is null ? "" : $"{source}: ")}the weights do not fit {module}: ");
        string separator = "";
        string? prefix = CommonPrefix(missing, unexpected);
        var suggested = new HashSet<string>();
        Add("of another shape", mismatched, m => $"{m.Name} (file {m.InFile}, network {m.InNetwork})");
        Add($"missing from the file{prefix}", missing, m => prefix is null && Near(m.Name, m.Shape) is { } near ? $"{m.Name} (the file has {near})" : m.Name);
        Add("unknown to the network", unexpected, u => u.Name);
        return text.ToString();

        // A name of the file stands for one of the network's at most.
        string? Near(string name, Shape shape)
        {
            string? near = NearName.In(unexpected.Where(u => u.Shape == shape && !suggested.Contains(u.Name)).Select(u => u.Name), name);
            if (near is not null) suggested.Add(near);
            return near;
        }

        void Add<T>(string what, IReadOnlyList<T> items, Func<T, string> describe)
        {
            if (items.Count == 0) return;
            text.Append($"{separator}{items.Count} {what}: {string.Join(", ", items.Take(Shown).Select(describe))}");
            if (items.Count > Shown) text.Append($" and {items.Count - Shown} more");
            separator = "; ";
        }
    }

    /// <summary>Says so where one prefix explains most of what is missing.</summary>
    private static string? CommonPrefix(IReadOnlyList<(string Name, Shape Shape)> missing, IReadOnlyList<(string Name, Shape Shape)> unexpected)
    {
        const int Fewest = 3;
        (string prefix, bool isAdded, int count) = NearName.Prefix([.. missing.Select(m => m.Name)], [.. unexpected.Select(u => u.Name)]);
        return count >= Fewest && 2 * count > missing.Count ? $", which has {(count == missing.Count ? "all" : count)} of them with '{prefix}' {(isAdded ? "before the name" : "taken off")}" : null;
    }
}
