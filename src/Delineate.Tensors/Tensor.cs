using System.Globalization;

namespace Delineate.Tensors;

/// <summary>
/// A dense, row-major array of 32-bit floats with a link to the ops that made it. Feature maps are <c>[N, H, W, C]</c>, convolution
/// weights <c>[Cout, Kh, Kw, Cin/groups]</c>. Operations are extension methods; nobody disposes a tensor (see <see cref="TensorMemory"/>).
/// </summary>
public sealed class Tensor
{
    internal Tensor(Shape shape, Block block) => (Shape, Block) = (shape, block);

    /// <summary>The sizes of the axes.</summary>
    public Shape Shape { get; }

    /// <summary>The number of elements.</summary>
    public int Length => Shape.Length;

    /// <summary>The values, row-major. For a module's weights each call counts as a change: ask again for every time you write.</summary>
    public Span<float> Span => Block.Span[..Length];

    /// <summary>A leaf with this set collects its gradient in <see cref="Gradient"/> when <see cref="Backward()"/> runs.</summary>
    public bool RequiresGrad { get; set; }

    /// <summary>The sum of the gradients that reached this leaf, or null before the first one. Same shape as the tensor.</summary>
    public Tensor? Gradient { get; internal set; }

    internal Block Block { get; }

    /// <summary>The op that made this tensor, where it was recorded.</summary>
    internal TapeNode? Node { get; set; }

    /// <summary>True where an op on this tensor must be recorded.</summary>
    internal bool WantsGrad => (RequiresGrad || Node is not null) && Autograd.IsEnabled;

    /// <summary>A tensor whose values are whatever the memory held.</summary>
    public static Tensor Empty(Shape shape) => new(shape, TensorMemory.Take(shape.Length));

    /// <summary>A tensor with memory outside the pool, for what a plan keeps as long as it lives.</summary>
    internal static Tensor Unpooled(Shape shape)
    {
        const int Line = 16; // floats in a 64-byte line, on which the values begin
        float[] array = GC.AllocateUninitializedArray<float>(shape.Length + Line, pinned: true);
        return new Tensor(shape, Block.Over(array, TensorMemory.AlignedOffset(array), shape.Length));
    }

    /// <summary>A tensor of zeros.</summary>
    public static Tensor Zeros(Shape shape) => Full(shape, 0);

    /// <summary>A tensor of one value.</summary>
    public static Tensor Full(Shape shape, float value)
    {
        Tensor tensor = Empty(shape);
        tensor.Span.Fill(value);
        return tensor;
    }

    /// <summary>A tensor of the given values, row-major.</summary>
    /// <exception cref="ShapeException">The count of values is not the shape's.</exception>
    public static Tensor From(ReadOnlySpan<float> values, Shape shape)
    {
        if (values.Length != shape.Length) throw new ShapeException($"{shape} has {shape.Length} elements, but {values.Length} values were given");
        Tensor tensor = Empty(shape);
        values.CopyTo(tensor.Span);
        return tensor;
    }

    /// <summary>A tensor of one element and no axes.</summary>
    public static Tensor Scalar(float value) => Full([], value);

    /// <summary>A copy of the values.</summary>
    public float[] ToArray() => Span.ToArray();

    /// <summary>The value of a tensor of one element.</summary>
    /// <exception cref="ShapeException">It has more or fewer elements.</exception>
    public float Item() => Length == 1 ? Span[0] : throw new ShapeException($"Item reads a tensor of one element, this one is {Shape}");

    /// <summary>The same values under the same memory, cut from the tape: no gradient flows through.</summary>
    public Tensor Detach() => View(Shape);

    /// <summary>A copy with memory of its own, cut from the tape.</summary>
    public Tensor Clone() => From(Span, Shape);

    /// <summary>Lets this tensor outlive the <see cref="TensorMemory.Scope"/> it was made in. Returns the tensor itself.</summary>
    public Tensor Keep()
    {
        Block.IsKept = true;
        return this;
    }

    /// <summary>
    /// Says that the caller will not read the values again: their memory goes back now, not at the end of the step, unless a recorded op needs them for its
    /// gradient, another tensor shares them, or they are kept. For what a layer makes on its way and only ops that need no values read.
    /// </summary>
    public void GiveBack()
    {
        if (!Block.IsRead && !Block.IsKept && Block.IsUnshared && !RequiresGrad) Block.Return();
    }

    /// <summary>Forgets the gathered gradient.</summary>
    public void ZeroGrad()
    {
        Gradient?.Block.Release();
        Gradient = null;
    }

    /// <summary>
    /// Walks the tape back from this one-element tensor and adds d(this)/d(leaf) to the <see cref="Gradient"/> of every leaf with
    /// <see cref="RequiresGrad"/>. The tape is consumed; inside a <see cref="TensorMemory.Scope"/> the memory of the tensors on it is given back on the way.
    /// </summary>
    /// <exception cref="ShapeException">The tensor has more than one element: pass the gradient of each.</exception>
    public void Backward() => Autograd.Walk(this, Length == 1 ? Full(Shape, 1) : throw new ShapeException($"Backward starts from one element, this tensor is {Shape}: reduce it (Sum, Mean) or pass its gradient"));

    /// <summary>The same from a tensor of any shape, whose own gradient is <paramref name="gradient"/>, which stays the caller's.</summary>
    public void Backward(Tensor gradient) => Autograd.Walk(this, gradient.View(gradient.Shape));

    public override string ToString()
    {
        const int Shown = 8;
        string values = string.Join(", ", Span[..Math.Min(Shown, Length)].ToArray().Select(v => v.ToString("G5", CultureInfo.InvariantCulture)));
        return $"Tensor {Shape} ({values}{(Length > Shown ? ", …" : "")})";
    }

    /// <summary>Another tensor over the same memory.</summary>
    internal Tensor View(Shape shape)
    {
        Block.AddOwner();
        return new Tensor(shape, Block);
    }
}
