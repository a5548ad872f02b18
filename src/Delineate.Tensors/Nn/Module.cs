namespace Delineate.Tensors.Nn;

/// <summary>
/// A part of a network that holds weights: named parameters (learned), named buffers (running statistics) and named children. Names
/// joined by dots are the state dict's keys, equal to the reference implementation's: <c>backbone.layer4.2.conv3.weight</c>.
/// </summary>
public abstract class Module
{
    private readonly List<(string Name, Module Module)> children = [];
    private readonly List<(string Name, Tensor Tensor)> parameters = [];
    private readonly List<(string Name, Tensor Tensor)> buffers = [];

    /// <summary>True while training: batch norm uses the batch's statistics, dropout drops. Set by <see cref="Train"/> for a whole tree.</summary>
    public bool IsTraining { get; private set; } = true;

    /// <summary>
    /// True where the network's blocks keep only their inputs for backward, which computes the rest once more (<see cref="Autograd.Checkpoint(Func{Tensor, Tensor}, Tensor)"/>):
    /// less memory for a second forward pass, the same gradients. Set by <see cref="Checkpoint"/> for a whole tree.
    /// </summary>
    public bool IsCheckpointing { get; private set; }

    /// <summary>The direct parts, in the order in which they were added.</summary>
    public IReadOnlyList<(string Name, Module Module)> Children => children;

    /// <summary>Chooses training or evaluation behaviour for this module and everything below it. Returns the module itself.</summary>
    public Module Train(bool training = true)
    {
        IsTraining = training;
        foreach ((_, Module child) in children) child.Train(training);
        return this;
    }

    /// <summary>Does something with this tree in evaluation mode, and puts it back into the mode in which the module was. One thread at a time.</summary>
    public T InEvaluation<T>(Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        bool training = IsTraining;
        Train(false);
        try
        {
            return work();
        }
        finally
        {
            Train(training);
        }
    }

    /// <summary>Chooses whether this module and everything below it trade time for memory in training: <see cref="IsCheckpointing"/>. Returns the module itself.</summary>
    public Module Checkpoint(bool checkpointing = true)
    {
        IsCheckpointing = checkpointing;
        foreach ((_, Module child) in children) child.Checkpoint(checkpointing);
        return this;
    }

    /// <summary>Every learned tensor below this module with its full name, depth first.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> NamedParameters() => Named(m => m.parameters);

    /// <summary>Every buffer below this module with its full name, depth first.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> NamedBuffers() => Named(m => m.buffers);

    /// <summary>Parameters and buffers together, module by module: what a weight file holds.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> StateDict() => Named(m => [.. m.parameters, .. m.buffers]);

    /// <summary>The number of learned values.</summary>
    public long ParameterCount() => NamedParameters().Sum(p => (long)p.Tensor.Length);

    /// <summary>Forgets all gathered gradients.</summary>
    public void ZeroGrad()
    {
        foreach ((_, Tensor tensor) in NamedParameters()) tensor.ZeroGrad();
    }

    /// <summary>Adds a child under a name that is one or more parts of the state-dict key.</summary>
    protected T Child<T>(string name, T module)
        where T : Module
    {
        if (children.Exists(c => c.Name == name)) throw new ArgumentException($"{GetType().Name} has two children named '{name}'", nameof(name));
        children.Add((name, module));
        return module;
    }

    /// <summary>Adds a learned tensor.</summary>
    protected Tensor Parameter(string name, Tensor tensor)
    {
        tensor.RequiresGrad = true;
        tensor.Block.IsTracked = true;
        parameters.Add((name, tensor.Keep()));
        return tensor;
    }

    /// <summary>Adds a tensor that is saved but not learned.</summary>
    protected Tensor Buffer(string name, Tensor tensor)
    {
        tensor.Block.IsTracked = true;
        buffers.Add((name, tensor.Keep()));
        return tensor;
    }

    private IEnumerable<(string Name, Tensor Tensor)> Named(Func<Module, IEnumerable<(string, Tensor)>> own)
    {
        foreach ((string name, Tensor tensor) in own(this)) yield return (name, tensor);
        foreach ((string prefix, Module child) in children)
        {
            foreach ((string name, Tensor tensor) in child.Named(own)) yield return ($"{prefix}.{name}", tensor);
        }
    }
}
