using System.Text;

namespace Delineate.Tensors.Weights;

/// <summary>A tensor that has one shape in the file and another in the network (both in PyTorch's order of axes).</summary>
public readonly record struct ShapeMismatch(string Name, Shape InFile, Shape InNetwork);

/// <summary>
/// The names or shapes in a weight file are not the network's: every difference at once, with the nearest name where one is near.
/// </summary>
public sealed class WeightsMismatchException : IOException
{
    private const int Shown = 12; // of each kind in the message; the properties hold all

    internal WeightsMismatchException(string? source, string module, IReadOnlyList<string> missing, IReadOnlyList<string> unexpected, IReadOnlyList<ShapeMismatch> mismatched)
        : base(Describe(source, module, missing, unexpected, mismatched))
    {
        (Missing, Unexpected, Mismatched) = (missing, unexpected, mismatched);
    }

    /// <summary>Names that the network has and the file lacks.</summary>
    public IReadOnlyList<string> Missing { get; }

    /// <summary>Names that the file has and the network lacks.</summary>
    public IReadOnlyList<string> Unexpected { get; }

    /// <summary>Tensors whose shapes differ.</summary>
    public IReadOnlyList<ShapeMismatch> Mismatched { get; }

    private static string Describe(string? source, string module, IReadOnlyList<string> missing, IReadOnlyList<string> unexpected, IReadOnlyList<ShapeMismatch> mismatched)
    {
        var text = new StringBuilder($"{(source is null ? "" : $"{source}: ")}the weights do not fit {module}: ");
        string separator = "";
        Add("of another shape", mismatched, m => $"{m.Name} (file {m.InFile}, network {m.InNetwork})");
        Add("missing from the file", missing, name => NearName.In(unexpected, name) is { } near ? $"{name} (the file has {near})" : name);
        Add("unknown to the network", unexpected, name => name);
        return text.ToString();

        void Add<T>(string what, IReadOnlyList<T> items, Func<T, string> describe)
        {
            if (items.Count == 0) return;
            text.Append($"{separator}{items.Count} {what}: {string.Join(", ", items.Take(Shown).Select(describe))}");
            if (items.Count > Shown) text.Append($" and {items.Count - Shown} more");
            separator = "; ";
        }
    }
}
