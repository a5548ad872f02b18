using System.Runtime.CompilerServices;

namespace Delineate.Tensors;

/// <summary>
/// The memory behind one or more tensors: a stretch of a pinned array that begins on a 64-byte line.
/// Pinned, so that its address stays; managed, so that a block nobody gives back is collected like any object.
/// </summary>
internal sealed class Block
{
    private readonly int offset;
    private readonly Kind kind;
    private float[]? array;
    private int owners = 1;
    private long version;

    internal Block(float[] array, int offset, int length)
        : this(array, offset, length, Kind.Owned)
    {
    }

    private Block(float[]? array, int offset, int length, Kind kind)
    {
        (this.array, this.offset, Length, this.kind) = (array, offset, length, kind);
        if (kind != Kind.Owned) GC.SuppressFinalize(this);
    }

    ~Block()
    {
        if (array is not null) TensorMemory.Forget(array);
    }

    private enum Kind
    {
        /// <summary>The array goes back to the pool with the block.</summary>
        Owned,

        /// <summary>The array is somebody else's.</summary>
        Borrowed,

        /// <summary>There are no values: the shape of things while a graph is traced.</summary>
        Phantom,
    }

    /// <summary>Usable floats; the array behind may be longer.</summary>
    public int Length { get; }

    /// <summary>True once the memory went back to the pool.</summary>
    public bool IsReleased => array is null;

    /// <summary>True where one tensor alone holds the block.</summary>
    public bool IsUnshared => owners == 1;

    /// <summary>True where the block outlives the scope it was taken in.</summary>
    public bool IsKept { get; set; }

    /// <summary>True once a recorded op will read the values when its gradient is computed.</summary>
    public bool IsRead { get; set; }

    /// <summary>True for a module's weights: whoever gets their <see cref="Span"/> may change them, so each such access counts as a change.</summary>
    public bool IsTracked { get; set; }

    /// <summary>Grows with every possible change of a tracked block: what was made from the values is stale once it has moved.</summary>
    public long Version => Interlocked.Read(ref version);

    public Span<float> Span
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            if (IsTracked) Touch();
            return (array ?? throw Gone()).AsSpan(offset, Length);
        }
    }

    /// <summary>The values to read only: no change is counted.</summary>
    public ReadOnlySpan<float> Values => (array ?? throw Gone()).AsSpan(offset, Length);

    /// <summary>A block over part of an array that another owns and that outlives it.</summary>
    public static Block Over(float[] array, int offset, int length) => new(array, offset, length, Kind.Borrowed);

    /// <summary>A block without memory, for a tensor of which only the shape is known.</summary>
    public static Block Phantom(int length) => new(null, 0, length, Kind.Phantom);

    /// <summary>The same memory, to be read by those who promise not to write: no access counts as a change.</summary>
    public Block ReadOnly() => new(array ?? throw Gone(), offset, Length, Kind.Borrowed);

    /// <summary>Says that the values may have changed. A writer that keeps an address instead of asking for the <see cref="Span"/> each time must call it.</summary>
    public void Touch() => Interlocked.Increment(ref version);

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
        if (array is null || kind != Kind.Owned) return;
        float[] memory = array;
        array = null;
        GC.SuppressFinalize(this);
        TensorMemory.Return(memory);
    }

    private Exception Gone() => kind == Kind.Phantom
        ? new GraphException("values are not known while a graph is traced, only shapes: something read or wrote the values of a tensor. What depends on data (argmax, losses, Item, ToArray) comes after the graph")
        : new ObjectDisposedException(nameof(Tensor),
            "this tensor's memory was given back (its step ended, Backward was done with it, or GiveBack said so): call Keep() on a tensor that must outlive the scope, or copy its values with ToArray()");
}
