using Delineate.Tensors.Nn;
using Delineate.Testing;

namespace Delineate.Tensors.Tests.Graphs;

/// <summary>
/// A network of random ops that read any values made before, so that what it makes is read once, twice, never, as a residual, as a part of a
/// concatenation of concatenations. The same seed makes the same network.
/// </summary>
internal sealed class RandomNetwork : Module
{
    private static readonly int[] ChannelCounts = [1, 2, 3, 5, 8, 16, 17, 32, 33, 64];
    private readonly List<Func<List<Tensor>, Tensor>> steps = [];
    private readonly int[] outputs;
    private readonly Random random;
    private readonly Philox weights;

    public RandomNetwork(int seed, Shape input, int length)
    {
        random = new Random(seed);
        weights = new Philox((ulong)seed + 1);
        Input = input;
        Train(false);
        using Autograd.NoGradScope quiet = Autograd.NoGrad();
        var values = new List<Tensor> { GradCheck.Input(input, seed) };
        while (steps.Count < length)
        {
            if (Next(values) is not { } step) continue;
            Tensor y = step(values);
            if (y.Length is 0 or > 60_000) continue;
            steps.Add(step);
            values.Add(y);
        }
        Train(false);
        outputs = [values.Count - 1, .. Enumerable.Range(0, random.Next(3)).Select(_ => random.Next(values.Count))];
    }

    public Shape Input { get; }

    public Tensor[] Forward(Tensor[] inputs)
    {
        List<Tensor> values = [inputs[0]];
        foreach (Func<List<Tensor>, Tensor> step in steps) values.Add(step(values));
        return [.. outputs.Select(i => values[i])];
    }

    /// <summary>A random op on random earlier values, or null where the op that was drawn does not fit.</summary>
    private Func<List<Tensor>, Tensor>? Next(List<Tensor> values)
    {
        int i = Pick(values);
        Shape s = values[i].Shape;
        int channels = s[3], other = values.FindLastIndex(values.Count - 1, v => v.Shape == s && random.Next(3) > 0);
        switch (random.Next(24))
        {
            case 0 or 1 or 2 or 3:
                {
                    (int kernel, int stride, int dilation) = (random.Next(3) == 0 ? 1 : 3, random.Next(4) == 0 ? 2 : 1, random.Next(3) == 0 ? 2 : 1);
                    int to = random.Next(12) == 0 ? 256 : ChannelCounts[random.Next(ChannelCounts.Length)];
                    if (s[1] < 2 || s[2] < 2) return null;
                    Conv2d conv = Named(new Conv2d(weights, channels, to, kernel, stride, kernel / 2 * dilation, dilation, bias: random.Next(2) == 0));
                    if (random.Next(3) == 0) return v => conv.Forward(v[i]);
                    BatchNorm2d norm = Norm(to);
                    Activation activation = random.Next(2) == 0 ? Activation.Relu : Activation.None;
                    if (stride == 1 && to == channels && random.Next(2) == 0) return v => norm.Forward(conv.Forward(v[i]), activation, residual: v[i]);
                    return v => norm.Forward(conv.Forward(v[i]), activation);
                }
            case 4:
                {
                    Conv2d conv = Named(new Conv2d(weights, channels, channels, 3, padding: 1, groups: channels));
                    return v => conv.Forward(v[i]);
                }
            case 5:
                {
                    if (s[1] > 12) return null;
                    ConvTranspose2d conv = Named(new ConvTranspose2d(weights, channels, ChannelCounts[random.Next(6)], random.Next(2) == 0 ? 2 : 3, stride: 2));
                    BatchNorm2d? norm = random.Next(2) == 0 ? Norm(conv.Bias!.Length) : null;
                    return v => norm is null ? conv.Forward(v[i]) : norm.Forward(conv.Forward(v[i]), Activation.Relu);
                }
            case 6: return v => v[i].Relu();
            case 7: return random.Next(3) switch { 0 => v => v[i].Sigmoid(), 1 => v => v[i].Gelu(), _ => v => v[i].LeakyRelu(0.1f) };
            case 8 or 9: return other < 0 ? null : v => v[i] + v[other];
            case 10: return other < 0 ? null : random.Next(2) == 0 ? v => v[i] * v[other].Sigmoid() : v => v[i] - v[other];
            case 11:
                {
                    Tensor shift = Buffer($"shift{steps.Count}_{random.Next()}", GradCheck.Input([channels], random.Next(1000)));
                    return v => v[i] + shift;
                }
            case 12: return random.Next(3) switch { 0 => v => (v[i] * 0.5f) + 1, 1 => v => 1 - v[i], _ => v => 1 / (v[i].Sigmoid() + 1) };
            case 13 or 14 or 15:
                {
                    int[] alike = [.. Enumerable.Range(0, values.Count).Where(k => Same(values[k].Shape, s)).OrderBy(_ => random.Next()).Take(random.Next(1, 4))];
                    return v => Tensor.Concat([v[i], .. alike.Select(k => v[k])], axis: 3);
                }
            case 16: return s[1] < 3 || s[2] < 3 ? null : random.Next(2) == 0 ? v => v[i].MaxPool2d(3, 2, 1) : v => v[i].AvgPool2d(2);
            case 17: return random.Next(2) == 0 ? v => v[i].ResizeBilinear(9, 7) : v => v[i].ResizeNearest(5, 8);
            case 18: return s[1] < 3 ? null : v => v[i].Slice(1, 1, s[1] - 2).Pad(1, 1, 0, 0, value: 0.25f);
            case 19: return v => v[i].Reshape(s[0], s[1] * s[2], s[3]).Softmax().Reshape(s);
            case 20: return v => v[i].Permute(0, 2, 1, 3);
            case 21:
                {
                    BatchNorm2d norm = Norm(channels);
                    return v => norm.Forward(v[i]);
                }
            case 22:
                {
                    var scale = Named(new Linear(weights, channels, channels));
                    return v => v[i] * scale.Forward(v[i].Mean([1, 2], keepDims: true)).Sigmoid(); // squeeze and excitation
                }
            default:
                {
                    Layer norm = random.Next(2) == 0 ? Named(new LayerNorm(channels)) : Named(new GroupNorm(1, channels));
                    return v => norm.Forward(v[i]);
                }
        }
    }

    /// <summary>Late values are read more often than early ones.</summary>
    private int Pick(List<Tensor> values) => values.Count - 1 - (int)(values.Count * Math.Pow(random.NextDouble(), 3));

    private static bool Same(Shape a, Shape b) => a[0] == b[0] && a[1] == b[1] && a[2] == b[2];

    private BatchNorm2d Norm(int channels)
    {
        BatchNorm2d norm = Named(new BatchNorm2d(channels));
        GradCheck.Input([channels], random.Next(1000)).Span.CopyTo(norm.RunningMean.Span);
        for (int c = 0; c < channels; c++) (norm.RunningVariance.Span[c], norm.Weight.Span[c], norm.Bias.Span[c]) = (0.5f + random.NextSingle(), 0.5f + random.NextSingle(), random.NextSingle());
        return norm;
    }

    private T Named<T>(T layer)
        where T : Module => Child($"layer{Children.Count}", layer);
}
