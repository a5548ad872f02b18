using System.Collections;
using System.Runtime.CompilerServices;

namespace Delineate.Tensors;

/// <summary>The sizes of a tensor's axes, outermost first. An image batch is <c>[N, H, W, C]</c>. Equal shapes compare equal.</summary>
[CollectionBuilder(typeof(Shape), nameof(Of))]
public readonly struct Shape : IEquatable<Shape>, IReadOnlyList<int>
{
    private readonly int[]? sizes;

    private Shape(int[] sizes, int length) => (this.sizes, Length) = (sizes, length);

    /// <summary>The number of axes; a scalar has none.</summary>
    public int Rank => sizes?.Length ?? 0;

    /// <summary>The number of elements: the product of all sizes, 1 for a scalar.</summary>
    public int Length { get => sizes is null ? 1 : field; }

    int IReadOnlyCollection<int>.Count => Rank;

    /// <summary>The size of an axis; negative axes count from the end.</summary>
    /// <exception cref="ShapeException">The shape has no such axis.</exception>
    public int this[int axis] => sizes is null ? throw NoAxis(axis) : sizes[Axis(axis)];

    /// <summary>The same, counted from the end: ^1 is the last axis. (Without it the language would count from <see cref="Length"/>.)</summary>
    public int this[Index axis] => axis.GetOffset(Rank) is >= 0 and int place ? this[place] : throw NoAxis(-axis.Value);

    /// <summary>A shape of the given sizes.</summary>
    /// <exception cref="ShapeException">A size is negative, or there are more elements than an array can hold.</exception>
    public static Shape Of(ReadOnlySpan<int> sizes)
    {
        long length = 1;
        foreach (int size in sizes)
        {
            if (size < 0) throw new ShapeException($"a shape has no negative sizes: [{string.Join(", ", sizes.ToArray())}]");
            length *= size;
            if (length > Array.MaxLength - 64) throw new ShapeException($"[{string.Join(", ", sizes.ToArray())}] has more elements than one tensor can hold ({Array.MaxLength - 64:N0}): work in smaller batches or tiles");
        }
        return new Shape(sizes.ToArray(), (int)length);
    }

    /// <summary>The place of <paramref name="axis"/> counted from the front.</summary>
    public int Axis(int axis)
    {
        int place = axis < 0 ? axis + Rank : axis;
        return (uint)place < (uint)Rank ? place : throw NoAxis(axis);
    }

    /// <summary>The product of the sizes of axes <paramref name="from"/> … <paramref name="to"/> − 1.</summary>
    public int Product(int from, int to)
    {
        int product = 1;
        for (int i = from; i < to; i++) product *= sizes![i];
        return product;
    }

    /// <summary>The same shape with one axis resized.</summary>
    public Shape With(int axis, int size)
    {
        int[] copy = ToArray();
        copy[Axis(axis)] = size;
        return Of(copy);
    }

    public int[] ToArray() => sizes is null ? [] : (int[])sizes.Clone();

    public ReadOnlySpan<int> AsSpan() => sizes;

    public bool Equals(Shape other) => AsSpan().SequenceEqual(other.AsSpan());

    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (int size in AsSpan()) hash.Add(size);
        return hash.ToHashCode();
    }

    public override string ToString() => $"[{string.Join(", ", sizes ?? [])}]";

    public IEnumerator<int> GetEnumerator() => ((IEnumerable<int>)(sizes ?? [])).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    private ShapeException NoAxis(int axis) => new($"{this} has no axis {axis}");
}
