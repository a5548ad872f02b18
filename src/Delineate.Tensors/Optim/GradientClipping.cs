using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Delineate.Tensors.Kernels;

namespace Delineate.Tensors.Optim;

/// <summary>Bounds the gradients before a step.</summary>
public static class GradientClipping
{
    private const int Grain = 1 << 15;

    /// <summary>
    /// Scales all gradients by one factor so that their joint Euclidean norm is at most <paramref name="maxNorm"/> (Pascanu et al. 2013).
    /// Returns the norm before; where it is not finite nothing is scaled. Sums run in a fixed order: the same bits on any number of threads.
    /// </summary>
    public static double ByNorm(IEnumerable<Tensor> parameters, double maxNorm)
    {
        Tensor[] gradients = [.. parameters.Select(p => p.Gradient).OfType<Tensor>()];
        (int Index, int From, int Length)[] pieces = [.. gradients.SelectMany((g, i) => Enumerable.Range(0, (g.Length + Grain - 1) / Grain)
            .Select(k => (i, k * Grain, Math.Min(Grain, g.Length - (k * Grain)))))];
        double[] squares = new double[pieces.Length];
        ThreadTeam.Run(pieces.Length, i => squares[i] = SumOfSquares(gradients[pieces[i].Index].Span.Slice(pieces[i].From, pieces[i].Length)));
        double norm = Math.Sqrt(squares.Sum());
        if (norm > maxNorm && double.IsFinite(norm))
        {
            float factor = (float)(maxNorm / (norm + 1e-6)); // PyTorch's guard
            ThreadTeam.Run(pieces.Length, i =>
            {
                Span<float> part = gradients[pieces[i].Index].Span.Slice(pieces[i].From, pieces[i].Length);
                TensorPrimitives.Multiply(part, factor, part);
            });
        }
        return norm;
    }

    /// <summary>In double, so that a large gradient neither loses small parts nor overflows; as many sums side by side as two vectors have lanes.</summary>
    private static double SumOfSquares(ReadOnlySpan<float> values)
    {
        Vector<double> low = Vector<double>.Zero, high = Vector<double>.Zero;
        ReadOnlySpan<Vector<float>> whole = MemoryMarshal.Cast<float, Vector<float>>(values);
        foreach (Vector<float> value in whole)
        {
            Vector.Widen(value, out Vector<double> first, out Vector<double> second);
            low = Vector.MultiplyAddEstimate(first, first, low);
            high = Vector.MultiplyAddEstimate(second, second, high);
        }
        double sum = Vector.Sum(low + high);
        foreach (float value in values[(whole.Length * Vector<float>.Count)..]) sum += (double)value * value;
        return sum;
    }
}
