using Delineate.Tensors.Kernels;

namespace Delineate.Tensors;

/// <summary>One recorded op: what it made, what it read, and how the gradient of the one becomes the gradients of the others.</summary>
internal sealed class TapeNode(long order, Tensor output, Tensor?[] inputs, Func<Tensor, Tensor?[]> backward)
{
    public long Order { get; } = order;

    /// <summary>Set to null once the node has been walked.</summary>
    public Func<Tensor, Tensor?[]>? Backward { get; set; } = backward;

    public Tensor Output { get; } = output;

    public Tensor?[] Inputs { get; set; } = inputs;

    /// <summary>The sum of the gradients that reached the output so far.</summary>
    public Tensor? Gradient { get; set; }
}

/// <summary>Reverse-mode differentiation over a tape of closures. An op records itself; <see cref="Tensor.Backward()"/> walks the tape.</summary>
public static class Autograd
{
    [ThreadStatic]
    private static int paused;

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

    /// <summary>
    /// Records <paramref name="output"/> = op(<paramref name="input"/>). <paramref name="backward"/> gets d(loss)/d(output) and returns
    /// d(loss)/d(input): a new tensor, the one it got, or a view of it. It must not change what it got.
    /// </summary>
    internal static Tensor Record(Tensor output, Tensor input, Func<Tensor, Tensor> backward) =>
        input.WantsGrad ? Add(output, [input], dy => [backward(dy)]) : output;

    /// <summary>The same for several inputs: one gradient each, null for an input that wants none (<see cref="Tensor.WantsGrad"/>, asked when recording).</summary>
    internal static Tensor Record(Tensor output, Tensor?[] inputs, Func<Tensor, Tensor?[]> backward) =>
        Array.Exists(inputs, t => t is { WantsGrad: true }) ? Add(output, inputs, backward) : output;

    internal static void Walk(Tensor root, Tensor rootGradient)
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
        List<TapeNode> nodes = Reachable(root.Node);
        root.Node.Gradient = rootGradient;
        foreach (TapeNode node in nodes)
        {
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
            if (givesBack && node.Output != root && !node.Output.Block.IsKept) node.Output.Block.Release();
        }
    }

    private static Tensor Add(Tensor output, Tensor?[] inputs, Func<Tensor, Tensor?[]> backward)
    {
        output.Node = new TapeNode(Interlocked.Increment(ref count), output, inputs, backward);
        return output;
    }

    /// <summary>The nodes that lead to <paramref name="last"/>, latest first.</summary>
    private static List<TapeNode> Reachable(TapeNode last)
    {
        var seen = new HashSet<TapeNode> { last };
        var open = new Stack<TapeNode>([last]);
        while (open.TryPop(out TapeNode? node))
        {
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
}
