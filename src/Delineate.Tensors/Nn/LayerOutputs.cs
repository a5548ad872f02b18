namespace Delineate.Tensors.Nn;

/// <summary>Sees what the layers of a network make while it runs on the tape: gradients can be asked for from there.</summary>
public static class LayerOutputs
{
    [ThreadStatic]
    private static Action<Layer, Tensor>? watcher;

    /// <summary>
    /// Does something on this thread; whatever a layer makes meanwhile is shown to <paramref name="seen"/>, the inner layers' first. Values may be given back
    /// soon after, what the tape knows of them stays. Nothing is shown where nothing is recorded (<see cref="Autograd.NoGrad"/>).
    /// </summary>
    public static T Watch<T>(Action<Layer, Tensor> seen, Func<T> run)
    {
        ArgumentNullException.ThrowIfNull(run);
        Action<Layer, Tensor>? outer = watcher;
        watcher = seen;
        try
        {
            return run();
        }
        finally
        {
            watcher = outer;
        }
    }

    internal static Tensor Show(Layer layer, Tensor output)
    {
        watcher?.Invoke(layer, output);
        return output;
    }
}
