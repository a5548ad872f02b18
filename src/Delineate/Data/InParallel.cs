namespace Delineate.Data;

/// <summary>Loops on all processors whose exceptions arrive as they were thrown, not wrapped in one that gathers them.</summary>
internal static class InParallel
{
    /// <summary>Runs <paramref name="body"/> for 0 … <paramref name="count"/> − 1 in any order.</summary>
    /// <exception cref="OperationCanceledException">Cancellation was asked for.</exception>
    public static void For(int count, Action<int> body, CancellationToken cancellation = default)
    {
        try
        {
            Parallel.For(0, count, new ParallelOptions { CancellationToken = cancellation }, body);
        }
        catch (AggregateException e) when (e.Flatten().InnerExceptions.OfType<IOException>().FirstOrDefault() is { } fault)
        {
            throw fault;
        }
    }
}
