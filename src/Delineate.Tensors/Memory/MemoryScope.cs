namespace Delineate.Tensors;

/// <summary>The tensors made by one thread between <see cref="TensorMemory.Scope"/> and the end of the <c>using</c> block.</summary>
public sealed class MemoryScope : IDisposable
{
    private readonly MemoryScope? outer;
    private readonly List<Block> blocks = [];
    private bool disposed;

    internal MemoryScope(MemoryScope? outer) => this.outer = outer;

    internal void Add(Block block) => blocks.Add(block);

    /// <summary>Hands a tensor made in this scope to the enclosing one, or to nobody where there is none.</summary>
    public void PassOut(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (blocks.Remove(tensor.Block)) outer?.Add(tensor.Block);
    }

    /// <summary>Gives back everything that was made in the scope and not kept.</summary>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        if (TensorMemory.Current == this) TensorMemory.Current = outer;
        foreach (Block block in blocks)
        {
            if (!block.IsKept) block.Return();
        }
        if (outer is null) TensorMemory.EndStep();
    }
}
