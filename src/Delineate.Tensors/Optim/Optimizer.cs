using Delineate.Tensors.Kernels;
using Delineate.Tensors.Weights;

namespace Delineate.Tensors.Optim;

/// <summary>
/// Moves parameters along their gradients. The update of one parameter value reads and writes nothing of another's, so parameters are cut
/// into ranges that the thread team shares: the result has the same bits on any number of threads.
/// </summary>
public abstract class Optimizer
{
    private const int Grain = 1 << 15; // values in one piece of work: 128 kB each of weights, gradients and state
    private const string StepsName = "steps";
    private readonly Slot[] slots;
    private readonly (int Slot, int From, int Length)[] pieces;

    /// <param name="groups">The parameters to move.</param>
    /// <param name="weightDecay">For groups that have none of their own.</param>
    /// <param name="stateNames">The tensors kept beside each parameter, by name.</param>
    private protected Optimizer(IEnumerable<ParameterGroup> groups, double weightDecay, params string[] stateNames)
    {
        Groups = [.. groups];
        StateNames = stateNames;
        slots = [.. Groups.SelectMany(g => g.Parameters.Select(p => new Slot(p.Name, p.Tensor, g.LearningRateScale, g.WeightDecay ?? weightDecay,
            Array.ConvertAll(stateNames, _ => Tensor.Zeros(p.Tensor.Shape).Keep()))))];
        if (slots.Length == 0) throw new ArgumentException("an optimizer needs at least one parameter", nameof(groups));
        if (slots.GroupBy(s => s.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new ArgumentException($"parameter '{twice.Key}' is in the optimizer twice", nameof(groups));
        pieces = [.. slots.SelectMany((slot, i) => Enumerable.Range(0, (slot.Parameter.Length + Grain - 1) / Grain)
            .Select(k => (i, k * Grain, Math.Min(Grain, slot.Parameter.Length - (k * Grain)))))];
    }

    /// <summary>The parameters and their settings.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>The number of steps taken.</summary>
    public long Steps { get; private set; }

    private string[] StateNames { get; }

    /// <summary>Moves every parameter that has a gradient; those without one, and their state, stay as they are.</summary>
    /// <param name="learningRate">The rate of this step, before the groups' factors: what a <see cref="Schedule"/> says.</param>
    public void Step(double learningRate)
    {
        Steps++;
        foreach (Slot slot in slots) slot.Parameter.Block.Touch(); // whatever was packed from the weights is stale
        ThreadTeam.Run(pieces.Length, i =>
        {
            (int index, int from, int length) = pieces[i];
            Slot slot = slots[index];
            if (slot.Parameter.Gradient is { } gradient)
                Update(slot, learningRate * slot.LearningRateScale, slot.Parameter.Span.Slice(from, length), gradient.Span.Slice(from, length), from);
        });
    }

    /// <summary>Forgets the gradients of all parameters.</summary>
    public void ZeroGrad()
    {
        foreach (Slot slot in slots) slot.Parameter.ZeroGrad();
    }

    /// <summary>
    /// Everything that a later run needs to go on exactly: tensors by name, such as <c>momentum.backbone.conv1.weight</c>, and the count of
    /// steps.
    /// </summary>
    public IReadOnlyDictionary<string, Tensor> State()
    {
        var state = new Dictionary<string, Tensor> { [StepsName] = Tensor.From([Steps >> 20, Steps & 0xFFFFF], [2]) }; // each half is exact in a float
        foreach (Slot slot in slots)
        {
            for (int k = 0; k < StateNames.Length; k++) state.Add($"{StateNames[k]}.{slot.Name}", slot.State[k]);
        }
        return state;
    }

    /// <summary>Takes over a state that <see cref="State"/> gave.</summary>
    /// <exception cref="InvalidDataException">A tensor is missing, unknown or of another shape: the message names all of them.</exception>
    public void LoadState(IReadOnlyDictionary<string, Tensor> state) =>
        LoadState(state, (from, to) => from.Shape == to.Shape, (from, to) => from.Span.CopyTo(to.Span));

    /// <summary>The same from a weight file's tensors, whose values are read where they belong.</summary>
    /// <exception cref="InvalidDataException">A tensor is missing, unknown or of another shape: the message names all of them.</exception>
    /// <exception cref="WeightsFormatException">The file was changed or cannot be read.</exception>
    public void LoadState(IReadOnlyDictionary<string, RawTensor> state) =>
        LoadState(state, (from, to) => from.Shape == RawTensor.ShapeOf(to), (from, to) => from.CopyTo(to));

    /// <summary>Updates a range of one parameter. Runs on any thread.</summary>
    private protected abstract void Update(Slot slot, double learningRate, Span<float> weights, ReadOnlySpan<float> gradient, int from);

    private void LoadState<T>(IReadOnlyDictionary<string, T> state, Func<T, Tensor, bool> fits, Action<T, Tensor> copy)
    {
        ArgumentNullException.ThrowIfNull(state);
        IReadOnlyDictionary<string, Tensor> mine = State();
        string[] wrong = [.. mine.Where(m => !state.TryGetValue(m.Key, out T? t) || !fits(t, m.Value)).Select(m => m.Key),
            .. state.Keys.Where(k => !mine.ContainsKey(k))];
        if (wrong.Length > 0)
            throw new InvalidDataException($"the optimizer's state is not of this optimizer and network: {string.Join(", ", wrong)}");
        foreach ((string name, Tensor tensor) in mine) copy(state[name], tensor);
        ReadOnlySpan<float> steps = mine[StepsName].Span;
        Steps = ((long)steps[0] << 20) + (long)steps[1];
    }

    /// <summary>One parameter with its settings and state.</summary>
    private protected sealed record Slot(string Name, Tensor Parameter, double LearningRateScale, double WeightDecay, Tensor[] State);
}
