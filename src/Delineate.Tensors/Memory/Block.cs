using System.Runtime.CompilerServices;

namespace Delineate.Tensors;

/// <summary>
/// The memory behind one or more tensors: a stretch of a pinned array that begins on a 64-byte line.
/// Pinned, so that its address stays; managed, so that a block nobody gives back is collected like any object.
/// </summary>
internal sealed class Block
{
    private float[]? array;
    private int offset;
    private int owners = 1;

    internal Block(float[] array, int offset, int length) => (this.array, this.offset, Length) = (array, offset, length);

    ~Block()
    {
        if (array is not null) TensorMemory.Forget(array);
    }

    /// <summary>Usable floats; the array behind may be longer.</summary>
    public int Length { get; }

    /// <summary>True once the memory went back to the pool.</summary>
    public bool IsReleased => array is null;

    /// <summary>True where one tensor alone holds the block.</summary>
    public bool IsUnshared => owners == 1;

    /// <summary>True where the block outlives the scope it was taken in.</summary>
    public bool IsKept { get; set; }

    public Span<float> Span
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (array ?? throw Gone()).AsSpan(offset, Length);
    }

    public void AddOwner() => owners++;

    /// <summary>One owner less; with the last one the memory goes back to the pool.</summary>
    public void Release()
    {
        if (array is null || --owners > 0) return;
        Return();
    }

    /// <summary>Gives the memory back whoever still holds it: their next access says so.</summary>
    public void Return()
    {
        if (array is null) return;
        float[] memory = array;
        array = null;
        GC.SuppressFinalize(this);
        TensorMemory.Return(memory);
    }

    private static ObjectDisposedException Gone() => new(nameof(Tensor),
        "this tensor's memory was given back when its step ended: call Keep() on a tensor that must outlive the scope, or copy its values with ToArray()");
}
