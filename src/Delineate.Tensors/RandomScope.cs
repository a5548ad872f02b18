namespace Delineate.Tensors;

/// <summary>
/// Where ops that draw random numbers (dropout) get their generator: inside <c>RandomScope.Begin(seed, epoch, step)</c> the n-th draw is
/// a function of (seed, epoch, step, n) alone, so that a resumed training repeats it; outside, draws follow seed 0.
/// </summary>
public sealed class RandomScope : IDisposable
{
    [ThreadStatic]
    private static RandomScope? current;

    private readonly RandomScope? outer;
    private readonly ulong seed, epoch, step;
    private ulong drawn;

    private RandomScope(ulong seed, ulong epoch, ulong step, RandomScope? outer) => (this.seed, this.epoch, this.step, this.outer) = (seed, epoch, step, outer);

    /// <summary>Begins a scope on this thread; dispose it to end it.</summary>
    public static RandomScope Begin(ulong seed, ulong epoch, ulong step) => current = new RandomScope(seed, epoch, step, current);

    public void Dispose()
    {
        if (current == this) current = outer;
    }

    /// <summary>Where this thread's scope stands: what <see cref="Replay"/> repeats.</summary>
    internal static Draws Mark()
    {
        RandomScope scope = Current();
        return new Draws(scope.seed, scope.epoch, scope.step, scope.drawn);
    }

    /// <summary>Until the result is disposed, draws are those that followed a mark.</summary>
    internal static RandomScope Replay(Draws mark) => current = new RandomScope(mark.Seed, mark.Epoch, mark.Step, current) { drawn = mark.Drawn };

    /// <summary>The next generator of this thread's scope: whoever draws takes one for each time, however many numbers that needs.</summary>
    public static Philox Next()
    {
        RandomScope scope = Current();
        return new Philox(scope.seed, scope.epoch, scope.step, ++scope.drawn);
    }

    private static RandomScope Current() => current ??= new RandomScope(0, 0, 0, null);

    /// <summary>A place in a scope's sequence of draws.</summary>
    internal readonly record struct Draws(ulong Seed, ulong Epoch, ulong Step, ulong Drawn);
}
