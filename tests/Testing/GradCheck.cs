using Delineate.Tensors;
using Xunit;

namespace Delineate.Testing;

/// <summary>
/// Checks an op against a reference written in double: its values, and its gradient along random directions against central
/// differences of the reference; then that the gradient is the same in the middle of a training step, where memory is given back as early as it can be.
/// </summary>
public static class GradCheck
{
    /// <param name="op">The op under test.</param>
    /// <param name="reference">The same in double: flat inputs to flat output.</param>
    /// <param name="inputs">Values for the inputs; away from kinks, or the differences mean nothing.</param>
    /// <param name="relative">Allowed error of values and of directional derivatives, relative to the largest.</param>
    /// <param name="step">Step of the central difference, in double.</param>
    /// <param name="directions">How many random directions are tried for each input.</param>
    public static void Run(Func<Tensor[], Tensor> op, Func<double[][], double[]> reference, Tensor[] inputs, double relative = 1e-4, double step = 1e-5, int directions = 3)
    {
        double[][] values = [.. inputs.Select(t => Array.ConvertAll(t.ToArray(), v => (double)v))];
        double[] expected = reference(values);
        foreach (Tensor input in inputs)
        {
            input.ZeroGrad();
            input.RequiresGrad = true;
        }
        Tensor y = op(inputs);
        TensorAssert.Close(expected, y, relative, "forward values");
        if (y.Length == 0) return;

        // Weighting the outputs at random turns the op into a scalar function whose gradient sees every output.
        var random = new Random(expected.Length + (inputs.Length * 7919));
        double[] weights = [.. Enumerable.Range(0, y.Length).Select(_ => (double)(float)((random.NextDouble() * 2) - 1))];
        y.Backward(Tensor.From(Array.ConvertAll(weights, w => (float)w), y.Shape));
        for (int i = 0; i < inputs.Length; i++)
        {
            Assert.True(inputs[i].Length == 0 || inputs[i].Gradient is not null, $"input {i} {inputs[i].Shape} got no gradient");
            if (inputs[i].Length == 0) continue;
            float[] gradient = inputs[i].Gradient!.ToArray();
            Assert.Equal(inputs[i].Shape, inputs[i].Gradient!.Shape);
            double scale = Math.Sqrt(gradient.Sum(g => (double)g * g)) + 1e-6;
            for (int d = 0; d < directions; d++)
            {
                double[] direction = [.. Enumerable.Range(0, gradient.Length).Select(_ => (random.NextDouble() * 2) - 1)];
                double analytic = 0;
                for (int k = 0; k < gradient.Length; k++) analytic += gradient[k] * direction[k];
                double numeric = (Weighted(i, direction, step) - Weighted(i, direction, -step)) / (2 * step);
                Assert.True(Math.Abs(analytic - numeric) <= relative * (scale + Math.Abs(numeric)),
                    $"gradient of input {i} {inputs[i].Shape} along direction {d}: op {analytic:G7}, central difference {numeric:G7}, gradient's length {scale:G4}");
            }
        }
        CheckWithinStep(op, inputs, Tensor.From(Array.ConvertAll(weights, w => (float)w), y.Shape));

        double Weighted(int which, double[] direction, double by)
        {
            double[][] moved = [.. values];
            moved[which] = [.. values[which].Select((v, k) => v + (by * direction[k]))];
            double[] output = reference(moved);
            double sum = 0;
            for (int k = 0; k < output.Length; k++) sum += output[k] * weights[k];
            return sum;
        }
    }

    /// <summary>
    /// The op between two others that read no values: whatever it does not say that its backward reads is gone by then, and the gradient that it gets is
    /// its own to write to.
    /// </summary>
    private static void CheckWithinStep(Func<Tensor[], Tensor> op, Tensor[] inputs, Tensor gradient)
    {
        float[]?[] expected = Array.ConvertAll(inputs, t => t.Gradient?.ToArray());
        foreach (Tensor input in inputs) input.ZeroGrad();
        using MemoryScope scope = TensorMemory.Scope();
        Tensor[] hidden = Array.ConvertAll(inputs, t => t * 1);
        Tensor y = op(hidden);
        Tensor after = y * 1;
        foreach (Tensor tensor in (Tensor[])[.. hidden, y]) tensor.GiveBack();
        after.Backward(gradient);
        for (int i = 0; i < inputs.Length; i++)
        {
            if (expected[i] is { } values) TensorAssert.SameBits(values, inputs[i].Gradient!.ToArray(), $"gradient of input {i} {inputs[i].Shape} within a step");
        }
    }

    /// <summary>Values spread over [−<paramref name="scale"/>, <paramref name="scale"/>] and at least 0.05 apart from zero, where relu and its kin have a kink.</summary>
    public static Tensor Input(Shape shape, int seed = 1, double scale = 1)
    {
        var random = new Random(seed);
        var values = new float[shape.Length];
        for (int i = 0; i < values.Length; i++)
        {
            double v = (random.NextDouble() * 2) - 1;
            values[i] = (float)(scale * ((0.95 * v) + (0.05 * Math.Sign(v))));
        }
        return Tensor.From(values, shape);
    }
}
