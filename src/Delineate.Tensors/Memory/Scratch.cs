namespace Delineate.Tensors;

/// <summary>Working memory of a kernel: taken from the pool, given back by <c>using</c>, aligned to 64 bytes, not cleared.</summary>
internal readonly struct Scratch : IDisposable
{
    private readonly Block block;

    private Scratch(Block block) => this.block = block;

    public static Scratch Floats(int length) => new(TensorMemory.Take(length, scoped: false));

    public Span<float> Span => block.Span;

    public void Dispose() => block.Return();
}
