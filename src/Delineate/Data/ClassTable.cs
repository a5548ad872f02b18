using Delineate.Imaging;

namespace Delineate.Data;

/// <summary>
/// The classes of a data set: class <c>i</c> has label <c>i</c> in a <see cref="LabelMap"/>. Travels inside the model file.
/// </summary>
public sealed record ClassTable
{
    /// <summary>1 to 255 class names in the order of their labels.</summary>
    /// <exception cref="ArgumentException">There are no names, more than 255, an empty one, or one twice.</exception>
    public ClassTable(IEnumerable<string> names)
    {
        Names = [.. names];
        if (Names.Count is 0 or > 255) throw new ArgumentException($"a class table has 1 to 255 names, not {Names.Count}", nameof(names));
        foreach (string name in Names)
        {
            if (string.IsNullOrWhiteSpace(name)) throw new ArgumentException("a class name is empty", nameof(names));
            if (Names.Count(n => n == name) > 1) throw new ArgumentException($"the class name '{name}' occurs twice", nameof(names));
        }
    }

    /// <summary>Names in the order of the labels.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The number of classes.</summary>
    public int Count => Names.Count;

    /// <summary>The label of pixels that count neither in the loss nor in the metrics.</summary>
    public byte IgnoreIndex { get; init; } = 255;

    /// <summary>
    /// The label of the class that stands for "none of the others", which overlays leave clear; null where every class is a thing of its
    /// own.
    /// </summary>
    public int? Background { get; init; }

    /// <summary>The colour of each class in masks and overlays.</summary>
    public Palette Palette { get; init; } = Palette.Voc;
}
