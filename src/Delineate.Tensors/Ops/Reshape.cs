using System.Runtime.CompilerServices;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

public static class Reshaping
{
    /// <summary>The same values in the same order under another shape; one size may be −1, which stands for what is left. No copy.</summary>
    /// <exception cref="ShapeException">The number of elements differs.</exception>
    [OverloadResolutionPriority(1)]
    public static Tensor Reshape(this Tensor x, params ReadOnlySpan<int> sizes)
    {
        int open = sizes.IndexOf(-1);
        if (open < 0) return x.Reshape(Shape.Of(sizes));
        int[] filled = sizes.ToArray();
        filled[open] = 1;
        int rest = Shape.Of(filled).Length;
        filled[open] = rest == 0 ? 0 : x.Length / rest;
        return x.Reshape(Shape.Of(filled));
    }

    /// <summary>The same values in the same order under another shape. No copy.</summary>
    /// <exception cref="ShapeException">The number of elements differs.</exception>
    public static Tensor Reshape(this Tensor x, Shape shape)
    {
        if (shape.Length != x.Length) throw new ShapeException($"Reshape cannot lay the {x.Length} elements of {x.Shape} out as {shape}, which has {shape.Length}");
        if (Tracer.Current is { } tracer) return tracer.Add(new TracedReshape(), shape, x);
        Shape before = x.Shape;
        return Autograd.Record(x.View(shape), x, dy => dy.View(before), read: []);
    }
}

/// <summary>Another name for its input's memory. Reads x.</summary>
internal sealed record TracedReshape : GraphOp
{
    public override Work Bind(ReadOnlySpan<Operand> inputs, Operand output)
    {
        (Tensor x, Tensor y) = (inputs[0].Tensor, output.Tensor);
        return Work.Once(() => x.Span.CopyTo(y.Span));
    }

    public override void ToOnnx(OnnxGraph onnx, GraphNode node)
    {
        GraphValue x = node.Inputs[0]!;
        if (FlattensChannelsFirst(onnx, x)) onnx.Result(node, "Flatten", [onnx.Of(x)], new OnnxAttribute("axis", 1));
        else throw OnnxGraph.Refusal(node, $"of {x.Shape} to {node.Output.Shape} it is not known here, only of maps with their channels brought to the front to a row each");
    }

    /// <summary>
    /// True for a value of [N, C, H, W] whose only reader lays each image out as one row: as values of four axes have their channels second in ONNX anyway, such a
    /// permutation is nothing there.
    /// </summary>
    public static bool FlattensChannelsFirst(OnnxGraph onnx, GraphValue value) =>
        value.Producer is { Op: TracedPermute { Order: [0, 3, 1, 2] } } permutation
        && onnx.OnlyReader(permutation) is { Op: TracedReshape } next && next.Output.Shape.Rank == 2 && next.Output.Shape[0] == value.Shape[0];
}
