using System.Runtime.CompilerServices;

namespace Delineate.Tensors;

/// <summary>The checks that many ops share. Each throws a <see cref="ShapeException"/> that names the op and the shapes.</summary>
internal static class Check
{
    public static void Rank(Tensor x, int rank, [CallerMemberName] string op = "")
    {
        if (x.Shape.Rank != rank) throw new ShapeException($"{op} takes a tensor of rank {rank}, got {x.Shape}{(rank == 4 && x.Shape.Rank == 3 ? ": add a batch axis with Reshape" : "")}");
    }

    public static void SameShape(Tensor a, Tensor b, [CallerMemberName] string op = "")
    {
        if (a.Shape != b.Shape) throw new ShapeException($"{op} takes two tensors of one shape, got {a.Shape} and {b.Shape}");
    }

    /// <summary>A per-channel vector must be <c>[C]</c> with C the last axis of <paramref name="x"/>.</summary>
    public static void Channels(Tensor? vector, Tensor x, string what, [CallerMemberName] string op = "")
    {
        if (vector is not null && vector.Shape != [x.Shape[-1]]) throw new ShapeException($"{op} takes a {what} of [{x.Shape[-1]}] beside {x.Shape}, got {vector.Shape}");
    }

    public static void AtLeast(int value, int least, string what, [CallerMemberName] string op = "")
    {
        if (value < least) throw new ShapeException($"{op} takes a {what} of at least {least}, got {value}");
    }
}
