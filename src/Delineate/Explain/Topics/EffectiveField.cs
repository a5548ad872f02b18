using Delineate.Models;
using Delineate.Tensors;
using Delineate.Tensors.Nn;

namespace Delineate.Explain.Topics;

/// <summary>How strongly a value of a map depends on each pixel of the input: gradients, which the network's own backward computes (Luo et al. 2016).</summary>
internal static class EffectiveField
{
    /// <summary>The last op of a path that is the last of a layer, and the layer; null where there is none. A layer's output is what its last op makes.</summary>
    public static (int Step, Layer Layer)? Before(GraphFlow flow, IReadOnlyList<int> path, Module network)
    {
        Dictionary<string, Layer> layers = [];
        Collect(network, "");
        for (int i = path.Count - 1; i >= 0; i--)
        {
            // The outermost: an inner one may be part of a fused op, and then does not run by itself.
            string[] parts = flow.Steps[path[i]].Path.Split('.', StringSplitOptions.RemoveEmptyEntries);
            for (int depth = 0; depth <= parts.Length; depth++)
            {
                string name = string.Join('.', parts[..depth]);
                if (layers.TryGetValue(name, out Layer? layer) && LastOf(flow, name) == path[i]) return (path[i], layer);
            }
        }
        return null;

        void Collect(Module module, string name)
        {
            if (module is Layer layer) layers.TryAdd(name, layer);
            foreach ((string child, Module part) in module.Children) Collect(part, name.Length == 0 ? child : $"{name}.{child}");
        }
    }

    /// <summary>The square of the gradient of a layer's value at a place, all channels added, by each pixel of the input, over all colours. [H, W]</summary>
    public static Matrix Energy(Module network, Func<Tensor, Tensor> forward, Layer layer, (int Row, int Column) place, Size2d size, ulong seed)
    {
        using MemoryScope scope = TensorMemory.Scope();
        Tensor x = Tensor.Empty([1, size.Height, size.Width, 3]);
        Init.Normal(x, new Philox(seed), 1); // an image of noise, normalised
        x.RequiresGrad = true;
        foreach ((_, Tensor parameter) in network.NamedParameters()) parameter.RequiresGrad = false; // nobody asks for theirs
        using RoundingPolicy.RoundingScope direct = RoundingPolicy.Use(Rounding.Direct); // faster sums leave traces of rounding where nothing is seen
        network.InEvaluation(() =>
        {
            Tensor? made = null;
            LayerOutputs.Watch((seen, output) => made = ReferenceEquals(seen, layer) ? output : made, () => forward(x));
            if (made is null) throw new InvalidOperationException("the layer did not run");
            Tensor one = Tensor.Zeros(made.Shape);
            int channels = made.Shape[3];
            one.Span.Slice(((place.Row * made.Shape[2]) + place.Column) * channels, channels).Fill(1);
            made.Backward(one);
            return true;
        });
        float[] gradient = x.Gradient?.ToArray() ?? new float[x.Length];
        return new Matrix(size.Height, size.Width, [.. Enumerable.Range(0, size.Height * size.Width).Select(i => gradient.AsSpan(3 * i, 3).ToArray().Sum(g => (double)g * g))]);
    }

    /// <summary>Rows and columns from the first to the last with a gradient; null where there is none.</summary>
    public static (int Top, int Left, int Bottom, int Right)? Support(Matrix energy)
    {
        (int top, int left, int bottom, int right) = (int.MaxValue, int.MaxValue, -1, -1);
        for (int r = 0; r < energy.Height; r++)
        {
            for (int c = 0; c < energy.Width; c++)
            {
                if (energy[r, c] == 0) continue;
                (top, left, bottom, right) = (Math.Min(top, r), Math.Min(left, c), Math.Max(bottom, r), Math.Max(right, c));
            }
        }
        return bottom < 0 ? null : (top, left, bottom, right);
    }

    /// <summary>The side of the smallest square around a pixel that holds a share of the energy.</summary>
    public static int Side(Matrix energy, int row, int column, double share)
    {
        var rings = new double[Math.Max(energy.Height, energy.Width) + 1];
        for (int r = 0; r < energy.Height; r++)
        {
            for (int c = 0; c < energy.Width; c++) rings[Math.Min(rings.Length - 1, Math.Max(Math.Abs(r - row), Math.Abs(c - column)))] += energy[r, c];
        }
        double wanted = share * rings.Sum(), held = 0;
        int ring = 0;
        while (ring < rings.Length - 1 && (held += rings[ring]) < wanted) ring++;
        return (2 * ring) + 1;
    }

    /// <summary>What runs a semantic network's main head, on the tape where there is one.</summary>
    public static Func<Tensor, Tensor> Forward(Module network) => network switch
    {
        Layer layer => layer.Forward,
        Fcn fcn => x => fcn.Forward(x, auxiliary: false).Out,
        DeepLabV3 deepLab => x => deepLab.Forward(x, auxiliary: false).Out,
        _ => throw new ArgumentException($"a {network.GetType().Name} is no network that labels pixels", nameof(network)),
    };

    private static int LastOf(GraphFlow flow, string name)
    {
        for (int i = flow.Steps.Count - 1; i >= 0; i--)
        {
            string path = flow.Steps[i].Path;
            if (name.Length == 0 || path == name || path.StartsWith(name + ".", StringComparison.Ordinal)) return i;
        }
        return -1;
    }
}
