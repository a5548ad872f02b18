using Delineate.Tensors;
using Delineate.Tensors.Nn;
using Delineate.Tensors.Weights;
using Delineate.Testing;
using Xunit;

namespace Delineate.Tests.Models;

/// <summary>What the comparisons of a network with its golden share.</summary>
internal static class GoldenChecks
{
    /// <summary>Relative to the largest value: how far two exact implementations stay apart.</summary>
    public const double Outputs = 7e-5;

    /// <summary>
    /// The same where a random network magnifies rounding: computed in double, the last map of the resnet50 golden and the logits of the
    /// fcn_resnet101 golden are 1.8e-4 and 2.2e-4 away from PyTorch's own float32 values.
    /// </summary>
    public const double IllConditioned = 3e-4;

    public const double Losses = 3e-6;

    private const double Gradients = 0.999;

    public static T Loaded<T>(T network, Golden golden, string checkpoint = "model.pth")
        where T : Module
    {
        using (WeightFile file = PyTorchFile.Open(golden.FilePath(checkpoint))) WeightLoading.Load(network, file);
        // The manifest counts every value of the state dict, the batch counters that we leave out included.
        long batchCounters = network.NamedBuffers().Count(b => b.Name.EndsWith("running_mean", StringComparison.Ordinal));
        Assert.Equal(golden.Meta.GetProperty("params").GetInt64(), network.StateDict().Sum(s => (long)s.Tensor.Length) + batchCounters);
        return network;
    }

    public static void Close(Golden golden, string name, Tensor actual, double relative = Outputs) => TensorAssert.Close(golden.ChannelsLast(name), actual, relative, name);

    /// <summary>Every gradient in the golden points where ours does and is as long; of those that are <paramref name="nothing"/> but rounding no more is asked than that they are small.</summary>
    public static void SameGradients(Golden golden, Module network, string? nothing = null)
    {
        var gradients = network.NamedParameters().ToDictionary(p => p.Name, p => p.Tensor.Gradient);
        Assert.Equal(gradients.Keys.Order(), golden.Names.Where(n => n.StartsWith("grad.", StringComparison.Ordinal)).Select(n => n["grad.".Length..]).Order());
        foreach ((string name, Tensor? gradient) in gradients)
        {
            double[] expected = Array.ConvertAll(golden.ChannelsLast($"grad.{name}").ToArray(), v => (double)v);
            Assert.NotNull(gradient);
            if (name == nothing)
            {
                Assert.All(gradient.ToArray(), v => Assert.InRange(v, -1e-6f, 1e-6f));
                continue;
            }
            double cosine = TensorAssert.Cosine(expected, gradient.Span);
            Assert.True(cosine >= Gradients, $"gradient of {name}: cosine {cosine:G6}");
            double ratio = Math.Sqrt(gradient.ToArray().Sum(v => (double)v * v) / expected.Sum(v => v * v));
            Assert.True(ratio is > 0.97 and < 1.03, $"gradient of {name}: {ratio:G5} times as long");
        }
    }

    /// <summary>Names and shapes of a whole network, in PyTorch's order of axes, without the batch counters.</summary>
    public static IEnumerable<string> StateList(Module network) => network.StateDict().Select(s => $"{s.Name} {InPyTorchsOrder(s.Tensor.Shape)}");

    /// <summary>The same from a reference list of <c>NAME, TYPE, SHAPE</c> lines.</summary>
    public static IEnumerable<string> StateList(string path) =>
        File.ReadAllLines(path).Where(l => l.Length > 0).Select(l => l.Split('\t')).Where(c => !c[0].EndsWith("num_batches_tracked", StringComparison.Ordinal)).Select(c => $"{c[0]} {c[2]}");

    /// <summary>Labels equal the golden's, save where its two best logits lie closer together than the noise.</summary>
    public static void SameLabels(Golden golden, Tensor logits, double relative)
    {
        byte[] expected = golden.Array("out.argmax").Bytes, actual = logits.ArgMaxLabels();
        float[] scores = logits.ToArray();
        int classes = logits.Shape[-1];
        double noise = 2 * relative * scores.Max(MathF.Abs);
        for (int i = 0; i < expected.Length; i++)
        {
            if (expected[i] == actual[i]) continue;
            double gap = scores[(i * classes) + actual[i]] - scores[(i * classes) + expected[i]];
            Assert.True(gap <= noise, $"pixel {i}: label {actual[i]} instead of {expected[i]}, ahead by {gap:G3}");
        }
    }

    private static Shape InPyTorchsOrder(Shape shape) => shape.Rank == 4 ? [shape[0], shape[3], shape[1], shape[2]] : shape;
}
