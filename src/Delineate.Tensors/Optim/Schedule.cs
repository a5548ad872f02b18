namespace Delineate.Tensors.Optim;

/// <summary>
/// The first steps of a training: the rate rises in a straight line from <paramref name="StartFactor"/> times the full rate to the full
/// rate.
/// </summary>
/// <param name="Steps">How many steps it takes.</param>
/// <param name="StartFactor">The factor on the rate at step 0.</param>
public sealed record Warmup(long Steps, double StartFactor = 0.001);

/// <summary>
/// A learning rate as a pure function of the step (the number of optimizer steps taken before): nothing to save, nothing to restore.
/// </summary>
/// <param name="Rate">The full rate, reached at the end of the warm-up.</param>
/// <param name="Warmup">The rise at the start; null begins with the full rate.</param>
public abstract record Schedule(double Rate, Warmup? Warmup)
{
    /// <summary>The steps that the warm-up takes.</summary>
    protected long WarmupSteps => Warmup?.Steps ?? 0;

    /// <summary>The rate of the given step.</summary>
    public double At(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (Warmup is null || step >= Warmup.Steps) return Decayed(step);
        double done = (double)step / Warmup.Steps;
        return Decayed(Warmup.Steps) * ((Warmup.StartFactor * (1 - done)) + done);
    }

    /// <summary>The rate of a step after the warm-up.</summary>
    protected abstract double Decayed(long step);

    /// <summary>
    /// The part of a training of <paramref name="steps"/> steps that is done after the warm-up: 0 at its end, 1 after the last step.
    /// </summary>
    protected double Progress(long step, long steps) => steps <= WarmupSteps ? 0 : Math.Clamp((double)(step - WarmupSteps) / (steps - WarmupSteps), 0, 1);
}

/// <summary>
/// minimum + (rate − minimum) · (1 − progress)^power: what semantic segmentation is usually trained with (Chen et al. 2017).
/// </summary>
public sealed record PolySchedule(double Rate, long Steps, double Power = 0.9, double Minimum = 0, Warmup? Warmup = null) : Schedule(Rate, Warmup)
{
    protected override double Decayed(long step) => Minimum + ((Rate - Minimum) * Math.Pow(1 - Progress(step, Steps), Power));
}

/// <summary>Half a cosine wave from the rate down to the minimum (Loshchilov and Hutter 2017).</summary>
public sealed record CosineSchedule(double Rate, long Steps, double Minimum = 0, Warmup? Warmup = null) : Schedule(Rate, Warmup)
{
    protected override double Decayed(long step) => Minimum + ((Rate - Minimum) * (1 + Math.Cos(Math.PI * Progress(step, Steps))) / 2);
}

/// <summary>The same rate all the time: what the first fully convolutional networks were trained with (Long et al. 2015).</summary>
public sealed record ConstantSchedule(double Rate, Warmup? Warmup = null) : Schedule(Rate, Warmup)
{
    protected override double Decayed(long step) => Rate;
}

/// <summary>
/// The rate times <paramref name="Factor"/> once for every milestone reached; milestones count from step 0, the warm-up included.
/// </summary>
public sealed record MultiStepSchedule(double Rate, IReadOnlyList<long> Milestones, double Factor = 0.1, Warmup? Warmup = null) : Schedule(Rate, Warmup)
{
    protected override double Decayed(long step) => Rate * Math.Pow(Factor, Milestones.Count(m => m <= step));
}
