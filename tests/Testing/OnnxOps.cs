namespace Delineate.Testing;

/// <summary>Operators of ONNX on arrays: those that move, compare and compute elements. See <see cref="OnnxMapOps"/> for those of maps.</summary>
internal static class OnnxOps
{
    public static OnnxArray[] Run(OnnxReadNode node, OnnxArray?[] inputs)
    {
        OnnxArray x = inputs[0]!;
        return node.Op switch
        {
            "Identity" => [x],
            "Add" => [Zip(x, inputs[1]!, (a, b) => a + b)],
            "Sub" => [Zip(x, inputs[1]!, (a, b) => a - b)],
            "Mul" => [Zip(x, inputs[1]!, (a, b) => a * b)],
            "Div" => [Zip(x, inputs[1]!, x.Type == OnnxArray.Whole ? (a, b) => Math.Truncate(a / b) : (a, b) => a / b)],
            "Mod" => [Zip(x, inputs[1]!, (a, b) => a - (Math.Floor(a / b) * b))],
            "Min" => [Zip(x, inputs[1]!, Math.Min)],
            "Max" => [Zip(x, inputs[1]!, Math.Max)],
            "And" => [Zip(x, inputs[1]!, (a, b) => a * b)],
            "Equal" => [Compare(x, inputs[1]!, (a, b) => a == b)],
            "Greater" => [Compare(x, inputs[1]!, (a, b) => a > b)],
            "GreaterOrEqual" => [Compare(x, inputs[1]!, (a, b) => a >= b)],
            "LessOrEqual" => [Compare(x, inputs[1]!, (a, b) => a <= b)],
            "Reciprocal" => [Map(x, v => 1 / v)],
            "Sqrt" => [Map(x, Math.Sqrt)],
            "Exp" => [Map(x, Math.Exp)],
            "Log" => [Map(x, Math.Log)],
            "Abs" => [Map(x, Math.Abs)],
            "Floor" => [Map(x, Math.Floor)],
            "Ceil" => [Map(x, Math.Ceiling)],
            "Relu" => [Map(x, v => Math.Max(v, 0))],
            "Sigmoid" => [Map(x, v => 1 / (1 + Math.Exp(-v)))],
            "Cast" => [Cast(x, (long)node.Attributes["to"])],
            "Where" => [Where(x, inputs[1]!, inputs[2]!)],
            "Shape" => [OnnxArray.Wholes(x.Sizes[(int)(long)node.Attributes["start"]..(int)(long)node.Attributes["end"]])],
            "Reshape" => [Reshape(x, inputs[1]!.Ints)],
            "Flatten" => [x.As(OnnxArray.Product(x.Sizes.AsSpan(0, Number(node, "axis"))), OnnxArray.Product(x.Sizes.AsSpan(Number(node, "axis"))))],
            "Unsqueeze" => [Unsqueeze(x, inputs[1]!.Ints)],
            "Squeeze" => [x.As([.. x.Sizes.Where(s => s != 1)])],
            "Expand" => [Where(new OnnxArray(OnnxArray.Truth, inputs[1]!.Ints, [.. Enumerable.Repeat(1.0, OnnxArray.Product(inputs[1]!.Ints))]), x, x)],
            "Range" => [OnnxArray.Of(x.Type, [Math.Max(0, (int)Math.Ceiling((inputs[1]!.Values[0] - x.Values[0]) / inputs[2]!.Values[0]))], i => x.Values[0] + (i * inputs[2]!.Values[0]))],
            "Transpose" => [Transpose(x, (long[])node.Attributes["perm"])],
            "Concat" => [Concat([.. inputs.Select(i => i!)], x.Axis(Number(node, "axis")))],
            "Slice" => [Slice(x, inputs[1]!.Ints[0], inputs[2]!.Ints[0], x.Axis(inputs[3]!.Ints[0]))],
            "Gather" => [Gather(x, inputs[1]!, x.Axis(Number(node, "axis")))],
            "NonZero" => [NonZero(x)],
            "TopK" => Top(x, inputs[1]!.Ints.Single(), Number(node, "largest") == 1),
            "ReduceSum" => [Reduce(node, x, inputs[1]!.Ints, v => v.Sum())],
            "ReduceMean" => [Reduce(node, x, Axes(node, x), v => v.Average())],
            "ReduceMax" => [Reduce(node, x, Axes(node, x), v => v.Max())],
            "ReduceMin" => [Reduce(node, x, Axes(node, x), v => v.Min())],
            "ArgMax" => [Reduce(node, x, [Number(node, "axis")], v => Array.IndexOf(v, v.Max())) with { Type = OnnxArray.Whole }],
            _ => OnnxMapOps.Run(node, inputs),
        };
    }

    public static int Number(OnnxReadNode node, string attribute) => (int)(long)node.Attributes[attribute];

    private static OnnxArray Map(OnnxArray x, Func<double, double> function) => OnnxArray.Of(x.Type, x.Sizes, i => function(x.Values[i]));

    private static OnnxArray Zip(OnnxArray a, OnnxArray b, Func<double, double, double> function)
    {
        if (a.Type != b.Type) throw new InvalidOperationException($"types {a.Type} and {b.Type}");
        int[] sizes = Spread(a.Sizes, b.Sizes);
        (OnnxArray left, OnnxArray right) = (Broadcast(a, sizes), Broadcast(b, sizes));
        return OnnxArray.Of(a.Type, sizes, i => function(left.Values[i], right.Values[i]));
    }

    private static OnnxArray Compare(OnnxArray a, OnnxArray b, Func<double, double, bool> function) => Zip(a, b, (x, y) => function(x, y) ? 1 : 0) with { Type = OnnxArray.Truth };

    private static OnnxArray Where(OnnxArray condition, OnnxArray yes, OnnxArray no)
    {
        if (condition.Type != OnnxArray.Truth || yes.Type != no.Type) throw new InvalidOperationException($"types {condition.Type}, {yes.Type} and {no.Type}");
        int[] sizes = Spread(condition.Sizes, Spread(yes.Sizes, no.Sizes));
        (OnnxArray decided, OnnxArray a, OnnxArray b) = (Broadcast(condition, sizes), Broadcast(yes, sizes), Broadcast(no, sizes));
        return OnnxArray.Of(yes.Type, sizes, i => decided.Values[i] != 0 ? a.Values[i] : b.Values[i]);
    }

    private static int[] Spread(int[] a, int[] b)
    {
        var sizes = new int[Math.Max(a.Length, b.Length)];
        for (int i = 1; i <= sizes.Length; i++)
        {
            (int x, int y) = (i <= a.Length ? a[^i] : 1, i <= b.Length ? b[^i] : 1);
            sizes[^i] = x == y || y == 1 ? x : x == 1 ? y : throw new InvalidOperationException($"[{string.Join(", ", a)}] beside [{string.Join(", ", b)}]");
        }
        return sizes;
    }

    private static OnnxArray Broadcast(OnnxArray x, int[] sizes)
    {
        if (x.Sizes.AsSpan().SequenceEqual(sizes)) return x;
        var from = new int[x.Sizes.Length];
        return x.Pick(sizes, place =>
        {
            for (int i = 1; i <= from.Length; i++) from[^i] = x.Sizes[^i] == 1 ? 0 : place[^i];
            return from;
        });
    }

    private static OnnxArray Cast(OnnxArray x, long type) => OnnxArray.Of(type, x.Sizes, i => type switch
    {
        OnnxArray.Whole or OnnxArray.Byte => Math.Truncate(x.Values[i]),
        OnnxArray.Truth => x.Values[i] != 0 ? 1 : 0,
        _ => x.Values[i],
    });

    private static OnnxArray Reshape(OnnxArray x, int[] sizes)
    {
        int open = Array.IndexOf(sizes, -1);
        if (open < 0) return x.As(sizes);
        int rest = 1;
        for (int i = 0; i < sizes.Length; i++) rest *= i == open ? 1 : sizes[i];
        int[] filled = [.. sizes];
        filled[open] = x.Values.Length / rest;
        return x.As(filled);
    }

    private static OnnxArray Unsqueeze(OnnxArray x, int[] axes)
    {
        int rank = x.Sizes.Length + axes.Length;
        HashSet<int> added = [.. axes.Select(a => a < 0 ? a + rank : a)];
        var old = new Queue<int>(x.Sizes);
        return x.As([.. Enumerable.Range(0, rank).Select(i => added.Contains(i) ? 1 : old.Dequeue())]);
    }

    private static OnnxArray Transpose(OnnxArray x, long[] order)
    {
        var from = new int[order.Length];
        return x.Pick([.. order.Select(axis => x.Sizes[axis])], place =>
        {
            for (int i = 0; i < order.Length; i++) from[order[i]] = place[i];
            return from;
        });
    }

    private static OnnxArray Concat(OnnxArray[] parts, int axis)
    {
        OnnxArray first = parts[0];
        if (Array.Exists(parts, p => p.Type != first.Type || p.Sizes.Length != first.Sizes.Length)) throw new InvalidOperationException("parts of several types or ranks");
        int[] sizes = [.. first.Sizes];
        sizes[axis] = parts.Sum(p => p.Sizes[axis]);
        int outer = OnnxArray.Product(sizes.AsSpan(0, axis));
        var values = new List<double>();
        for (int i = 0; i < outer; i++)
        {
            foreach (OnnxArray part in parts)
            {
                int run = part.Values.Length / Math.Max(1, outer);
                values.AddRange(part.Values.AsSpan(i * run, run));
            }
        }
        return new OnnxArray(first.Type, sizes, [.. values]);
    }

    private static OnnxArray Slice(OnnxArray x, int start, int end, int axis)
    {
        int[] sizes = [.. x.Sizes];
        int from = Math.Clamp(start < 0 ? start + sizes[axis] : start, 0, sizes[axis]), to = Math.Clamp(end < 0 ? end + sizes[axis] : end, from, sizes[axis]);
        sizes[axis] = to - from;
        var shifted = new int[sizes.Length];
        return x.Pick(sizes, place =>
        {
            place.CopyTo(shifted, 0);
            shifted[axis] += from;
            return shifted;
        });
    }

    private static OnnxArray Gather(OnnxArray x, OnnxArray places, int axis)
    {
        if (places.Type != OnnxArray.Whole) throw new InvalidOperationException($"places of type {places.Type}");
        int rank = places.Sizes.Length;
        return x.Pick([.. x.Sizes[..axis], .. places.Sizes, .. x.Sizes[(axis + 1)..]], place =>
            [.. place[..axis], (int)places[place.AsSpan(axis, rank)], .. place[(axis + rank)..]]);
    }

    private static OnnxArray NonZero(OnnxArray x)
    {
        if (x.Sizes.Length != 1) throw new InvalidOperationException("of one axis only");
        int[] places = [.. Enumerable.Range(0, x.Values.Length).Where(i => x.Values[i] != 0)];
        return OnnxArray.Wholes(places).As(1, places.Length);
    }

    private static OnnxArray[] Top(OnnxArray x, int count, bool largest)
    {
        if (x.Sizes.Length != 1 || count > x.Values.Length) throw new InvalidOperationException($"{count} of [{string.Join(", ", x.Sizes)}]");
        IEnumerable<int> all = Enumerable.Range(0, x.Values.Length); // sorting keeps the order of equal ones
        int[] places = [.. (largest ? all.OrderByDescending(i => x.Values[i]) : all.OrderBy(i => x.Values[i])).Take(count)];
        return [OnnxArray.Of(x.Type, [count], i => x.Values[places[i]]), OnnxArray.Wholes(places)];
    }

    private static int[] Axes(OnnxReadNode node, OnnxArray x) =>
        node.Attributes.TryGetValue("axes", out object? axes) ? Array.ConvertAll((long[])axes, a => (int)a) : [.. Enumerable.Range(0, x.Sizes.Length)];

    private static OnnxArray Reduce(OnnxReadNode node, OnnxArray x, int[] axes, Func<double[], double> function)
    {
        HashSet<int> gone = [.. axes.Select(a => x.Axis(a))];
        int[] kept = [.. Enumerable.Range(0, x.Sizes.Length).Where(a => !gone.Contains(a))];
        OnnxArray ordered = Transpose(x, [.. kept.Concat(gone.Order()).Select(a => (long)a)]);
        int[] sizes = Array.ConvertAll(kept, a => x.Sizes[a]);
        int run = OnnxArray.Product(ordered.Sizes.AsSpan(kept.Length));
        OnnxArray made = OnnxArray.Of(x.Type, sizes, i => function(ordered.Values[(i * run)..((i + 1) * run)]));
        bool keeps = !node.Attributes.TryGetValue("keepdims", out object? value) || (long)value == 1;
        return keeps ? made.As([.. x.Sizes.Select((s, a) => gone.Contains(a) ? 1 : s)]) : made;
    }
}
