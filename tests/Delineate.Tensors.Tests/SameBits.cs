using Delineate.Tensors.Kernels;
using Delineate.Testing;

namespace Delineate.Tensors.Tests;

/// <summary>Runs an op on one thread and on several and compares every bit of its values and of its gradients.</summary>
internal static class SameBits
{
    private static readonly int[] ThreadCounts = [1, 2, 5];

    public static void OnAnyThreads(int[][] shapes, Func<Tensor[], Tensor> op)
    {
        float[][]? expected = null;
        int before = ThreadTeam.Threads;
        try
        {
            foreach (int threads in ThreadCounts)
            {
                ThreadTeam.Threads = threads;
                float[][] results = Run(shapes, op);
                expected ??= results;
                for (int i = 0; i < results.Length; i++) TensorAssert.SameBits(expected[i], results[i], $"{(i == 0 ? "values" : $"gradient {i - 1}")} on {threads} threads");
            }
        }
        finally
        {
            ThreadTeam.Threads = before;
        }
    }

    private static float[][] Run(int[][] shapes, Func<Tensor[], Tensor> op)
    {
        Tensor[] inputs = [.. shapes.Select((sizes, i) => GradCheck.Input(Shape.Of(sizes), i + 1))];
        foreach (Tensor input in inputs) input.RequiresGrad = true;
        Tensor y = op(inputs);
        float[] values = y.ToArray();
        if (y.Node is not null) y.Backward(GradCheck.Input(y.Shape, 99));
        return [values, .. inputs.Select(input => input.Gradient?.ToArray() ?? [])];
    }
}
