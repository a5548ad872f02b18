using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>An op as a graph remembers it: its parameters, its cost, and how to run it into memory that it is given. Each op's file has its own.</summary>
internal abstract record GraphOp
{
    /// <summary>The op's name in tables and messages.</summary>
    public virtual string Name => GetType().Name["Traced".Length..];

    /// <summary>True where the output may lie in the first input's memory: every element depends on its own place only.</summary>
    public virtual bool RunsInPlace => false;

    /// <summary>True where the first input's pixels may lie further apart than its channels are many.</summary>
    public virtual bool ReadsSpacedPixels => false;

    /// <summary>The same for the pixels of the output.</summary>
    public virtual bool WritesSpacedPixels => false;

    /// <summary>Products that are added up, or 0 for an op that is no sum of products.</summary>
    public virtual long MultiplyAdds(GraphNode node) => 0;

    /// <summary>
    /// The op over operands that stay where they are. Inputs come in the order in which they were recorded, missing ones as default; nothing about the
    /// output's memory is known before the work ran.
    /// </summary>
    public abstract Work Bind(ReadOnlySpan<Operand> inputs, Operand output);

    /// <summary>Adds the op to a model in ONNX, with channels second.</summary>
    /// <exception cref="GraphException">It has no form there, or not with these parameters.</exception>
    public virtual void ToOnnx(OnnxGraph onnx, GraphNode node) => throw OnnxGraph.Refusal(node, "no form of it in ONNX is known here");
}

/// <summary>
/// Where a value of a plan lies. <see cref="PixelStride"/> floats lie between neighbouring pixels (rows of the last axis); a value whose pixels
/// touch has a <see cref="Tensor"/> too.
/// </summary>
internal readonly unsafe struct Operand(Shape shape, Tensor? tensor, float* address, int pixelStride)
{
    private readonly Tensor? tensor = tensor;

    public readonly Shape Shape = shape;

    public readonly float* Address = address;

    public readonly int PixelStride = pixelStride;

    /// <summary>The value as a tensor.</summary>
    public Tensor Tensor => tensor ?? throw new InvalidOperationException($"an op that takes dense tensors was given one of {Shape} with {PixelStride} floats a pixel");

    /// <summary>The same, or null for an input that is missing.</summary>
    public Tensor? Optional => Address is null ? null : Tensor;

    /// <summary>A dense operand over a tensor's memory.</summary>
    public static Operand Of(Tensor tensor) => new(tensor.Shape, tensor, Pinned.Of(tensor), tensor.Shape.Rank == 0 ? 1 : tensor.Shape[^1]);
}
