namespace Delineate.Testing;

/// <summary>
/// A value of an ONNX file that is run here: sizes and elements, row by row. Elements are doubles whatever the type (<c>onnx.proto3</c>'s number: 1 float, 2 byte,
/// 7 whole number, 9 truth, 11 double), those of floats rounded to floats.
/// </summary>
public sealed record OnnxArray(long Type, int[] Sizes, double[] Values)
{
    public const long Float = 1, Byte = 2, Whole = 7, Truth = 9, Double = 11;

    public float[] Floats => Array.ConvertAll(Values, v => (float)v);

    public static int Product(ReadOnlySpan<int> sizes)
    {
        int product = 1;
        foreach (int size in sizes) product *= size;
        return product;
    }

    public static OnnxArray Of(long type, int[] sizes, Func<int, double> value)
    {
        var values = new double[Product(sizes)];
        for (int i = 0; i < values.Length; i++) values[i] = type == Float ? (float)value(i) : value(i);
        return new OnnxArray(type, sizes, values);
    }

    public static OnnxArray Wholes(params int[] values) => new(Whole, [values.Length], Array.ConvertAll(values, v => (double)v));

    /// <summary>An axis that may be counted from the end.</summary>
    public int Axis(long axis) => (int)(axis < 0 ? axis + Sizes.Length : axis);

    public int[] Ints => Array.ConvertAll(Values, v => (int)Math.Clamp(v, int.MinValue, int.MaxValue));

    /// <summary>The same elements under other sizes.</summary>
    public OnnxArray As(params int[] sizes) => Product(sizes) == Values.Length
        ? this with { Sizes = sizes }
        : throw new InvalidOperationException($"[{string.Join(", ", Sizes)}] cannot be laid out as [{string.Join(", ", sizes)}]");

    /// <summary>The array whose element at each place is that of this array at the place that <paramref name="from"/> gives.</summary>
    public OnnxArray Pick(int[] sizes, Func<int[], int[]> from)
    {
        var place = new int[sizes.Length];
        return Of(Type, sizes, i =>
        {
            for (int axis = sizes.Length - 1; axis >= 0; axis--) (i, place[axis]) = Math.DivRem(i, sizes[axis]);
            return this[from(place)];
        });
    }

    public double this[params ReadOnlySpan<int> place]
    {
        get
        {
            int index = 0;
            for (int axis = 0; axis < place.Length; axis++)
            {
                if (place[axis] < 0 || place[axis] >= Sizes[axis]) throw new InvalidOperationException($"place {place[axis]} of an axis of {Sizes[axis]}");
                index = (index * Sizes[axis]) + place[axis];
            }
            return Values[index];
        }
    }
}

/// <summary>
/// Runs an ONNX file as the operators' specification says, naively: a second reading of it that nothing of the product has a part in. It knows the operators that
/// are written here, not all.
/// </summary>
public sealed class OnnxRunner(OnnxReader file)
{
    private readonly Dictionary<string, OnnxArray> constants = file.Tensors.Values.ToDictionary(t => t.Name, t => new OnnxArray(
        t.Type, Array.ConvertAll(t.Sizes, s => (int)s), t.Type == OnnxArray.Float ? Array.ConvertAll(t.Floats, v => (double)v) : Array.ConvertAll(t.Wholes, v => (double)v)));

    /// <summary>The outputs by name.</summary>
    public IReadOnlyDictionary<string, OnnxArray> Run(OnnxArray input)
    {
        var known = new Dictionary<string, OnnxArray>(constants) { [file.Input.Name] = input };
        Run(file.Nodes, known);
        return file.Outputs.ToDictionary(o => o.Name, o => Checked(o, known[o.Name]));
    }

    private static OnnxArray Checked(OnnxReadPort port, OnnxArray value)
    {
        bool fits = port.Type == value.Type && port.Sizes.Length == value.Sizes.Length && port.Sizes.Zip(value.Sizes).All(p => !int.TryParse(p.First, out int size) || size == p.Second);
        return fits ? value : throw new InvalidOperationException($"{port.Name} is declared as {port.Type} [{string.Join(", ", port.Sizes)}] and is {value.Type} [{string.Join(", ", value.Sizes)}]");
    }

    private static void Run(IEnumerable<OnnxReadNode> nodes, Dictionary<string, OnnxArray> known)
    {
        foreach (OnnxReadNode node in nodes)
        {
            OnnxArray?[] inputs = [.. node.Inputs.Select(name => name.Length == 0 ? null : known[name])];
            OnnxArray[] made;
            try
            {
                made = node.Op == "Loop" ? Loop(node, inputs, known) : OnnxOps.Run(node, inputs);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{node.Name} of {string.Join(", ", inputs.Select(x => x is null ? "-" : $"[{string.Join(", ", x.Sizes)}]"))}: {e.Message}", e);
            }
            for (int i = 0; i < made.Length; i++) known.Add(node.Outputs[i], made[i]);
        }
    }

    /// <summary>A loop without values that are carried from step to step: each result is stacked.</summary>
    private static OnnxArray[] Loop(OnnxReadNode node, OnnxArray?[] inputs, Dictionary<string, OnnxArray> outer)
    {
        var body = (OnnxReadBody)node.Attributes["body"];
        var steps = new List<OnnxArray>[node.Outputs.Count];
        for (int i = 0; i < steps.Length; i++) steps[i] = [];
        for (int step = 0; step < inputs[0]!.Values.Single(); step++)
        {
            var known = new Dictionary<string, OnnxArray>(outer)
            {
                [body.Inputs[0].Name] = new OnnxArray(OnnxArray.Whole, [], [step]),
                [body.Inputs[1].Name] = new OnnxArray(OnnxArray.Truth, [], [1]),
            };
            Run(body.Nodes, known);
            if (known[body.Outputs[0].Name].Values.Single() != 1) throw new InvalidOperationException("the loop ends early");
            for (int i = 0; i < steps.Length; i++) steps[i].Add(Checked(body.Outputs[i + 1], known[body.Outputs[i + 1].Name]));
        }
        return [.. steps.Select((made, i) => made.Count == 0
            ? new OnnxArray(body.Outputs[i + 1].Type, [0, .. body.Outputs[i + 1].Sizes.Select(s => int.TryParse(s, out int size) ? size : 0)], [])
            : new OnnxArray(made[0].Type, [made.Count, .. made[0].Sizes], [.. made.SelectMany(m => m.Values)]))];
    }
}
