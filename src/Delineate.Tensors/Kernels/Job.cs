namespace Delineate.Tensors.Kernels;

/// <summary>
/// A kernel with its operands: pieces of work that any thread may run. Eager mode runs a job at once; a plan keeps it and runs it over the same
/// memory again and again, without making anything.
/// </summary>
internal readonly struct Job(int count, Action<int> piece)
{
    /// <summary>No work: an operand is empty.</summary>
    public static Job Nothing => new(0, static _ => { });

    /// <summary>Work that shares itself out among the threads, or is not worth it: one piece runs on the calling thread.</summary>
    public static Job Once(Action run) => new(1, _ => run());

    /// <summary>0 … <paramref name="length"/> − 1 in pieces of about <paramref name="grain"/> items.</summary>
    public static Job Ranges(int length, int grain, Action<int, int> range)
    {
        int size = Math.Max(1, grain);
        int pieces = (int)(((long)length + size - 1) / size);
        return new Job(pieces, i => range(i * size, (int)Math.Min(length, ((long)i + 1) * size)));
    }

    public void Run() => ThreadTeam.Run(count, piece);
}
