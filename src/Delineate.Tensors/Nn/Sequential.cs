namespace Delineate.Tensors.Nn;

/// <summary>Layers run one after the other.</summary>
public sealed class Sequential : Layer
{
    private readonly Layer[] layers;

    /// <summary>Layers named by their position: <c>0</c>, <c>1</c>, …</summary>
    public Sequential(params IEnumerable<Layer> layers)
        : this(layers.Select((layer, i) => (i.ToString(System.Globalization.CultureInfo.InvariantCulture), layer)))
    {
    }

    /// <summary>Layers with names of their own: positions that a reference implementation counts but that hold no weights can be left out.</summary>
    public Sequential(IEnumerable<(string Name, Layer Layer)> layers)
    {
        this.layers = [.. layers.Select(l => Child(l.Name, l.Layer))];
    }

    protected override Tensor Apply(Tensor x)
    {
        Tensor input = x;
        foreach (Layer layer in layers)
        {
            Tensor y = layer.Forward(x);
            // Nobody else has seen what lies between two layers: where no gradient will ask for it, it goes back at once.
            if (!Autograd.IsEnabled && x != input && x != y) x.Block.Release();
            x = y;
        }
        return x;
    }
}
