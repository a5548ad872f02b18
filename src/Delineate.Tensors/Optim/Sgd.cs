using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors.Optim;

/// <summary>The settings of <see cref="Sgd"/>.</summary>
public sealed record SgdOptions
{
    /// <summary>The part of the last step's direction that is kept; 0 keeps no state.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>The factor of the weights that is added to the gradient.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Looks ahead along the momentum (Sutskever et al. 2013).</summary>
    public bool Nesterov { get; init; }
}

/// <summary>
/// Stochastic gradient descent with momentum, as PyTorch computes it: g ← g + decay·w; m ← momentum·m + g; w ← w − rate·m,
/// or w − rate·(g + momentum·m) with Nesterov. No dampening.
/// </summary>
public sealed class Sgd : Optimizer
{
    private readonly SgdOptions options;

    public Sgd(IEnumerable<ParameterGroup> groups, SgdOptions? options = null)
        : base(groups, (options ?? new SgdOptions()).WeightDecay, options is { Momentum: 0 } ? [] : ["momentum"])
    {
        this.options = options ?? new SgdOptions();
        if (this.options is { Nesterov: true, Momentum: 0 }) throw new ArgumentException("Nesterov needs a momentum", nameof(options));
    }

    private protected override void Update(Slot slot, double learningRate, Span<float> weights, ReadOnlySpan<float> gradient, int from)
    {
        (float rate, float decay) = ((float)learningRate, (float)slot.WeightDecay);
        if (options.Momentum == 0) Plain(weights, gradient, rate, decay);
        else WithMomentum(weights, gradient, slot.State[0].Span.Slice(from, weights.Length), rate, decay, (float)options.Momentum, options.Nesterov);
    }

    private static void Plain(Span<float> weights, ReadOnlySpan<float> gradient, float rate, float decay) =>
        Elementwise.Zip(weights, gradient, weights, new PlainStep(rate, decay));

    private readonly struct PlainStep(float rate, float decay) : IZip
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector<float> Apply(Vector<float> weights, Vector<float> gradient) => weights - ((gradient + (weights * decay)) * rate);
    }

    /// <summary>Whole vectors, then the tail with the same operations, so that a value does not depend on its place.</summary>
    private static void WithMomentum(Span<float> weights, ReadOnlySpan<float> gradient, Span<float> moment,
        float rate, float decay, float momentum, bool nesterov)
    {
        Span<Vector<float>> w = MemoryMarshal.Cast<float, Vector<float>>(weights);
        Span<Vector<float>> m = MemoryMarshal.Cast<float, Vector<float>>(moment);
        ReadOnlySpan<Vector<float>> g = MemoryMarshal.Cast<float, Vector<float>>(gradient);
        for (int i = 0; i < w.Length; i++)
        {
            Vector<float> direction = g[i] + (w[i] * decay);
            m[i] = (m[i] * momentum) + direction;
            w[i] -= (nesterov ? direction + (m[i] * momentum) : m[i]) * rate;
        }
        for (int i = w.Length * Vector<float>.Count; i < weights.Length; i++)
        {
            float direction = gradient[i] + (weights[i] * decay);
            moment[i] = (moment[i] * momentum) + direction;
            weights[i] -= (nesterov ? direction + (moment[i] * momentum) : moment[i]) * rate;
        }
    }
}
