namespace Delineate.Tensors.Kernels;

/// <summary>
/// A kernel with its operands: pieces of work that any thread may run. Eager mode runs it at once; a plan keeps it and runs it over the same
/// memory again and again, without making anything.
/// </summary>
internal readonly struct Work(int count, Action<int> piece)
{
    /// <summary>No work: an operand is empty.</summary>
    public static Work Nothing => new(0, static _ => { });

    /// <summary>Work that shares itself out among the threads, or is not worth it: one piece runs on the calling thread.</summary>
    public static Work Once(Action run) => new(1, _ => run());

    /// <summary>0 … <paramref name="length"/> − 1 in pieces of about <paramref name="grain"/> items.</summary>
    public static Work Ranges(int length, int grain, Action<int, int> range)
    {
        int size = Math.Max(1, grain);
        int pieces = (int)(((long)length + size - 1) / size);
        return new Work(pieces, i => range(i * size, (int)Math.Min(length, ((long)i + 1) * size)));
    }

    public void Run() => ThreadTeam.Run(count, piece);
}
