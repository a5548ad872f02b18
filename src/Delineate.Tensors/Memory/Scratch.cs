namespace Delineate.Tensors;

/// <summary>Working memory of a kernel: taken from the pool, given back by <c>using</c>, aligned to 64 bytes, not cleared. Makes no object.</summary>
internal readonly struct Scratch : IDisposable
{
    private readonly float[] array;
    private readonly int offset;
    private readonly int length;

    private Scratch(float[] array, int length) => (this.array, offset, this.length) = (array, TensorMemory.AlignedOffset(array), length);

    public static Scratch Floats(int length) => new(TensorMemory.TakeArray(length), length);

    public Span<float> Span => array.AsSpan(offset, length);

    public void Dispose() => TensorMemory.Return(array);
}
