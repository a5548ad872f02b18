using System.Numerics;
using System.Runtime.InteropServices;

namespace Delineate.Tensors.Optim;

/// <summary>The settings of <see cref="AdamW"/>; the defaults are the paper's and PyTorch's.</summary>
public sealed record AdamWOptions
{
    /// <summary>How long the mean of the gradients remembers.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>How long the mean of the squared gradients remembers.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Keeps the division from blowing up.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>The share of a weight, times the rate, that each step takes off.</summary>
    public double WeightDecay { get; init; } = 0.01;
}

/// <summary>
/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), as PyTorch computes it: w ← (1 − rate·decay)·w; m, v ← running means of g
/// and g²; w ← w − rate/(1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε).
/// </summary>
public sealed class AdamW : Optimizer
{
    private readonly AdamWOptions options;

    public AdamW(IEnumerable<ParameterGroup> groups, AdamWOptions? options = null)
        : base(groups, (options ?? new AdamWOptions()).WeightDecay, "mean", "square")
    {
        this.options = options ?? new AdamWOptions();
    }

    private protected override void Update(Slot slot, double learningRate, Span<float> weights, ReadOnlySpan<float> gradient, int from)
    {
        var factors = new Factors(
            (float)(1 - (learningRate * slot.WeightDecay)),
            (float)options.Beta1, (float)(1 - options.Beta1), (float)options.Beta2, (float)(1 - options.Beta2),
            (float)(learningRate / (1 - Math.Pow(options.Beta1, Steps))), (float)Math.Sqrt(1 - Math.Pow(options.Beta2, Steps)), (float)options.Epsilon);
        Update(weights, gradient, slot.State[0].Span.Slice(from, weights.Length), slot.State[1].Span.Slice(from, weights.Length), factors);
    }

    /// <summary>Whole vectors, then the tail with the same operations, so that a value does not depend on its place.</summary>
    private static void Update(Span<float> weights, ReadOnlySpan<float> gradient, Span<float> mean, Span<float> square, in Factors f)
    {
        Span<Vector<float>> w = MemoryMarshal.Cast<float, Vector<float>>(weights);
        Span<Vector<float>> m = MemoryMarshal.Cast<float, Vector<float>>(mean);
        Span<Vector<float>> v = MemoryMarshal.Cast<float, Vector<float>>(square);
        ReadOnlySpan<Vector<float>> g = MemoryMarshal.Cast<float, Vector<float>>(gradient);
        var bias = new Vector<float>(f.SquareBias);
        var epsilon = new Vector<float>(f.Epsilon);
        for (int i = 0; i < w.Length; i++)
        {
            m[i] = (m[i] * f.Beta1) + (g[i] * f.OneLessBeta1);
            v[i] = (v[i] * f.Beta2) + (g[i] * g[i] * f.OneLessBeta2);
            w[i] = (w[i] * f.Keep) - (m[i] * f.Rate / ((Vector.SquareRoot(v[i]) / bias) + epsilon));
        }
        for (int i = w.Length * Vector<float>.Count; i < weights.Length; i++)
        {
            mean[i] = (mean[i] * f.Beta1) + (gradient[i] * f.OneLessBeta1);
            square[i] = (square[i] * f.Beta2) + (gradient[i] * gradient[i] * f.OneLessBeta2);
            weights[i] = (weights[i] * f.Keep) - (mean[i] * f.Rate / ((MathF.Sqrt(square[i]) / f.SquareBias) + f.Epsilon));
        }
    }

    private readonly record struct Factors(
        float Keep, float Beta1, float OneLessBeta1, float Beta2, float OneLessBeta2, float Rate, float SquareBias, float Epsilon);
}
