using Delineate.Tensors.Kernels;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tensors.Tests.Ops;

/// <summary>What every kernel owes: the same bits on any number of threads, and no trust in what memory held before.</summary>
internal static class KernelChecks
{
    /// <summary>
    /// Runs the op and its gradient on one thread and on three, over memory full of NaN each time: all results must have the same bits and, unless
    /// the inputs have NaNs, none may be NaN.
    /// </summary>
    public static void SameBitsOnAnyThreads(Func<Tensor[], Tensor> op, params Tensor[] inputs)
    {
        int before = ThreadTeam.Threads;
        try
        {
            List<float[]> one = Run(1), three = Run(3);
            for (int i = 0; i < one.Count; i++)
            {
                TensorAssert.SameBits(one[i], three[i], i == 0 ? "values" : $"gradient {i - 1}");
                Assert.DoesNotContain(one[i], float.IsNaN);
            }
        }
        finally
        {
            ThreadTeam.Threads = before;
        }

        List<float[]> Run(int threads)
        {
            ThreadTeam.Threads = threads;
            using MemoryScope scope = TensorMemory.Scope();
            Tensor[] fresh = [.. inputs.Select(t => t.Clone())];
            foreach (Tensor tensor in fresh) tensor.RequiresGrad = true;
            Shape shape = op(fresh).Shape;
            Poison(shape, [.. inputs.Select(t => t.Shape)]);
            Tensor y = op(fresh);
            float[] values = y.ToArray();
            Tensor dy = GradCheck.Input(shape, seed: 77);
            Poison(shape, [.. inputs.Select(t => t.Shape)]);
            y.Backward(dy);
            return [values, .. fresh.Select(t => t.Gradient!.ToArray())];
        }
    }

    private static void Poison(Shape output, Shape[] inputs)
    {
        Tensor[] tensors = [.. ((Shape[])[output, .. inputs, [256], [1 << 15]]).SelectMany(s => new[] { Tensor.Full(s, float.NaN), Tensor.Full(s, float.NaN) })];
        foreach (Tensor tensor in tensors) tensor.Block.Release();
    }
}
