using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>Parts of a tensor along one axis, and tensors put together along one.</summary>
public static class Slicing
{
    private const int LongRun = Elementwise.Grain; // a longer run is shared out in parts of this many floats

    extension(Tensor)
    {
        /// <summary>The tensors one behind the other along <paramref name="axis"/>. [..., A, ...], [..., B, ...] → [..., A + B, ...].</summary>
        /// <exception cref="ShapeException">There are none, or another axis differs.</exception>
        public static Tensor Concat(ReadOnlySpan<Tensor> tensors, int axis)
        {
            if (tensors.IsEmpty) throw new ShapeException("Concat takes at least one tensor");
            Tensor[] parts = tensors.ToArray();
            Shape first = parts[0].Shape;
            int place = first.Axis(axis);
            int total = 0;
            foreach (Tensor part in parts)
            {
                if (part.Shape.Rank != first.Rank || part.Shape.With(place, 0) != first.With(place, 0))
                    throw new ShapeException($"Concat along axis {place} takes tensors that are equal along the others, got {first} and {part.Shape}");
                total += part.Shape[place];
            }
            if (Tracer.Current is { } tracer) return tracer.Add(new TracedConcat(place), first.With(place, total), parts);
            Tensor y = Tensor.Empty(first.With(place, total));
            int at = 0;
            foreach (Tensor part in parts)
            {
                Copy(part, 0, y, at, part.Shape[place], place).Run();
                at += part.Shape[place];
            }
            bool[] wanted = Array.ConvertAll(parts, part => part.WantsGrad);
            int[] sizes = Array.ConvertAll(parts, part => part.Shape[place]);
            return Autograd.Record(y, parts, dy =>
            {
                var gradients = new Tensor?[sizes.Length];
                for (int i = 0, start = 0; i < sizes.Length; start += sizes[i++])
                {
                    if (wanted[i]) gradients[i] = Part(dy, place, start, sizes[i]);
                }
                return gradients;
            }, read: []);
        }
    }

    /// <summary><paramref name="length"/> places along an axis, from <paramref name="start"/> on. [..., A, ...] → [..., length, ...]. A copy.</summary>
    /// <exception cref="ShapeException">There is no such axis, or it ends before.</exception>
    public static Tensor Slice(this Tensor x, int axis, int start, int length)
    {
        int place = x.Shape.Axis(axis);
        if (start < 0 || length < 0 || length > x.Shape[place] - start)
            throw new ShapeException($"Slice of {x.Shape} along axis {place} ends at {x.Shape[place]}, asked for {length} from {start} on");
        return Slice(x, place, start, length, null);
    }

    /// <summary>
    /// As many places along an axis as another tensor has, from <paramref name="start"/> on, whatever their number is: a graph remembers the tensor, not the
    /// number. [..., A, ...] → [..., like's, ...]. A copy, or x itself where it has no others.
    /// </summary>
    /// <exception cref="ShapeException">There is no such axis, or it ends before.</exception>
    public static Tensor Slice(this Tensor x, int axis, int start, Tensor like)
    {
        ArgumentNullException.ThrowIfNull(like);
        int place = x.Shape.Axis(axis), length = like.Shape[axis];
        if (start < 0 || length > x.Shape[place] - start)
            throw new ShapeException($"Slice of {x.Shape} along axis {place} to the size of {like.Shape} ends at {x.Shape[place]}, asked for {length} from {start} on");
        return length == x.Shape[place] && Tracer.Current is not { IsForAnySize: true } ? x : Slice(x, place, start, length, like);
    }

    private static Tensor Slice(Tensor x, int place, int start, int length, Tensor? like)
    {
        if (Tracer.Current is { } tracer) return tracer.AddSized(new TracedSlice(place, start, length), x.Shape.With(place, length), like, x);
        Tensor y = Part(x, place, start, length);
        Shape shape = x.Shape;
        return Autograd.Record(y, x, dy =>
        {
            Tensor dx = Tensor.Empty(shape);
            Copy(dy, 0, dx, start, length, place, clearRest: true).Run();
            return dx;
        }, read: []);
    }

    private static Tensor Part(Tensor x, int axis, int start, int length)
    {
        Tensor y = Tensor.Empty(x.Shape.With(axis, length));
        Copy(x, start, y, 0, length, axis).Run();
        return y;
    }

    /// <summary>
    /// Copies <paramref name="length"/> places along an axis from one tensor to another; <paramref name="clearRest"/> writes zeros to the other's remaining
    /// places. What is larger than the caches is stored around them.
    /// </summary>
    internal static unsafe Work Copy(Tensor from, int fromStart, Tensor to, int toStart, int length, int axis, bool clearRest = false)
    {
        int inner = from.Shape.Product(axis + 1, from.Shape.Rank);
        int outer = from.Shape.Product(0, axis);
        (int stepFrom, int stepTo, int run) = (from.Shape[axis] * inner, to.Shape[axis] * inner, length * inner);
        int before = clearRest ? toStart * inner : 0, written = clearRest ? stepTo : run;
        if (written == 0 || to.Length == 0) return Work.Nothing;
        bool past = LaneLoop.IsPastCaches(to.Length, stepTo) && run % Lanes16.Count == 0 && toStart * inner % Lanes16.Count == 0;
        float* source = Pinned.Of(from) + (fromStart * inner), target = Pinned.Of(to) + (clearRest ? 0 : toStart * inner);
        int parts = (written + LongRun - 1) / LongRun;
        return Work.Ranges(outer * parts, Math.Max(1, Elementwise.Grain / Math.Min(written, LongRun)), (start, end) =>
        {
            for (int job = start; job < end; job++)
            {
                (int row, int part) = Math.DivRem(job, parts);
                (int low, int high) = (part * LongRun, Math.Min((part + 1) * LongRun, written));
                (int first, int last) = (Math.Clamp(before, low, high), Math.Clamp(before + run, low, high));
                float* line = target + ((long)row * stepTo);
                new Span<float>(line + low, first - low).Clear();
                Streaming.Copy(source + ((long)row * stepFrom) + (first - before), line + first, last - first, past);
                new Span<float>(line + last, high - last).Clear();
            }
        });
    }
}

/// <summary>Reads the parts.</summary>
internal sealed record TracedConcat(int Axis) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output)
    {
        var copies = new Work[inputs.Length];
        for (int i = 0, at = 0; i < inputs.Length; at += inputs[i++].Shape[Axis])
            copies[i] = Slicing.Copy(inputs[i].Tensor, 0, output.Tensor, at, inputs[i].Shape[Axis], Axis);
        return Work.Once(() => Array.ForEach(copies, static copy => copy.Run()));
    }

    public override void ToOnnx(OnnxGraph onnx, GraphNode node) =>
        onnx.Result(node, "Concat", [.. node.Inputs.Select(part => onnx.Of(part!))], new OnnxAttribute("axis", OnnxGraph.Axis(node.Output, Axis)));
}

/// <summary>Reads x.</summary>
internal sealed record TracedSlice(int Axis, int Start, int Length) : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output) => Slicing.Copy(inputs[0].Tensor, Start, output.Tensor, 0, Length, Axis);

    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        int axis = OnnxGraph.Axis(node.Output, Axis);
        string end = node.Like is { } like ? onnx.Sizes(node, like, axis, axis + 1) : onnx.Whole(Start + Length);
        if (node.Like is not null && Start != 0) end = onnx.Add(node, "Add", [end, onnx.Whole(Start)]);
        onnx.Result(node, "Slice", [onnx.Of(node.Inputs[0]!), onnx.Whole(Start), end, onnx.Whole(axis)]);
    }
}
