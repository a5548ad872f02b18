using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>One recorded op: what it made, what it read, and how the gradient of the one becomes the gradients of the others.</summary>
internal sealed class TapeNode(long order, Tensor output, Tensor?[] inputs, bool readsOutput, Func<Tensor, Tensor?[]> backward)
{
    public long Order { get; } = order;

    /// <summary>Set to null once the node has been walked.</summary>
    public Func<Tensor, Tensor?[]>? Backward { get; set; } = backward;

    public Tensor Output { get; } = output;

    /// <summary>Whether backward reads the output's values. Else they are given back before it runs, and its gradients find room in their place.</summary>
    public bool ReadsOutput { get; } = readsOutput;

    public Tensor?[] Inputs { get; set; } = inputs;

    /// <summary>The sum of the gradients that reached the output so far.</summary>
    public Tensor? Gradient { get; set; }
}

/// <summary>Reverse-mode differentiation over a tape of closures. An op records itself; <see cref="Tensor.Backward()"/> walks the tape.</summary>
public static class Autograd
{
    [ThreadStatic]
    private static int paused;

    [ThreadStatic]
    private static bool recomputing;

    private static long count;

    /// <summary>False inside <see cref="NoGrad"/>.</summary>
    public static bool IsEnabled => paused == 0;

    /// <summary>Until the result is disposed, ops on this thread record nothing.</summary>
    public static NoGradScope NoGrad()
    {
        paused++;
        return default;
    }

    /// <summary>Ends the <see cref="NoGrad"/> it came from.</summary>
    public readonly struct NoGradScope : IDisposable
    {
        public void Dispose() => paused--;
    }

    /// <summary>True while backward runs the forward pass of a <see cref="Checkpoint(Func{Tensor, Tensor}, Tensor)"/> once more: what it has moved before, such as running statistics, must not move again.</summary>
    internal static bool IsRecomputing => recomputing;

    /// <summary>
    /// <paramref name="forward"/>(<paramref name="x"/>) that keeps nothing but x for its gradient: backward computes the rest once more, with the same random
    /// numbers, and so to the same bits (Chen et al. 2016, arXiv:1604.06174). Of recorded tensors the function may read x alone, besides leaves such as
    /// weights. Within another checkpoint's second pass it is an ordinary call.
    /// </summary>
    public static Tensor Checkpoint(Func<Tensor, Tensor> forward, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(forward);
        return Checkpoint(inputs => forward(inputs[0]), [x]);
    }

    /// <summary>The same for a function of two tensors.</summary>
    public static Tensor Checkpoint(Func<Tensor, Tensor, Tensor> forward, Tensor a, Tensor b)
    {
        ArgumentNullException.ThrowIfNull(forward);
        return Checkpoint(inputs => forward(inputs[0], inputs[1]), [a, b]);
    }

    /// <summary>
    /// Records <paramref name="output"/> = op(<paramref name="input"/>). <paramref name="backward"/> gets d(loss)/d(output) and returns
    /// d(loss)/d(input): a new tensor, the one it got, or a view of it. What it got it may change only where nobody else holds it (<see cref="Block.IsUnshared"/>).
    /// </summary>
    /// <param name="read">Those of output and input whose values backward reads; null: both. The others may be given back before.</param>
    internal static Tensor Record(Tensor output, Tensor input, Func<Tensor, Tensor> backward, Tensor?[]? read = null) =>
        input.WantsGrad ? Add(output, [input], dy => [backward(dy)], read) : output;

    /// <summary>The same for several inputs: one gradient each, null for an input that wants none (<see cref="Tensor.WantsGrad"/>, asked when recording).</summary>
    internal static Tensor Record(Tensor output, Tensor?[] inputs, Func<Tensor, Tensor?[]> backward, Tensor?[]? read = null) =>
        Array.Exists(inputs, t => t is { WantsGrad: true }) ? Add(output, inputs, backward, read) : output;

    /// <param name="root">Where the walk begins.</param>
    /// <param name="rootGradient">Its gradient, which the walk gives back.</param>
    /// <param name="since">The walk may not reach nodes that were recorded before this one.</param>
    internal static void Walk(Tensor root, Tensor rootGradient, long since = 0)
    {
        if (rootGradient.Shape != root.Shape) throw new ShapeException($"Backward from {root.Shape} was given a gradient of {rootGradient.Shape}");
        using NoGradScope quiet = NoGrad();
        if (root.Node is null)
        {
            if (root.RequiresGrad) Accumulate(root, rootGradient);
            else rootGradient.Block.Release();
            return;
        }
        bool givesBack = TensorMemory.Current is not null;
        List<TapeNode> nodes = Reachable(root.Node, since);
        root.Node.Gradient = rootGradient;
        foreach (TapeNode node in nodes)
        {
            bool outputIsOurs = givesBack && node.Output != root && !node.Output.Block.IsKept; // all who read it later have been walked
            if (outputIsOurs && !node.ReadsOutput) node.Output.Block.Release();
            if (node.Gradient is { } dy)
            {
                Tensor?[] gradients = node.Backward!(dy);
                for (int i = 0; i < gradients.Length; i++)
                {
                    if (gradients[i] is { } gradient && node.Inputs[i] is { } input && (input.RequiresGrad || input.Node is not null))
                    {
                        if (ReferenceEquals(gradient, dy)) dy.Block.AddOwner();
                        Accumulate(input, gradient);
                    }
                }
                node.Gradient = null;
                dy.Block.Release();
            }
            node.Backward = null;
            node.Inputs = [];
            if (outputIsOurs && node.ReadsOutput) node.Output.Block.Release();
        }
    }

    private static Tensor Checkpoint(Func<Tensor[], Tensor> forward, Tensor[] inputs)
    {
        if (!IsEnabled || recomputing) return forward(inputs);
        var circumstances = new Circumstances(RandomScope.Mark(), RoundingPolicy.Current);
        foreach (Tensor x in inputs) x.Block.IsRead = true; // by the second pass, whatever the function itself is done with
        Tensor y;
        using (NoGrad())
        using (MemoryScope scope = TensorMemory.Scope())
        {
            y = forward(inputs);
            if (Array.Exists(inputs, x => x.Block == y.Block)) y = y.View(y.Shape); // the function gave its input, or another shape of it
            else scope.PassOut(y);
        }
        bool[] wanted = Array.ConvertAll(inputs, x => x.WantsGrad);
        return Add(y, inputs, dy => Recompute(forward, inputs, wanted, circumstances, dy));
    }

    /// <summary>Runs a checkpointed function again on leaves of its own, recorded this time, and walks what it recorded.</summary>
    private static Tensor?[] Recompute(Func<Tensor[], Tensor> forward, Tensor[] inputs, bool[] wanted, Circumstances circumstances, Tensor dy)
    {
        int outer = paused;
        Tensor[] leaves = Array.ConvertAll(inputs, x => x.View(x.Shape));
        using MemoryScope? scope = TensorMemory.Current is null ? null : TensorMemory.Scope();
        try
        {
            (paused, recomputing) = (0, true);
            long since = Interlocked.Read(ref count) + 1;
            for (int i = 0; i < leaves.Length; i++)
            {
                if (!wanted[i]) continue;
                // What reached the input before is where its sum goes on, as it does without a checkpoint: in another order it would round otherwise.
                (leaves[i].RequiresGrad, leaves[i].Gradient) = (true, TakeGradient(inputs[i]));
            }
            Tensor y;
            using (RandomScope.Replay(circumstances.Draws))
            using (RoundingPolicy.Use(circumstances.Rounding)) y = forward(leaves);
            Walk(y, dy.View(dy.Shape), since);
        }
        finally
        {
            (paused, recomputing) = (outer, false);
        }
        Tensor?[] gradients = Array.ConvertAll(leaves, leaf => leaf.Gradient);
        foreach (Tensor leaf in leaves) leaf.Block.Release();
        foreach (Tensor? gradient in gradients)
        {
            if (gradient is null) continue;
            gradient.Block.IsKept = false; // as a leaf's it was: here it is on its way to the tape before
            scope?.PassOut(gradient);
        }
        return gradients;
    }

    private static Tensor? TakeGradient(Tensor tensor)
    {
        Tensor? sum = tensor.Node is { } node ? node.Gradient : tensor.Gradient;
        if (tensor.Node is null) tensor.Gradient = null;
        else tensor.Node.Gradient = null;
        return sum;
    }

    private static Tensor Add(Tensor output, Tensor?[] inputs, Func<Tensor, Tensor?[]> backward, Tensor?[]? read = null)
    {
        bool readsOutput = read is null || Array.IndexOf(read, output) >= 0;
        foreach (Tensor? tensor in read ?? [output, .. inputs])
        {
            if (tensor is not null) tensor.Block.IsRead = true;
        }
        output.Node = new TapeNode(Interlocked.Increment(ref count), output, inputs, readsOutput, backward);
        return output;
    }

    /// <summary>The nodes that lead to <paramref name="last"/>, latest first.</summary>
    private static List<TapeNode> Reachable(TapeNode last, long since)
    {
        var seen = new HashSet<TapeNode> { last };
        var open = new Stack<TapeNode>([last]);
        while (open.TryPop(out TapeNode? node))
        {
            if (node.Order < since) throw new InvalidOperationException("a checkpointed function read a recorded tensor that is not its input: pass it as one");
            if (node.Backward is null) throw new InvalidOperationException("Backward walked this tape before: run the forward pass again");
            foreach (Tensor? input in node.Inputs)
            {
                if (input?.Node is { } before && seen.Add(before)) open.Push(before);
            }
        }
        List<TapeNode> nodes = [.. seen];
        nodes.Sort((a, b) => b.Order.CompareTo(a.Order));
        return nodes;
    }

    /// <summary>Adds a gradient to what has reached a tensor, taking it over where it is the first and nobody else holds it.</summary>
    private static void Accumulate(Tensor tensor, Tensor gradient)
    {
        if (gradient.Shape != tensor.Shape) throw new InvalidOperationException($"a gradient of {gradient.Shape} reached a tensor of {tensor.Shape}");
        Tensor? sum = tensor.Node is { } node ? node.Gradient : tensor.Gradient;
        if (sum is null)
        {
            sum = tensor.Node is null ? Own(gradient).Keep() : gradient;
        }
        else
        {
            // Into the one of the two that nobody else holds, else into a third.
            Tensor total = sum.Block.IsUnshared ? sum : gradient.Block.IsUnshared ? gradient : Tensor.Empty(sum.Shape);
            Elementwise.Zip(sum, gradient, total, default(AddOp));
            if (total != sum) sum.Block.Release();
            if (total != gradient) gradient.Block.Release();
            sum = tensor.Node is null ? total.Keep() : total;
        }
        if (tensor.Node is null) tensor.Gradient = sum;
        else tensor.Node.Gradient = sum;
    }

    /// <summary>The tensor itself where nobody shares its memory, else a copy.</summary>
    private static Tensor Own(Tensor tensor)
    {
        if (tensor.Block.IsUnshared) return tensor;
        Tensor copy = tensor.Clone();
        tensor.Block.Release();
        return copy;
    }

    /// <summary>What a function's results depend on besides its inputs and weights.</summary>
    private readonly record struct Circumstances(RandomScope.Draws Draws, Rounding Rounding);
}
