namespace Delineate.Tensors.Nn;

/// <summary>A module that maps one tensor to one tensor.</summary>
public abstract class Layer : Module
{
    /// <summary>
    /// Runs the layer. Where nothing is recorded, whatever the layer made on the way is given back before this returns, so that a
    /// prediction needs memory for a few layers, not for all of them.
    /// </summary>
    public Tensor Forward(Tensor x)
    {
        if (Tracer.Current is { } tracer) return tracer.Within(this, x, Apply);
        if (Autograd.IsEnabled) return LayerOutputs.Show(this, IsCheckpointing && IsBlock ? Autograd.Checkpoint(Apply, x) : Apply(x));
        using MemoryScope scope = TensorMemory.Scope();
        Tensor y = Apply(x);
        scope.PassOut(y);
        return y;
    }

    /// <summary>The layer and max(x, 0) after it. What lies between is given back at once, where the layer's own gradient does not ask for it.</summary>
    public Tensor ForwardRelu(Tensor x)
    {
        Tensor y = Forward(x), z = y.Relu();
        y.GiveBack();
        return z;
    }

    /// <summary>True for a layer that is worth computing twice to keep nothing but its input: see <see cref="Module.IsCheckpointing"/>.</summary>
    protected virtual bool IsBlock => false;

    /// <summary>What the layer computes.</summary>
    protected abstract Tensor Apply(Tensor x);
}
