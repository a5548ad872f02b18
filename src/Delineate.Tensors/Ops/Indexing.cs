using System.Numerics.Tensors;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Places along an axis picked by number.</summary>
public static class Indexing
{
    /// <summary>The named places along an axis, in the named order, repeats allowed. [..., A, ...] → [..., indices.Length, ...].</summary>
    /// <exception cref="ShapeException">There is no such axis.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An index lies outside it.</exception>
    public static Tensor IndexSelect(this Tensor x, int axis, ReadOnlySpan<int> indices)
    {
        int place = x.Shape.Axis(axis);
        int[] chosen = Checked(indices, x.Shape, place, nameof(IndexSelect));
        int inner = x.Shape.Product(place + 1, x.Shape.Rank);
        int outer = x.Shape.Product(0, place);
        int length = x.Shape[place];
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedIndexSelect(place, chosen), x.Shape.With(place, chosen.Length), x);
        Tensor y = Tensor.Empty(x.Shape.With(place, chosen.Length));
        Select(x, place, chosen, y).Run();
        Shape shape = x.Shape;
        return Autograd.Record(y, x, dy =>
        {
            // A place picked twice gets two gradients: each outer slice is added to by one thread, in order.
            Tensor dx = Tensor.Zeros(shape);
            ThreadTeam.Ranges(outer, Math.Max(1, Elementwise.Grain / Math.Max(1, chosen.Length * inner)), (from, to) =>
            {
                for (int i = from * chosen.Length; i < to * chosen.Length; i++)
                {
                    (int o, int k) = Math.DivRem(i, chosen.Length);
                    Span<float> target = dx.Span.Slice(((o * length) + chosen[k]) * inner, inner);
                    TensorPrimitives.Add(target, dy.Span.Slice(i * inner, inner), target);
                }
            });
            return dx;
        }, read: []);
    }

    /// <summary>
    /// One place along an axis for every element: y[.., k, ..] = x[.., indices[.., k, ..], ..]. <paramref name="indices"/> is flat and row-major in the
    /// shape of x with the axis resized to whatever their number makes it. [..., A, ...] → [..., K, ...].
    /// </summary>
    /// <exception cref="ShapeException">There is no such axis, or the number of indices is no multiple of the other axes' product.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An index lies outside the axis.</exception>
    public static Tensor Gather(this Tensor x, int axis, ReadOnlySpan<int> indices)
    {
        int place = x.Shape.Axis(axis);
        int[] chosen = Checked(indices, x.Shape, place, nameof(Gather));
        Tracer.Refuse("its indices come from data");
        int inner = x.Shape.Product(place + 1, x.Shape.Rank);
        int outer = x.Shape.Product(0, place);
        int length = x.Shape[place];
        int count = outer * inner == 0 ? 0 : chosen.Length / (outer * inner);
        if (count * outer * inner != chosen.Length)
            throw new ShapeException($"Gather along axis {place} of {x.Shape} takes a multiple of {outer * inner} indices, got {chosen.Length}");
        Tensor y = Tensor.Empty(x.Shape.With(place, count));
        for (int i = 0; i < chosen.Length; i++) y.Span[i] = x.Span[Source(i)];
        Shape shape = x.Shape;
        return Autograd.Record(y, x, dy =>
        {
            Tensor dx = Tensor.Zeros(shape);
            for (int i = 0; i < chosen.Length; i++) dx.Span[Source(i)] += dy.Span[i];
            return dx;
        }, read: []);

        int Source(int i) => (((i / (count * inner) * length) + chosen[i]) * inner) + (i % inner);
    }

    internal static Work Select(Tensor x, int axis, int[] chosen, Tensor y)
    {
        (int inner, int outer, int length) = (x.Shape.Product(axis + 1, x.Shape.Rank), x.Shape.Product(0, axis), x.Shape[axis]);
        return Work.Ranges(outer * chosen.Length, Math.Max(1, Elementwise.Grain / Math.Max(1, inner)), (from, to) =>
        {
            for (int i = from; i < to; i++)
            {
                (int o, int k) = Math.DivRem(i, chosen.Length);
                x.Span.Slice(((o * length) + chosen[k]) * inner, inner).CopyTo(y.Span[(i * inner)..]);
            }
        });
    }

    private static int[] Checked(ReadOnlySpan<int> indices, Shape shape, int axis, string op)
    {
        for (int i = 0; i < indices.Length; i++)
        {
            if ((uint)indices[i] >= (uint)shape[axis])
                throw new ArgumentOutOfRangeException(nameof(indices), indices[i], $"{op} along axis {axis} of {shape}: index {i} is {indices[i]}, outside 0 … {shape[axis] - 1}");
        }
        return indices.ToArray();
    }
}

/// <summary>Reads x.</summary>
internal sealed record TracedIndexSelect(int Axis, int[] Indices) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => Indexing.Select(inputs[0].Tensor, Axis, Indices, output.Tensor);
}
